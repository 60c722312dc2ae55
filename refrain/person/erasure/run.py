"""The erasure of people, step after step; each step may be killed and repeated."""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from feature_repo import clock
from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.days import files_in
from feature_repo.encryption.person_keys import destroy_keys
from feature_repo.errors import InputError, StoreError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.keys import key_value
from feature_repo.materialize import materialize
from feature_repo.restricted import Restricted
from inference.security.keys import KeyRing
from refrain.person.erasure import records
from refrain.person.erasure.derived import current_files, erase_derived
from refrain.person.erasure.journal import Certificate, Journal, one_at_a_time, unfinished
from refrain.person.erasure.models import NEXT_RUN, ask_models
from refrain.person.erasure.online import check_no_reader, erase_online, outside_client, rewrite_file
from refrain.person.erasure.rows import erase_mentions, erase_rows, files_with
from refrain.person.scan import PersonKey, Scan, files_of, scan_files
from transforms import feature_tables, parquet
from transforms.batch.build import build
from transforms.batch.windows.erased import CurrentFiles
from transforms.raw.declared import raw_tables
from transforms.raw.ingest import storing
from transforms.raw.read import files, scan
from transforms.stream.batch_boundary import archive_if_there

RECORDS = ("quarantine", "lookups", "impressions", "predictions", "exposures", "audit_log", "anomaly", "simulated")
"""Folders of records: what mentions the person goes, line by line."""
MADE_ANEW = ("training_sets", "audits", "reports")
"""Folders of what is made anew on request: a set or report that mentions the person goes as a whole."""
USER = "user_id"
"""Join key of the people of the bundled definitions."""
MODELS = ("models/", "mlflow/", "pipeline/")
"""Folders of what was learned."""


@dataclass(frozen=True)
class Erasure:
    """What was done, and what is left.

    Attributes:
        certificate: what was done.
        scans: id → where it still is: in models that are to be trained anew, if anywhere.
    """

    certificate: Certificate
    scans: dict[str, Scan]


def erase(home: Home, key: str, ids: Sequence[str], *, models: str = NEXT_RUN, progress: Progress = silent) -> Erasure:
    """Erase people from the data folder and the online store, and refuse later events of them.

    Raw rows, quarantine, logs and sets go; tables of a person lose the person's rows; tables that sum over people are
    built anew, so that they are what they would be had these people never been there. Models are named: they know what
    they have learned until they are trained anew. An erasure that was begun is finished with this one.

    Args:
        home: the data folder.
        key: join key of the people, such as ``user_id``.
        ids: their ids.
        models: when models are to forget, ``now`` or ``next-run``; noted for what trains them.
        progress: called after each step.

    Raises:
        InputError: nothing has this join key, or an id is empty, or one of another key was begun.
        StoreError: a reader of the stream runs, a file is damaged, or a trace is left that is not of a model; the same
            call goes on from there.
        OnlineUnavailable: the online store does not answer.

    >>> erase(Home.from_env(), "user_id", ["u000042"]).certificate.counts          # doctest: +SKIP
    """
    ids = canonical(home, key, ids)
    person, is_served = PersonKey.of(home, key), home.manifest.is_file()
    with one_at_a_time(home):
        if is_served:
            check_no_reader(home)
        archive_if_there(home)  # what the stream has accepted is known
        _sweep(home)
        check_known(home, person, ids)
        journal = Journal.start(home, key, ids, clock.now())
        forgotten = Forgotten.of(home)
        for id_ in journal.ids:
            forgotten = forgotten.with_person(key, id_)
        forgotten.save(home)
        journal.add(home, "backups", destroy_keys(home, [(key, id_) for id_ in journal.ids], forgotten))
        _end_restrictions(home, key, journal.ids)
        ask_models(home, journal, models)
        own_keys = KeyRing(home).forget(
            lambda name: any(records.mentions(name.encode(), person, id_) for id_ in journal.ids)
        )
        journal.add(home, "api_keys", own_keys)
        progress(0, 5, "raw rows and records")
        now = clock.now()
        with feature_tables.writing(home):
            current = current_files(home, contract_of(home), key, now)
        _erase_raw(home, journal)
        for name in RECORDS:
            for path in records.files_of(home, name):
                journal.add(home, name, erase_mentions(path, home, person, journal.ids))
        progress(1, 5, "tables of the person")
        _erase_features(home, journal, current, now)
        for name in MADE_ANEW:
            _remove_sets(home, journal, person, name)
        progress(2, 5, "tables that sum over people")
        if any(files(home, name) for name in raw_tables(home)) and contract_of(home).feature_tables:
            build(home, now)
        progress(3, 5, "the online store")
        if is_served:
            journal.add(home, "online", erase_online(home, person, journal.ids, journal.anew))
            if any(files_in(folder) for folder in home.root.glob(f"features/*/tenant={home.tenant}")):
                materialize(home, None, say=lambda _: None)
            rewrite_file(home)
        progress(4, 5, "the search for what is left")
        scans = _search(home, journal, person)
        possible = sum(trace.count for each in scans.values() for trace in each.traces if not trace.is_certain)
        certificate = journal.close(home, clock.now(), _models_that_know(home, journal), possible)
        progress(5, 5, "done")
        return Erasure(certificate, scans)


def canonical(home: Home, key: str, ids: Sequence[str]) -> list[str]:
    """Ids as the raw tables have them: of a key of whole numbers, ``017`` is 17.

    Raises:
        InputError: no raw table has this key, there is no id, or one is empty, no text, or not of the key's type.
    """
    tables = [table for table in raw_tables(home).values() if table.has_ids_of(key)]
    if not tables or not ids or not all(id_.strip() and _is_unicode(id_) for id_ in ids):
        keys = sorted({name for table in raw_tables(home).values() for name in table.columns if name.endswith("_id")})
        raise InputError(
            expected=f"ids, and a key that a raw table has, such as {', '.join(keys[:8])}",
            found=f"{key} {', '.join(map(ascii, ids))}",
            next_command=f"refrain person scan ID --key {next(iter(keys), 'KEY') if USER not in keys else USER}",
        )
    types = {table.columns[key] for table in tables if key in table.columns}
    return [str(key_value(id_, "Int64", key)) if any(dtype.is_integer() for dtype in types) else id_ for id_ in ids]


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_known(home: Home, person: PersonKey, ids: Sequence[str]) -> None:
    """Check that something is known of every person, unless an erasure of them was begun or is done.

    Args:
        home: the data folder.
        person: join key of the people.
        ids: their ids.

    Raises:
        InputError: nobody has one of the ids.
    """
    journal, forgotten, restricted = unfinished(home), Forgotten.of(home), Restricted.of(home)
    unknown = set(ids) - set(journal.ids if journal else ()) - forgotten.among(person.key, ids)
    unknown -= {id_ for id_ in unknown if _is_known(home, person, id_)}
    unknown -= restricted.ids_of(person.key) | restricted.lifted.get(person.key, frozenset())
    if unknown and (sets := [path for name in MADE_ANEW for path in records.files_of(home, name)]):
        scans = scan_files(home, sets, person, sorted(unknown))
        unknown -= {id_ for id_, each in scans.items() if each.certain}
    if unknown:
        nobody = min(unknown)
        raise InputError(
            expected=f"a {person.key} that something is known of",
            found=ascii(nobody),
            next_command=f"refrain person scan {shlex.quote(nobody)} --key {person.key}",
        )


def _is_known(home: Home, person: PersonKey, id_: str) -> bool:
    for name, table in raw_tables(home).items():
        is_named = table.names(person.key, [id_], list(table.columns))
        if is_named is not None and scan(home, name).filter(is_named).head(1).collect().height:
            return True
    if any(rows.head(1).collect().height for _, rows in records.feature_rows(home, person.key, id_)):
        return True
    return any(True for name in RECORDS for _ in records.mentions_of(home, name, person, id_))


def _end_restrictions(home: Home, key: str, ids: Sequence[str]) -> None:
    """Remove the ids from the list of restricted people: of what is gone, nothing can be used."""
    people = rest = Restricted.of(home)
    for id_ in ids:
        rest = rest.without_person(key, id_)
    if rest != people:
        rest.save(home)


def _sweep(home: Home) -> None:
    """Remove what a killed restriction has left of the list with the ids."""
    for path in home.restricted.parent.glob(f".partial-*-{home.restricted.name}"):
        path.unlink(missing_ok=True)


def _erase_raw(home: Home, journal: Journal) -> None:
    with storing(home):
        parquet.sweep(home.root / "raw")
        shutil.rmtree(home.root / "raw" / ".staging", ignore_errors=True)
        for name, table in raw_tables(home).items():
            if not table.has_ids_of(journal.key):
                continue
            names = partial(table.names, journal.key, journal.ids)
            first = partial(journal.note_rows, home, name)
            for paths in files_with(home.raw(name).rglob("part-*"), names):
                journal.add(home, "raw", erase_rows(paths, names, first=first))


def _erase_features(home: Home, journal: Journal, current: Mapping[str, CurrentFiles], now: datetime) -> None:
    with feature_tables.writing(home):
        tables = (path for path in records.files_of(home, "features") if path.suffix == ".parquet")
        for paths in files_with(tables, journal.names_key):
            journal.add(home, "features", erase_rows(paths, journal.names_key))
        anew = erase_derived(home, contract_of(home), journal, current, now)
        journal.anew = sorted({*journal.anew, *anew})
        journal.save(home)


def _remove_sets(home: Home, journal: Journal, person: PersonKey, folder: str) -> None:
    """Remove the sets and reports that mention a person, each with its folder."""
    own = home.root / folder / f"tenant={home.tenant}"
    for entry in sorted(own.iterdir()) if own.is_dir() else []:
        paths = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
        if any(each.certain for each in scan_files(home, paths, person, journal.ids).values()):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            journal.add(home, folder, 1)


def _search(home: Home, journal: Journal, person: PersonKey) -> dict[str, Scan]:
    """Where the ids still are.

    Raises:
        StoreError: one is outside of models.
    """
    paths = [path for path in files_of(home) if path.parent != home.erasures]
    scans = scan_files(home, paths, person, journal.ids, server=outside_client(home))
    others = [
        (id_, trace.path) for id_, each in scans.items() for trace in each.certain if not trace.path.startswith(MODELS)
    ]
    if others:
        id_, path = others[0]
        raise StoreError(
            expected="no trace outside of models",
            found=f"{len(others):,}, the first in {path}",
            next_command=f"refrain person scan {shlex.quote(id_)} --key {journal.key}; mend that, then forget again",
        )
    return scans


def _models_that_know(home: Home, journal: Journal) -> list[str]:
    """The bundles that were trained before, if raw rows that models learn from have gone."""
    if not journal.tables:
        return []
    bundles = home.bundles("*").parent.glob("*/*/manifest.json")
    return sorted(f"{path.parent.parent.name}:{path.parent.name}" for path in bundles)
