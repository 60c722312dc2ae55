"""The commands of a coordinator and of a silo: whose keys count, how a run ends that fails, and what goes on."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.command_line import silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.signing.public_keys import public_key_of
from feature_repo.signing.trust import Pin, Trust
from tests.training.private.federated.test_exact import people
from training.datasets import Interactions
from training.private.federated import run_recommender
from training.private.federated.agreement import Agreement
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.rounds import Rounds
from training.private.federated.run_recommender import Settings, coordinate_local, coordinate_served, join_run
from training.private.federated.silo import Limits

PARTIES = {name: Ed25519PrivateKey.generate() for name in ("coordinator", "a", "b", "c")}
SETTINGS = Settings(name="test", deadline_s=5.0)


@pytest.fixture
def roster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the parties; a thread has the key of its name, the test that of the coordinator."""
    keys = {name: f'{name} = "{public_key_of(key)}"' for name, key in PARTIES.items()}
    file = tmp_path / "silos.toml"
    file.write_text("\n".join([keys.pop("coordinator"), "[silos]", *keys.values()]))
    file.chmod(0o600)
    monkeypatch.setattr(
        run_recommender,
        "load_private_key",
        lambda: PARTIES.get(threading.current_thread().name, PARTIES["coordinator"]),
    )
    return file


def home_of(folder: Path, party: str) -> Home:
    return Home(folder / party).ensure()


@pytest.mark.parametrize("party", ["coordinator", "b"])
def test_a_revoked_key_takes_no_part(roster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, party: str) -> None:
    revoked = Trust(revoked={public_key_of(PARTIES[party]): Pin("here")})
    monkeypatch.setattr(Trust, "load", lambda home: revoked)
    home = home_of(tmp_path, "home")
    with pytest.raises(InputError, match=f"a key of {party} that is revoked"):
        coordinate_served(home, SETTINGS, roster, silent, lambda url: None)
    with pytest.raises(InputError, match=f"a key of {party} that is revoked"):
        join_run(home, "http://127.0.0.1:9", "a", roster, Limits(), (0, 1), False, None, 1.0, silent)


def test_silos_learn_why_a_run_stopped(roster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinator serves the reason before it ends; a silo would wait for half an hour otherwise."""

    def fail(terms: Agreement, channel: Any, rounds: Rounds, progress: Any) -> None:
        CoordinatorRun(terms, channel, rounds).stop("a sum of one silo")
        raise InputError(expected="a sum of 3 silos", found="a sum of one silo", next_command="another run")

    monkeypatch.setattr(run_recommender, "coordinate", fail)
    monkeypatch.setattr(run_recommender, "own_data", lambda home, cutoff, part: people(1)["silo0"])
    address: Queue[str] = Queue()

    def join(name: str) -> None:
        threading.current_thread().name = name
        url = address.get(timeout=20)
        address.put(url)
        home = home_of(tmp_path, name)
        join_run(home, url, name, roster, Limits(), (0, 1), False, None, 20.0, silent)

    with ThreadPoolExecutor(3) as threads:
        silos = [threads.submit(join, name) for name in ("a", "b", "c")]
        with pytest.raises(InputError, match="a sum of one silo"):
            coordinate_served(home_of(tmp_path, "home"), SETTINGS, roster, silent, address.put)
        for silo in silos:
            with pytest.raises(InputError, match="stopped it: a sum of one silo"):
                silo.result(20)


def test_a_run_goes_on_the_next_day(roster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days that count end with the day on which the run was begun."""
    cutoffs = []

    def die(terms: Agreement, channel: Any, rounds: Rounds, progress: Any) -> None:
        cutoffs.append(terms.cutoff)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_recommender, "coordinate", die)
    home, start = home_of(tmp_path, "home"), datetime(2026, 3, 2, 23, tzinfo=UTC)
    for hours in (0, 3):
        monkeypatch.setattr(run_recommender.clock, "now", lambda hours=hours: start + timedelta(hours=hours))
        with pytest.raises(KeyboardInterrupt):
            coordinate_served(home, SETTINGS, roster, silent, lambda url: None)
    assert cutoffs == [int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) * 1_000_000] * 2


def test_nobody_to_learn_from_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Interactions([], ["a"], [None], *np.zeros((3, 0), np.int64))
    monkeypatch.setattr(Interactions, "load", lambda home: nobody)
    with pytest.raises(InputError, match="listeners who may be learned from"):
        coordinate_local(home_of(tmp_path, "home"), SETTINGS, 3, silent)
