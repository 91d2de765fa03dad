"""Finds P, QRS and T of every beat in every lead."""
