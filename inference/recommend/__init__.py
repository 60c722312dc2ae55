"""Recommendation as stages, one a file.

``listener`` (who asks) → ``retrieve`` candidates from several sources → ``filter`` them → ``rank`` the rest →
``diversify`` → ``explore`` → tell ``reasons`` → ``impressions`` (what was shown, with which chance).

``engine`` runs them for one listener; ``models`` has the five models by name, ``catalogue`` what they share.
"""
