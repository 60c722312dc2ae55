"""Why a listener was left out, in words, for a person who reviews it: what was seen, and what else it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.datasets.interactions import Interactions
from training.shilling.detection import BREADTH, COPY, CROWD, INCOHERENT, Assessment, Detection

NOTE = (
    "These are accounts to look at, not accounts that did anything. Models do not learn from their plays; "
    "nothing is deleted, and all of them get recommendations."
)


@dataclass(frozen=True)
class Review:
    """What a reviewer reads of one account.

    Attributes:
        user_id: the account.
        score: largest signal as a share of its limit.
        reasons: what was seen, each with an innocent explanation.
    """

    user_id: str
    score: float
    reasons: Sequence[str]


def reviews(plays: Interactions, assessment: Assessment, detection: Detection) -> list[Review]:
    """Describes everybody who was left out, the most unusual first; of equal scores in order of ids.

    Args:
        plays: the plays that were judged.
        assessment: what was seen.
        detection: the settings it was seen with.

    >>> plays = Interactions(["u"], ["t"], [None], *np.zeros((3, 1), np.int64))
    >>> reviews(plays, Detection().assess(plays), Detection())
    []
    """
    left_out = np.flatnonzero(assessment.left_out)
    order = left_out[np.lexsort((left_out, -assessment.score[left_out]))]
    return [
        Review(plays.user_ids[user], float(assessment.score[user]), _reasons(plays, assessment, detection, user))
        for user in order.tolist()
    ]


def _reasons(plays: Interactions, assessment: Assessment, detection: Detection, user: int) -> list[str]:
    is_burst = assessment.burst[user] >= detection.burst
    factor = detection.weaker if is_burst else 1.0
    own = np.unique(plays.track[plays.user == user])
    neighbour = int(assessment.neighbour[user])
    shared = len(np.intersect1d(own, plays.track[plays.user == neighbour]))
    words = {
        COPY: f"plays nearly what {plays.user_ids[neighbour]} plays: {shared} of {len(own)} tracks are of both; "
        "a copy, or a second account of the same person",
        CROWD: "several accounts play nearly the same tracks; one list behind them, or a circle of friends",
        INCOHERENT: "hardly anybody else plays its tracks together; chosen by lot, or a device that many people share",
        BREADTH: f"plays {len(own):,} different tracks, far more than others; a bot, or a shop or radio",
    }
    texts = [text for name, text in words.items() if assessment.signals[name][user] > getattr(detection, name) * factor]
    if is_burst:
        track = plays.track_ids[int(assessment.track[user])]
        texts.append(f"began together with other accounts that play {track}; made for it, or fans who joined for it")
    return texts
