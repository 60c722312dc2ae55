"""Command lines of their own: ``python -m inference keys|experiments|monitor``."""
