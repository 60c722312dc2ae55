"""Attacks on sounds."""
