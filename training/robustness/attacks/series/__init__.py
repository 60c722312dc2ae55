"""Attacks on series."""
