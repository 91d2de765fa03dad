"""Trains ECG-IMNs and black boxes on PTB-XL and writes models with their cards."""
