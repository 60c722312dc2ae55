"""People out of the online store: rows, waiting and refused events, and the file that remembers them."""

import time
from collections.abc import Sequence
from typing import Any

from feature_repo.errors import OnlineUnavailable, StoreError
from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.manifest import load_address
from feature_repo.packed import entity_key
from feature_repo.packed.erase import erase_entity, erase_view
from feature_repo.packed.server import WRITE_TIMEOUT, OneServer, Server, open_server, raise_errors, retry
from feature_repo.registered_views import views_of
from feature_repo.store import open_store
from feature_repo.stores.protobuf import key_types
from refrain.person.erasure.records import mentions
from refrain.person.scan import PersonKey
from transforms.stream.log import Log
from transforms.stream.sources import GROUP

_AT_ONCE = 1_000
_REWRITE_SECONDS = 600.0


def check_no_reader(home: Home) -> None:
    """Check that no reader of the stream holds the person in its memory.

    Raises:
        StoreError: there is one.
    """
    log = Log(_server(home), Names(home.project))
    try:
        log.acquire_lease(lambda _: None, patience=1.0)
    except StoreError as error:
        raise StoreError(
            expected="no reader of the stream, which holds the person in its memory",
            found=error.found,
            next_command="stop that `refrain stream`, then: the same command again",
        ) from error
    log.release_lease()


def outside_client(home: Home) -> Any:
    """A connection of redis-py to an online store that has no files in the data folder; None if they are there."""
    if not home.manifest.is_file():
        return None
    address = load_address(home)
    server = None if address.is_embedded else open_server(home, address, WRITE_TIMEOUT)
    return server.client if isinstance(server, OneServer) else None


def erase_online(home: Home, person: PersonKey, ids: Sequence[str], anew: Sequence[str]) -> int:
    """Erase what is online of people, and all rows of the views that are made anew.

    Args:
        home: the data folder.
        person: join key of the people.
        ids: their ids.
        anew: views that sum over people.

    Returns:
        Number of rows and events that were erased.

    Raises:
        StoreError: a reader of the stream runs.
        OnlineUnavailable: the online store does not answer.
    """
    check_no_reader(home)
    server = _server(home)
    views = {view.name: key_types(view) for view in views_of(open_store(home))}
    with_key = {name: types for name, types in views.items() if person.key in types}
    journal = entity_key.journal(home.project)  # an interrupted materialize must write its views again
    _ask(server, journal, "DEL", journal)
    count = sum(erase_entity(server, home.project, with_key, person.key, id_) for id_ in ids)
    for view in anew:
        erase_view(server, home.project, view)
    names = Names(home.project)
    return count + sum(_erase_entries(server, stream, person, ids) for stream in (names.stream, names.dead))


def rewrite_file(home: Home) -> None:
    """Let the server write its append-only file anew, so that erased values are no longer in it.

    Raises:
        OnlineUnavailable: the server does not, within ten minutes.
    """
    server, anchor = _server(home), Names(home.project).reader
    if b"aof_enabled:1" not in _ask(server, anchor, "INFO", "persistence"):
        return
    server.everywhere("BGREWRITEAOF")
    deadline = time.monotonic() + _REWRITE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.05)
        info = _ask(server, anchor, "INFO", "persistence")
        if b"aof_rewrite_in_progress:0" in info and b"aof_rewrite_scheduled:0" in info:
            return
    raise OnlineUnavailable(
        expected="Redis to write its append-only file anew",
        found=f"it is still at it after {_REWRITE_SECONDS:.0f} seconds",
        next_command="the same command again",
    )


def _server(home: Home) -> Server:
    return open_server(home, load_address(home), WRITE_TIMEOUT)


def _ask(server: Server, name: bytes, *command: Any) -> Any:
    return retry(server, lambda: raise_errors(server.send([command], [name]))[0], tries=2)


def _erase_entries(server: Server, stream: bytes, person: PersonKey, ids: Sequence[str]) -> int:
    """Write a stream anew without the entries that mention one of some ids, and without those that were read.

    Redis keeps the content of a deleted entry until all of its neighbours are deleted, so that the stream gets another
    name first, and what stays is appended again. Killed in between, the next run goes on with what has the other name.
    """
    aside = stream + b":aside"
    if _ask(server, stream, "EXISTS", stream) and not _ask(server, aside, "EXISTS", aside):
        _ask(server, stream, "RENAME", stream, aside)
    count, after = 0, b"-"
    last_read, pending = _read_up_to(server, aside)
    while entries := _ask(server, aside, "XRANGE", aside, after, "+", "COUNT", _AT_ONCE):
        for number, fields in entries:
            if _is_read(number, last_read, pending):
                continue
            if any(mentions(field, person, id_) for field in fields for id_ in ids):
                count += 1
            else:
                _ask(server, stream, "XADD", stream, "*", *fields)
        after = b"(" + entries[-1][0]
    _ask(server, aside, "DEL", aside)
    return count


def _read_up_to(server: Server, stream: bytes) -> tuple[tuple[int, int], set[bytes]]:
    """The last entry that a reader was given, and those given ones that it has not acknowledged."""
    if not _ask(server, stream, "EXISTS", stream):
        return (0, 0), set()
    groups = [
        dict(zip(group[::2], group[1::2], strict=True)) for group in _ask(server, stream, "XINFO", "GROUPS", stream)
    ]
    group = next((group for group in groups if group[b"name"] == GROUP.encode()), None)
    if group is None:
        return (0, 0), set()
    waiting = _ask(server, stream, "XPENDING", stream, GROUP, "-", "+", max(group[b"pending"], 1))
    return _order(group[b"last-delivered-id"]), {entry[0] for entry in waiting}


def _is_read(number: bytes, last_read: tuple[int, int], pending: set[bytes]) -> bool:
    return _order(number) <= last_read and number not in pending


def _order(number: bytes) -> tuple[int, int]:
    milliseconds, _, place = number.partition(b"-")
    return int(milliseconds), int(place)
