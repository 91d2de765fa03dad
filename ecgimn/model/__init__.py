"""The network, its card, and models on disk."""

#: The model that is opened when none is named.
DEFAULT_MODEL = "superclass-v9"
