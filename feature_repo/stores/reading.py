"""Consistent reads of the files behind a feature view, with errors that name the next command."""

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import pyarrow as pa

from feature_repo.errors import StoreError
from feature_repo.stores.history import History
from feature_repo.stores.history_reader import HistoryReader
from feature_repo.stores.parquet_files import State, grouped, state

_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError)


@contextmanager
def reading(history: History) -> Iterator[HistoryReader]:
    """Opens a reader of the current files. It reads them several times, so they must not change until the end.

    Raises:
        StoreError: the table was written meanwhile, or changed since the history was opened.
        InputError: a key in the files cannot be converted to its declared type.
    """
    states = _states(history)
    reader = None
    try:
        reader = HistoryReader(history, grouped(history.files, states, list(history.types), history.in_paths))
        yield reader
    except _ERRORS as error:
        if reader is not None and reader.refusal is not None:
            raise reader.refusal from error
        raise _read_error(history.view, error) from error
    if _states(history) != states:
        raise StoreError(
            expected=f"the files behind the view {history.view} to stay as they are during a retrieval",
            found="files that changed meanwhile: a build was running",
            next_command="repeat the command once the build is done",
        )


def _states(history: History) -> list[State | None]:
    return [state(file) for file in history.files]


def _read_error(view: str, error: BaseException) -> StoreError:
    reason = (str(error).splitlines() or [""])[0]
    if isinstance(error, pl.exceptions.InvalidOperationError):  # a value that cannot be cast
        return StoreError(
            expected=f"values of the declared types behind the view {view}",
            found=reason,
            next_command="correct the column, or declare another type and run: refrain apply",
        )
    return StoreError(
        expected=f"readable Parquet files of one schema behind the view {view}",
        found=reason,
        next_command="repeat the command; if it fails again: refrain build",
    )
