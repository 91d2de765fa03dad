"""Versions of the study database, applied when a store is opened."""
