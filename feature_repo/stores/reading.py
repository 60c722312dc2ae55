"""Reading the files behind a feature view: the same files in every pass, and errors that say what to do."""

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
    """A reader of the files as they are now. It takes several passes; at the end they must still be the same.

    Raises:
        StoreError: somebody wrote the table meanwhile, or it is not what it was when the history was opened.
        InputError: a key of the files cannot be one.
    """
    before = _states(history)
    reader = None
    try:
        reader = HistoryReader(history, grouped(history.files, before, list(history.types), history.in_paths))
        yield reader
    except _ERRORS as error:
        if reader is not None and reader.refusal is not None:
            raise reader.refusal from error
        raise _unreadable(history.view, error) from error
    if _states(history) != before:
        raise StoreError(
            expected=f"the files behind the view {history.view} to stay as they are during a retrieval",
            found="other files than at its start: a build was running",
            next_command="the same again, once the build is done",
        )


def _states(history: History) -> list[State | None]:
    return [state(file) for file in history.files]


def _unreadable(view: str, error: BaseException) -> StoreError:
    reason = (str(error).splitlines() or [""])[0]
    if isinstance(error, pl.exceptions.InvalidOperationError):  # a value that a cast cannot take
        return StoreError(
            expected=f"values of the declared types behind the view {view}",
            found=reason,
            next_command="correct the column, or declare another type and run: python -m feature_repo apply",
        )
    return StoreError(
        expected=f"readable Parquet files of one schema behind the view {view}",
        found=reason,
        next_command="the same again; if it fails again: python -m transforms build",
    )
