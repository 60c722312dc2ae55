"""What is made of raw rows, and has to be made anew without a person: tiles, and tables of others.

A table whose keys name the person loses the person's rows, and the rest of it stays (``windows.erased``). A table that
sums over people loses all its rows, since each may hold a share of the person, and the next build makes them anew.
What corrections between earlier builds had left in such a table goes with it.
"""

import shutil
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from feature_repo import retractions
from feature_repo.contract import Contract
from feature_repo.home import Home
from refrain.person.erasure.journal import Journal
from refrain.person.erasure.rows import erase_rows, files_with
from transforms.batch.build import TEXTS, WRITTEN, keep_scores
from transforms.batch.gone_rows import GoneRows
from transforms.batch.windows.backfill import TableRun
from transforms.batch.windows.erased import NOTHING, CurrentFiles, write_without
from transforms.raw.days import RawDays


def current_files(home: Home, contract: Contract, key: str, now: datetime) -> dict[str, CurrentFiles]:
    """Windowed table whose keys name the person → its files that a build would leave as they are.

    Args:
        home: the data folder, before anything is erased.
        contract: its definitions.
        key: join key of the person.
        now: the moment of the erasure.
    """
    names = [name for name, table in contract.windowed.items() if key in table.keys]
    return {name: CurrentFiles.of(_run(home, contract, name, now)) for name in names}


def erase_derived(
    home: Home, contract: Contract, journal: Journal, current: Mapping[str, CurrentFiles], now: datetime
) -> list[str]:
    """Erase people from the tiles and the feature tables that some raw tables go into.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``. Raw rows, and the rows of the people in
            tables with their key, are erased.
        contract: its definitions.
        journal: the people, and the raw tables that have lost rows.
        current: result of ``current_files``.
        now: the moment of the erasure.

    Returns:
        Names of the feature tables that the next build makes anew.
    """
    key, tables, anew = journal.key, set(journal.tables), []
    for name, table in contract.windowed.items():
        sources = {source.name for source in table.sources}
        if not sources & tables:
            continue
        if key not in table.keys:
            anew.append(name)
            remove_folder(home.tiles(name))
        elif sources & set(journal.others):
            _remove_tiles(home, name)
        else:
            run = _run(home, contract, name, now)
            write_without(run, current.get(name, NOTHING), partial(_erase_all, journal=journal))
    for name, computed in contract.computed_tables.items():
        if set(computed.sources) & tables and key not in _keys_of(contract, name):
            anew.append(name)
    if set(WRITTEN) & tables:
        keep_scores(home)
        anew += [name for name in TEXTS if name in contract.feature_tables]
    for name in anew:
        remove_folder(home.features(name))
    _erase_notes(home, contract, journal)
    return sorted(anew)


def _remove_tiles(home: Home, table: str) -> None:
    """Remove the tiles of a table whose rows stay, and what is noted of these: which are gone or wrong online."""
    for folder in (*home.tiles(table).glob("date=*"), *home.tiles(table).glob("before=*")):
        remove_folder(folder)


def _erase_notes(home: Home, contract: Contract, journal: Journal) -> None:
    """Erase people from the keys that lost events, and from the rows of tables that are gone.

    The erasure itself removes what is online of them, and all of their rows.
    """
    notes = [path for name in contract.feature_tables for path in retractions.list_files(home, name)]
    notes += [path for name in contract.feature_tables for path in GoneRows.of_table(home, name).files()]
    for paths in files_with(notes, journal.names_key):
        erase_rows(paths, journal.names_key)


def _erase_all(paths: list[Path], journal: Journal) -> None:
    for those in files_with(paths, journal.names_key):
        erase_rows(those, journal.names_key, stays=True)


def _run(home: Home, contract: Contract, name: str, now: datetime) -> TableRun:
    table = contract.windowed[name]
    return TableRun(home, table, contract.feature_tables[name], RawDays.of(home, table.source.name), now)


def _keys_of(contract: Contract, view: str) -> set[str]:
    entities = contract.entities
    return {entities[name].join_key for name in contract.views[view].entities if name in entities}


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it is there."""
    if folder.is_dir():
        shutil.rmtree(folder)
