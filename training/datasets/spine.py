"""The spine of the SDK: any table, keys in their declared types, times in UTC; in memory or in a file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.errors import InputError
from feature_repo.stores.key_series import KEY_TYPES, key_series
from feature_repo.stores.parquet_files import write_tables
from feature_repo.stores.spine import instants
from feature_repo.stores.staging import Staging
from training.datasets.read_spine import TIME, read_spine, unreadable
from transforms import parquet
from transforms.raw.table import MICROSECONDS_UTC

_ROWS_A_PART = 1_000_000


@dataclass(frozen=True)
class SpineTable:
    """A checked spine.

    Attributes:
        rows: frame in memory, or a scan of ``file``.
        schema: types of the columns.
        file: a temporary Parquet file with the rows, if they did not come in memory.
        staged: the temporary folder of ``file``.
    """

    rows: pl.DataFrame | pl.LazyFrame
    schema: dict[str, pl.DataType]
    file: Path | None = None
    staged: Staging | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, given: Any, keys: Mapping[str, str], features: Sequence[str], request_fields: Mapping[str, str]
    ) -> "SpineTable":
        """Checks a spine, and converts its keys and times.

        Args:
            given: polars (lazy or not), pandas or Arrow table, a mapping of columns, Parquet, CSV or JSON lines in a
                file, a folder of Parquet, or a spine of the offline store.
            keys: required join keys, and Feast's names of their types.
            features: names that the spine must not have.
            request_fields: request field that the spine may have → Feast's name of its type.

        Raises:
            InputError: a column is missing or clashes, a key cannot be converted, or the time is not a time.
        """
        rows, conversions = read_spine(given, keys, request_fields), _Conversions()
        lazy = rows.lazy()
        try:
            schema = dict(lazy.collect_schema())
            _check(schema, keys, features)
            converted_keys = (
                conversions.expression(
                    key, partial(key_series, dtype=dtype, key=key), KEY_TYPES.get(dtype, pl.String())
                )
                for key, dtype in keys.items()
                if schema[key] != KEY_TYPES.get(dtype, pl.String()) or dtype == "UnixTimestamp"
            )
            time = _utc(schema[TIME])
            if schema[TIME] == pl.String:
                time = conversions.expression(TIME, partial(instants, time=TIME), MICROSECONDS_UTC)
            request_times = (
                conversions.expression(name, partial(instants, time=name), MICROSECONDS_UTC)
                for name, dtype in request_fields.items()
                if dtype == "UnixTimestamp" and schema.get(name) == pl.String
            )
            converted_spine = lazy.with_columns(*converted_keys, time, *request_times)
            converted_schema = dict(converted_spine.collect_schema())
            if isinstance(rows, pl.DataFrame):
                spine = cls(converted_spine.collect(), converted_schema)
            else:
                staged = Staging()
                file = staged.folder / "spine.parquet"
                parquet_files.sink(converted_spine, file, compression="zstd", compression_level=1)
                spine = cls(parquet_files.scan(file), converted_schema, file, staged)
        except (pl.exceptions.PolarsError, ValueError, OSError) as error:
            raise conversions.first_error or unreadable(given, error) from error
        missing = spine.rows.lazy().select(pl.col(TIME).null_count()).collect().item()
        if missing:
            raise _not_a_time(f"{missing} rows without one (column type {schema[TIME]})")
        return spine

    def collect(self) -> pl.DataFrame:
        """Returns all rows in memory."""
        return self.rows.lazy().collect()

    def for_store(self) -> Any:
        """Returns the spine as Refrain's offline store takes it: Arrow, or the file."""
        return self.file if self.file is not None else self.collect().to_arrow()

    def height(self) -> int:
        """Returns the number of rows, of a file from its metadata."""
        return int(self.rows.lazy().select(pl.len()).collect().item())

    def head(self, count: int) -> "SpineTable":
        """Returns the first rows, in memory."""
        return SpineTable(self.rows.lazy().head(count).collect(), self.schema)

    def keep(self, kept: Callable[[pl.DataFrame], pl.Series]) -> "SpineTable":
        """Returns the rows of which a function says true; a spine in a file is read, and written, in parts."""
        if isinstance(self.rows, pl.DataFrame):
            return SpineTable(self.rows.filter(kept(self.rows)), self.schema)
        staged = Staging()
        file = staged.folder / "spine.parquet"
        parts = (part.filter(kept(part)) for part in self.batches(_ROWS_A_PART))
        write_tables((part.to_arrow(compat_level=pl.CompatLevel.oldest()) for part in parts), file, compression_level=1)
        return SpineTable(parquet_files.scan(file), self.schema, file, staged)

    def extent(self) -> tuple[int, datetime | None]:
        """Returns the number of rows and the last moment."""
        return self.rows.lazy().select(pl.len(), pl.col(TIME).max()).collect().row(0)

    def before(self, moment: datetime) -> tuple[int, datetime | None]:
        """Returns the number of rows before a moment, and the first of them."""
        early = self.rows.lazy().filter(pl.col(TIME) < moment)
        return early.select(pl.len(), pl.col(TIME).min()).collect().row(0)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """Yields tables of so many rows; at least one."""
        count = self.extent()[0]
        for start in range(0, max(count, 1), rows):
            yield self.rows.lazy().slice(start, rows).collect()

    def write(self, path: Path) -> None:
        """Writes one Parquet file atomically."""
        if self.file is None:
            parquet.write_whole(self.collect(), path)
            return
        partial = path.with_name(f".{path.name}")
        parquet_files.sink(self.rows.lazy(), partial, final=path, compression="zstd", compression_level=1)
        partial.replace(path)


def _check(schema: Mapping[str, pl.DataType], keys: Iterable[str], features: Sequence[str]) -> None:
    required = [*keys, TIME]
    missing = [name for name in required if name not in schema]
    if missing:
        raise InputError(
            expected=f"a spine with the columns {required}",
            found=f"no {missing} among {list(schema)}",
            next_command=f"rename or add {missing[0]!r} in the spine",
        )
    if schema[TIME] not in (pl.Datetime, pl.Date, pl.String):
        raise _not_a_time(f"the column type {schema[TIME]}")
    clash = [name for name in features if name in schema]
    if clash:
        raise InputError(
            expected="a spine without the service's own features",
            found=f"{clash}",
            next_command=f"drop {clash[0]!r} from the spine",
        )


def _not_a_time(found: str) -> InputError:
    return InputError(
        expected=f"a time in every row's {TIME}",
        found=found,
        next_command=f"spine.drop_nulls('{TIME}'), or cast it to a timestamp",
    )


class _Conversions:
    """Conversions of lazy columns that record the first error, because polars replaces the error of a conversion."""

    def __init__(self) -> None:
        self.first_error: InputError | None = None

    def expression(self, column: str, convert: Callable[[pl.Series], pl.Series], dtype: pl.DataType) -> pl.Expr:
        def convert_or_record(values: pl.Series) -> pl.Series:
            try:
                return convert(values)
            except InputError as error:
                self.first_error = self.first_error or error
                raise ValueError from error

        return pl.col(column).map_batches(convert_or_record, return_dtype=dtype, is_elementwise=True)


def _utc(dtype: pl.DataType) -> pl.Expr:
    zoned = isinstance(dtype, pl.Datetime) and dtype.time_zone
    time = pl.col(TIME).cast(pl.Datetime("us", dtype.time_zone if zoned else None))  # type: ignore[attr-defined]
    return time.dt.convert_time_zone("UTC") if zoned else time.dt.replace_time_zone("UTC")
