"""The entry point for data scientists: ``training_set(service, spine)`` and the time split.

>>> from training.datasets import training_set                                          # doctest: +SKIP
>>> training_set("recommendation_v1", spine).to_polars()                                # doctest: +SKIP
"""

from training.datasets.interactions import Interactions
from training.datasets.point_in_time import TrainingSet, all_keys, repeat, training_set
from training.datasets.sample import Sample
from training.datasets.splits import TimeSplit

__all__ = ["Interactions", "Sample", "TimeSplit", "TrainingSet", "all_keys", "repeat", "training_set"]
