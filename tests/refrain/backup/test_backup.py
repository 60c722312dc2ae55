"""Backups: whole for everybody, and nothing of a person whose key was destroyed."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo import clock
from feature_repo.access.pseudonyms import make_key, read_key
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.person_keys import DESTROYED, PERSON_KEYS, SCOPE, PersonKeyFile
from feature_repo.encryption.rotation import rotate
from feature_repo.encryption.settings import KEY
from feature_repo.encryption.stored_files import read_lines, write_lines, write_stored
from feature_repo.errors import EncryptionError, HomeError, InputError, StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.restricted import Restricted
from refrain.backup.create import create
from refrain.backup.restore import open_contents, restore, verify
from refrain.person.erasure.journal import Journal
from refrain.person.erasure.run import erase
from refrain.person.scan import scan
from tests.sealed import turn_on
from training.private.federated.answer import procedure_of
from training.private.federated.silo import Memory
from training.private.federated.step import Step
from training.private.secure_aggregation.errors import RoundRefused
from training.private.secure_aggregation.memory import RoundMemory
from transforms import parquet
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest
from transforms.raw.read import scan as rows_of

ID = "mira-lind"
OTHERS = [f"listener-{number}" for number in range(5)]
ZERO = datetime(2026, 4, 1, tzinfo=UTC)
END = ZERO + timedelta(days=3)
TABLES = ("plays", "users", "friendships", "feedback")


def raw_rows() -> dict[str, pl.DataFrame]:
    """What happened in two days: plays, profiles, friendships and feedback of six listeners."""
    rng = np.random.default_rng(3)
    count = 120
    times = pl.Series(ZERO.timestamp() * 1e6 + np.sort(rng.integers(0, 2 * 86_400_000_000, count))).cast(pl.Int64)
    plays = pl.DataFrame(
        {
            "user_id": [[ID, *OTHERS][number] for number in rng.integers(0, 6, count)],
            "track_id": [f"song-{number}" for number in rng.integers(0, 9, count)],
            "artist_id": [f"band-{number}" for number in rng.integers(0, 3, count)],
            "ms_played": rng.integers(1_000, 300_000, count),
            "event_timestamp": times.cast(pl.Datetime("us", "UTC")),
        }
    )
    friends = {"user_id": [ID, *OTHERS], "friend_id": [*OTHERS, ID], "event_timestamp": ZERO}
    return {
        "plays": plays,
        "users": pl.DataFrame({"user_id": [ID, *OTHERS], "country": ["SE"] * 6, "event_timestamp": ZERO}),
        "friendships": pl.DataFrame(friends),
        "feedback": plays[::10].select("user_id", "track_id", "event_timestamp", action=pl.lit("thumb_up")),
    }


def store(home: Home, tables: dict[str, pl.DataFrame]) -> None:
    ingest(home, "test", [Batch(name, frame) for name, frame in tables.items()])


def without(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    ids = ("user_id", "friend_id")
    return {
        name: frame.filter(~pl.any_horizontal(pl.col(column) == ID for column in ids if column in frame.columns))
        for name, frame in tables.items()
    }


LOG = [
    {"user_id": ID, "answer": 1},
    {"keys": {"user_id": ["listener-1", ID]}},
    {"user_id": "listener-1", "note": "asked by mira-lind, in a text"},
    {"user_id": "listener-2"},
    {"act": "key created"},
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("backup") / "filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(clock.NOW, END.isoformat())
        store(home, raw_rows())
        yield home


@pytest.fixture
def world(filled: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data folder with raw tables, a log, a quarantine and a restriction, and encryption on."""
    home = Home(tmp_path / "home")
    shutil.copytree(filled.root, home.root)
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    monkeypatch.setenv(clock.NOW, END.isoformat())
    turn_on(home, tmp_path, monkeypatch)
    write_lines(log_of(home), [json.dumps(line).encode() for line in LOG], home)
    quarantine = home.quarantine("plays") / "bad.parquet"
    quarantine.parent.mkdir(parents=True)
    reasons = [json.dumps({"user_id": id_, "ms_played": -1}) for id_ in (ID, "listener-3")]
    parquet.write_whole(pl.DataFrame({"row": reasons, "reason": ["ms_played", "ms_played"]}), quarantine)
    Restricted().with_person("user_id", ID).with_person("user_id", "listener-4").save(home)
    return home


def log_of(home: Home) -> Path:
    return home.audit_log / "date=2026-04-02" / "1-a.jsonl"


def emptied(home: Home) -> Home:
    """The same folder as after a disk was lost, with what is said to be kept of security/."""
    wrapped = home.encryption_keys.read_bytes()
    shutil.rmtree(home.root)
    home.encryption_keys.parent.mkdir(parents=True)
    home.encryption_keys.write_bytes(wrapped)
    return home


def contents(home: Home) -> dict[str, pl.DataFrame]:
    paths = [path for folder in ("raw", "quarantine") for path in (home.root / folder).rglob("*.parquet")]
    return {str(path.relative_to(home.root)): parquet.read_whole(path, remedy="") for path in sorted(paths)}


def test_a_restored_folder_is_as_it_was(world: Home, tmp_path: Path) -> None:
    path, before = tmp_path / "a.backup", contents(world)
    make_key(world)
    key = read_key(world)
    metadata = {name: parquet.metadata(world.root / name) for name in before}
    counts = create(world, path)
    assert path.stat().st_mode & 0o777 == 0o600 and counts.size == path.stat().st_size and len(counts.people) == 6
    lines, restricted = read_lines(log_of(world), world), Restricted.of(world)
    checked = verify(world, path)
    result = restore(emptied(world), path)
    assert (result.rows, result.files, result.left_out_rows) == (checked.rows, checked.files, 0)
    assert (result.rows, result.files) == (counts.rows, counts.files)
    after = contents(world)
    assert list(after) == list(before)
    for name, rows in before.items():
        assert_frame_equal(after[name], rows)
        assert parquet.metadata(world.root / name) == metadata[name]
    assert read_lines(log_of(world), world) == lines and Restricted.of(world) == restricted
    assert read_key(world) == key
    assert sorted(path.name for path in world.root.iterdir() if path.name.startswith(".")) == []


def test_a_restored_silo_answers_nothing_again(world: Home, tmp_path: Path) -> None:
    """What it added to sums with others is known by them: a second answer would show the difference."""
    RoundMemory(world, "label_a").join("plays-1")
    step, exact = Step(0, 0, "union", "round", "terms"), procedure_of("exact")
    assert Memory(world, "run", "label_a").note(step, exact, 2)
    create(world, tmp_path / "a.backup")
    restore(emptied(world), tmp_path / "a.backup")
    with pytest.raises(RoundRefused, match="joined before"):
        RoundMemory(world, "label_a").check_new("plays-1")
    assert not Memory(world, "run", "label_a").note(step, exact, 2)
    assert Memory(world, "run", "label_a").erasures(7) == 2


def test_nothing_of_a_person_is_in_the_archive_in_plain(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    content = (tmp_path / "a.backup").read_bytes()
    assert not [word for word in (ID, *OTHERS, "song-1") if word.encode() in content]


def test_a_forgotten_person_is_in_no_backup_of_before_and_everybody_else_is(
    world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "before.backup"
    create(world, path)
    assert [content for content in opened(world, path) if b"mira-lind" in content]
    before = without({name: rows_of(world, name).collect() for name in TABLES})
    build(world, END)
    erase(world, "user_id", [ID])
    assert not [content for content in opened(world, path) if b"mira-lind" in content]
    result = restore(emptied(world), path)
    assert len(result.left_out_people) == 1 and result.left_out_rows > 20 and len(result.people) == 5
    assert not scan(world, "user_id", ID).traces
    for name, rows in before.items():
        assert_frame_equal(rows_of(world, name).collect(), rows)
    assert [json.loads(line) for line in read_lines(log_of(world), world)] == LOG[3:]
    assert Restricted.of(world).ids_of("user_id") == {"listener-4"}
    build(world, END)
    assert not scan(world, "user_id", ID).traces
    plays = raw_rows()["plays"]
    report = ingest(world, "again", [Batch("plays", plays)]).tables["plays"]
    assert (report.added, list(report.left_out.values())) == (0, [plays["user_id"].to_list().count(ID)])


def opened(home: Home, path: Path) -> list[bytes]:
    """The contents that whoever has the archive and all keys of today reads."""
    _, files = open_contents(home, path)
    return [content for file in files for content in file.contents]


def test_the_restored_folder_builds_the_tables_of_a_world_without_the_person(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    erase(world, "user_id", [ID])
    restore(emptied(world), tmp_path / "a.backup")
    build(world, END)
    other = Home(tmp_path / "never")
    store(other, without(raw_rows()))
    build(other, END)
    tables = {path.relative_to(other.root) for path in (other.root / "features").rglob("*.parquet")}
    assert tables == {path.relative_to(world.root) for path in (world.root / "features").rglob("*.parquet")}
    for name in tables:
        assert_frame_equal(*(parquet.read_whole(home.root / name, remedy="") for home in (world, other)))


def test_a_key_that_comes_back_with_an_older_copy_is_not_used(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    keys = EncryptionKeys.of(world)
    assert keys is not None
    file = PersonKeyFile(world, keys)
    copy = file.path.read_bytes()
    erase(world, "user_id", [ID])
    assert file.path.read_bytes() != copy and ID not in Path(f"{file.path}{DESTROYED}").read_text()
    file.path.write_bytes(copy)
    assert len(verify(world, tmp_path / "a.backup").left_out_people) == 1
    file.path.unlink()
    with pytest.raises(EncryptionError, match="destroyed keys in it are not used"):
        verify(world, tmp_path / "a.backup")


def test_a_rotation_loses_no_backup(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    before = contents(world)
    rotate(world, "")
    keys = EncryptionKeys.of(world)
    assert keys is not None
    keys.new_key(SCOPE)
    erase(world, "user_id", [ID])
    assert len(restore(emptied(world), tmp_path / "a.backup").left_out_people) == 1
    assert list(contents(world)) == list(before)


def test_without_the_keys_of_people_nothing_is_restored(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    keys = EncryptionKeys.of(world)
    assert keys is not None
    PersonKeyFile(world, keys).path.unlink()
    with pytest.raises(EncryptionError, match="newest copy"):
        restore(emptied(world), tmp_path / "a.backup")
    assert not (world.root / "raw").exists()


def test_a_backup_after_an_erasure_makes_no_new_key_of_the_person(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    erase(world, "user_id", [ID])
    write_lines(log_of(world).with_name("2-b.jsonl"), [json.dumps(LOG[0]).encode()], world)
    assert create(world, tmp_path / "b.backup").left_out == 1
    assert verify(world, tmp_path / "b.backup").left_out_people == set()
    assert not [content for content in opened(world, tmp_path / "b.backup") if b"mira-lind" in content]


def test_an_archive_that_was_changed_is_refused_before_anything_is_written(world: Home, tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    create(world, path)
    content = path.read_bytes()
    emptied(world)
    places = [0, 5, 12, 40, 80, len(content) // 2, len(content) - 1]
    changed = [content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in places]
    for other in (*changed, content[:-1], content[: len(content) // 2], content[:3], b"", content + b"a"):
        path.write_bytes(other)
        with pytest.raises((EncryptionError, InputError)):
            restore(world, path)
        assert [entry.name for entry in world.root.iterdir()] == ["security"]


def test_a_backup_of_another_tenant_is_refused(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    with pytest.raises(EncryptionError, match="tenant default"):
        verify(Home(world.root, "other"), tmp_path / "a.backup")


def test_what_is_no_backup(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("text")
    with pytest.raises(InputError, match="backup create"):
        verify(world, tmp_path / "a")
    with pytest.raises(InputError, match="backup create"):
        verify(world, log_of(world))
    write_stored(tmp_path / "home" / "sealed", b"text", world, "backups")
    with pytest.raises(EncryptionError):
        verify(world, tmp_path / "home" / "sealed")
    world.encryption_keys.unlink()
    monkeypatch.delenv(KEY)
    with pytest.raises(InputError, match="encryption on"):
        create(world, tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_folder_with_data_is_not_written_over(world: Home, tmp_path: Path) -> None:
    create(world, tmp_path / "a.backup")
    with pytest.raises(HomeError, match="empty"):
        restore(world, tmp_path / "a.backup")


def test_an_unfinished_erasure_comes_first(world: Home, tmp_path: Path) -> None:
    Journal.start(world, "user_id", [ID], END)
    with pytest.raises(StoreError, match="not finished"):
        create(world, tmp_path / "a.backup")


def test_a_writer_that_is_killed_leaves_the_old_archive_and_no_plain_file(
    world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.backup"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr("refrain.backup.create.os.fsync", _full)
        create(world, path)
    assert path.read_bytes() == b"old" and not list(tmp_path.glob(".partial-*"))


def _full(handle: int) -> None:
    raise OSError("full")


def test_a_restore_that_was_killed_is_repeated(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(world, tmp_path / "a.backup")
    before, calls = contents(world), []

    def once(*arguments: object, **named: object) -> None:
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        write_all(*arguments, **named)  # type: ignore[arg-type]

    write_all = parquet.write_all
    emptied(world)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(parquet, "write_all", once)
        restore(world, tmp_path / "a.backup")
    assert 0 < len(contents(world)) < len(before)
    restore(world, tmp_path / "a.backup")
    assert list(contents(world)) == list(before)


def test_an_empty_folder_has_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "empty").ensure()
    turn_on(home, tmp_path, monkeypatch)
    assert create(home, tmp_path / "a.backup").rows == 0
    assert verify(home, tmp_path / "a.backup").files == 0


def test_the_keys_of_people_lie_outside_of_the_data_folder(
    world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PERSON_KEYS, str(world.root / "people"))
    with pytest.raises(InputError, match="outside"):
        create(world, tmp_path / "a.backup")
    monkeypatch.setenv(PERSON_KEYS, str(tmp_path / "people"))
    create(world, tmp_path / "a.backup")
    assert len(list((tmp_path / "people").iterdir())) == 2  # the keys and their lock
    monkeypatch.delenv(PERSON_KEYS)
    erase(world, "user_id", [ID])  # finds them by the note in the folder
    assert list((tmp_path / "people").glob(f"*{DESTROYED}"))
    assert os.environ.get(PERSON_KEYS) is None and Forgotten.of(world).among("user_id", [ID])
