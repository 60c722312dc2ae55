"""Finds events that several forms of export report: one listener's play in two forms of Spotify, or of two services.

Reports of different forms are one event if the columns of ``Reconciliation.same`` are equal, their times agree within
what both are cut to and ``SLACK_S``, and their lengths, where both have one, within ``LENGTH_MS``. They are matched one
to one in order of time: the more precise form first, and each report of the next one with the earliest event that
agrees, preferably of equal length. So n reports of one form and m of another are max(n, m) events if all of them agree,
and within one form nothing is merged. The most precise report is stored; of equally precise ones that with a length,
then the first form by name.

The result depends only on the set of reports. Reports that can influence each other form a cluster, which may reach
beyond midnight.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from transforms.raw.by_day import DAY
from transforms.raw.divide import key_of
from transforms.raw.table import RawTable, Reconciliation

SLACK_S = 10
"""Seconds by which two services may differ about the start; a report that lasted less may differ by its length."""

LENGTH_MS = 1_000
"""Milliseconds by which two lengths of one event may differ: some services count whole seconds."""

COARSEST_S = 3_600
"""Precision beyond which a time is no evidence; such a report meets no other."""

ABSENT = "_absent"
"""Column of rows that are only among those left out; they count with a row of their cluster that is there."""

_SECOND, _DAY, _SLACK = 1_000_000, 86_400_000_000, SLACK_S * 1_000_000
_REACH = COARSEST_S * _SECOND + _SLACK
_MOMENT = "event_timestamp"


@dataclass(frozen=True)
class Reconciled:
    """The result of ``reconcile``.

    Attributes:
        rows: the rows to store.
        redundant: reports of events whose more precise report is stored.
        beyond: days that were not among the rows, and may have reports that change the result.
    """

    rows: pl.DataFrame
    redundant: pl.DataFrame
    beyond: set[date]


def reconcile(table: RawTable, rows: pl.DataFrame, versions: pl.DataFrame, new_days: set[date]) -> Reconciled:
    """Divide rows into one for each event, and redundant reports of the same events.

    Args:
        table: a raw table with a ``reconciliation``.
        rows: (n rows) each key once, with columns of the table, ``DAY`` and ``ABSENT``.
        versions: other reports with a key of the rows; they are of the same event, and belong to its forms. What was
            left out because of such a version counts again if the newest one meets no other form.
        new_days: days with new reports.
    """
    rule = table.reconciliation
    marked, absent = rows, rows[ABSENT]
    rows = rows.drop(ABSENT)
    is_there = rows.filter(~absent) if absent.any() else rows
    if rule is None or not (versions.height or _has_forms(rule, rows)):
        return Reconciled(is_there, rows.clear(), set())
    known_days = {*rows[DAY].unique(), *new_days}
    older = _older_forms(table, rule, marked, versions)
    beyond = days_beside(rule, near_midnight(rule, older)) - known_days
    if not _has_forms(rule, rows, older):
        return Reconciled(is_there, rows.clear(), beyond)
    clustered = _clusters(rule, pl.concat([marked, older]))
    reaching = clustered.filter(pl.col(DAY).is_in(list(new_days)).any().over("_cluster"))
    beyond |= days_beside(rule, near_midnight(rule, reaching)) - known_days
    clustered = clustered.filter(pl.col("_row") < rows.height)
    is_redundant = np.zeros(rows.height, bool)
    is_redundant[_redundant(rule, _with_forms(table, rule, clustered, versions))] = True
    is_gone = absent.to_numpy().copy()
    is_gone[clustered["_row"].to_numpy()] = False
    return Reconciled(
        rows.filter(pl.Series(~is_redundant & ~is_gone)), rows.filter(pl.Series(is_redundant & ~is_gone)), beyond
    )


def _has_forms(rule: Reconciliation, *frames: pl.DataFrame) -> bool:
    """Whether the rows of frames are of several forms of export."""
    forms = pl.concat([rows[rule.form] for rows in frames])
    return forms.null_count() < len(forms) and forms.drop_nulls().n_unique() > 1


def near_midnight(rule: Reconciliation, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that may be the same events as reports beyond midnight.

    Args:
        rule: the columns.
        rows: rows with ``DAY``.
    """
    into_day = pl.col(_MOMENT).dt.timestamp("us") % _DAY
    return rows.filter((into_day <= _REACH) | (into_day >= _DAY - _REACH)).filter(
        _comparable(rule) & ((into_day <= _REACH) | (into_day + _reach(rule) >= _DAY))
    )


def days_beside(rule: Reconciliation, near: pl.DataFrame) -> set[date]:
    """The days on the other side of midnight, of rows of ``near_midnight``."""
    into_day, one = pl.col(_MOMENT).dt.timestamp("us") % _DAY, timedelta(days=1)
    before = near.filter(into_day <= _REACH)[DAY].unique()
    after = near.filter(into_day + _reach(rule) >= _DAY)[DAY].unique()
    return {day - one for day in before} | {day + one for day in after}


def _reach(rule: Reconciliation) -> pl.Expr:
    """Microseconds after its time in which a report may have the same event as another one."""
    return pl.col(rule.precision_s).fill_null(1) * _SECOND + _SLACK


def _comparable(rule: Reconciliation) -> pl.Expr:
    known = pl.all_horizontal(pl.col(rule.form, *rule.same).is_not_null())
    return known & (pl.col(rule.precision_s).fill_null(1) <= COARSEST_S)


def _clusters(rule: Reconciliation, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows that may be of one event with rows of another form, sorted by ``_cluster``, then by time.

    Clusters of rows that are all absent are left out.
    """
    same, time = list(rule.same), pl.col("_time")
    forms = pl.col(rule.form).n_unique()
    frame = rows.with_row_index("_row").filter(_comparable(rule))
    frame = frame.filter(forms.over(rule.same[0]) > 1).filter(forms.over(same) > 1)
    frame = frame.with_columns(
        _time=pl.col(_MOMENT).dt.timestamp("us"), _precision=pl.col(rule.precision_s).fill_null(1) * _SECOND
    ).sort(*same, "_time", "_row")
    latest = (time + _reach(rule)).cum_max().shift().over(same)
    frame = frame.with_columns(_cluster=(latest.is_null() | (time > latest)).cum_sum())
    return frame.filter((forms.over("_cluster") > 1) & (~pl.col(ABSENT)).any().over("_cluster"))


def _older_forms(table: RawTable, rule: Reconciliation, rows: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """The versions of another form than the row of their key, with the columns of the rows; absent if that row is."""
    key = key_of(table, rows)
    newest = rows.select(*key, ABSENT, _form=pl.col(rule.form))
    older = versions.drop_nulls(rule.form).join(newest, on=key)
    return older.filter(pl.col(rule.form).ne_missing(pl.col("_form"))).select(rows.columns)


def _with_forms(table: RawTable, rule: Reconciliation, rows: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """Adds the forms of the other versions of each row as ``_forms``."""
    key = key_of(table, rows)
    forms = versions.drop_nulls(rule.form).group_by(key).agg(_forms=pl.col(rule.form).unique())
    return rows.join(forms, on=key, how="left", maintain_order="left")


def _redundant(rule: Reconciliation, rows: pl.DataFrame) -> list[int]:
    """Row numbers of the redundant reports among clustered rows."""
    starts = rows.select((pl.col("_cluster") != pl.col("_cluster").shift()).fill_null(True)).to_series().arg_true()
    names = ["_time", "_precision", rule.length_ms, rule.form, "_forms", "_row"]
    reports = [
        _Report(time, precision, length, form, frozenset({form, *(forms or ())}), row)
        for time, precision, length, form, forms, row in rows.select(names).iter_rows()
    ]
    return [
        report.row
        for start, end in pairwise([*starts, len(reports)])
        for event in _events(reports[start:end])
        for report in sorted(event, key=_Report.rank)[1:]
    ]


@dataclass(frozen=True, slots=True)
class _Report:
    """One row of a cluster; times in microseconds."""

    time: int
    precision: int
    length_ms: int | None
    form: str
    forms: frozenset[str]
    row: int

    def rank(self) -> tuple[int, bool, str, int]:
        return self.precision, self.length_ms is None, self.form, self.row

    def agrees(self, other: "_Report") -> bool:
        lengths = [length for length in (self.length_ms, other.length_ms) if length is not None]
        if len(lengths) == 2 and abs(lengths[0] - lengths[1]) > LENGTH_MS:
            return False
        first, second = (self, other) if self.time <= other.time else (other, self)
        slack = min(_SLACK, *(1_000 * length for length in lengths)) if lengths else _SLACK
        return second.time < first.time + first.precision + slack


def _events(reports: Sequence[_Report]) -> list[list[_Report]]:
    """The reports of each event of a cluster.

    Args:
        reports: reports of a cluster by time.
    """
    if len(reports) == 2:
        one, other = reports
        is_one = one.forms.isdisjoint(other.forms) and one.agrees(other)
        return [[one, other]] if is_one else [[one], [other]]
    order = sorted(range(len(reports)), key=lambda number: (reports[number].precision, reports[number].form, number))
    reach = max(report.precision for report in reports) + _SLACK
    events: dict[int, list[_Report]] = {}
    times: list[tuple[int, int]] = []
    for number in order:
        report = reports[number]
        fitting = []
        for time, first in times[bisect_left(times, (report.time - reach, 0)) :]:
            if time > report.time + reach:
                break
            forms = {form for member in events[first] for form in member.forms}
            if report.forms.isdisjoint(forms) and report.agrees(events[first][0]):
                fitting.append(first)
        if fitting:
            lengths = [events[first][0].length_ms == report.length_ms for first in fitting]
            events[fitting[lengths.index(True) if any(lengths) else 0]].append(report)
        else:
            events[number] = [report]
            insort(times, (report.time, number))
    return list(events.values())
