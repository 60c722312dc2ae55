"""Recommendation: tracks that a listener has not heard and may want to hear.

All algorithms have one interface (``contract``): ``fit(interactions, cutoff, attributes)`` learns from the plays before
the cutoff; the fit has ``scores(users)``, an array (len(users), tracks), higher is better.

- ``ials``: vectors of listeners and tracks. ``ease``, ``item_knn``, ``rp3beta``: tracks played by the same listeners.
  ``transitions``: tracks played after the last ones. ``popularity``: most played tracks, the same for everybody.
- ``content``: tracks with similar attributes. ``cold_start``: vectors of tracks without plays, from their attributes.
- ``blend``: a weighted sum of several algorithms, with weights learned on validation.

``ranker`` orders the candidates of ``candidates`` by features of a FeatureService. ``run`` trains the family: it writes
vectors back as features at every cutoff, trains the rankers on point-in-time features, evaluates all models on the
last days, and writes the bundle for serving. With few listeners ``own_run`` takes its place: ``own_listening`` sums up
the plays of each of them, ``own_evaluation`` measures and chooses the order of what to hear again, ``own_result`` says
what was measured and what could not be.
"""
