"""Knows the detector, too: the optimised plans, diluted until the filter lets them pass.

Each plan of ``optimised`` keeps a part of its fillers, different ones for each fake, and fills up to the length of a
real profile by popularity. Of the plans that the filter does not see, the one with the largest reach is taken; reach
is judged exactly, the filter on the very plays.
"""

import numpy as np

from training.shilling.attacks import average
from training.shilling.attacks.contract import Attack, with_target
from training.shilling.attacks.optimised import plans
from training.shilling.detection import Detection
from training.shilling.known import Known
from training.shilling.profiles import add_fakes

KEPT_SHARES = (0.7, 0.5, 0.35, 0.2)
TRIED = 10
"""Plans that are shown to the filter, those of the largest reach first."""


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns the plan with the largest reach among those of which fewer than a tenth of the fakes is seen."""
    fallback = average.make(known, target, count, rng)
    diluted = []
    for fillers in plans(known, target, count):
        for share in KEPT_SHARES:
            profiles = _dilute(known, fillers, share, rng)
            diluted.append([with_target(each, target, rng) for each in profiles])
    order = sorted(diluted, key=lambda profiles: -known.reach(profiles, target))
    detection, people = Detection(), known.plays.shape[0]
    for profiles in order[:TRIED]:
        seen = detection.assess(add_fakes(known.plays, profiles, np.random.default_rng(0))).left_out[people:]
        if seen.mean() < 0.1:
            return profiles
    return fallback


def _dilute(known: Known, plan: list[np.ndarray], share: float, rng: np.random.Generator) -> list[np.ndarray]:
    chances = known.listeners / known.listeners.sum()
    lengths = known.lengths(len(plan), rng)
    profiles = []
    for fillers, length in zip(plan, lengths.tolist(), strict=True):
        kept = rng.choice(fillers, max(round(share * len(fillers)), 1), replace=False)
        more = min(max(length - len(kept), 0), int((chances > 0).sum()))
        profiles.append(np.concatenate([kept, rng.choice(len(chances), more, replace=False, p=chances)]))
    return profiles


ATTACK = Attack("adaptive", "optimised, diluted until the filter lets it pass, of a person who knows the filter", make)
