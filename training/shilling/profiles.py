"""Fake profiles among the plays of real listeners."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.datasets.interactions import Interactions

MINUTE = 60_000_000
PREFIX = "\U0010ffff fake "
"""Ids of fakes sort after all others, so that real listeners keep their numbers."""


def add_fakes(
    plays: Interactions, profiles: Sequence[np.ndarray], rng: np.random.Generator, *, burst_days: float | None = None
) -> Interactions:
    """Adds listeners with some profiles, numbered after the real ones.

    Args:
        plays: plays of real listeners.
        profiles: tracks of each fake, in order of its plays, three minutes apart; a track may come more than once.
        rng: generator of the times at which the fakes begin.
        burst_days: all of them begin within these days; None for times of real plays.

    >>> plays = Interactions(["u"], ["a", "b"], [None, None], *np.zeros((3, 1), np.int64))
    >>> add_fakes(plays, [np.array([1, 0])], np.random.default_rng(0)).shape
    (2, 2)
    """
    last = int(plays.time.max(initial=0))
    starts = rng.choice(plays.time, len(profiles)) if len(plays.time) else np.zeros(len(profiles), np.int64)
    if burst_days is not None and len(profiles):
        starts = int(starts[0]) + rng.integers(max(round(burst_days * 86_400_000_000), 1), size=len(profiles))
    user = np.repeat(np.arange(len(profiles)), [len(profile) for profile in profiles]) + plays.shape[0]
    times = [start + np.arange(len(profile)) * 3 * MINUTE for start, profile in zip(starts, profiles, strict=True)]
    track = np.concatenate([plays.track, *profiles]).astype(np.int64)
    time = np.concatenate([plays.time, np.minimum(np.concatenate([np.empty(0, np.int64), *times]), last)])
    order = np.argsort(time, kind="stable")
    return replace(
        plays,
        user_ids=[*plays.user_ids, *(f"{PREFIX}{number:06}" for number in range(len(profiles)))],
        user=np.concatenate([plays.user, user]).astype(np.int64)[order],
        track=track[order],
        time=time.astype(np.int64)[order],
        weight=np.concatenate([plays.weight, np.ones(len(user))])[order],
        device=np.concatenate([plays.device, np.full(len(user), None)])[order],
        context=np.concatenate([plays.context, np.full(len(user), None)])[order],
        skipped=np.concatenate([plays.skipped, np.zeros(len(user), bool)])[order],
    )
