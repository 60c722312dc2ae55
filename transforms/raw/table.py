"""The definition of a raw table: two times, a key, and rules that state why a row is refused."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

import dataframely as dy
import polars as pl

from feature_repo.clock import LAST
from transforms.raw.dates import are_dates

MICROSECONDS_UTC = pl.Datetime("us", "UTC")
CLOCK_TOLERANCE = timedelta(days=1)


def key_column() -> dy.String:
    """A string column that identifies an entity: neither missing nor empty."""
    return dy.String(nullable=False, min_length=1)


def date_column(*, nullable: bool) -> dy.String:
    """A string column of days, each written as "2026-03-01"."""
    return dy.String(nullable=nullable, check={"date": are_dates})


class Timed(dy.Schema):
    """The times of every row: event time and created time; UTC, microseconds."""

    event_timestamp = dy.Datetime(time_unit="us", time_zone="UTC", nullable=False)
    created_timestamp = dy.Datetime(time_unit="us", time_zone="UTC", nullable=False)

    @dy.rule()
    def event_timestamp_before_1970(cls) -> pl.Expr:
        """A negative time is a broken clock."""
        return pl.col("event_timestamp") >= datetime(1970, 1, 1, tzinfo=UTC)

    @dy.rule()
    def event_timestamp_in_the_future(cls) -> pl.Expr:
        """An event lies in the past, but for a tolerance for fast clocks."""
        return pl.col("event_timestamp") <= datetime.now(UTC) + CLOCK_TOLERANCE

    @dy.rule()
    def created_timestamp_before_event_timestamp(cls) -> pl.Expr:
        """An event is not known before it happens."""
        return pl.col("created_timestamp") >= pl.col("event_timestamp")

    @dy.rule()
    def created_timestamp_after_the_year_9999(cls) -> pl.Expr:
        """No later time can be represented."""
        return pl.col("created_timestamp") <= LAST


@dataclass(frozen=True)
class Reconciliation:
    """The columns by which reports of one event from several forms of export meet; see ``transforms.raw.reconcile``.

    Attributes:
        same: columns that must be equal, of which the first is the person; a row that lacks one meets no other.
        form: form of the export; events of one form are never merged, and a row without a form meets no other.
        precision_s: seconds that times are cut to; a missing value means a second or finer.
        length_ms: milliseconds that the event lasted, if known.
    """

    same: tuple[str, ...]
    form: str
    precision_s: str
    length_ms: str


@dataclass(frozen=True)
class RawTable:
    """One raw table.

    Attributes:
        name: name of the table and its folder.
        schema: columns, types and rules.
        key: columns that identify an event or a state; rows with the same key describe the same one.
        changes_slowly: whether rows are states that hold until the next one, rather than events.
        prepare: function that masks private data in conforming rows before they are stored; None if there is none.
        reconciliation: how events meet that several forms of export report; None if each key is an event of its own.
        join_keys: column → the join key whose values it holds, for columns that do not have its name.
        entity_kinds: kind of entity → its join key, where the column ``entity`` says of what kind ``entity_id`` is.
        personal: columns with data about a person, beside the join keys of people, which are personal by themselves.
        sensitive: columns with data whose use needs a reason: traits such as gender or age, and free texts.
        retention: how long rows are kept, such as ``"365d"``; empty for as long as the folder is. A project's
            ``refrain.toml`` may say otherwise.
        person: column of the person that a row is of, where there are rows of nobody, which are kept whatever their
            age; empty if all rows age. Not for events of windowed tables.
        purposes: what the rows may be used for (``feature_repo.purposes``); None for anything.
    """

    name: str
    schema: type[dy.Schema]
    key: tuple[str, ...]
    changes_slowly: bool = False
    prepare: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    reconciliation: Reconciliation | None = None
    join_keys: Mapping[str, str] = field(default_factory=dict)
    entity_kinds: Mapping[str, str] = field(default_factory=dict)
    personal: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    retention: str = ""
    person: str = ""
    purposes: tuple[str, ...] | None = None

    @cached_property
    def columns(self) -> dict[str, pl.DataType]:
        """Name and polars type of every column, in order."""
        return dict(self.schema.create_empty().schema)

    @cached_property
    def required(self) -> frozenset[str]:
        """Columns that every row must have."""
        return frozenset(name for name, column in self.schema.columns().items() if not column.nullable)

    def columns_of(self, join_key: str) -> list[str]:
        """Columns with values of a join key: the one of its name, and those that ``join_keys`` says.

        >>> from transforms.raw.tables.friendships import FRIENDSHIPS
        >>> FRIENDSHIPS.columns_of("user_id")
        ['user_id', 'friend_id']
        """
        return [name for name in self.columns if self.join_keys.get(name, name) == join_key]

    def names(self, join_key: str, ids: Sequence[str], columns: Collection[str]) -> pl.Expr | None:
        """Whether a row names one of some entities: in a column of their key, or as the entity that it is about.

        Args:
            join_key: join key of the entities.
            ids: their ids.
            columns: columns that the rows have.

        Returns:
            A boolean expression, never null; None if no column of the table holds such ids.

        >>> from transforms.raw.tables.friendships import FRIENDSHIPS
        >>> rows = pl.DataFrame({"user_id": ["a", "b"], "friend_id": ["c", "a"]})
        >>> rows.select(FRIENDSHIPS.names("user_id", ["c"], rows.columns)).to_series().to_list()
        [True, False]
        """
        wanted = list(ids)
        parts = [pl.col(name).cast(pl.String).is_in(wanted) for name in self.columns_of(join_key) if name in columns]
        kinds = [kind for kind, key in self.entity_kinds.items() if key == join_key]
        if kinds and {"entity", "entity_id"} <= set(columns):
            parts.append(pl.col("entity").is_in(kinds) & pl.col("entity_id").cast(pl.String).is_in(wanted))
        return pl.any_horizontal(part.fill_null(False) for part in parts) if parts else None

    def has_ids_of(self, join_key: str) -> bool:
        """Whether rows of the table can name entities of a join key."""
        return bool(self.columns_of(join_key)) or join_key in self.entity_kinds.values()

    def is_before(self, moment: datetime) -> pl.Expr:
        """Whether a row is older than a moment, and not of nobody; see ``person``."""
        is_older = pl.col("event_timestamp") < moment
        return is_older & pl.col(self.person).is_not_null() if self.person else is_older

    @property
    def payload(self) -> list[str]:
        """Columns that are neither key nor time."""
        times = {"event_timestamp", "created_timestamp"}
        return [name for name in self.columns if name not in times and name not in self.key]

    def conform(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Add missing columns as null and cast all to their types; a missing created time is the event time."""
        if "created_timestamp" not in rows.columns:
            rows = rows.with_columns(created_timestamp=pl.col("event_timestamp"))
        given = [
            (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype, strict=False).alias(name)
            for name, dtype in self.columns.items()
        ]
        conforming = rows.select(given).with_columns(pl.col("created_timestamp").fill_null(pl.col("event_timestamp")))
        return self.prepare(conforming) if self.prepare else conforming
