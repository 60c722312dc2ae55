"""Decides whether a version may serve, by its figures on each test unit and the gates of its model.

``evidence`` is what a run stores of its test; ``bootstrap`` computes intervals; ``cross_validation`` splits by time;
``training_data`` checks a training set before a model learns from it, with ``leaks``. ``gates`` decides, with reasons,
by ``baselines`` (what stands beside the model in its test) and ``suspicions`` (figures that are too good, copies of
training rows found by ``familiar``). Each gate is a ``check``; ``comparison`` judges intervals.
"""
