"""Candidate generation for recommendations, in numpy alone.

Training computes candidates for past moments and serving for a request with the same functions, so that a ranker gets
candidates like those it was trained with. ``neighbours`` (similar tracks) and vectors find tracks, ``pool`` merges
them, ``blend`` orders them where no ranker does, and ``cold`` finds tracks for unknown listeners.
"""
