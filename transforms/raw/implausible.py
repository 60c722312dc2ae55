"""Which events of a raw table no account can cause, or hardly any: the limits of ``feature_repo.plausibility``.

Whole hours of accounts are looked at first, all at once; only those beyond a limit are judged event by event, by the
same rule as in the stream and over HTTP (``transforms.pure.account_hours``).
"""

from collections.abc import Callable

import polars as pl

from feature_repo.plausibility import AccountLimits
from feature_repo.windows import EventSource
from transforms.pure.account_hours import HOUR_MS, HOUR_US, AccountHours
from transforms.raw.report import TableReport

_PRECISION_S = "precision_s"
"""Column with the seconds that times are cut to; null for a second or finer."""


def beyond_hours(source: EventSource, limits: AccountLimits, rows: pl.DataFrame, is_new: pl.Series) -> pl.Series:
    """Says of new events which are more than an account can cause within an hour.

    Stored events are counted first, new ones in the order of their times; one that is implausible is not counted.
    Events whose times are cut to more than an hour are neither counted nor judged.

    Args:
        source: the kind of events.
        limits: what is plausible.
        rows: (n,) events, stored and new ones.
        is_new: (n,) whether an event is new.

    Returns:
        (n,) the reason; null for a plausible or stored event.
    """
    account, hour = source.key[0], pl.col("event_timestamp").cast(pl.Int64) // HOUR_US
    is_exact = pl.col(_PRECISION_S).fill_null(1) <= HOUR_US // 1_000_000 if _PRECISION_S in rows.columns else pl.lit(1)
    ms = pl.col(limits.duration).fill_null(0).clip(0, HOUR_MS) if limits.duration else pl.lit(0)
    devices = pl.col(limits.device).drop_nulls().n_unique() if limits.device else pl.lit(0)
    events = rows.with_columns(_row=pl.int_range(pl.len()), _hour=hour, _new=is_new).filter(is_exact.cast(pl.Boolean))
    totals = events.lazy().group_by(account, "_hour")
    beyond = (
        totals.agg(_events=pl.len(), _ms=ms.sum(), _devices=devices, _any_new=pl.col("_new").any())
        .filter(
            pl.col("_any_new")
            & (
                (pl.col("_events") > limits.events)
                | (pl.col("_ms") > limits.at_once * HOUR_MS)
                | (pl.col("_devices") > limits.devices)
            )
        )
        .select(account, "_hour")
        .collect()
    )
    reasons: list[str | None] = [None] * rows.height
    if beyond.height:
        suspects = events.join(beyond, on=[account, "_hour"], how="semi").sort("_new", "event_timestamp", "_row")
        hours = AccountHours(source, limits)
        times, numbers = suspects["event_timestamp"].cast(pl.Int64), suspects["_row"]
        values = suspects.select(list(source.columns)).iter_rows()
        for time, number, new, event in zip(times, numbers, suspects["_new"], values, strict=True):
            reason = hours.refusal(time, event) if new else ""
            if reason:
                reasons[number] = reason
            else:
                hours.add(time, event)
    return pl.Series(reasons, dtype=pl.String)


def beyond_days(source: EventSource, limits: AccountLimits, rows: pl.DataFrame) -> pl.Series:
    """Says of events which begin after an account listened for longer than a day has, or to one item for hours.

    Both are possible (several people, a track that somebody falls asleep to), so that nothing is refused by them.

    Args:
        source: the kind of events.
        limits: what is marked.
        rows: (n,) all events of some days.

    Returns:
        (n,) the reason, or null.
    """
    if not limits.duration:
        return pl.Series([None] * rows.height, dtype=pl.String)
    account, item = source.key[0], source.key[1] if len(source.key) > 1 else ""
    ms, day = pl.col(limits.duration).fill_null(0).clip(0), pl.col("event_timestamp").dt.date()
    events = rows.with_columns(_row=pl.int_range(pl.len()), _ms=ms, _date=day)
    long_days = (
        events.lazy()
        .group_by(account, "_date")
        .agg(pl.col("_ms").sum())
        .filter(pl.col("_ms") > min(limits.day, limits.loop) * HOUR_MS)
        .select(account, "_date")
        .collect()
    )
    reasons: list[str | None] = [None] * rows.height
    if long_days.height:
        suspects = events.join(long_days, on=[account, "_date"], how="semi").sort("event_timestamp", "_row")
        item = source.key[1] if len(source.key) > 1 else account
        earlier = pl.col("_ms").cum_sum() - pl.col("_ms")
        before, of_item = earlier.over(account, "_date"), earlier.over(account, item, "_date")
        is_day, is_loop = before > limits.day * HOUR_MS, (of_item > limits.loop * HOUR_MS) & (item != account)
        day_text = pl.lit(f"more than {limits.day:g} hours of one {account} within a day")
        loop_text = pl.lit(f"more than {limits.loop:g} hours of one {item} by one {account} within a day")
        reason = pl.when(is_day).then(day_text).when(is_loop).then(loop_text)
        for number, text in suspects.select("_row", reason.alias("_reason")).iter_rows():
            reasons[number] = text
    return pl.Series(reasons, dtype=pl.String)


class PlausibilityCheck:
    """Judges the new events of an import of one table.

    Args:
        source: the kind of events.
        limits: what is plausible.
        counts: counts of the import, to which marked events are added.
        quarantine: keeps refused events, with the columns of the table and ``reason``; None if none is refused.
    """

    def __init__(
        self,
        source: EventSource,
        limits: AccountLimits,
        counts: TableReport,
        quarantine: Callable[[pl.DataFrame], None] | None,
    ) -> None:
        self._source, self._limits, self._counts, self._quarantine = source, limits, counts, quarantine

    def refused(self, rows: pl.DataFrame, is_new: pl.Series) -> pl.Series:
        """Marks new events, and says which are refused.

        Args:
            rows: (n,) all events of some days, stored and new ones.
            is_new: (n,) whether an event is new.

        Returns:
            (n,) whether it is not to be stored; its reason is in the quarantine.
        """
        reasons = beyond_hours(self._source, self._limits, rows, is_new)
        is_refused = reasons.is_not_null() if self._quarantine is not None else pl.Series([False] * rows.height)
        if self._quarantine is not None and is_refused.any():
            self._quarantine(rows.with_columns(reason=reasons).filter(is_refused))
        kept = rows.with_columns(_reason=reasons, _new=is_new).filter(~is_refused)
        marks = kept.select(
            pl.coalesce("_reason", beyond_days(self._source, self._limits, kept)).filter(pl.col("_new"))
        )
        for reason, count in marks.to_series().drop_nulls().value_counts().iter_rows():
            self._counts.marked[reason] = self._counts.marked.get(reason, 0) + count
        return is_refused
