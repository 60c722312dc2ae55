"""What was derived from rows that are gone: sums of the past, and rows of feature tables that counted them."""

from collections.abc import Set
from datetime import date
from pathlib import Path

from feature_repo import retractions
from feature_repo.clock import microseconds, now
from feature_repo.contract import Contract, contract_of
from feature_repo.days import days_in, files_in
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from feature_repo.horizon import Horizons
from feature_repo.windows import WindowedTable
from refrain.person.erasure.derived import remove_folder
from transforms.batch.build import TEXTS, WRITTEN, keep_scores


def remove_derived(home: Home, tables: Set[str]) -> list[str]:
    """Remove what counts rows that are gone; the next build makes anew what can be made of the others.

    Of a windowed table, rows before the first day on which all windows lie behind the horizon go; those from this day
    on, and the history of their corrections, stay. Tables with a lifetime, and tables that one function computes, go as
    a whole. Keys of the former are noted, so that what is online of them is corrected; see ``retractions``.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``. Its horizons are the new ones.
        tables: raw tables that have lost rows.

    Returns:
        Names of the tables whose rows online are to be written anew.
    """
    contract, horizons = contract_of(home), Horizons.of(home)
    for table in contract.windowed.values():
        if {source.name for source in table.sources} & tables:
            _remove_windowed(home, table, horizons.whole_from(table) or date.min)
    return sorted(_remove_whole(home, contract, tables))


def _remove_windowed(home: Home, table: WindowedTable, whole_from: date) -> None:
    tiles, features = home.tiles(table.name), home.features(table.name)
    is_empty = not days_in(home.raw(table.source.name))
    if table.remembers or is_empty:
        _note_keys(home, table)
        days = tiles.glob("date=*") if is_empty else ()  # else the build compares them with those that are left
        for folder in (*tiles.glob("before=*"), *days, tiles / "closed", features):
            remove_folder(folder)
        return
    for day, path in days_in(features).items():
        if day < str(whole_from):
            for noted in (tiles / "closed").glob(f"{day}+*"):
                noted.unlink()
            remove_folder(Path(path))


def _note_keys(home: Home, table: WindowedTable) -> None:
    files = files_in(home.features(table.name))
    if files:
        rows = parquet_files.scan(files, hive_partitioning=False)
        keys = rows.select(table.keys).unique().collect()
        retractions.note(home, table.name, keys, microseconds(now()))


def _remove_whole(home: Home, contract: Contract, tables: Set[str]) -> list[str]:
    names = [name for name, computed in contract.computed_tables.items() if set(computed.sources) & tables]
    if set(WRITTEN) & tables:
        keep_scores(home)
        names += [name for name in TEXTS if name in contract.feature_tables]
    for name in names:
        remove_folder(home.tiles(name))
        remove_folder(home.features(name))
    return names
