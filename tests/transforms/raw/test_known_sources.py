"""A source whose rows are all stored is not read again; it is as soon as one of their files has changed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo.errors import InputError
from feature_repo.home import Home
from transforms.raw import known_sources
from transforms.raw.ingest import Batch, ingest
from transforms.raw.known_sources import content_of
from transforms.raw.report import Report

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def play(user: str, hours: float, **more: Any) -> dict[str, Any]:
    return {"user_id": user, "track_id": "t", "event_timestamp": NOON + timedelta(hours=hours), **more}


def batch(*rows: dict[str, Any], table: str = "plays") -> Batch:
    return Batch(table, pl.DataFrame(rows, infer_schema_length=None))


SOURCE = [
    batch(play("ann", 0), play("ann", 0), play("ann", 0, skipped=True), play("bob", 30), play("", 60)),
    batch({"user_id": "ann", "country": "SE", "event_timestamp": NOON}, table="users"),
]


def import_source(home: Home, content: str | None = "1") -> tuple[Report, bool]:
    """Returns the report, and whether the source was read."""
    reads: list[int] = []

    def batches() -> Iterator[Batch]:
        for number, item in enumerate(SOURCE):
            reads.append(number)
            yield item

    return ingest(home, "test", batches(), content=content), bool(reads)


def test_a_known_source_is_not_read_and_counted_as_if_it_were(home: Home) -> None:
    report, was_read = import_source(home)
    assert (was_read, report.tables["plays"].added, report.tables["plays"].quarantined) == (True, 2, 1)
    noted, was_read = import_source(home)
    assert not was_read
    repeated, was_read = import_source(home, content=None)
    assert was_read
    assert noted.tables == repeated.tables
    assert import_source(home, content="2")[1]


def part(home: Home, pattern: str) -> Path:
    (path,) = home.root.glob(pattern)
    return path


def erase(path: Path) -> None:
    pl.read_parquet(path, glob=False, hive_partitioning=False).clear().write_parquet(path)


CHANGES: dict[str, Callable[[Home], object]] = {
    "a day is gone": lambda home: part(home, "raw/plays/*/date=2026-01-06/part-0.parquet").unlink(),
    "rows were erased": lambda home: erase(part(home, "raw/plays/*/date=2026-01-05/part-0.parquet")),
    "left-out rows are gone": lambda home: part(home, "raw/plays/*/date=2026-01-05/*.left-out").unlink(),
    "the users are gone": lambda home: part(home, "raw/users/*/part-0.parquet").unlink(),
    "the quarantine is gone": lambda home: part(home, "quarantine/plays/*/*.parquet").unlink(),
    "a later import changed a day": lambda home: ingest(home, "b", [batch(play("cid", 31))]),
    "a later import changed the users": lambda home: ingest(
        home, "b", [batch({"user_id": "cid", "event_timestamp": NOON}, table="users")]
    ),
    "the note is damaged": lambda home: part(home, "raw/.sources/*.json").write_text("{"),
    "the note is of another form": lambda home: part(home, "raw/.sources/*.json").write_text("[1]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_is_read_again_after_a_change(home: Home, change: str) -> None:
    import_source(home)
    CHANGES[change](home)
    assert import_source(home)[1]
    assert not import_source(home)[1]


def test_a_change_elsewhere_does_not_matter(home: Home) -> None:
    import_source(home)
    ingest(home, "b", [batch(play("cid", 500))])
    assert not import_source(home)[1]


def test_another_version_of_the_code_reads_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import_source(home)
    monkeypatch.setattr(known_sources, "_source_code", lambda: b"another")
    assert import_source(home)[1]


def test_a_row_that_may_be_accepted_later_is_read_again(home: Home) -> None:
    rows = [batch(play("ann", 0), {**play("bob", 0), "event_timestamp": datetime.now(UTC) + timedelta(days=9)})]
    for _ in range(2):
        report = ingest(home, "test", rows, content="1")
        assert report.tables["plays"].read == 2
        assert not list(home.root.glob("raw/.sources/*"))


def test_a_source_that_broke_off_is_read_again(home: Home) -> None:
    def broken() -> Iterator[Batch]:
        yield SOURCE[0]
        raise InputError(expected="more", found="the end", next_command="again")

    with pytest.raises(InputError):
        ingest(home, "test", broken(), content="1")
    assert import_source(home)[1]


def test_content_is_that_of_all_files_and_options(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_text(name)
    contents = [content_of(folder), content_of(folder, "spotify"), content_of(folder / "a")]
    (folder / "b").write_text("c")
    contents.append(content_of(folder))
    (folder / "b").rename(folder / "c")
    contents.append(content_of(folder))
    assert len(set(contents)) == 5
    (folder / "c").rename(folder / "b")
    (folder / "b").write_text("b")
    assert content_of(folder) == contents[0]
