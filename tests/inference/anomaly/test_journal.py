"""Processes that share a data folder remember as one: the same detections, whichever is asked and whichever dies."""

import errno
import os
import random
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from feature_repo.home import Home
from inference.anomaly import detector as detectors
from inference.anomaly.detector import NOT_KEPT, AnomalyDetector
from inference.anomaly.journal import Journal, Position
from inference.anomaly.observation import Detections, Observation

START = datetime(2026, 1, 20, tzinfo=UTC)
WORKERS = 3


def batches(count: int, seed: int) -> list[list[Observation]]:
    """Observations of two hosts that are normal, missing, late, and at times far out."""
    chance, minute, found = random.Random(seed), 0, []
    for _ in range(count):
        batch = []
        for _ in range(chance.choice([1, 1, 3, 20])):
            minute += chance.choice([1, 1, 1, 0, -2])
            value = chance.choice([300.0, 310.0, 305.5, 0.1 + 0.2, 9_000.0 if minute > 40 else 301.0, None])
            at = START + timedelta(minutes=minute)
            batch.append(Observation(chance.choice(["a", "b"]), at, {"cpu": value, "memory": chance.random()}))
        found.append(batch)
    return found


def worker(home: Home) -> AnomalyDetector:
    return AnomalyDetector(None, home, remember=True)


def by_one(requests: list[list[Observation]]) -> list[Detections]:
    detector = AnomalyDetector()
    return [detector.detect(request) for request in requests]


@settings(max_examples=6, deadline=None, database=None)
@given(
    seed=st.integers(0, 1_000),
    steps=st.lists(
        st.tuples(st.integers(0, WORKERS - 1), st.sampled_from(["", "", "dies", "saves", "is cut off"])),
        min_size=10,
        max_size=25,
    ),
    limit=st.sampled_from([500, 3_000, 10**9]),
)
def test_several_processes_remember_as_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, steps: list[tuple[int, str]], limit: int
) -> None:
    """Each request goes to any worker, of which one may have died, left half a record, or written a snapshot."""
    home = Home(tmp_path_factory.mktemp("home"))
    requests = batches(len(steps), seed)
    workers = [worker(home) for _ in range(WORKERS)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detectors, "SNAPSHOT_BYTES", limit)
        patch.setattr(detectors, "SNAPSHOT_SHARE", 10**9)
        found = []
        for request, (number, event) in zip(requests, steps, strict=True):
            found.append(workers[number].detect(request))
            if event == "saves":
                workers[number].save()
            if event == "is cut off":
                with (home.root / "anomaly" / home.tenant / "untrained.journal").open("ab") as file:
                    file.write(b'{"readings":[["a","cpu",17')
            if event:
                workers[number] = worker(home)
    assert found == by_one(requests)
    shutil.rmtree(home.root)


@pytest.fixture
def requests() -> list[list[Observation]]:
    return batches(60, seed=13)


def test_incidents_go_on_in_another_process(home: Home, requests: list[list[Observation]]) -> None:
    expected = by_one(requests)
    assert sum(len(detections.incidents) for detections in expected) > 1
    workers = [worker(home), worker(home)]
    assert [workers[number % 2].detect(request) for number, request in enumerate(requests)] == expected


def _files(home: Home) -> dict[str, Path]:
    return {file.suffix[1:]: file for file in (home.root / "anomaly" / home.tenant).iterdir()}


def test_the_files_are_the_owners_alone(home: Home, requests: list[list[Observation]]) -> None:
    detector = worker(home)
    detector.detect(requests[0])
    detector.save()
    detector.detect(requests[1])
    files = _files(home)
    assert set(files) == {"npz", "journal", "lock"}
    assert {stat.S_IMODE(files[name].stat().st_mode) for name in ("journal", "lock")} == {0o600}


def _remove_all(home: Home) -> None:
    shutil.rmtree(home.root / "anomaly")


def _remove_journal(home: Home) -> None:
    _files(home)["journal"].unlink()


def _damage_journal(home: Home) -> None:
    _files(home)["journal"].write_bytes(b"\x00damaged\n{}\n")


@pytest.mark.parametrize(("harm", "kept"), [(_remove_all, 0), (_remove_journal, 30), (_damage_journal, 30)])
def test_what_was_removed_is_forgotten_by_all_alike(
    home: Home, requests: list[list[Observation]], harm: Callable[[Home], None], kept: int
) -> None:
    """The snapshot after 30 requests is left, or nothing is."""
    workers = [worker(home), worker(home)]
    for number, request in enumerate(requests[:40]):
        workers[number % 2].detect(request)
        if number == 29:
            workers[0].save()
    harm(home)
    found = [workers[number % 2].detect(request) for number, request in enumerate(requests[40:])]
    assert found == by_one([*requests[:kept], *requests[40:]])[kept:]


def test_a_record_of_another_version_is_left_out_by_all(home: Home, requests: list[list[Observation]]) -> None:
    workers = [worker(home), worker(home)]
    found = [workers[0].detect(requests[0])]
    with _files(home)["journal"].open("ab") as file:
        file.write(b'{"something": "else"}\nno json\n[1]\n{"readings":[["a"]],"rows":[],"alarms":[]}\n')
    found += [workers[number % 2].detect(request) for number, request in enumerate(requests[1:])]
    assert found == by_one(requests)


def test_a_full_disk_is_said_and_forgotten(
    home: Home, requests: list[list[Observation]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be kept is scored, and then known to nobody."""
    workers = [worker(home), worker(home)]
    for request in requests[:20]:
        workers[0].detect(request)
    write = os.write

    def full(file: int, content: bytes) -> int:
        write(file, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        lost = workers[0].detect(requests[20])
    assert NOT_KEPT in str(lost.note)
    assert lost.detections == by_one(requests[:21])[-1].detections
    rest = [*requests[:20], *requests[21:]]
    found = [workers[number % 2].detect(request) for number, request in enumerate(rest[20:])]
    assert found == by_one(rest)[20:]


def test_a_folder_that_cannot_be_written_leaves_each_process_alone(
    home: Home, requests: list[list[Observation]]
) -> None:
    home.root.mkdir()
    (home.root / "anomaly").write_text("a file where a folder should be")
    detector = worker(home)
    found = [detector.detect(request) for request in requests]
    assert [one.detections for one in found] == [one.detections for one in by_one(requests)]
    assert {NOT_KEPT in str(one.note) for one in found} == {True}
    detector.save()


def test_positions_of_another_journal_are_not_in_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x.y")
    with journal.hold():
        assert journal.records(Position("other", 0)) is None
        position, length = journal.append({"a": 0.1})
        assert (journal.records(None), length) == (([{"a": 0.1}], position), position.offset)
        assert journal.records(Position(position.journal, position.offset + 1)) is None
        journal.compact(b"snapshot", position)
        assert journal.records(position) == ([], position)
        assert journal.records(Position(position.journal, 0)) is None
        assert journal.snapshot() == b"snapshot"
