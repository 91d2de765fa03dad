"""Blinded reading audits and teaching: an append-only record of who answered what, and what follows from it."""
