"""A data folder of a small world, plain and encrypted: the same values and digests, and nothing that can be read."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from feature_repo.encryption import parquet_files
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.places import forget_checks
from feature_repo.encryption.settings import KEY
from feature_repo.home import Home
from feature_repo.store import silence_feast
from refrain.cli import app
from refrain.person.scan import scan as scan_person
from transforms import encrypted_files, parquet
from transforms.batch.build import build
from transforms.encrypted_files import count_files, parquet_files_of
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SIZE = Size(users=8, tracks=20, days=4, plays=160)
PERSON = "u000001"
READ = {"hive_partitioning": False}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The world, plain and built. Read only."""
    home = Home(tmp_path_factory.mktemp("plain") / "data").ensure()
    simulate(home, SIZE, seed=3)
    build(home, NOW)
    return home


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "encryption.key"
    path.write_text(new_text())
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Home:
    """The same world, imported and built with encryption on. Read only."""
    home = Home(tmp_path_factory.mktemp("encrypted") / "data").ensure()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY, f"file:{key}")
        forget_checks()
        simulate(home, SIZE, seed=3)
        build(home, NOW)
    return home


@pytest.fixture
def copy(plain: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the plain world that a test may change; commands find it."""
    home = Home(tmp_path / "data")
    shutil.copytree(plain.root, home.root)
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    monkeypatch.setenv("REFRAIN_NOW", NOW.isoformat())
    monkeypatch.delenv(KEY, raising=False)
    forget_checks()
    yield home
    forget_checks()


def refrain(*words: str, fails: bool = False, **options: str) -> str:
    result = CliRunner().invoke(app, ["encryption", *words], **options)
    assert (result.exit_code != 0) == fails, result.output + str(result.exception or "")
    return result.output


def names(home: Home) -> list[str]:
    return [path.relative_to(home.root).as_posix() for path in parquet_files_of(home)]


def digests(home: Home) -> dict[str, str]:
    return {name: parquet.digest(home.root / name) for name in names(home)}


def holds_person(home: Home) -> list[str]:
    """Files of the tenant that show the person to whoever has no key."""
    paths = [path for path in home.root.rglob("*") if path.is_file() and "simulated" not in path.parts]
    return [str(path) for path in paths if PERSON.encode() in path.read_bytes()]


def test_an_encrypted_world_is_the_plain_one(
    plain: Home, encrypted: Home, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, f"file:{key}")
    assert names(encrypted) == names(plain)
    assert all(parquet_files.has_encryption(path) for path in parquet_files_of(encrypted))
    assert digests(encrypted) == digests(plain)
    for name in names(plain):
        rows = pl.read_parquet(plain.root / name, glob=False, **READ)
        assert_frame_equal(parquet_files.read(encrypted.root / name, **READ), rows)
        about = parquet.metadata(encrypted.root / name)
        assert about.pop("refrain.until", "") == parquet.metadata(plain.root / name).get("refrain.until", "")


def test_no_file_of_an_encrypted_world_shows_a_person(plain: Home, encrypted: Home) -> None:
    assert len(holds_person(plain)) > 3
    assert not holds_person(encrypted)


def test_the_scanner_of_people_looks_into_encrypted_files_for_their_owner(
    plain: Home, encrypted: Home, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(home: Home) -> set[tuple[str, str]]:
        return {(trace.path, trace.place) for trace in scan_person(home, "user_id", PERSON).certain}

    monkeypatch.setenv(KEY, f"file:{key}")
    forget_checks()
    assert found(encrypted) == found(plain)
    assert len(found(plain)) > 3


def test_commands_lead_from_plain_to_encrypted_and_back_and_nothing_is_built_anew(
    copy: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, key = digests(copy), tmp_path / "keys" / "encryption.key"
    assert "encryption    off" in refrain("status")
    assert "refrain encryption on" in refrain("encrypt", fails=True)
    refrain("on", "--key", f"file:{key}", "--make-key")
    assert key.stat().st_mode & 0o777 == 0o600
    text = refrain("recovery-key").split()[0]
    assert f"{len(before):,} files of tables encrypted" in refrain("encrypt")
    assert "0 files of tables encrypted" in refrain("encrypt")
    assert not holds_person(copy)
    assert digests(copy) == before
    assert not any(report.rebuilt for report in build(copy, NOW).values())
    state = json.loads(refrain("status", "--json"))
    assert state["on"]
    assert sum(files["encrypted"] for files in state["files"].values()) == len(before)
    assert "wrapped anew" in refrain("rotate")
    assert "stay readable" in refrain("rotate", "--data", "raw/plays")
    refrain("rotate", "--data", "raw/play", fails=True)
    monkeypatch.setenv("REFRAIN_KEK", new_text())
    for place in ("env:REFRAIN_KEK", f"file:{key}"):
        assert "wrapped anew" in refrain("rotate", "--to", place)
        assert f"key           {place}, can be used" in refrain("status")
    assert "none put back" in refrain("inventory", str(tmp_path / "inventories"))
    key.unlink()
    assert "recover" in refrain("status", fails=True)
    refrain("recover", "--key", f"file:{key}", "--make-key", env={"REFRAIN_RECOVERY_KEY": text})
    assert digests(copy) == before
    assert "made plain: " in refrain("off", "--yes")
    assert digests(copy) == before
    assert {path.read_bytes()[:4] for path in parquet_files_of(copy)} == {b"PAR1"}


def test_a_migration_that_is_killed_is_repeated(copy: Home, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests(copy)
    monkeypatch.setenv(KEY, f"file:{key}")
    refrain("on")
    child = os.fork()
    if not child:
        encrypt, count = encrypted_files._encrypt, [0]

        def dying(path: Path) -> None:
            encrypt(path)
            count[0] += 1
            if count[0] == len(before) // 2:
                os.kill(os.getpid(), 9)

        encrypted_files._encrypt = dying
        try:
            refrain("encrypt")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    counts = count_files(copy).values()
    assert sum(count.encrypted for count in counts) == len(before) // 2
    assert digests(copy) == before
    refrain("encrypt")
    assert digests(copy) == before
    assert not sum(count.plain for count in count_files(copy).values())


def test_a_large_file_is_encrypted_in_parts_and_keeps_its_digest(
    copy: Home, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(copy)
    monkeypatch.setenv(KEY, f"file:{key}")
    monkeypatch.setattr(encrypted_files, "_WHOLE_BYTES", 2_000)
    rows = {name: pl.read_parquet(copy.root / name, glob=False, **READ) for name in before}
    refrain("on")
    refrain("encrypt")
    assert digests(copy) == before
    for name, frame in rows.items():
        assert_frame_equal(parquet_files.read(copy.root / name, **READ), frame)
    refrain("off", "--yes")
    for name, frame in rows.items():
        assert_frame_equal(pl.read_parquet(copy.root / name, glob=False, **READ), frame)


def test_tables_without_personal_columns_may_stay_plain(
    copy: Home, key: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    settings = f'name = "music"\nextends = ["music"]\n[encryption]\nkey = "file:{key}"\ntables = "personal"\n'
    (project / "refrain.toml").write_text(settings)
    monkeypatch.setenv("REFRAIN_PROJECT", str(project))
    refrain("on")
    refrain("encrypt")
    counts = count_files(copy)
    assert not counts["raw/tracks"].encrypted
    assert not counts["raw/plays"].plain
    assert not counts["raw/users"].plain
    assert not counts["features/user_listening"].plain
    assert not holds_person(copy)


def test_feast_does_not_take_an_encrypted_table_for_a_damaged_one(
    encrypted: Home, caplog: pytest.LogCaptureFixture
) -> None:
    from feast import FileSource

    silence_feast()
    source = FileSource(path=str(encrypted.features("user_profile")), timestamp_field="event_timestamp")
    source.validate(SimpleNamespace(repo_path=None))
    assert caplog.text == ""
