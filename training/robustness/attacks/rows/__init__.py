"""Attacks on rows of numbers, in the inputs that somebody can change, within the range that training saw."""
