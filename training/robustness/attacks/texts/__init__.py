"""Attacks on texts: what a person mistypes, or changes so that another person still reads the same."""
