"""Settings of a training run of the recommendation family."""

from dataclasses import dataclass, field

from training.models.recommendation.ials import IALS
from training.models.recommendation.ranker import Ranker
from training.shilling.detection import Detection


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        ials: settings of the vectors; half-life and weight of attributes are chosen from the next two fields.
        half_lives: half-lives to try, in days; None for plays that never fade.
        attributes: weights of the attributes of users and tracks to try.
        ranker: settings of both rankers.
        folds: number of cutoffs within train at which the rankers learn.
        users_per_fold: maximal number of listeners at one of these cutoffs.
        negatives: maximal number of unplayed candidates of a query, in train.
        users_measured: maximal number of listeners in validation and in test.
        detection: whose plays look made up and are not learned from; None learns from everybody.
        seed: seed of the samples of listeners.
    """

    ials: IALS = field(default_factory=IALS)
    ranker: Ranker = field(default_factory=Ranker)
    half_lives: tuple[float | None, ...] = (14.0, 30.0, 120.0, None)
    attributes: tuple[float, ...] = (0.0, 1.0)
    folds: int = 8
    users_per_fold: int = 150
    negatives: int = 100
    users_measured: int = 500
    detection: Detection | None = field(default_factory=Detection)
    seed: int = 0
