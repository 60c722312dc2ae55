"""A bundle of the sums of silos is one as any other: measured, promoted, served, and without a person after erasure."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scipy import sparse

from feature_repo.command_line import silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.signing.public_keys import public_key_of
from inference.recommend.models import CollaborativeFilteringModel, RecommendationEngine
from tests.training.private.federated.channels import Hall, Seat
from tests.training.private.federated.test_exact import terms
from training.datasets import Interactions
from training.exact.kept import KeptSums
from training.exact.sums import Sums, Table
from training.models.recommendation.bundle import NAME
from training.models.recommendation.ease import EASE
from training.models.recommendation.kept_sums import share_of
from training.models.recommendation.segments import segments_of_users
from training.private.federated import run_recommender
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue
from training.private.federated.check_recommender import STATISTICS
from training.private.federated.own_data import own_data
from training.private.federated.recommender import kept_of, register_recommender, renumber
from training.private.federated.silo import Limits
from training.private.federated.statistic import SiloData
from training.private.federated.together import run_together
from training.promotions import promote
from training.registry import decision_now
from transforms.pure import npz

WEEK = 7 * 86_400_000_000
SILOS = 3


@pytest.fixture
def service(own_world: Home) -> Iterator[Home]:
    """A listening service whose listeners are divided into silos."""
    yield own_world


def agree(home: Home) -> Agreement:
    plays = Interactions.load(home)
    cutoff = int(plays.time[-1]) - WEEK
    names = sorted({name for names in segments_of_users(home, plays, cutoff).values() for name in names})
    return terms(SILOS, cutoff=cutoff, statistics=STATISTICS, segments=tuple(names), deadline_s=30.0)


def federate(home: Home, agreed: Agreement, folder: Path, without: str = "") -> bytes:
    hall = Hall([f"silo{number}" for number in range(SILOS)])
    silos = {}
    for number, name in enumerate(hall.silos):
        data = own_data(home, agreed.cutoff, (number, SILOS))
        rest = [user != without for user in data.plays.user_ids]
        plays = data.plays.only(np.array(rest, bool)[data.plays.user])
        silos[name] = (SiloData(plays, data.segments), Seat(hall, name))
    result = run_together(agreed, Home(folder).ensure(), hall, silos)
    assert not result.problems
    return result.result


def test_a_run_ends_in_a_bundle_that_serves_and_forgets(service: Home, tmp_path: Path) -> None:
    agreed = agree(service)
    result = federate(service, agreed, tmp_path / "run")
    registered = register_recommender(service, result, agreed, SILOS, 0)
    measured = registered.measured
    assert measured is not None and registered.tracks == registered.items > 100
    figures = {name: each.ndcg_at_10 for name, each in measured.metrics.items()}
    assert figures["federated"] == figures["this folder alone"] > figures["random"]  # all silos are of this folder
    assert decision_now(service, NAME, registered.version) is not None
    folder = service.bundles(NAME) / str(registered.version)
    kept = KeptSums.read(folder)
    assert kept is not None

    promote(service, NAME, registered.version)
    RecommendationEngine.load(NAME, service).try_out()
    plays = Interactions.load(service)
    listener = next(
        plays.user_ids[user] for user in np.unique(plays.user).tolist() if len(plays.newest_first(user)) > 20
    )
    answer = CollaborativeFilteringModel.load(NAME, service).recommend(listener, count=5)
    assert len(answer.items) == 5
    outcomes = npz.unpack((folder / "outcomes.npz").read_bytes())
    before = plays.before(agreed.cutoff)
    assert outcomes["liked"].sum() + outcomes["skipped"].sum() == len(before.time)
    pairs = np.unique(np.stack([before.user, before.track]), axis=1)
    assert outcomes["listeners"].sum() == pairs.shape[1]


@pytest.mark.parametrize("is_part", [False, True])
def test_a_person_is_subtracted(service: Home, tmp_path: Path, is_part: bool) -> None:
    """Also where the run counted some of the tracks, and some of the segments."""
    agreed, plays = agree(service), Interactions.load(service)
    if is_part:
        agreed = replace(agreed, segments=agreed.segments[:1], parameters={"items": plays.track_ids[::2]})
    registered = register_recommender(service, federate(service, agreed, tmp_path / "run"), agreed, SILOS, 0)
    kept = KeptSums.read(service.bundles(NAME) / str(registered.version))
    assert kept is not None
    person = plays.user_ids[np.bincount(plays.user).argmax()]
    rest = kept.without(share_of(service, kept, [person]))
    again = KeptSums.from_bytes(federate(service, agreed, tmp_path / "again", without=person))
    places = Catalogue(again.items, agreed.run, is_hashed=not is_part).places(plays.track_ids)
    without = kept_of(plays.track_ids, agreed.cutoff, renumber(again.sums, places))
    assert rest.digest() == without.digest() != kept.digest()


def test_sums_of_something_else_make_no_recommender(service: Home) -> None:
    with pytest.raises(InputError, match="counts of the statistics co_plays"):
        register_recommender(service, KeptSums(["a"], 0, Sums({})).to_bytes(), terms(3), 3, 0)


def sums_of(pairs: np.ndarray, rows: np.ndarray) -> KeptSums:
    names = {"gram": pairs, "ordered": pairs, "tied": pairs, "everybody": rows, "liked": rows, "skipped": rows}
    cells = {**names, "all listeners": np.ones((1, 1), np.int64)}
    tables = {name: Table.of(sparse.csr_array(each), 2**61, name) for name, each in cells.items()}
    return KeptSums(["a", "b"], 0, Sums(tables))


@pytest.mark.parametrize(
    ("pairs", "rows", "problem"),
    [
        (np.ones((3, 3)), np.ones((1, 2)), "others as gram, ordered, tied"),
        (np.ones((2, 2)), np.ones((1, 3)), "others as everybody, liked, skipped"),
        (np.ones((2, 2)), -np.ones((1, 2)), "others as everybody, liked, skipped"),
        (np.array([[1, 2**61], [2**61, 1]]), np.ones((1, 2)), "not positive definite"),
    ],
)
def test_sums_that_nobody_has_make_no_recommender(
    service: Home, pairs: np.ndarray, rows: np.ndarray, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        register_recommender(service, sums_of(pairs, rows).to_bytes(), terms(3), 3, 0)


def test_a_folder_that_knows_no_track_of_the_run(service: Home) -> None:
    """It has what it knows by itself; before its first play that is nothing, and there is no version."""
    strange = sums_of(np.eye(2), np.ones((1, 2))).to_bytes()
    registered = register_recommender(service, strange, agree(service), 3, 0)
    assert (registered.tracks, registered.items, registered.measured) == (0, 2, None)
    with pytest.raises(InputError, match="nothing can be recommended"):
        register_recommender(service, strange, terms(3), 3, 0)


def test_a_folder_has_the_tracks_that_it_knows(service: Home, tmp_path: Path) -> None:
    """Silos count items that this folder has never seen: they weigh in, and are no candidates."""
    agreed = agree(service)
    data = own_data(service, agreed.cutoff)
    plays = data.plays
    strange = [f"strange {id_}" if number % 5 == 0 else id_ for number, id_ in enumerate(plays.track_ids)]
    order = np.argsort(strange)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    other = replace(plays, track_ids=[strange[place] for place in order.tolist()], track=number[plays.track])
    hall = Hall(["here", "there", "elsewhere"])
    everyone = {"here": data, "there": SiloData(other), "elsewhere": SiloData(other)}
    silos = {name: (each, Seat(hall, name)) for name, each in everyone.items()}
    result = run_together(agreed, Home(tmp_path / "run").ensure(), hall, silos).result
    registered = register_recommender(service, result, agreed, 3, 0)
    assert registered.tracks < registered.items
    whole = EASE().solve(KeptSums.from_bytes(result).sums)
    assert whole.shape == (registered.items, registered.items)


def test_a_served_run_over_http(service: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"silo{number}" for number in range(SILOS)]
    keys = {name: Ed25519PrivateKey.generate() for name in (*names, "coordinator")}
    lines = [f'{name} = "{public_key_of(keys[name])}"' for name in names]
    file = tmp_path / "silos.toml"
    file.write_text("\n".join([f'coordinator = "{public_key_of(keys["coordinator"])}"', "[silos]", *lines]))
    file.chmod(0o600)
    monkeypatch.setattr(run_recommender, "load_private_key", lambda: keys[threading.current_thread().name])
    address: Queue[str] = Queue()
    summaries: dict[str, run_recommender.Summary] = {}
    settings = run_recommender.Settings(before=agree(service).cutoff, deadline_s=30.0, least_listeners=2)

    def coordinate() -> None:
        summaries["coordinator"] = run_recommender.coordinate_served(
            Home(tmp_path / "notes").ensure(), settings, file, silent, address.put
        )

    def join(name: str, number: int, url: str) -> None:
        part = (number, SILOS)
        summaries[name] = run_recommender.join_run(service, url, name, file, Limits(), part, False, None, 30.0, silent)

    threads = [threading.Thread(target=coordinate, name="coordinator")]
    threads[0].start()
    url = address.get(timeout=30)
    threads += [threading.Thread(target=join, args=(name, n, url), name=name) for n, name in enumerate(names)]
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(summaries) == {*names, "coordinator"}
    kept = summaries["coordinator"].kept
    assert kept is not None and len(KeptSums.from_bytes(kept.read_bytes()).items) == summaries["silo0"].items > 100
    record = summaries["coordinator"].record()
    assert record["steps"]["2 sums"] == {"silos": names, "dropped": []}  # type: ignore[index]
    assert {summary.terms.digest() for summary in summaries.values()} == {summaries["silo1"].terms.digest()}
    assert "sums: " in summaries["coordinator"].lines()[-1]
