"""The scores of heard tracks equal plain loops over the plays; the orders and the favourites are their definitions."""

import numpy as np
import pytest

from transforms.pure.candidates.neighbours import Neighbours
from transforms.pure.candidates.own import (
    DAY,
    FAVOURITE_PLAYS,
    FORGOTTEN_DAYS,
    HOUR,
    POOLED,
    OwnListening,
    candidate_rows,
    forgotten_favourites,
    not_just_played,
    ordered,
    own_scores,
    part_of_day,
)


def own_listening(places: list[int], plays: list[int], last: list[int], **changes: np.ndarray) -> OwnListening:
    count = len(places)
    columns = {
        "faded": np.array(plays, float),
        "by_part": np.zeros((count, 8), int),
        "follows": Neighbours(np.full((count, 2), -1, np.int32), np.zeros((count, 2), np.float32)),
    }
    return OwnListening(np.array(places), np.array(plays), np.array(last), **{**columns, **changes})  # type: ignore[arg-type]


def test_scores_are_their_definitions() -> None:
    by_part = np.zeros((4, 8), int)
    by_part[2, 7] = 3
    follows = Neighbours(
        np.array([[1, 2], [3, -1], [-1, -1], [0, -1]], np.int32),
        np.array([[0.5, 0.2], [0.4, 0], [0, 0], [0.9, 0]], np.float32),
    )
    own = own_listening([3, 5, 8, 9], [4, 1, 3, 2], [40, 10, 30, 20], by_part=by_part, follows=follows)
    vectors = np.array([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    scores = own_scores(own, np.array([5, 7, 3]), np.array([3, 5]), 22 * HOUR, vectors)
    assert scores["plays"].tolist() == np.log1p([4, 1, 3, 2]).tolist()
    newest_first = [5, 3, 8, 9]  # the history, then the others by their last play
    assert own.places[np.argsort(-scores["recent"])].tolist() == newest_first
    assert scores["follows"] == pytest.approx([0, 0.5, 0.2, 0.85 * 0.4])
    assert scores["hour"] == pytest.approx(np.log([1 / 1.5, 1 / 1.125, 4 / 1.375, 1 / 1.25]))
    assert scores["content"] == pytest.approx([1, 0.98, 1.98, 0])
    nothing = own_listening([], [], [])
    assert {len(values) for values in own_scores(nothing, np.array([1]), np.array([1]), 0, vectors[:0]).values()} == {0}


def test_parts_of_the_day_are_three_hours_of_utc() -> None:
    assert part_of_day(np.array([0, 3 * HOUR - 1, 3 * HOUR, DAY - 1, DAY])).tolist() == [0, 0, 1, 7, 0]


def test_orders_rank_by_one_score_or_by_their_weighted_sum() -> None:
    scores = {"plays": np.array([3.0, 2, 1, 9]), "recent": np.array([0.0, 5, 10, 9])}
    rows = np.array([0, 1, 2])
    assert ordered(scores, rows, "plays", {})[0].tolist() == [0, 1, 2]
    assert ordered(scores, rows, "blend", {"plays": 0.1, "recent": 0.9})[0].tolist() == [2, 1, 0]
    many = {"a": np.arange(1_000.0), "b": -np.arange(1_000.0)}
    allowed = np.arange(1_000) != 999
    assert candidate_rows(many, allowed).tolist() == [*range(POOLED), *range(999 - POOLED, 999)]


def test_what_was_just_played_is_left_out_unless_nothing_else_was_heard() -> None:
    own = own_listening([3, 5], [1, 1], [1, 2])
    assert not_just_played(own, np.array([5, 77])).tolist() == [True, False]
    assert not_just_played(own, np.array([5, 3])).tolist() == [True, True]


def test_a_forgotten_favourite_was_played_often_and_not_lately() -> None:
    now = 100 * DAY
    long_ago, lately = now - FORGOTTEN_DAYS * DAY - 1, now - FORGOTTEN_DAYS * DAY
    plays = [FAVOURITE_PLAYS, 50, 9, FAVOURITE_PLAYS - 1, 9]
    own = own_listening([0, 1, 2, 3, 4], plays, [long_ago, lately, long_ago, long_ago, long_ago - 5])
    assert forgotten_favourites(own, now).tolist() == [4, 2, 0]


def test_tracks_that_the_catalogue_lacks_are_dropped_with_their_followers() -> None:
    follows = Neighbours(np.array([[1, 2], [0, -1], [1, 0]], np.int32), np.array([[3, 2], [1, 0], [5, 4]], np.float32))
    own = own_listening([7, -1, 2], [1, 2, 3], [1, 2, 3], follows=follows).in_catalogue()
    assert (own.places.tolist(), own.plays.tolist()) == ([2, 7], [3, 1])
    assert own.follows.places.tolist() == [[-1, 1], [-1, 0]]
    assert own.follows.weights.tolist() == [[0, 4], [0, 2]]
