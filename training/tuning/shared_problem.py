"""Shares a problem with other processes: its arrays as files of NumPy that every process maps, the rest as it is.

A problem holds dataclasses, tuples, mappings, lists of plain values, functions at the top level of modules, and arrays.
The arrays are written to ``.npy`` files, which hold numbers and texts alone. What remains (``without_arrays``) is
small; it goes to a process with its arguments, through the pipe by which the parent starts it, and is never a file:
nothing that runs code when it is read lies in the data folder.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

_SMALL = 1 << 14
"""Bytes of an array up to which it stays in the problem."""


@dataclass(frozen=True)
class ArrayFile:
    """An array that lies in a file.

    Attributes:
        path: path of the ``.npy`` file.
    """

    path: Path


def without_arrays(problem: T, folder: Path) -> T:
    """Writes the arrays of a problem to files, each once, and returns the problem with ``ArrayFile`` in their places.

    Arrays of Python objects and small ones stay in the problem.

    Args:
        problem: a dataclass of dataclasses, tuples, mappings and arrays.
        folder: an empty folder for the files; they are needed as long as a process maps them.
    """
    files: dict[int, ArrayFile] = {}

    def write(value: Any) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype.hasobject or value.nbytes <= _SMALL:
            return value
        if id(value) not in files:
            path = folder / f"{len(files)}.npy"
            np.save(path, value, allow_pickle=False)
            files[id(value)] = ArrayFile(path)
        return files[id(value)]

    return _replaced(problem, write)


def with_arrays(problem: T) -> T:
    """Returns a problem of ``without_arrays`` with its arrays, mapped from their files and read-only."""

    def read(value: Any) -> Any:
        return np.load(value.path, mmap_mode="r", allow_pickle=False) if isinstance(value, ArrayFile) else value

    return _replaced(problem, read)


def digest(problem: Any) -> str:
    """Returns 16 hexadecimal digits of what a problem holds: equal problems have equal digests, in every process.

    Raises:
        TypeError: it holds something that is no data, such as a function inside another one.

    >>> digest({"rows": np.arange(3)}) == digest({"rows": np.arange(3)}) != digest({"rows": np.arange(4)})
    True
    """
    content = hashlib.sha256()
    for piece in _pieces(problem):
        content.update(len(piece).to_bytes(8, "little"))
        content.update(piece)
    return content.hexdigest()[:16]


def _replaced(value: Any, change: Callable[[Any], Any]) -> Any:
    changed = change(value)
    if changed is not value:
        return changed
    if is_dataclass(value) and not isinstance(value, type | ArrayFile):
        return replace(value, **{field.name: _replaced(getattr(value, field.name), change) for field in fields(value)})
    if isinstance(value, tuple) and not _is_plain(value):
        return tuple(_replaced(item, change) for item in value)
    if isinstance(value, Mapping):
        return {name: _replaced(item, change) for name, item in value.items()}
    return value


def _pieces(value: Any) -> Iterator[bytes]:
    """Yields the bytes that tell a value from any other."""
    if isinstance(value, np.ndarray):
        yield f"array {value.dtype.str} {value.shape}".encode()
        yield _plain(value.tolist()) if value.dtype.hasobject else np.ascontiguousarray(value).tobytes()
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"dataclass {type(value).__module__}.{type(value).__qualname__}".encode()
        for field in fields(value):
            yield field.name.encode()
            yield from _pieces(getattr(value, field.name))
    elif isinstance(value, functools.partial):
        yield b"partial"
        yield from _pieces((value.func, value.args, value.keywords))
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)}".encode()
        for name, item in value.items():
            yield from _pieces(name)
            yield from _pieces(item)
    elif isinstance(value, tuple | list) and not _is_plain(value):
        yield f"{type(value).__name__} {len(value)}".encode()
        for item in value:
            yield from _pieces(item)
    elif callable(value):
        if "<" in value.__qualname__:
            raise TypeError(f"{value.__qualname__} is no function at the top level of a module")
        yield f"function {value.__module__}.{value.__qualname__}".encode()
    else:
        yield _plain(value.item() if isinstance(value, np.generic) else value)


def _is_plain(value: Any) -> bool:
    return all(isinstance(item, str) for item in value)


def _plain(value: Any) -> bytes:
    return f"{type(value).__name__} {json.dumps(value)}".encode()
