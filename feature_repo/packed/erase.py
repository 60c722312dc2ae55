"""Taking values out of Redis: those of a view that is gone, or of a person who asks for it."""

from collections.abc import Mapping
from typing import Any

from feature_repo.keys import key_parts
from feature_repo.packed import entity_key
from feature_repo.packed.server import Server, raised, telling


def erase_view(server: Server, project: str, view: str) -> int:
    """Take out all values of a view, its schemas and its status. Looks through all names of the server.

    Returns:
        How many values there were.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    with telling():
        count = sum(_unlink(server, names) for names in server.scan(entity_key.prefix(project, view) + b"*"))
        _unlink(server, [entity_key.schemas(project, view), entity_key.status(project, view)])
    return count


def erase_entity(
    server: Server, project: str, views: Mapping[str, Mapping[str, str]], join_key: str, value: Any
) -> int:
    """Take out every row about one entity, in views where it is one key of several, too.

    Args:
        server: that holds the values.
        project: Feast's.
        views: name → join key → Feast's name of its type.
        join_key: such as ``user_id``.
        value: of the key, as ``feature_repo.keys`` takes it; a missing one is nobody's.

    Returns:
        How many rows there were.

    Raises:
        InputError: the value cannot be such a key.
        OnlineUnavailable: Redis does not answer.
    """
    count = 0
    with telling():
        for view, types in views.items():
            keys = sorted(types)
            (wanted,) = key_parts([value], types[join_key], join_key) if join_key in keys else [None]
            if wanted is None:
                continue
            prefix = entity_key.prefix(project, view)
            if len(keys) == 1:
                count += _unlink(server, [prefix + wanted + b"}"])
                continue
            for names in server.scan(prefix + b"*"):
                about = [name for name in names if _parts(name, prefix, len(keys))[keys.index(join_key)] == wanted]
                count += _unlink(server, about)
    return count


def _parts(name: bytes, prefix: bytes, keys: int) -> list[bytes]:
    return entity_key.parts(name[len(prefix) : -1], keys)


def _unlink(server: Server, names: list[bytes]) -> int:
    if not names:
        return 0
    groups = server.groups(names, most=1000)
    commands = [("UNLINK", *(names[place] for place in group)) for group in groups]
    return sum(raised(server.send(commands, [names[group[0]] for group in groups])))
