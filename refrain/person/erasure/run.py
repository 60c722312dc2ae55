"""The erasure of one person, step after step; each step may be killed and repeated."""

import shutil
from dataclasses import dataclass

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError, StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.materialize import materialize
from refrain.person.erasure import records
from refrain.person.erasure.derived import remove_derived
from refrain.person.erasure.journal import Certificate, Journal
from refrain.person.erasure.online import check_no_reader, erase_online, rewrite_file
from refrain.person.erasure.rows import erase_mentions, erase_rows
from refrain.person.scan import Scan, files_of, scan_files
from transforms import feature_tables
from transforms.batch.build import build
from transforms.raw.declared import raw_tables
from transforms.raw.ingest import storing
from transforms.stream.batch_boundary import archive_if_there

RECORDS = ("quarantine", "lookups", "impressions", "predictions", "exposures", "audit_log", "anomaly", "simulated")
"""Folders of records: what mentions the person goes, line by line."""
MADE_ANEW = ("training_sets", "audits", "reports")
"""Folders of what is made anew on request: a set or report that mentions the person goes as a whole."""
MODELS = ("models/", "mlflow/", "pipeline/")
"""Folders of what was learned."""


@dataclass(frozen=True)
class Erasure:
    """What was done, and what is left.

    Attributes:
        certificate: what was done.
        scan: where the id still is; in models that are to be trained anew, if anywhere.
    """

    certificate: Certificate
    scan: Scan


def erase(home: Home, key: str, id_: str, *, progress: Progress = silent) -> Erasure:
    """Erase a person from the data folder and the online store, and refuse later events of this person.

    Raw rows, quarantine, logs and sets go; tables of the person lose the person's rows; tables that sum over people are
    built anew, so that they are what they would be had this person never been there. Models are named: they know
    what they have learned until they are trained anew.

    Args:
        home: the data folder.
        key: join key of the person, such as ``user_id``.
        id_: the id.
        progress: called after each step.

    Raises:
        InputError: nothing has this join key, or the id is empty.
        StoreError: a reader of the stream runs, or a file is damaged; the same call goes on from there.
        OnlineUnavailable: the online store does not answer.
    """
    contract = contract_of(home)
    keys = sorted({name for table in raw_tables(home).values() for name in table.columns if name.endswith("_id")})
    if not id_ or not any(table.columns_of(key) for table in raw_tables(home).values()):
        raise InputError(
            expected=f"an id, and a key that a raw table has, such as {', '.join(keys[:8])}",
            found=f"{key} {id_!r}",
            next_command="refrain person forget ID --key user_id",
        )
    is_served = home.manifest.is_file()
    if is_served:
        check_no_reader(home)
    Forgotten.of(home).with_person(key, id_).save(home)
    journal = Journal.start(home, key, id_, clock.now())
    progress(0, 6, "events of the stream")
    archive_if_there(home)
    progress(1, 6, "raw rows and records")
    _erase_raw(home, journal)
    for name in RECORDS:
        for path in records.files_of(home, name):
            journal.add(home, name, erase_mentions(path, key, id_))
    progress(2, 6, "tables of the person")
    with feature_tables.writing(home):
        for path in records.files_of(home, "features"):
            if path.suffix == ".parquet":
                journal.add(home, "features", erase_rows(path, id_, [key]))
        journal.anew = sorted({*journal.anew, *remove_derived(home, contract, key, set(journal.tables))})
        journal.save(home)
    for name in MADE_ANEW:
        _remove_sets(home, journal, name)
    progress(3, 6, "tables that sum over people")
    if any(contract.feature_tables):
        build(home)
    progress(4, 6, "the online store")
    if is_served:
        journal.add(home, "online", erase_online(home, key, id_, journal.anew))
        materialize(home, None, say=lambda _: None)
        rewrite_file(home)
    progress(5, 6, "the search for what is left")
    left = scan_files(home.root, [path for path in files_of(home) if path.parent != home.erasures], key, id_)
    models = _models_that_know(home, journal)
    others = [trace.path for trace in left.certain if not trace.path.startswith(MODELS)]
    if others:
        raise StoreError(
            expected="no trace of the person outside of models",
            found=f"{len(others):,}, the first in {others[0]}",
            next_command=f"refrain person scan {id_} --key {key}, remove these files, then forget once more",
        )
    possible = sum(trace.count for trace in left.traces if not trace.is_certain)
    certificate = journal.close(home, clock.now(), models, possible)
    progress(6, 6, "done")
    return Erasure(certificate, left)


def _erase_raw(home: Home, journal: Journal) -> None:
    with storing(home):
        for name, table in raw_tables(home).items():
            columns = table.columns_of(journal.key)
            if not columns or not home.raw(name).is_dir():
                continue
            for path in sorted(home.raw(name).rglob("part-*")):
                count = erase_rows(path, journal.id_, columns)
                if count and name not in journal.tables:
                    journal.tables.append(name)
                journal.add(home, "raw", count)


def _remove_sets(home: Home, journal: Journal, folder: str) -> None:
    """Remove the sets and reports that mention the person, each with its folder."""
    own = home.root / folder / f"tenant={home.tenant}"
    for entry in sorted(own.iterdir()) if own.is_dir() else []:
        paths = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
        if scan_files(home.root, paths, journal.key, journal.id_).certain:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            journal.add(home, folder, 1)


def _models_that_know(home: Home, journal: Journal) -> list[str]:
    """The bundles that were trained before, if raw rows that models learn from have gone."""
    if not journal.tables:
        return []
    bundles = home.bundles("*").parent.glob("*/*/manifest.json")
    return sorted(f"{path.parent.parent.name}:{path.parent.name}" for path in bundles)
