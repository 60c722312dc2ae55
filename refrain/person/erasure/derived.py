"""What is made of raw rows, and has to be made anew without a person: tiles, and tables of others.

A table whose keys name the person loses the person's rows. A table that sums over people loses all its rows, since each
may hold a share of the person, and the next build makes them anew. What corrections between earlier builds had left in
such a table goes with it.
"""

import shutil
from collections.abc import Set
from pathlib import Path

from feature_repo.contract import Contract
from feature_repo.home import Home
from transforms.batch.build import TEXTS, WRITTEN

TEXT_SCORES = "text_scores"


def remove_derived(home: Home, contract: Contract, key: str, tables: Set[str]) -> list[str]:
    """Remove the tiles and the tables of others that some raw tables go into.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``.
        contract: its definitions.
        key: join key of the person.
        tables: raw tables that have lost rows.

    Returns:
        Names of the feature tables that the next build makes anew.
    """
    anew = []
    for name, table in contract.windowed.items():
        if not {source.name for source in table.sources} & tables:
            continue
        _remove(home.tiles(name))
        if key not in table.keys:
            anew.append(name)
    for name, computed in contract.computed_tables.items():
        if set(computed.sources) & tables and key not in _keys_of(contract, name):
            anew.append(name)
    if set(WRITTEN) & tables:
        _remove(home.tiles(TEXT_SCORES))
        anew += [name for name in TEXTS if name in contract.feature_tables]
    for name in anew:
        _remove(home.features(name))
    return sorted(anew)


def _keys_of(contract: Contract, view: str) -> set[str]:
    entities = contract.entities
    return {entities[name].join_key for name in contract.views[view].entities if name in entities}


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
