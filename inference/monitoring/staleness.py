"""The age from which features are stale; apart from their reader, so that command lines begin without numpy."""

STALE_AFTER_S = 26 * 3600.0
"""Age of the newest event of a windowed view from which on its features are stale: a day, and two hours for the run."""
