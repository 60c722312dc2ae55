"""Publishes private counts, a day at a time: paid for, drawn once, kept, and written to their feature table.

The table is made of the kept answers alone. So a table that is built anew has the same numbers, an erasure changes
nothing of what was published, and events that come late are not counted: each would need another release of the day.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.private_counts import PrivateCounts
from training.private.differential.counts import Plan, exact_counts, noisy_counts
from training.private.differential.ledger import Ledger, people_of
from training.private.differential.releases import Releases
from training.private.differential.statement import PrivacyStatement
from transforms import feature_tables, parquet
from transforms.batch import closings, versions
from transforms.raw.table import MICROSECONDS_UTC

if TYPE_CHECKING:
    from feast import FeatureView

ROOM = "views"


@dataclass(frozen=True)
class Release:
    """A published day.

    Attributes:
        view: name of the view.
        day: the day that was counted.
        statement: what was guaranteed.
        published: when, ISO 8601.
        rows: the key, events, people and rank of each published key.
        events_sigma: σ of the noise of events.
        people_sigma: σ of the noise of people.
    """

    view: str
    day: date
    statement: PrivacyStatement
    published: str
    rows: Sequence[Sequence[object]]
    events_sigma: float
    people_sigma: float

    @classmethod
    def parse(cls, answer: bytes) -> "Release":
        """The release that an answer has."""
        content = json.loads(answer)
        statement = PrivacyStatement.from_dict(content["statement"])
        return cls(**{**content, "day": date.fromisoformat(content["day"]), "statement": statement})


def counts_of(home: Home) -> dict[str, PrivateCounts]:
    """Returns the private counts of a project, by name; there may be none."""
    return contract_of(home).find(PrivateCounts, ROOM)


def declarations(home: Home, names: Sequence[str] = ()) -> dict[str, PrivateCounts]:
    """Returns the private counts of a project, or those that are named.

    Raises:
        InputError: one that is named is not declared, or none is.
    """
    declared = counts_of(home)
    unknown = sorted(set(names) - set(declared))
    if unknown or not declared:
        raise InputError(
            expected=f"private counts of the project: {', '.join(declared) or 'none is declared'}",
            found=repr(unknown[0]) if unknown else "none",
            next_command='declare some, or name definitions = ["feature_repo.private_features"] in refrain.toml',
        )
    return {name: one for name, one in declared.items() if not names or name in names}


def releases_of(home: Home, view: str) -> list[Release]:
    """Returns the published days of a view, oldest first.

    Raises:
        LedgerDamaged: the ledger, or an answer, is not as it was written.
    """
    return sorted(map(Release.parse, Releases.open(home).of(f"{view} ")), key=lambda release: release.day)


def publish(
    home: Home, names: Sequence[str] = (), *, since: date | None = None, progress: Progress = silent
) -> Iterator[Release]:
    """Publishes the days that are over and not published yet, and writes the tables of all that are.

    Args:
        home: the data folder, built.
        names: views; all if there are none.
        since: first day; by default the one after the newest that was published, or the newest that is over.
        progress: called after each day.

    Yields:
        What was published, each after it was written down and before the next is begun.

    Raises:
        BudgetSpent: the budget does not have the next day; those before it are published.
        InputError: no private counts are declared.
    """
    for name, declared in declarations(home, names).items():
        plan, known = Plan.of(declared), {release.day for release in releases_of(home, name)}
        days = _due(home, known, since)
        try:
            for step, day in enumerate(days, start=1):
                yield _publish_day(home, declared, plan, day)
                progress(step, len(days), f"{name} {day}")
        finally:
            write_table(home, declared)


def write_table(home: Home, declared: PrivateCounts) -> None:
    """Writes the feature table of what was published; files that are as they should be stay."""
    view, before, now = feature_tables.tables(home)[declared.name], frozenset[str](), clock.now()
    since = None
    with feature_tables.writing(home):
        for release in releases_of(home, declared.name):
            keys = {str(row[0]) for row in release.rows}
            start = datetime(release.day.year, release.day.month, release.day.day, tzinfo=UTC)
            moment = start + timedelta(days=1)
            inputs = hashlib.sha256(repr((release, sorted(before - keys))).encode()).hexdigest()
            path = feature_tables.file_of(home, view, str(moment.date()))
            if parquet.metadata(path).get(feature_tables.INPUTS) != inputs:
                rows = _rows(view, declared, release, sorted(before - keys), moment)
                date_ = str(moment.date())
                versions.replace(home, view, rows, date=date_, part=parquet.PART, inputs=inputs, now=now)
                since = since or date_
            before = frozenset(keys)
        feature_tables.write_empty(home, view)
        closings.close(home, view, now, since=since)


def _publish_day(home: Home, declared: PrivateCounts, plan: Plan, day: date) -> Release:
    releases, request = Releases.open(home), f"{declared.name} {day}"
    what = f"{declared.about}: {day}"
    statement = PrivacyStatement.of(
        plan.rho,
        declared.delta,
        failure=plan.failure,
        mechanism=plan.mechanism,
        people=people_of(Ledger.open(home).entries(), declared.purpose),
        purpose=declared.purpose,
        what=what,
        request=request,
    )

    def make() -> bytes:
        noisy = noisy_counts(exact_counts(home, declared, day), declared, plan)
        content = {
            "view": declared.name,
            "day": str(day),
            "statement": statement.to_dict(),
            "published": clock.now().astimezone(UTC).isoformat(),
            "rows": noisy.select(declared.key, "events", "people", "rank").rows(),
            "events_sigma": plan.events_sigma,
            "people_sigma": plan.people_sigma,
        }
        return json.dumps(content, ensure_ascii=False).encode()

    answer = releases.once(request, make, purpose=declared.purpose, rho=plan.rho, what=what, failure=plan.failure)
    return Release.parse(answer)


def _due(home: Home, known: set[date], since: date | None) -> list[date]:
    """The days that are over and not published, oldest first."""
    end = clock.end_of_data(home)
    if end is None:
        return []
    last = min(end, clock.now()).date() - timedelta(days=1)
    first = since or (max(known) + timedelta(days=1) if known else last)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [day for day in days if day not in known]


def _rows(
    view: "FeatureView", declared: PrivateCounts, release: Release, hidden: list[str], moment: datetime
) -> pl.DataFrame:
    """The rows of one day: what was published, and missing counts of keys that were the day before."""
    columns = [declared.key, declared.events, "people", "rank"]
    types = {name: dtype for name, dtype in feature_tables.schema(view).items() if name in columns}
    rows = pl.DataFrame([*release.rows, *([key, None, None, None] for key in hidden)], types, orient="row")
    statement = release.statement
    return rows.with_columns(
        pl.lit(moment, MICROSECONDS_UTC).alias("event_timestamp"),
        pl.lit(datetime.fromisoformat(release.published), MICROSECONDS_UTC).alias("created_timestamp"),
        pl.lit(release.events_sigma).alias(f"{declared.events}_sigma"),
        pl.lit(release.people_sigma).alias("people_sigma"),
        pl.lit(statement.epsilon).alias("epsilon"),
        pl.lit(statement.delta).alias("delta"),
    )
