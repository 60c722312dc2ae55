"""Recommendation in stages, one stage per file.

``listener`` (features of the listener) → ``retrieve`` candidates from several sources → ``filter`` them by what is
blocked, ``rights`` by what may be played, ``heard`` by what is new → ``rank`` the rest → ``diversify`` → ``explore`` →
``explain`` by ``reasons`` → ``impressions`` (what was shown, with its propensity).

``engine`` runs the stages for one listener; ``models`` has the models by name, ``catalogue`` their shared data.
``heard`` knows what a listener has ever heard; ``again`` recommends of it. ``known_rights`` keeps rights for the time
without the online store.
"""
