"""What is learned by steps: exact where it is a sum of integers, near to one place where it is an average."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.training.private.federated.channels import Hall, Seat
from tests.training.private.federated.test_exact import CUTOFF, people, run, terms, together_in_one_place
from training.datasets import Interactions
from training.exact.kept import KeptSums
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.fixed_vectors import clipped, to_vector, to_words
from training.private.federated.network import Network, descend
from training.private.federated.procedures import averaging, logistic
from training.private.federated.procedures.item_vectors import Factors, weights_of
from training.private.federated.robust import average_groups, deal, median, trimmed_mean
from training.private.federated.rounds import Rounds
from training.private.federated.silo import take_part
from training.private.federated.statistic import Scope, SiloData, count_all
from training.private.federated.statistics import least_squares
from training.private.federated.together import Together, run_together
from transforms.pure import npz

EMPTY = Interactions([], [], [], *np.zeros((3, 0), np.int64))
WIDTH = 4


def labelled(silos: int, seed: int = 0) -> dict[str, SiloData]:
    """Rows with a chance that follows from their features; silos differ in size and in what they see."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=WIDTH)
    data = {}
    for silo in range(silos):
        features = rng.normal(loc=0.4 * (silo % 3), size=(60 * (1 + silo % 3), WIDTH))
        labels = (rng.random(len(features)) < 1 / (1 + np.exp(-features @ truth))).astype(float)
        data[f"silo{silo}"] = SiloData(EMPTY, features=features, labels=labels)
    return data


def rows_of(data: dict[str, SiloData], names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    features, labels = (
        np.concatenate([getattr(data[name], part) for name in names]) for part in ("features", "labels")
    )
    order = rng.permutation(len(labels))
    return features[order], labels[order]


def agreement(procedure: str, silos: int, **parameters: object) -> Agreement:
    return Agreement("test", procedure, silos=silos, deadline_s=3.0, parameters={"width": WIDTH, **parameters})


def learn(
    agreement: Agreement, data: dict[str, SiloData], folder: Path, drops: dict[str, str] | None = None
) -> Together:
    hall = Hall(list(data), drops)
    seats = {name: (each, Seat(hall, name)) for name, each in data.items()}
    return run_together(agreement, Home(folder).ensure(), hall, seats)


def test_logistic_regression_has_the_bits_of_one_place(tmp_path: Path) -> None:
    data = labelled(5)
    result = learn(agreement("logistic", 5, rounds=5), data, tmp_path, {"silo3": "newton"})
    assert not result.problems
    features, labels = rows_of(data, ("silo0", "silo1", "silo2", "silo4"))
    weights = np.zeros(WIDTH + 1)
    for _ in range(5):
        weights = logistic.step(weights, logistic.count(features, labels, weights), logistic.RIDGE)
    assert npz.unpack(result.result)["weights"].tobytes() == weights.tobytes()
    slope = Network(WIDTH).gradient(weights, features, labels) * len(labels) + logistic.RIDGE * weights
    assert np.abs(slope).max() < 1e-2  # the floating-point optimum, an independent gradient
    assert np.abs(weights).max() > 0.3


def test_least_squares_have_the_bits_of_one_place(tmp_path: Path) -> None:
    data = labelled(4)
    result = run(
        terms(4, statistics=("least_squares",), parameters={"width": WIDTH, "items": ["a"]}), data, tmp_path, {}
    )
    agreed = result.outcomes["silo0"].agreement
    features, labels = rows_of(data, tuple(data))
    central = count_all(SiloData(EMPTY, features=features, labels=labels), Scope(agreed, Catalogue(("a",), agreed.run)))
    kept = KeptSums.from_bytes(result.result)
    weights = least_squares.solve(kept.sums)
    assert weights.tobytes() == least_squares.solve(central).tobytes()
    expected = np.linalg.solve(features.T @ features + np.eye(WIDTH), features.T @ labels)
    np.testing.assert_allclose(weights, expected, atol=1e-4)


@pytest.mark.parametrize(("hidden", "proximal"), [(0, 0.0), (8, 0.0), (8, 0.1)])
def test_averages_come_near_to_one_place(hidden: int, proximal: float, tmp_path: Path) -> None:
    data = labelled(4)
    network = Network(WIDTH, hidden)
    terms = agreement("averaging", 4, hidden=hidden, proximal=proximal, rounds=25, rate=0.3, batch=32, seed=1)
    weights = npz.unpack(learn(terms, data, tmp_path).result)["weights"]
    features, labels = rows_of(data, tuple(data))
    central = descend(network, network.initial(1), features, labels, epochs=25, rate=0.3, batch=32)
    losses = [network.log_loss(each, features, labels).mean() for each in (network.initial(1), weights, central)]
    assert losses[1] < losses[2] + 0.03 < losses[0]


def test_one_silo_of_all_rows_and_full_batches_is_plain_descent(tmp_path: Path) -> None:
    data = labelled(3)
    network, features, labels = Network(WIDTH, 3), *rows_of(data, tuple(data))
    terms = agreement("averaging", 3, hidden=3, rounds=6, rate=0.5, batch=10**6)
    weights = npz.unpack(learn(terms, data, tmp_path).result)["weights"]
    plain = network.initial(0)
    for _ in range(6):
        plain = plain - 0.5 * network.gradient(plain, features, labels)
    np.testing.assert_allclose(weights, plain, atol=1e-5)


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(20, WIDTH)), (rng.random(20) < 0.5).astype(float)
    for network in (Network(WIDTH), Network(WIDTH, 3)):
        weights = rng.normal(size=network.size)
        for place in range(network.size):
            nudge = np.eye(network.size)[place] * 1e-6
            ends = [network.log_loss(weights + sign * nudge, features, labels).mean() for sign in (1, -1)]
            slope = (ends[0] - ends[1]) / 2e-6
            assert network.gradient(weights, features, labels)[place] == pytest.approx(slope, abs=1e-5)


def test_vectors_of_tracks_have_the_bits_of_one_place(tmp_path: Path) -> None:
    data = people(5)
    agreed = replace(
        terms(5, statistics=(), parameters={"items": [f"t{n}" for n in range(9)], "factors": 3, "rounds": 4}),
        procedure="item_vectors",
    )
    result = run(agreed, data, tmp_path, {"silo2": "vectors", "silo1": "people"})
    names = ("silo0", "silo1", "silo3", "silo4")
    central = together_in_one_place(data, names).plays
    catalogue = Catalogue(tuple(f"t{n}" for n in range(9)), "")
    factors = Factors.of(agreed)
    weights = weights_of(catalogue.number(central), CUTOFF, factors)
    listeners = len(np.unique(together_in_one_place(data, ("silo0", "silo2", "silo3", "silo4")).plays.user))
    tracks = factors.initial(9)
    for _ in range(4):
        tracks = factors.solve(factors.count(weights, tracks), listeners)
    archive = npz.unpack(result.result)
    assert archive["vectors"].tobytes() == tracks.tobytes()
    assert np.abs(tracks).min(axis=1).max() > 0
    floats = _ials(weights, factors, listeners)
    np.testing.assert_allclose(archive["vectors"] @ tracks.T, floats @ floats.T, atol=0.02)


def _ials(weights: sparse.csr_array, settings: Factors, listeners: int) -> np.ndarray:
    """Alternating least squares by dense loops, in floating point."""
    table = weights.toarray()
    tracks = settings.initial(table.shape[1])
    scale = np.array([table.shape[1], listeners])
    for _ in range(settings.rounds):
        both: list[np.ndarray] = []
        for side, matrix in enumerate((table, table.T)):
            fixed = both[0] if side else tracks
            rows = np.zeros((len(matrix), settings.factors))
            for row, weight in enumerate(matrix):
                if weight.any():
                    ridge = settings.regularization * (weight.sum() + settings.unobserved * scale[side])
                    left = fixed.T @ np.diag(weight + settings.unobserved) @ fixed + ridge * np.eye(settings.factors)
                    rows[row] = np.linalg.solve(left, fixed.T @ weight)
            both.append(rows)
        tracks = both[1]
    return tracks


def test_an_update_that_is_not_clipped_is_seen_in_the_mean() -> None:
    values = {"clip": 1.0, "most_rows": 100}
    averaging.check_mean(np.array([0.6, 0.8]), 250, 3, values)
    with pytest.raises(InputError, match="did not clip"):
        averaging.check_mean(np.array([0.9, 0.8]), 250, 3, values)
    with pytest.raises(InputError, match="did not clip"):
        averaging.check_mean(np.array([0.0, 0.8]), 301, 3, values)
    with pytest.raises(InputError, match="below 2\\^63"):
        to_words(np.array([1e6]), 2**20)
    with pytest.raises(InputError, match="diverged"):
        clipped(np.array([np.nan, 1.0]), 1.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 1000)), min_size=1, max_size=9))
def test_means_of_fixed_point_are_those_of_floats(parts: list[tuple[float, int]]) -> None:
    total = np.sum([to_words(np.array([value, -value]), weight) for value, weight in parts], axis=0, dtype=np.uint64)
    mean, weight = to_vector(total)
    assert weight == sum(weight for _, weight in parts)
    expected = sum(value * weight for value, weight in parts) / max(weight, 1)
    np.testing.assert_allclose(mean, [expected, -expected], atol=1e-6)


def test_fewer_than_half_of_the_groups_do_not_move_the_median_far() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(7, 5))
    honest = means.copy()
    means[:3] = np.array([np.nan, 1e12, -1e12])[:, None]
    for combined in (median(means), trimmed_mean(means, 3)):
        assert (combined >= honest[3:].min(axis=0)).all() and (combined <= honest[3:].max(axis=0)).all()
    with pytest.raises(InputError, match="fewer than half"):
        trimmed_mean(means, 4)


class Liar(Seat):
    """A silo that adds to its words what no honest silo sends."""

    def submit(self, round_name: str, words: np.ndarray, *, about: Mapping[str, str] | None = None) -> None:
        lie = np.append(np.full(len(words) - 1, 2**40), 0).astype(np.uint64)  # the number of rows is told truly
        super().submit(round_name, words + lie, about=about)


def test_liars_in_fewer_than_half_of_the_groups_are_outvoted(tmp_path: Path) -> None:
    data = labelled(9)
    groups = deal(list(data), 3, "a run")
    terms = agreement("averaging", 3, rounds=20, rate=0.3, batch=32)
    losses = {}
    for name, combine in (("median", median), ("mean", lambda means: means.mean(axis=0))):
        runs, tasks = [], []
        with ThreadPoolExecutor(9) as threads:
            for number, group in enumerate(groups):
                hall = Hall(list(group))
                home = Home(tmp_path / f"{name} {number}").ensure()
                runs.append(CoordinatorRun(terms, hall, Rounds(home, "test")))
                for silo in group:
                    seat = (Liar if silo == groups[0][0] else Seat)(hall, silo)
                    tasks.append(threads.submit(take_part, data[silo], seat, home, silo))
            weights = npz.unpack(average_groups(runs, combine))["weights"]
            assert {task.result().result for task in tasks} == {npz.pack({"weights": weights}, compressed=False)}
        losses[name] = Network(WIDTH).log_loss(weights, *rows_of(data, tuple(data))).mean()
    assert losses["median"] < 0.65 < losses["mean"] - 0.5


def test_groups_are_dealt_anew_and_each_is_large_enough() -> None:
    silos = [f"s{number}" for number in range(11)]
    first, second = deal(silos, 3, "a"), deal(silos, 3, "b")
    assert sorted(name for group in first for name in group) == sorted(silos)
    assert first != second and first == deal(silos[::-1], 3, "a")
    assert min(map(len, first)) >= 3
    with pytest.raises(InputError, match="in each of 4 groups"):
        deal(silos, 4, "a")
