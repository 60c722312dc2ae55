"""Attacks on anomalies."""
