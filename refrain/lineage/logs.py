"""Served answers in the logs, by the id that a caller got, ``answer_id`` or ``request_id``.

Impressions have ``answer_id`` with what was shown, exposures the same id with the listener, and the audit log the
``request_id`` of every answer about people. A log is read from its newest day backwards, as bytes, until the id is
there, so that a long log takes no longer than a short one.

An answer to many people, such as a batch, has a line in the audit log for each; those of whom nothing was read, since
they had not consented, have another one, ``withheld``.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
from feature_repo.encryption.stored_files import read_lines
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home

KEPT = 1_000
"""Most answers that ``newest`` returns."""

_WITHHELD = "withheld"
_Entry = Mapping[str, Any]


@dataclass(frozen=True)
class ServedAnswer:
    """One answer, as a log has it.

    Attributes:
        id: ``answer_id`` or ``request_id``.
        at: moment of the request, microseconds since 1970 UTC.
        kind: ``recommendation``, ``prediction``, ``features``, ``forecast`` or ``detection``.
        model: model, with its version if the log has it; empty for looked-up features.
        services: feature services that were read, as far as the log has them.
        keys: join key → its values; one value counts for all rows.
        log: file that has the answer.
        withheld: join key → values of people of whom nothing was read, since they had not consented.
        rows: number of rows that were asked for; 0 if the log does not say.
    """

    id: str
    at: int
    kind: str
    model: str
    services: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]]
    log: Path
    withheld: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: int = 0

    @property
    def model_name(self) -> str:
        """Name of the model without its version."""
        return self.model.partition(":")[0]


def find_answer(home: Home, id_: str) -> ServedAnswer:
    """Returns the answer with an id.

    Raises:
        InputError: no log has the id, or has it any more.
        StoreError: the line with the id is damaged.
    """
    needle = json.dumps(id_.strip())[1:-1].encode()
    damaged_lines: list[str] = []
    for id_field, folder, read in _logs(home):
        lines_of_answer: list[ServedAnswer] = []
        for file in _files(folder) if needle else ():
            if (whole := _joined(lines_of_answer)) is not None and file.parent != whole.log.parent:
                return whole  # days before have nothing more of it
            for number, line in enumerate(_lines(file, home), start=1):
                if needle not in line:
                    continue
                entry = _parsed(line)
                if entry is None:
                    damaged_lines.append(f"{file}, line {number}")
                elif str(entry.get(id_field)) == id_.strip() and (answer := _read(read, entry, file)) is not None:
                    lines_of_answer.append(answer)
        if (whole := _joined(lines_of_answer)) is not None:
            return whole
    if damaged_lines:
        raise StoreError(
            expected=f"a whole line with the id {id_!r}",
            found=f"a damaged one in {damaged_lines[0]}",
            next_command="refrain lineage answers  (lists the answers that can be read)",
        )
    raise InputError(
        expected=f"the answer_id of a logged recommendation or the request_id of an answer about people in {home.root}",
        found=f"{id_!r}, which no log has; {_extent(home)}",
        next_command="refrain lineage answers" if newest(home, 1) else "REFRAIN_LOG_IMPRESSIONS=1 refrain serve",
    )


def newest(home: Home, most: int = KEPT, *, since: int = 0) -> list[ServedAnswer]:
    """Returns the newest answers of all logs, newest first; lines that cannot be read are left out.

    Args:
        home: the data folder.
        most: greatest number of answers of each log.
        since: earliest moment, microseconds since 1970 UTC.
    """
    answers: dict[str, ServedAnswer] = {}
    for _, folder, read in _logs(home):
        count, lines_by_id = 0, dict[str, list[ServedAnswer]]()
        for file in _files(folder):
            for line in reversed(_lines(file, home)):
                entry = _parsed(line)
                answer = None if entry is None or count >= most else _read(read, entry, file)
                if answer is not None and answer.at >= since and answer.id not in answers:
                    lines_of_answer = lines_by_id.setdefault(answer.id, [])
                    lines_of_answer.append(answer)
                    count += len(lines_of_answer) == 1 and answer.kind != _WITHHELD
            if count >= most:
                break
        wholes = map(_joined, lines_by_id.values())
        answers |= {whole.id: whole for whole in wholes if whole is not None}
    return sorted(answers.values(), key=lambda answer: -answer.at)[:most]


def _joined(lines_of_answer: Sequence[ServedAnswer]) -> ServedAnswer | None:
    """Returns the answer that some lines of one log are of; None without a line that is an answer."""
    parts = [one for one in lines_of_answer if one.kind != _WITHHELD]
    if not parts:
        return None
    first = min(parts, key=lambda one: one.at)
    withheld = _union(one.withheld for one in lines_of_answer)
    if len(parts) == 1:
        return replace(first, withheld=withheld)
    return replace(first, keys=_union(one.keys for one in parts), withheld=withheld, rows=0)


def _union(keys: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    union: dict[str, tuple[str, ...]] = {}
    for one in keys:
        for name, values in one.items():
            union[name] = tuple(dict.fromkeys((*union.get(name, ()), *values)))
    return union


def _logs(home: Home) -> Iterator[tuple[str, Path, Callable[[_Entry, Path], ServedAnswer | None]]]:
    """Yields the name of the id, the folder, and the reader of an entry of each log; those that say most come first."""
    yield "answer_id", home.impressions, _impression
    yield "request_id", home.audit_log, _act
    yield "answer_id", home.exposures, _exposure


def _impression(entry: _Entry, file: Path) -> ServedAnswer:
    keys = {"user_id": (str(entry["user_id"]),), "track_id": tuple(str(slot["track_id"]) for slot in entry["slots"])}
    services, model = tuple(entry.get("features") or ()), str(entry["model"])
    return ServedAnswer(str(entry["answer_id"]), int(entry["at"]), "recommendation", model, services, keys, file)


def _exposure(entry: _Entry, file: Path) -> ServedAnswer | None:
    if not entry.get("answer_id"):
        return None
    keys = {"user_id": (str(entry["user_id"]),)}
    return ServedAnswer(str(entry["answer_id"]), int(entry["at"]), "recommendation", "recommendation", (), keys, file)


def _act(entry: _Entry, file: Path) -> ServedAnswer | None:
    """Returns the answer of an act, or what was withheld of it; None of a refusal and of what administrators do."""
    act = str(entry["act"])
    models = {
        "recommendation": "recommendation",
        "prediction": str(entry.get("model", "")),
        "detection": f"{entry.get('detector')}_anomaly_detector",
        "features": "",
        "forecast": "user_behavior_forecaster",
        _WITHHELD: "",
    }
    if act not in models or "keys" not in entry:
        return None
    at = round(datetime.fromisoformat(entry["at"]).timestamp() * 1e6)
    services = (str(entry["service"]),) if act == "features" else ()
    services = ("user_activity_forecast_v1",) if act == "forecast" else services
    keys = {name: tuple(map(str, values)) for name, values in entry["keys"].items()}
    withheld = keys if act == _WITHHELD else {}
    rows = int(entry.get("rows") or 0)
    return ServedAnswer(str(entry["request_id"]), at, act, models[act], services, keys, file, withheld, rows)


def _read(read: Callable[[_Entry, Path], ServedAnswer | None], entry: _Entry, file: Path) -> ServedAnswer | None:
    try:
        return read(entry, file)
    except (KeyError, TypeError, ValueError, AttributeError):  # of another kind, or half-written
        return None


def _files(folder: Path) -> Iterator[Path]:
    """Yields the files of a log, newest day first: JSON lines, and those that they were packed into."""
    for day in reversed(days_in(folder).values()):
        yield from sorted(
            (*Path(day).glob("*.jsonl"), *Path(day).glob("*.packing"), *Path(day).glob("packed-*.parquet"))
        )


def _lines(file: Path, home: Home) -> Sequence[bytes]:
    try:
        if file.suffix != ".parquet":
            return read_lines(file, home)
        import polars as pl

        rows = parquet_files.read(file, hive_partitioning=False).with_columns(pl.col("at").to_physical())
        return [json.dumps(row, default=str).encode() for row in rows.iter_rows(named=True)]
    except StoreError:
        raise
    except Exception as error:  # polars has many kinds of errors of damaged files
        raise StoreError(
            expected=f"a log that can be read at {file}",
            found=(str(error).splitlines() or [type(error).__name__])[0],
            next_command=f"mv '{file}' '{file}.damaged'  (its answers are lost), then repeat the command",
        ) from error


def _parsed(line: bytes) -> _Entry | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _extent(home: Home) -> str:
    """Says which days the logs have."""
    days = {folder: sorted(days_in(folder)) for _, folder, _ in _logs(home)}
    texts = [f"{folder.parent.name} has {found[0]} to {found[-1]}" for folder, found in days.items() if found]
    return "; ".join(texts) or "nothing is logged"
