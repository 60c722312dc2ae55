"""Every example of an export is read as its ``expected.json`` says; twice, and after a part of it, as well."""

import gzip
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from feature_repo.errors import InputError
from feature_repo.home import Home
from tests.music import FORMATS, TABLES
from transforms import parquet
from transforms.raw.ingest import ingest
from transforms.raw.read import scan
from transforms.raw.report import Report

Step = tuple[str, str, dict[str, Any]]
"""An import: format, path below the folder of the example, options."""

FOLDERS = {
    "access-logs": "logs",
    "apple-music": "apple-music",
    "deezer": "deezer",
    "lastfm": "lastfm",
    "listenbrainz": "listenbrainz",
    "maloja": "maloja",
    "million-playlist": "million-playlist",
    "movielens": "movielens",
    "overlaps": "",
    "server-logs": "logs",
    "spotify-extended": "spotify",
    "spotify-short": "spotify",
    "texts": "texts",
    "tidal": "tidal",
    "yambda": "yambda",
    "youtube-music": "youtube-music",
}
"""Folder of examples → their format."""

OPTIONS = {"spotify-extended": {"incognito": True}}

OVERLAPS: dict[str, list[Step]] = {
    "spotify_short_and_extended": [("spotify", "", {})],
    "lastfm_and_listenbrainz": [
        ("lastfm", "mira_made_up.csv", {"user": "mira"}),
        ("listenbrainz", "listenbrainz_mira_made_up_1717200000.zip", {"user": "mira"}),
    ],
    "two_people": [("spotify", "", {})],
    "exported_twice": [("spotify", "", {})],
}

EVENTS = ("plays", "episode_plays", "requests", "logins", "log_lines", "host_metrics", "texts", "playlists")
TIMES = {"end of the play": "created_timestamp"}
CUT = {"minute": "1m", "hour": "1h"}


def rows(home: Home, *names: str) -> int:
    return sum(scan(home, name).select(pl.len()).collect().item() for name in names)


def people(home: Home) -> int:
    return scan(home, "users").select(pl.col("user_id").n_unique()).collect().item()


def plays(home: Home) -> int:
    return rows(home, "plays") or scan(home, "play_counts").select(pl.col("plays").sum()).collect().item()


COUNTS: dict[str, Callable[[Home], int]] = {
    "plays": plays,
    "listeners": people,
    "skipped": lambda home: scan(home, "plays").select(pl.col("skipped").sum()).collect().item(),
    "feedback": lambda home: rows(home, "feedback"),
    "ratings": lambda home: rows(home, "plays"),
    "users": people,
    "movies": lambda home: scan(home, "tracks").select(pl.col("track_id").n_unique()).collect().item(),
    "tags": lambda home: rows(home, "tags", "track_tags"),
    "playlist_entries": lambda home: rows(home, "playlist_entries"),
    "requests": lambda home: rows(home, "requests"),
    "logins_accepted": lambda home: scan(home, "logins").filter("success").select(pl.len()).collect().item(),
    "logins_failed": lambda home: scan(home, "logins").filter(~pl.col("success")).select(pl.len()).collect().item(),
    "messages": lambda home: rows(home, "log_lines"),
    "observations": lambda home: rows(home, "play_counts") or rows(home, "host_metrics"),
    "texts": lambda home: rows(home, "texts"),
}
"""Count of ``expected.json`` → what is stored."""


def test_every_folder_of_examples_is_tried(exports: Path) -> None:
    others = {"metrics"}  # series of any name, which ``test_metrics`` reads
    assert {path.parent.name for path in exports.glob("*/expected.json")} <= {*FOLDERS, *others}


@pytest.mark.parametrize("folder", FOLDERS)
def test_examples_are_read_as_expected(exports: Path, tmp_path: Path, folder: str) -> None:
    for number, (name, expected) in enumerate(json.loads((exports / folder / "expected.json").read_text()).items()):
        steps = OVERLAPS[name] if folder == "overlaps" else [(FOLDERS[folder], "", OPTIONS.get(folder, {}))]
        place = tmp_path / str(number)
        source = place / "source" / folder
        shutil.copytree(exports / folder, source)
        if "the file is no listening history" in expected["refused"]:
            with pytest.raises(InputError):
                load(Home(place / "home"), source / name, steps)
            continue
        home = Home(place / "home")
        reports = load(home, source / name, steps)
        assert found(home, reports, expected) == wanted(expected), name
        assert_same_again(home, source / name, steps)
        assert_same_after_a_part(home, Home(place / "other"), source / name, steps)


def load(home: Home, path: Path, steps: list[Step]) -> list[Report]:
    return [
        ingest(home, f"{kind}:{path.name}", FORMATS[kind].batches(path / below, home, **options))
        for kind, below, options in steps
    ]


def wanted(expected: dict[str, Any]) -> dict[str, Any]:
    """What ``found`` has to return."""
    counts = {name: expected[name] for name in COUNTS if name in expected}
    if "episodes" in expected:
        counts["episodes"] = expected["episodes"] + expected.get("chapters", 0)
    if expected["first"]:
        counts |= {"first": expected["first"], "last": expected["last"]}
    if "files_passed_over" in expected:
        counts["passed_over"] = expected["files_passed_over"]
    return {**counts, "refused": sum(expected["refused"].values()) + expected.get("other_videos", 0)}


def found(home: Home, reports: list[Report], expected: dict[str, Any]) -> dict[str, Any]:
    """What an import has stored, of that which is expected."""
    counts: dict[str, Any] = {name: COUNTS[name](home) for name in COUNTS if name in expected}
    if "episodes" in expected:
        counts["episodes"] = rows(home, "episode_plays")
    if expected["first"]:
        counts |= dict(zip(("first", "last"), span(home, expected), strict=True))
    tables = [table for report in reports for table in report.tables.values()]
    refused = [count for table in tables for count in (*table.reasons.values(), *table.left_out.values())]
    if "files_passed_over" in expected:
        counts["passed_over"] = sum(len(report.passed_over) for report in reports)
    return {**counts, "refused": sum(refused)}


def span(home: Home, expected: dict[str, Any]) -> list[str]:
    column = TIMES.get(expected.get("instant", ""), "event_timestamp")
    times = pl.concat([scan(home, name).select(column).collect() for name in EVENTS])[column]
    cut = CUT.get(expected.get("precision", ""), "1us")
    return [moment.isoformat().replace("+00:00", "Z") for moment in (times.dt.truncate(cut).sort())[[0, -1]]]


def assert_same_again(home: Home, path: Path, steps: list[Step]) -> None:
    before = content(home)
    again = load(home, path, steps)
    assert sum(table.added for report in again for table in report.tables.values()) == 0, path
    assert content(home) == before, path


def assert_same_after_a_part(home: Home, other: Home, path: Path, steps: list[Step]) -> None:
    """The first half of the records of each file is imported, then all, from the same path."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    files = [file for file in files if file.stem != "movies"]  # the catalogue of a data set is not cut
    originals = [(file, file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    for file, data, changed_ns in originals:
        rewrite(file, half(file.name, data), changed_ns)
    with suppress(InputError):  # there may be nothing in half of a small file
        load(other, path, steps)
    for file, data, changed_ns in originals:
        rewrite(file, data, changed_ns)
    load(other, path, steps)
    expected, result = content(home), content(other)
    assert result.keys() == expected.keys(), path
    for name in expected:
        if result[name] != expected[name]:
            assert_frame_equal(*(pl.read_parquet(io.BytesIO(data[name])) for data in (result, expected)))
            raise AssertionError(f"{path}: other bytes of {name}")


def rewrite(file: Path, data: bytes, changed_ns: int) -> None:
    file.write_bytes(data)
    os.utime(file, ns=(changed_ns, changed_ns))  # the year of some logs is that of the file


def content(home: Home) -> dict[str, bytes]:
    return {
        str(path.relative_to(home.root)): path.read_bytes()
        for name in TABLES
        for path in sorted(home.raw(name).rglob(parquet.PART))
    }


def half(name: str, data: bytes) -> bytes:
    """The first half of the records of a file, in its form."""
    if name.endswith(".gz"):
        return gzip.compress(half(name.removesuffix(".gz"), gzip.decompress(data)))
    if name.endswith(".zip"):
        target = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(target, "w") as copy:
            for member in archive.infolist():
                copy.writestr(member.filename, half(member.filename, archive.read(member)))
        return target.getvalue()
    if name.endswith((".xlsx", ".parquet", ".pdf", "/")):
        return data
    with suppress(ValueError):
        return json.dumps(half_of(json.loads(data))).encode()
    encoding = next((form for mark, form in MARKS.items() if data.startswith(mark)), "latin-1")
    lines = data.decode(encoding).splitlines(keepends=True)
    count = len(lines) // 2
    while "".join(lines[:count]).count('"') % 2:  # within a value of several lines
        count += 1
    return "".join(lines[:count]).encode(encoding)


MARKS = {b"\xff\xfe": "utf-16-le", b"\xef\xbb\xbf": "utf-8"}


def half_of(value: Any) -> Any:
    """A list cut in half, or an object with its lists cut in half."""
    if isinstance(value, list):
        return value[: (len(value) + 1) // 2]
    if isinstance(value, dict):
        return {
            name: half_of(item) if isinstance(item, dict) or (isinstance(item, list) and len(item) > 9) else item
            for name, item in value.items()
        }
    return value
