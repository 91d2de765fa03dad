"""The network, its card, and models on disk."""
