"""Measures models on PTB-XL: discrimination, calibration, fidelity, localisation, stability; compares methods."""
