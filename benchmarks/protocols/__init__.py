"""Protocols by which recommenders are measured on public data, one a file; ``quality_recommendation`` runs them.

Each has ``NAME``, ``GOAL`` (metric and least value) and ``measure(folder)``, which yields rows.
"""
