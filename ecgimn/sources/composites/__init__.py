"""Composite cases: mean beats of many patients with one finding, and how they are made."""
