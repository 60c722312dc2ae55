"""Subcommands: ``python -m inference keys|experiments|monitor``."""
