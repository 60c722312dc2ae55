"""Recommendation in stages, one stage per file.

``listener`` (features of the listener) → ``retrieve`` candidates from several sources → ``filter`` them → ``rank`` the
rest → ``diversify`` → ``explore`` → give ``reasons`` → ``impressions`` (what was shown, with its propensity).

``engine`` runs the stages for one listener; ``models`` has the five models by name, ``catalogue`` their shared data.
"""
