"""Recommendation as stages, one a file: ``retrieve`` candidates, ``filter`` them, ``rank`` the rest, tell ``reasons``.

``engine`` runs them for one listener.
"""
