"""Sums of silos are those of one world with the listeners of all that stayed, bit for bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from feature_repo.home import Home
from tests.training.private.federated.channels import Hall, Seat
from training.datasets import Interactions
from training.exact.kept import KeptSums
from training.models.recommendation.ease import EASE
from training.models.recommendation.item_knn import ItemKNN
from training.models.recommendation.popularity import Popularity
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.segments import solve as solve_segments
from training.models.recommendation.transitions import Transitions
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue, hash_of
from training.private.federated.statistic import Scope, SiloData, count_all
from training.private.federated.together import Together, run_together
from training.private.secure_aggregation.local import connect

DAY = 86_400_000_000
CUTOFF = 60 * DAY
STATISTICS = ("co_plays", "follows", "popularity", "segments", "walks", "outcomes", "daily_plays")
SEGMENTS = ("NO", "SE", "SE 1990s")


def people(silos: int, tracks: int = 9, seed: int = 0) -> dict[str, SiloData]:
    """Silos of different sizes; each has some tracks that others do not have."""
    rng = np.random.default_rng(seed)
    result = {}
    for silo in range(silos):
        listeners, plays = 1 + silo % 4, 40 * (1 + silo % 3)
        own = np.sort(rng.choice(tracks, tracks - 2, replace=False))
        ids = [f"t{track}" for track in own.tolist()]
        time = np.sort(rng.integers(70 * DAY, size=plays))
        interactions = Interactions(
            [f"s{silo} u{number}" for number in range(listeners)],
            ids,
            [None] * len(ids),
            rng.integers(listeners, size=plays),
            rng.integers(len(ids), size=plays),
            time,
            skipped=rng.random(plays) < 0.2,
        )
        segments = {user: (("SE",), ("SE", "SE 1990s"), ("NO",), ("DK",))[user % 4] for user in range(listeners)}
        result[f"silo{silo}"] = SiloData(interactions, segments)
    return result


def together_in_one_place(data: dict[str, SiloData], names: tuple[str, ...]) -> SiloData:
    """The people of some silos as those of one."""
    ids = sorted({id_ for name in names for id_ in data[name].plays.track_ids})
    users, columns, segments = [], [], {}
    for name in sorted(names):
        plays = data[name].plays
        number = np.array([ids.index(id_) for id_ in plays.track_ids])
        columns.append((plays.user + len(users), number[plays.track], plays.time, plays.skipped))
        segments |= {user + len(users): names for user, names in data[name].segments.items()}
        users += list(plays.user_ids)
    user, track, time, skipped = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    order = np.argsort(time, kind="stable")
    return SiloData(
        Interactions(users, ids, [None] * len(ids), user[order], track[order], time[order], skipped=skipped[order]),
        segments,
    )


def run(terms: Agreement, data: dict[str, SiloData], folder: Path, drops: dict[str, str]) -> Together:
    hall = Hall(list(data), drops)
    seats = {name: (each, Seat(hall, name)) for name, each in data.items()}
    return run_together(terms, Home(folder).ensure(), hall, seats)


def terms(silos: int, **changes: object) -> Agreement:
    values = {"cutoff": CUTOFF, "statistics": STATISTICS, "silos": silos, "threshold": 3, "deadline_s": 3.0}
    return Agreement("test", **{**values, "segments": SEGMENTS, **changes})  # type: ignore[arg-type]


SOLVED: dict[str, Callable[[KeptSums], np.ndarray]] = {
    "ease": lambda kept: EASE().solve(kept.sums),
    "item_knn": lambda kept: ItemKNN().solve(kept.sums).toarray(),
    "transitions": lambda kept: Transitions().solve(kept.sums).toarray(),
    "popularity": lambda kept: Popularity().solve(kept.sums),
    "rp3beta": lambda kept: RP3Beta().solve(kept.sums).toarray(),
    "segments": lambda kept: np.concatenate([solve_segments(kept.sums).plays, solve_segments(kept.sums).of_all]),
}


def check_equal(result: bytes, terms: Agreement, catalogue: Catalogue, central: SiloData) -> None:
    kept = KeptSums.from_bytes(result)
    expected = KeptSums(catalogue.items, CUTOFF, count_all(central, Scope(terms, catalogue)))
    assert list(kept.items) == list(catalogue.items)
    assert kept.sums.digests() == expected.sums.digests()
    assert set(kept.sums.tables) >= {"gram", "ordered", "tied", "popular", "everybody", "walks", "listeners"}
    for name, solve in SOLVED.items():
        value, central_value = solve(kept), solve(expected)
        assert value.tobytes() == central_value.tobytes(), name
        assert np.abs(value).sum() > 0, name


def test_sums_of_all_silos_are_those_of_one_world(tmp_path: Path) -> None:
    data = people(5)
    result = run(terms(5), data, tmp_path, {})
    assert not result.problems
    ids = sorted({id_ for each in data.values() for id_ in each.plays.track_ids})
    agreement = result.outcomes["silo0"].agreement
    catalogue = Catalogue.of_hashes(np.array([hash_of(id_, agreement.run) for id_ in ids], np.uint64), agreement.run)
    check_equal(result.result, agreement, catalogue, together_in_one_place(data, tuple(data)))
    assert {outcome.result for outcome in result.outcomes.values()} == {result.result}


@pytest.mark.parametrize("step", ["union", "listeners", "sums"])
def test_without_silos_that_drop_out_in_any_round(step: str, tmp_path: Path) -> None:
    data = people(6)
    result = run(terms(6, least_listeners=4), data, tmp_path, {"silo1": step, "silo4": step})
    agreement = result.outcomes["silo0"].agreement
    names = result.run.participation[next(name for name in result.run.participation if name.endswith("sums"))].silos
    assert (len(names) == 4) == (step == "sums")
    kept = KeptSums.from_bytes(result.result)
    catalogue = Catalogue(kept.items, agreement.run, is_hashed=True, version=2)
    check_equal(result.result, agreement, catalogue, together_in_one_place(data, names))
    assert any(label.endswith(step) for label in result.outcomes["silo1"].missed)


def test_under_masks_with_a_public_list_of_items(tmp_path: Path) -> None:
    data = people(4)
    items = [f"t{number}" for number in range(9)]
    agreement = terms(4, parameters={"items": items}, deadline_s=20.0)
    coordinator, channels = connect(list(data), tmp_path / "silos")
    home = Home(tmp_path / "notes").ensure()
    result = run_together(agreement, home, coordinator, {name: (data[name], channels[name]) for name in data})
    assert not result.problems
    catalogue = Catalogue(tuple(items), agreement.run)
    check_equal(result.result, agreement, catalogue, together_in_one_place(data, tuple(data)))


def test_items_of_few_listeners_are_left_out(tmp_path: Path) -> None:
    data = people(5)
    result = run(terms(5, least_listeners=6), data, tmp_path, {})
    central = together_in_one_place(data, tuple(data)).plays.before(CUTOFF)
    played = sparse.csr_array((np.ones(len(central.user)), (central.user, central.track)))
    enough = int((np.diff(played.tocsc().indptr) >= 6).sum())
    assert 0 < len(KeptSums.from_bytes(result.result).items) == enough < 9
