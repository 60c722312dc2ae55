"""Recommendation: what might this listener want to hear that they have not heard?

An algorithm that learns from plays alone (``als``, ``ease``, ``item_knn``, ``popularity``) has ``fit(interactions,
cutoff)`` and returns scores, higher is better, as an array of (users, tracks) or as vectors whose dot products are
scores. It sees only interactions before the cutoff. ``ranker`` orders the candidates of ``candidates`` by features
of a FeatureService. ``run`` trains the family: vectors written back as features at every cutoff, a ranker trained on
what was known at those moments, all measured on the last days, and a bundle to serve.
"""
