"""Redis: an append-only file, loaded by a server of its own; the names and values of a running one.

What a file holds of commands whose effect is gone is found in its bytes, which are searched, too; here are the parts of
the names in them.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from feature_repo.home import Home
from feature_repo.stores import redis_server
from refrain.person.contents.reader import ANY_KEY, Part, Reader, values_part

_ENTITY = re.compile(rb":\{((?:\d+:)?[^\r\n{]*)\}")
_LENGTH = re.compile(rb"(\d{1,5}):")
_BATCH = 1_000


def _read(content: bytes, _path: Path | None) -> Iterator[Part]:
    yield values_part("names in commands", set(_key_parts(content)), ANY_KEY)
    with tempfile.TemporaryDirectory(prefix="refrain-scan-") as scratch:
        home = Home(Path(scratch))
        home.redis.mkdir(mode=0o700)
        (home.redis / "appendonly.aof").write_bytes(content)
        try:
            yield from values(redis_server.ensure(home))
        finally:
            redis_server.stop(home)


def values(client: Any) -> Iterator[Part]:
    """Yields the names of a server, and what each holds.

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


def _of_names(client: Any, names: list[bytes]) -> Iterator[Part]:
    if not names:
        return
    yield values_part("names", {*names, *_key_parts(b"\n".join(names))}, ANY_KEY)
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.type(name)
    kinds = pipeline.execute()
    for name, kind in zip(names, kinds, strict=True):
        _ask(pipeline, name, kind.decode())
    contents: set[bytes] = set()
    for answer in pipeline.execute():
        contents.update(_flat(answer))
    yield values_part("values", contents)


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


def _key_parts(content: bytes) -> Iterator[bytes]:
    """The keys in names as ``packed.entity_key`` makes them: ``project:view:{7:t000017u000042}``."""
    for match in _ENTITY.finditer(content):
        rest = match[1]
        while (length := _LENGTH.match(rest)) and int(length[1]) <= len(rest) - length.end():
            yield rest[length.end() : length.end() + int(length[1])]
            rest = rest[length.end() + int(length[1]) :]
        yield rest


def _is_append_only(content: bytes) -> bool:
    return content[:5] == b"REDIS" or bool(re.match(rb"\*\d+\r\n\$\d+\r\n", content[:32]))


REDIS = Reader("Redis", _is_append_only, _read)
