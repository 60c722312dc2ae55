"""Erases values from Redis: of a deleted view, or of one entity on request."""

from collections.abc import Iterator, Mapping
from typing import Any

from feature_repo.keys import key_parts
from feature_repo.packed import entity_key
from feature_repo.packed.server import Server, raise_errors, translate_errors


def erase_view(server: Server, project: str, view: str) -> int:
    """Erases all values of a view, its schemas and its status. Scans all names of the server.

    Returns:
        Number of erased values.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    with translate_errors():
        count = sum(_unlink(server, names) for names in server.scan(entity_key.prefix(project, view) + b"*"))
        _unlink(server, [entity_key.schemas(project, view), entity_key.status(project, view)])
    return count


def erase_entity(
    server: Server, project: str, views: Mapping[str, Mapping[str, str]], join_key: str, value: Any
) -> int:
    """Erases every row of one entity, including rows of views in which it is one of several keys.

    Args:
        server: connection to the Redis that holds the values.
        project: name of the Feast project.
        views: view → join key → Feast's name of its type.
        join_key: join key of the entity, such as ``user_id``.
        value: value of the key (see ``feature_repo.keys``); a missing key matches nothing.

    Returns:
        Number of erased rows.

    Raises:
        InputError: the value cannot be converted to the key's type.
        OnlineUnavailable: Redis does not answer.
    """
    with translate_errors():
        return sum(_unlink(server, names) for names in names_of_entity(server, project, views, join_key, value))


def names_of_entity(
    server: Server, project: str, views: Mapping[str, Mapping[str, str]], join_key: str, value: Any
) -> Iterator[list[bytes]]:
    """Yields the names of the rows of one entity, in parts.

    The name in a view with this key alone is among them whether there is a row or not.

    Args:
        server: connection to the Redis that holds the values.
        project: name of the Feast project.
        views: as in ``erase_entity``.
        join_key: as in ``erase_entity``.
        value: as in ``erase_entity``.

    Raises:
        InputError: the value cannot be converted to the key's type.
    """
    for view, types in views.items():
        keys = sorted(types)
        (encoded_key,) = key_parts([value], types[join_key], join_key) if join_key in keys else [None]
        if encoded_key is None:
            continue
        prefix = entity_key.prefix(project, view)
        if len(keys) == 1:
            yield [prefix + encoded_key + b"}"]
            continue
        for names in server.scan(prefix + b"*"):
            yield [name for name in names if _parts(name, prefix, len(keys))[keys.index(join_key)] == encoded_key]


def _parts(name: bytes, prefix: bytes, keys: int) -> list[bytes]:
    return entity_key.parts(name[len(prefix) : -1], keys)


def _unlink(server: Server, names: list[bytes]) -> int:
    if not names:
        return 0
    groups = server.groups(names, most=1000)
    commands = [("UNLINK", *(names[place] for place in group)) for group in groups]
    return sum(raise_errors(server.send(commands, [names[group[0]] for group in groups])))
