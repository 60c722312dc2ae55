"""The accounts of a raw table with events that no account, or hardly any, can cause, and why; for a person to review.

All events are judged, whether they came by an import, over HTTP or from the stream, day by day. Nothing is changed.
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.plausibility import AccountLimits, limits_of
from feature_repo.windows import EventSource
from transforms.raw.declared import raw_tables
from transforms.raw.implausible import beyond_days, beyond_hours
from transforms.raw.read import files, scan, scan_files


@dataclass(frozen=True)
class AccountReview:
    """One account and one reason.

    Attributes:
        account: the account.
        reason: why events of it are hardly plausible.
        events: number of these events.
        first: time of the first of them.
        last: time of the last of them.
    """

    account: str
    reason: str
    events: int
    first: datetime
    last: datetime


def review(home: Home, kind: str) -> list[AccountReview]:
    """Judges all events of a kind by the limits of the project, or the standard ones.

    Returns:
        Most events first.

    Raises:
        InputError: there are no events of this kind, or its events are not judged.

    >>> review(Home.from_env(), "plays")                                           # doctest: +SKIP
    """
    contract = contract_of(home)
    source = contract.events.get(kind)
    limits = None if source is None else limits_of(source, contract.project.plausibility)
    if source is None or limits is None:
        judged = sorted(
            name for name, each in contract.events.items() if limits_of(each, contract.project.plausibility)
        )
        raise InputError(
            expected=f"a kind of events that is judged: {', '.join(judged) or 'none'}",
            found=repr(kind),
            next_command=f"refrain plausibility {judged[0]}" if judged else "[plausibility.KIND] in refrain.toml",
        )
    lengths = _lengths(home, source, limits)
    days = [
        _day(source, limits, scan_files(raw_tables(home)[kind], [path]).collect(), lengths)
        for path in files(home, kind)
    ]
    if not days:
        return []
    reviews = (
        pl.concat(days)
        .group_by("account", "reason")
        .agg(pl.col("events").sum(), pl.col("first").min(), pl.col("last").max())
        .sort("events", "account", "reason", descending=[True, False, False])
    )
    return [AccountReview(**row) for row in reviews.to_dicts()]


def _day(source: EventSource, limits: AccountLimits, rows: pl.DataFrame, lengths: pl.DataFrame | None) -> pl.DataFrame:
    """The accounts and reasons of one day, with number of events and the times of the first and last one."""
    is_new = pl.Series([True]).new_from_index(0, rows.height)
    reasons = [beyond_hours(source, limits, rows, is_new), beyond_days(source, limits, rows)]
    if lengths is not None:
        item = source.key[1]
        most = rows.select(item).join(lengths, on=item, how="left", maintain_order="left")["_length"] * limits.longer
        text = pl.lit(f"longer than {limits.longer:g} times its {item.removesuffix('_id')}")
        reasons.append(pl.select(pl.when(rows[limits.duration] > most).then(text)).to_series())
    judged = rows.select(
        account=pl.col(source.key[0]).cast(pl.String),
        reason=pl.concat_list(reason.alias(str(number)) for number, reason in enumerate(reasons)),
        at="event_timestamp",
    )
    events = judged.explode("reason").drop_nulls("reason").group_by("account", "reason")
    return events.agg(events=pl.len(), first=pl.col("at").min(), last=pl.col("at").max())


def _lengths(home: Home, source: EventSource, limits: AccountLimits) -> pl.DataFrame | None:
    """The longest known length of each item, in milliseconds; None if the project knows none.

    Raises:
        InputError: the column has no numbers.
    """
    name, _, column = limits.lengths.partition(":")
    table = raw_tables(home).get(name)
    if table is None or not limits.duration or len(source.key) < 2 or not {source.key[1], column} <= {*table.columns}:
        return None
    if not table.columns[column].is_numeric():
        raise InputError(
            expected=f"numbers of milliseconds as lengths in [plausibility.{source.name}]",
            found=f"{limits.lengths}, of the type {table.columns[column]}",
            next_command='correct refrain.toml; lengths = "" for none',
        )
    item = source.key[1]
    known = scan(home, name).filter(pl.col(column) > 0)
    return known.group_by(item).agg(pl.col(column).max().alias("_length")).collect()
