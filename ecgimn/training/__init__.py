"""Training on PTB-XL, and everything that is measured of a model."""
