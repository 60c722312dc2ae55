"""Which tracks are worth ranking for a listener, and what is said of them on the way: in numpy alone.

Training asks here for the candidates of moments that are past, serving for those of a request, so that a ranker is
asked about what it learned from. ``neighbours`` (what goes with what) and vectors find tracks, ``pool`` puts them
together, ``blend`` orders them where no ranker does, ``cold`` knows what to play to somebody unknown.
"""
