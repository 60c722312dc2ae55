"""Restricts the use of one person's data (GDPR, article 18), and lifts the restriction again.

Raw rows and feature tables stay as they are, and are built on: they are stored. What uses them leaves the person out:
training sets and what models read of raw tables (``training.datasets.consent``), and everything that writes to the
online store, from which the person's rows are erased. Lifting the restriction writes them again. Each step may be
killed and repeated.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import polars as pl
from feast import FeatureView

from feature_repo import clock
from feature_repo.days import files_in
from feature_repo.errors import InputError
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed import entity_key
from feature_repo.packed.erase import erase_entity, names_of_entity
from feature_repo.packed.server import WRITE_TIMEOUT, Server, get, open_server, raise_errors, retry
from feature_repo.registered_views import views_of
from feature_repo.restricted import Restricted
from feature_repo.store import open_store
from feature_repo.stores.packed_rows import packed_rows
from feature_repo.stores.protobuf import key_types
from feature_repo.stores.retracted_rows import newest_rows
from feature_repo.stores.source_files import is_feature_table
from refrain.person.erasure.journal import one_at_a_time
from refrain.person.erasure.run import canonical, check_known
from refrain.person.scan import PersonKey
from transforms import feature_tables
from transforms.batch.build import build
from transforms.stream.batch_boundary import archive_if_there

MOST_ERASURES = 5
"""Times that rows are erased which another process has written meanwhile."""


def restrict(home: Home, key: str, id_: str) -> int:
    """Stop using a person's data from now on; they stay stored.

    Args:
        home: the data folder.
        key: join key of the person, such as ``user_id``.
        id_: the id.

    Returns:
        Number of online rows that were erased.

    Raises:
        InputError: nothing has this join key, nobody has the id, or the person is forgotten.
        OnlineUnavailable: the online store does not answer; the same call goes on.

    >>> restrict(Home.from_env(), "user_id", "u000042")                                  # doctest: +SKIP
    """
    with _person(home, key, id_) as name:
        if Forgotten.of(home).among(key, [name]):
            raise InputError(
                expected=f"a {key} that something is known of",
                found=f"{name!r}, who is forgotten: nothing is stored or used",
                next_command=f"refrain person status {shlex.quote(name)} --key {key}",
            )
        archive_if_there(home)
        check_known(home, PersonKey.of(home, key), [name])
        Restricted.of(home).with_person(key, name).save(home)
        count = 0
        for _ in range(MOST_ERASURES if home.manifest.is_file() else 0):
            erased = _erase(home, key, name)
            count += erased
            if not erased:
                break
        return count


def lift(home: Home, key: str, id_: str) -> int:
    """Use a person's data again, as if they had never been restricted.

    Args:
        home: the data folder.
        key: join key of the person.
        id_: the id.

    Returns:
        Number of rows that are online again.

    Raises:
        InputError: the person is not restricted.
        OnlineUnavailable: the online store does not answer; the same call goes on.

    >>> lift(Home.from_env(), "user_id", "u000042")                                      # doctest: +SKIP
    """
    with _person(home, key, id_) as name:
        people = Restricted.of(home)
        if name not in people.ids_of(key) | people.lifted.get(key, frozenset()):
            raise InputError(
                expected=f"a {key} that is restricted",
                found=repr(name),
                next_command=f"refrain person status {shlex.quote(name)} --key {key}",
            )
        people.lift(key, name).save(home)
        written = 0
        if home.manifest.is_file():
            archive_if_there(home)
            build(home)
            written = _write(home, key, name, clock.now())
        Restricted.of(home).without_person(key, name).save(home)
        return written


def online_rows(home: Home, key: str, id_: str) -> int:
    """Count the online rows of a person.

    Raises:
        OnlineUnavailable: the online store does not answer.
    """
    if not home.manifest.is_file():
        return 0
    server = _server(home)
    names = names_of_entity(server, home.project, _views_with(home, key), key, id_)
    return sum(value is not None for part in names if part for value in get(server, part))


@contextmanager
def _person(home: Home, key: str, id_: str) -> Iterator[str]:
    """The id as raw tables have it, while no other erasure or restriction runs."""
    (name,) = canonical(home, key, [id_])
    with one_at_a_time(home):
        yield name


def _server(home: Home) -> Server:
    return open_server(home, load_address(home), WRITE_TIMEOUT)


def _views_with(home: Home, key: str) -> dict[str, dict[str, str]]:
    views = {view.name: key_types(view) for view in views_of(open_store(home))}
    return {name: types for name, types in views.items() if key in types}


def _erase(home: Home, key: str, id_: str) -> int:
    server = _server(home)
    journal = entity_key.journal(home.project)  # an interrupted materialize must not think its views complete
    retry(server, lambda: raise_errors(server.send([("DEL", journal)], [journal]))[0], tries=2)
    return erase_entity(server, home.project, _views_with(home, key), key, id_)


def _write(home: Home, key: str, id_: str, until: datetime) -> int:
    """Write the newest rows of a person in all views that are online."""
    store, count = open_store(home), 0
    config = store.config
    for view in views_of(store):
        if key not in key_types(view) or not view.online:
            continue
        if not is_feature_table(view):  # files of one's own, whose keys only Feast knows
            store.materialize(start_date=clock.BEGINNING, end_date=until, feature_views=[view.name])
            continue
        entities = _entities(home, view, key, id_)
        if entities.height:
            names, values = packed_rows(config, view, newest_rows(config, view, entities, until))
            count += store._get_provider().online_store.writer(config, view).write(names, values)  # type: ignore[attr-defined]
    return count


def _entities(home: Home, view: FeatureView, key: str, id_: str) -> pl.DataFrame:
    """The distinct keys of a person in a feature table."""
    keys = sorted(key_types(view))
    if not files_in(home.features(view.name)):
        return pl.DataFrame(schema=keys)
    rows = feature_tables.scan(home, view.name).filter(pl.col(key).cast(pl.String) == id_)
    return rows.select(keys).unique(maintain_order=True).collect()
