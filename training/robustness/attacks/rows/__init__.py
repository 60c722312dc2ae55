"""Attacks on rows."""
