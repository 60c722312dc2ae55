"""Subcommands: ``refrain keys|experiments|monitor``."""
