"""Redis: an append-only file, loaded by a server of its own, and its commands; the values of a running server."""

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from feature_repo.stores import redis_server
from refrain.person.contents.reader import ANY_KEY, Part, Reader, values_part

_ENTITY = re.compile(rb":\{((?:\d+:)?[^\r\n{]*)\}")
_LENGTH = re.compile(rb"(\d{1,5}):")
_OWNER = re.compile(rb"\{?([0-9A-Za-z_%.-]+)(?:\}#|:)")
_SIZE = re.compile(rb"([*$])(\d+)\r\n")
_FIRST = b"*2\r\n$6\r\nSELECT\r\n"
"""The first command after a snapshot."""
_BATCH = 1_000


def values(client: Any) -> Iterator[Part]:
    """Yields the names of a server, and what each holds, by the project that they belong to.

    Args:
        client: a connection of redis-py.
    """
    batch: list[bytes] = []
    for name in client.scan_iter(count=_BATCH):
        batch.append(name)
        if len(batch) == _BATCH:
            yield from _of_names(client, batch)
            batch = []
    yield from _of_names(client, batch)


def _read(content: bytes, _path: Path | None) -> Iterator[Part]:
    raw = bytes(content)
    for owner, arguments in _commands(raw).items():
        yield values_part("commands", arguments, ANY_KEY, owner)
    with tempfile.TemporaryDirectory(prefix="refrain-scan-") as scratch:
        home = Home(Path(scratch))
        home.redis.mkdir(mode=0o700)
        (home.redis / "appendonly.aof").write_bytes(raw)
        try:
            yield from values(redis_server.ensure(home))
        finally:
            redis_server.stop(home)


def _commands(content: bytes) -> dict[str, set[bytes]]:
    """Project → the arguments of commands about its names, and the keys in these; without a snapshot before them."""
    arguments: defaultdict[str, set[bytes]] = defaultdict(set)
    position = 0 if content[:1] == b"*" else content.find(_FIRST)
    if position < 0:
        return {}
    while head := _SIZE.match(content, position):
        position, words = head.end(), list[bytes]()
        if head[1] != b"*":
            break
        for _ in range(int(head[2])):
            size = _SIZE.match(content, position)
            if size is None or size[1] != b"$":
                return dict(arguments)
            words.append(content[size.end() : size.end() + int(size[2])])
            position = size.end() + int(size[2]) + 2
        owners = {owner for word in words[1:] if (owner := _owner_of(word))}
        arguments[owners.pop() if len(owners) == 1 else ""].update(words[1:], _key_parts(words[1:]))
    return dict(arguments)


def _of_names(client: Any, names: list[bytes]) -> Iterator[Part]:
    if not names:
        return
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.type(name)
    kinds = pipeline.execute()
    for name, kind in zip(names, kinds, strict=True):
        _ask(pipeline, name, kind.decode())
    by_owner: defaultdict[str, tuple[list[bytes], set[bytes]]] = defaultdict(lambda: ([], set()))
    for name, answer in zip(names, pipeline.execute(), strict=True):
        own_names, contents = by_owner[_owner_of(name)]
        own_names.append(name)
        contents.update(_flat(answer))
    for owner, (own_names, contents) in by_owner.items():
        yield values_part("names", {*own_names, *_key_parts(own_names)}, ANY_KEY, owner)
        yield values_part("values", contents, "", owner)
        for content in contents:  # blocks of events are packed
            if content[:6] == b"ARROW1":
                yield Part("values", content, owner=owner)


def _ask(pipeline: Any, name: bytes, kind: str) -> None:
    match kind:
        case "hash":
            pipeline.hgetall(name)
        case "list":
            pipeline.lrange(name, 0, -1)
        case "set":
            pipeline.smembers(name)
        case "zset":
            pipeline.zrange(name, 0, -1)
        case "stream":
            pipeline.xrange(name)
        case _:
            pipeline.get(name)


def _flat(answer: Any) -> Iterator[bytes]:
    if isinstance(answer, bytes):
        yield answer
    elif isinstance(answer, dict):
        for pair in answer.items():
            yield from _flat(list(pair))
    elif isinstance(answer, list | tuple | set):
        for each in answer:
            yield from _flat(each)


def _owner_of(name: bytes) -> str:
    """The project of a name such as ``project:view:{entity}`` or ``{project}#events``; empty if it has none."""
    match = _OWNER.match(name)
    return match[1].decode() if match else ""


def _key_parts(names: Iterable[bytes]) -> Iterator[bytes]:
    """The keys in names as ``packed.entity_key`` makes them: ``project:view:{7:t000017u000042}``."""
    for name in names:
        for match in _ENTITY.finditer(name):
            rest = match[1]
            while (length := _LENGTH.match(rest)) and int(length[1]) <= len(rest) - length.end():
                yield rest[length.end() : length.end() + int(length[1])]
                rest = rest[length.end() + int(length[1]) :]
            yield rest


def _is_append_only(content: bytes) -> bool:
    return content[:5] == b"REDIS" or bool(re.match(rb"\*\d+\r\n\$\d+\r\n", content[:32]))


REDIS = Reader("Redis", _is_append_only, _read, is_complete=True)
