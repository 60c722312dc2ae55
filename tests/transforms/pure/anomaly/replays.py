"""Series that are scored side by side: each by itself, in the time of one."""

import numpy as np

from transforms.pure.anomaly.many import SeriesScores
from transforms.pure.anomaly.series import SeriesDetector


def replay_each(timestamps: np.ndarray, *series: np.ndarray) -> list[SeriesScores]:
    """Returns the scores of each of several series with the same times, by a detector that knows all of them."""
    names = [f"{number}/x" for number in range(len(series)) for _ in timestamps]
    scores = SeriesDetector().replay(names, np.tile(timestamps, len(series)), np.concatenate(series))
    parts = [np.split(array, len(series)) for array in vars(scores).values()]
    return [SeriesScores(*arrays) for arrays in zip(*parts, strict=True)]
