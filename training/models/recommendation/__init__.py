"""Recommendation: what might this listener want to hear that they have not heard?

One contract for all (``contract``): ``fit(interactions, cutoff, attributes)`` learns from what lies before the cutoff,
and what comes out has ``scores(users)``, an array (len(users), tracks), higher is better.

- ``ials``: vectors of listeners and tracks. ``ease``, ``item_knn``, ``rp3beta``: tracks that are played by the same
  people. ``transitions``: what is played after what. ``popularity``: the same for everybody.
- ``content``: tracks described alike. ``cold_start``: vectors for tracks that nobody has played, from what describes
  them.
- ``blend``: several of them, with weights learned on validation.

``ranker`` orders the candidates of ``candidates`` by features of a FeatureService. ``run`` trains the family: vectors
written back as features at every cutoff, rankers trained on what was known at those moments, all measured on the last
days, and a bundle to serve.
"""
