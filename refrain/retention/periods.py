"""How long the rows of each raw table, and each kind of record, are kept.

A raw table declares its period (``RawTable.retention``); the section ``[retention]`` of ``refrain.toml`` says otherwise
for the project, and ``[tenants.TENANT.retention]`` for one tenant.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.project import FILE, Project, line_of
from feature_repo.purposes import CONSENTS
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import DAY, duration
from refrain.retention.records import RECORDS
from transforms.raw.declared import raw_tables

FOREVER = "forever"

_SPARE_DAYS = 2
"""Days by which a period exceeds the longest window: those that the horizon and the present may cut."""


@dataclass(frozen=True)
class Period:
    """How long the rows of a table, or records of a kind, are kept.

    Attributes:
        name: the raw table, or the kind of record.
        text: the period, such as ``"365d"``, or ``"forever"``.
        origin: where it is said.
        is_record: whether it is of a kind of record.
    """

    name: str
    text: str
    origin: str
    is_record: bool = False

    @property
    def length(self) -> timedelta | None:
        """The longest age of a row; None without an end.

        >>> Period("plays", "36h", "declared").length, Period("plays", "forever", "declared").length
        (datetime.timedelta(days=1, seconds=43200), None)
        """
        return None if self.text == FOREVER else timedelta(microseconds=duration(self.text))


def periods(home: Home) -> dict[str, Period]:
    """The period of every raw table and of every kind of record, by name.

    Raises:
        InputError: ``refrain.toml`` names what is not there, or a period is too short for what reads the table.
    """
    declared = {
        **{name: Period(name, table.retention or FOREVER, "declared") for name, table in raw_tables(home).items()},
        **{name: Period(name, record.period, "declared", is_record=True) for name, record in RECORDS.items()},
    }
    project = Project.load(home.project_folder)
    own = project.tenants.get(home.tenant, {})
    sections: tuple[tuple[str, Mapping[str, str]], ...] = (
        ("retention", project.retention),
        (f"tenants.{home.tenant}.retention", own),
    )
    for section, entries in sections:
        for name, text in entries.items():
            if name not in declared:
                raise _unknown(home, section, name, list(declared))
            if name == CONSENTS and text != FOREVER:
                raise InputError(
                    expected=f"{CONSENTS} kept: without them nobody knows who has withdrawn",
                    found=f"{text} in [{section}] of {FILE}, line {_line(home, section, name)}",
                    next_command=f"take {CONSENTS} out of [{section}]; refrain person forget takes those of a person",
                )
            declared[name] = Period(name, text, f"{FILE} [{section}]", declared[name].is_record)
    _check_windows(home, declared)
    return declared


def _unknown(home: Home, section: str, name: str, names: list[str]) -> InputError:
    near = difflib.get_close_matches(name, names, 1)
    return InputError(
        expected=f"raw tables and kinds of records in [{section}] of {FILE}: {', '.join(sorted(names))}",
        found=f"{name!r} on line {_line(home, section, name)}",
        next_command=f"write {near[0]}" if near else "refrain retention show",
    )


def _line(home: Home, section: str, name: str) -> int:
    return line_of(Path(home.project_folder or "") / FILE, section, name)


def _check_windows(home: Home, by_name: Mapping[str, Period]) -> None:
    """Checks that windows fit into what is kept, and that dimensions are kept as long as the events that take them.

    Raises:
        InputError: a period is too short.
    """
    for table in contract_of(home).windowed.values():
        if person := raw_tables(home)[table.source.name].person:
            raise InputError(
                expected=f"rows of {table.source.name} that all age, as {table.name} counts them in windows",
                found=f"person={person!r} in the raw table {table.source.name}",
                next_command=f"take person= out of the declaration of {table.source.name}",
            )
        for source, length, text in _kept(table, by_name):
            shortest = -(-(table.reach + (DAY if table.is_live else 0)) // DAY) + _SPARE_DAYS
            if length < timedelta(days=shortest):
                window = max((each for each in table.spans), key=lambda each: each.width).name
                raise InputError(
                    expected=f"{source} kept for {shortest} days at least: {table.name} has windows of {window}",
                    found=f"{text} ({by_name[source].origin})",
                    next_command=f'{source} = "{shortest}d" in [retention] of {FILE}, or take the window out',
                )
        events = by_name[table.source.name].length
        for enrich in table.enrich:
            kept = by_name[enrich.dimension.name].length
            if kept is not None and (events is None or kept < events):
                raise InputError(
                    expected=f"{enrich.dimension.name} kept as long as {table.source.name}: {table.name} joins them",
                    found=f"{by_name[enrich.dimension.name].text} and {by_name[table.source.name].text}",
                    next_command=f'{enrich.dimension.name} = "{by_name[table.source.name].text}" in [retention] of '
                    f"{FILE}",
                )


def _kept(table: WindowedTable, by_name: Mapping[str, Period]) -> Iterator[tuple[str, timedelta, str]]:
    for source in table.sources:
        period = by_name[source.name]
        if period.length is not None:
            yield source.name, period.length, period.text
