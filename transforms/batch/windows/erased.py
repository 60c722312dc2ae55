"""Files of a windowed table without the rows of erased keys, which are not computed anew.

The rows of a key follow from the events of that key alone. So if a key and all of its events are erased, every other
row stays what it was; only the fingerprints of the files change, since the raw files that they name have changed. The
files are then, byte for byte, those that a build without the key would write.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from feature_repo.whole_files import write_whole
from transforms import feature_tables, parquet
from transforms.batch.windows.backfill import TableRun
from transforms.batch.windows.file_index import known_files


@dataclass(frozen=True)
class CurrentFiles:
    """The files of a table whose fingerprints are those of their inputs.

    Attributes:
        tiles: days of tiles.
        past: months before which tiles are merged.
        rows: days of rows.
    """

    tiles: frozenset[date]
    past: frozenset[date]
    rows: frozenset[date]

    @classmethod
    def of(cls, run: TableRun) -> "CurrentFiles":
        """The files that a run would leave as they are.

        Args:
            run: a run over the table, before anything is erased.
        """
        tiles = known_files(run.tiles.folder, "sums.parquet")
        return cls(
            frozenset(
                day
                for day, inputs in run.tiles.fingerprints.items()
                if (file := tiles.get(str(day))) is not None and file.inputs == inputs
            ),
            frozenset(
                month
                for month, folder in _past_folders(run).items()
                if parquet.metadata(folder / "sums.parquet").get(feature_tables.INPUTS) == run.tiles.chain_before(month)
            ),
            frozenset(
                day
                for day in run.row_days
                if (file := run.before.get(str(day))) is not None and file.inputs == run.fingerprint(day)
            ),
        )


NOTHING = CurrentFiles(frozenset(), frozenset(), frozenset())
"""No file is known to be current."""


def write_without(run: TableRun, current: CurrentFiles, erase: Callable[[list[Path]], None]) -> None:
    """Write the files of a table as if the erased keys had never been there.

    Tiles that were not current are removed, and made by the next build. The rows of the keys are erased already.

    Args:
        run: a run over the table, after the events and the rows of the keys are erased.
        current: the files that were current before.
        erase: removes the rows of the keys from files, which stay, if without rows.
    """
    inputs_of: dict[Path, str] = {}
    for text in known_files(run.tiles.folder, "sums.parquet"):
        day = date.fromisoformat(text)
        if day in current.tiles and day in run.tiles.fingerprints:
            inputs_of |= {run.tiles.file(day, name): run.tiles.fingerprints[day] for name in run.tiles.parts}
        else:
            shutil.rmtree(run.tiles.file(day).parent)
    for month, folder in _past_folders(run).items():
        if month in current.past:
            inputs_of |= {folder / f"{name}.parquet": run.tiles.chain_before(month) for name in run.tiles.parts}
        else:
            shutil.rmtree(folder)
    erase(list(inputs_of))
    for day in current.rows.intersection(run.row_days):
        inputs_of[feature_tables.file_of(run.home, run.view, str(day))] = run.fingerprint(day)
    for path, inputs in inputs_of.items():
        if path.is_file():
            _stamp(path, inputs)


def _stamp(path: Path, inputs: str) -> None:
    """Give a file another fingerprint, which has the length of the one before."""
    about = parquet.metadata(path)
    before = about.get(feature_tables.INPUTS, "")
    if before == inputs:
        return
    content = path.read_bytes()
    if len(before) == len(inputs) and content.count(before.encode()) == 1:
        write_whole(path, content.replace(before.encode(), inputs.encode()))
        return
    rows = parquet.read_whole(path, remedy="refrain build")
    parquet.write_whole(rows, path, metadata=about | {feature_tables.INPUTS: inputs})


def _past_folders(run: TableRun) -> dict[date, Path]:
    """Month → the folder of the tiles that are merged before it."""
    return {
        date.fromisoformat(f"{folder.name.removeprefix('before=')}-01"): folder
        for folder in sorted(run.tiles.folder.glob("before=*"))
    }
