"""Whether a version may serve: what was measured, unit by unit, and what is asked of it.

``evidence`` is what a run keeps of its test; ``bootstrap`` tells what of a difference is chance; ``cross_validation``
cuts time; ``training_data`` looks at a training set before anything learns from it; ``gates`` decides, with reasons.
"""
