"""Pulls the features of candidates at every moment, fits a ranker on them and scores the test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets import Interactions, TrainingSet, training_set
from training.models.recommendation.candidates import Query, spine
from training.models.recommendation.ranker import REAL_TIME, Groups, Ranked
from training.models.recommendation.settings import Settings

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True)
class FittedRanker:
    """A fitted ranker, its training set, and its scores of validation and test.

    Attributes:
        booster: fitted to all moments but the last.
        training_data: features of the candidates of all moments.
        test: rows of the last moment.
        scores: scores of the candidates of each query of the test.
        validation: candidates of the last moment but one; without rows if nobody asked there.
        validation_scores: (n,) scores of them by a fit to the moments before; the last of its trees was chosen on them.
    """

    booster: "lightgbm.Booster"
    training_data: TrainingSet
    test: pl.DataFrame
    scores: list[np.ndarray]
    validation: Groups
    validation_scores: np.ndarray


def fit_ranker(
    home: Home, interactions: Interactions, settings: Settings, ranked: Ranked, queries_by_moment: list[list[Query]]
) -> FittedRanker:
    """Fits a ranker on all but the last two moments, stops early by the last but one, and scores the last."""
    training_data, parts = pull_features(home, interactions, ranked, queries_by_moment)
    *train, validation, test = parts
    training_groups = [ranked.groups(rows) for rows in train if rows.height]
    validation_groups = ranked.groups(validation)
    held_out = validation_groups if validation.height else training_groups[-1]
    searched = settings.ranker.search(ranked, training_groups or [held_out], held_out)
    booster = settings.ranker.refit(ranked, [*(training_groups or [held_out]), held_out], searched)
    validation_scores = np.asarray(searched.predict(validation_groups.inputs)) if validation.height else np.empty(0)
    scores = np.asarray(booster.predict(ranked.matrix(test))) if test.height else np.empty(0)
    bounds = np.cumsum([len(query.pool) for query in queries_by_moment[-1]])[:-1]
    test_scores = np.split(scores, bounds) if queries_by_moment[-1] else []
    return FittedRanker(booster, training_data, test, test_scores, validation_groups, validation_scores)


def pull_features(
    home: Home, interactions: Interactions, ranked: Ranked, queries_by_moment: list[list[Query]]
) -> tuple[TrainingSet, list[pl.DataFrame]]:
    """Pulls the features of all candidates; returns the training set, and its rows of each moment."""
    spines = [spine(interactions, part, home.tenant, context=ranked is REAL_TIME) for part in queries_by_moment]
    training_data = training_set(ranked.service, pl.concat(spines), home=home)
    ends = np.cumsum([part.height for part in spines])
    rows = [training_data.data[int(end) - part.height : int(end)] for part, end in zip(spines, ends, strict=True)]
    return training_data, rows
