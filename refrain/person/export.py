"""All that is kept about one person as a zip: what was reported, what was computed from it, what was recorded.

``tables/<raw table>.jsonl`` are the rows with the person's id, and the rows of slowly changing tables that they name,
such as the tracks that were played; ``refrain import person`` reads them, and gives the same features of the person
again. ``features/<view>.jsonl`` are the person's features as of every moment, ``records/…`` the lines of logs, without
what they say of others.
"""

import json
import shlex
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import polars as pl

from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.person.erasure.records import feature_rows, mentions_of
from refrain.person.erasure.run import RECORDS, canonical
from refrain.person.own_lines import own_part
from refrain.person.scan import PersonKey
from transforms.raw.declared import raw_tables
from transforms.raw.importers.person import FORM, MANIFEST, TABLES, as_lines
from transforms.raw.read import scan
from transforms.raw.table import RawTable


def export(home: Home, key: str, id_: str, path: Path) -> dict[str, int]:
    """Write what is kept about a person to a zip file.

    Args:
        home: the data folder.
        key: join key of the person, such as ``user_id``.
        id_: the id.
        path: the zip; it gets its name when it is complete.

    Returns:
        Part of the export → number of rows or lines.

    Raises:
        InputError: nothing is kept about this person.

    >>> export(Home.from_env(), "user_id", "u000042", Path("u000042.zip"))         # doctest: +SKIP
    """
    (id_,) = canonical(home, key, [id_])
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(
            expected="the path of a zip in a folder that is there",
            found=str(path),
            next_command=f"refrain person export {shlex.quote(id_)} --out person.zip",
        )
    parts: dict[str, bytes] = {}
    counts: dict[str, int] = {}
    for part, frame in _frames(home, key, id_):
        parts[f"{part}.jsonl"], counts[part] = as_lines(frame), frame.height
    person = PersonKey.of(home, key)
    for folder in RECORDS:
        for file, lines in mentions_of(home, folder, person, id_):
            parts[f"records/{file}.jsonl"] = b"".join(own_part(line, person, id_) for line in lines)
            counts[f"records/{folder}"] = counts.get(f"records/{folder}", 0) + len(lines)
    if not counts:
        raise InputError(
            expected="a person about whom something is kept",
            found=f"nothing with {key} {id_!r} in {home.root}",
            next_command=f"refrain person scan {shlex.quote(id_)} --key {key}",
        )
    about = {"form": FORM, "key": key, "id": id_, "made": datetime.now(UTC).isoformat(), "parts": counts}
    partial = path.with_name(f".partial-{path.name}")
    partial.touch(mode=0o600)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MANIFEST, json.dumps(about, indent=1, ensure_ascii=False))
            for name, content in parts.items():
                archive.writestr(name, content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return counts


def _frames(home: Home, key: str, id_: str) -> Iterator[tuple[str, pl.DataFrame]]:
    tables = raw_tables(home)
    own: dict[str, pl.DataFrame] = {}
    for name, table in tables.items():
        is_own = table.names(key, [id_], list(table.columns))
        if is_own is not None:
            own[name] = scan(home, name).filter(is_own).collect()
    for name, frame in (own | _mentioned(home, tables, own)).items():
        if frame.height:
            yield f"{TABLES}/{name}", frame
    for view, frames in groupby(feature_rows(home, key, id_), itemgetter(0)):
        rows = pl.concat([frame for _, frame in frames], how="diagonal").collect()
        if rows.height:
            yield f"features/{view}", rows.sort("event_timestamp", maintain_order=True)


def _mentioned(home: Home, tables: Mapping[str, RawTable], own: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The rows of slowly changing tables whose key a person's rows hold."""
    rows: dict[str, pl.DataFrame] = {}
    for name, table in tables.items():
        if not table.changes_slowly or name in own or len(table.key) > 1:
            continue
        (column,) = table.key
        values = [frame[column] for frame in own.values() if column in frame.columns]
        if values:
            rows[name] = scan(home, name).filter(pl.col(column).is_in(pl.concat(values).unique().to_list())).collect()
    return rows
