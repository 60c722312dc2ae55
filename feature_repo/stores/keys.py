"""A spine that nobody has to bring: all keys that some feature views know, at one moment or on a grid of moments."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from feature_repo.errors import InputError
from feature_repo.stores.history import History, literal, quoted
from feature_repo.stores.join import Limits
from feature_repo.stores.spine import TIME, Spine, open_spine
from feature_repo.stores.staging import Staging


def all_keys(
    histories: Sequence[History],
    since: datetime | None,
    until: datetime,
    *,
    every: timedelta | None = None,
    limits: Limits,
) -> Spine:
    """The distinct keys of some feature views. Views of other keys add rows of their own, the keys they lack null.

    Args:
        histories: of the views.
        since: start of the range; the first row of all if None.
        until: its end.
        every: step of a grid. Without it, each key that has a row in the range gets one moment, ``until``. With it,
            each key gets the moments ``since``, ``since + every``, … up to ``until``, from its own first row on.
        limits: memory, threads, place for the keys.

    Returns:
        Columns of all keys and ``event_timestamp``, ordered by the keys and the moment.

    Raises:
        InputError: the range ends before it starts, or a grid has no start or no step.
    """
    if (since and since > until) or (every is not None and (since is None or every <= timedelta(0))):
        raise InputError(
            expected="a time range with a start before its end, and a step above zero for a grid",
            found=f"{since} to {until}, every {every}",
            next_command="start_date=datetime(2026, 1, 1, tzinfo=UTC), end_date=datetime(2026, 2, 1, tzinfo=UTC)",
        )
    staged = Staging(limits.temp_directory)
    target = staged.folder / "keys.parquet"
    end = f"TIMESTAMPTZ {literal(until.isoformat())}"
    keys = list(dict.fromkeys(key for history in histories for key in history.keys))
    listed = ", ".join(quoted(key) for key in keys)
    if not keys:
        query = f"SELECT {end} AS {TIME}"
    else:
        seen = " UNION ALL BY NAME ".join(
            _keys(history, None if every else since, until) for history in histories if history.keys
        )
        distinct = f"SELECT {listed}, min(first_row) AS first_row FROM ({seen}) GROUP BY {listed}"
        if every is None or since is None:
            query = f"SELECT {listed}, {end} AS {TIME} FROM ({distinct}) ORDER BY {listed}"
        else:
            step = f"to_microseconds({every // timedelta(microseconds=1)})"
            grid = f"SELECT unnest(generate_series(TIMESTAMPTZ {literal(since.isoformat())}, {end}, {step})) AS {TIME}"
            query = (
                f"SELECT {listed}, {TIME} FROM ({distinct}) JOIN ({grid}) ON {TIME} >= first_row"
                f" ORDER BY {listed}, {TIME}"
            )
    with limits.connection() as duck:
        duck.execute(f"COPY ({query}) TO {literal(str(target))} (FORMAT parquet)")
    spine = open_spine(target)
    return Spine(spine.table, spine.schema, spine.time, staged)


def _keys(history: History, since: datetime | None, until: datetime) -> str:
    columns = ", ".join(f"{quoted(column)} AS {quoted(key)}" for key, column in history.keys.items())
    known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in history.keys.values())
    names = ", ".join(quoted(column) for column in history.keys.values())
    first = f"min({quoted(history.time)})::TIMESTAMPTZ AS first_row"
    where = f"{history.in_range(since, until)} AND {known}"
    return f"SELECT {columns}, {first} FROM {history.table} WHERE {where} GROUP BY {names}"
