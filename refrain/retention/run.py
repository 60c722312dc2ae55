"""The run of the retention, step after step; each step may be killed and repeated."""

from collections.abc import Sequence
from datetime import datetime

from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.days import files_in
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from feature_repo.horizon import Horizons
from feature_repo.manifest import load_address
from feature_repo.materialize import materialize
from feature_repo.packed.erase import erase_view
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from refrain.person.erasure.journal import one_at_a_time
from refrain.retention.derived import remove_derived
from refrain.retention.journal import Journal
from refrain.retention.plan import Aged, aged
from refrain.retention.records import RECORDS, aged_quarantine, aged_records
from refrain.retention.rows import remove_aged
from transforms import feature_tables, parquet
from transforms.batch.build import build
from transforms.raw.declared import raw_tables
from transforms.raw.ingest import storing
from transforms.raw.read import files
from transforms.stream.batch_boundary import archive_if_there


def run(home: Home, now: datetime, *, progress: Progress = silent) -> Journal:
    """Remove what is older than its period, and what was derived from it; build and write online what is left.

    Afterwards tiles, and rows of feature tables from the first whole day on (``Horizons.whole_from``), are those of
    before; nothing counts a row that is gone. A run that was begun is finished with this one.

    Args:
        home: the data folder.
        now: the moment from which ages count.
        progress: called after each step.

    Returns:
        What was done.

    Raises:
        InputError: a period is not valid; see ``periods``.
        StoreError: a file is damaged; the same call goes on from there.
        OnlineUnavailable: the online store does not answer; likewise.

    >>> run(Home.from_env(), clock.now()).counts                                        # doctest: +SKIP
    """
    with one_at_a_time(home):
        archive_if_there(home)  # what the stream has accepted is known
        items, journal = aged(home, now), Journal.start(home, now)
        progress(0, 4, "raw rows, and what was derived from them")
        _remove_rows(home, journal, items)
        progress(1, 4, "records")
        _remove_records(home, journal, items)
        progress(2, 4, "feature tables")
        if journal.tables:
            if any(files(home, name) for name in raw_tables(home)) and contract_of(home).feature_tables:
                build(home, now)
            progress(3, 4, "the online store")
            if home.manifest.is_file():
                _write_online(home, journal)
        journal.close(home, now)
        progress(4, 4, "done")
        return journal


def _remove_rows(home: Home, journal: Journal, items: Sequence[Aged]) -> None:
    """Remove raw rows and what was derived from them, while nobody else writes.

    A horizon moves only where rows go: as long as nothing was removed, windows are whole to the first event.
    """
    cut = {
        item.period.name: item.horizon
        for item in items
        if item.horizon is not None and item.count and not item.period.is_record
    }
    if not cut and not journal.tables:
        return
    with feature_tables.writing(home), storing(home):
        parquet.sweep(home.root / "raw")
        journal.tables = sorted({*journal.tables, *cut})
        journal.save(home)
        Horizons.of(home).later(cut).save(home)
        for name, horizon in cut.items():
            journal.add(home, name, remove_aged(home, name, horizon))
        journal.anew = sorted({*journal.anew, *remove_derived(home, set(journal.tables))})
        journal.save(home)


def _remove_records(home: Home, journal: Journal, items: Sequence[Aged]) -> None:
    for item in items:
        name = item.period.name
        if item.horizon is None:
            continue
        if item.period.is_record:
            journal.add(home, name, aged_records(home, RECORDS[name], item.horizon, remove=True))
        else:
            journal.add(home, f"{name} in quarantine", aged_quarantine(home, name, item.horizon, remove=True))


def _write_online(home: Home, journal: Journal) -> None:
    """Write what is left, in place of what is online."""
    server = open_server(home, load_address(home), WRITE_TIMEOUT)
    tables = [file for folder in home.root.glob(f"features/*/tenant={home.tenant}") for file in files_in(folder)]
    has_rows = any(parquet_files.metadata(file).num_rows for file in tables)
    for view in journal.anew if has_rows else sorted(contract_of(home).feature_tables):
        erase_view(server, home.project, view)
    if has_rows:
        materialize(home, None, say=lambda _: None)
