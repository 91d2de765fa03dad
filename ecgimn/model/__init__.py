"""The network, its card, and models on disk."""

#: The model that is opened when none is named.
DEFAULT_MODEL = "superclass-v10"
#: Words of the decision zones; see `card.Zones`.
RULE_OUT, UNCERTAIN, RULE_IN = "rule out", "uncertain", "rule in"
#: Age group, first year and first year beyond, of the zones of people whose age is not known.
ANY_AGE = (0, 200)
#: Miss rate at which decision zones are stated unless another is chosen.
MISS_RATE = 0.05
