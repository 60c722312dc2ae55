"""Attacks on histories."""
