"""Explanations: exact contributions, the ledger of lead by wave, interventions, words."""
