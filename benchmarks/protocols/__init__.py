"""Evaluation protocols of recommenders on public data, one per file; ``quality_recommendation`` runs them.

Each has ``NAME``, ``GOAL`` (metric and its minimum) and ``measure(folder)``, which yields rows.
"""
