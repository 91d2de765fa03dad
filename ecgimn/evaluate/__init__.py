"""Measures models on PTB-XL: discrimination, calibration, fidelity, localisation, stability, and methods against each other."""
