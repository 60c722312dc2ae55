"""Named arrays as the bytes of one file: NumPy's archive format, without pickles."""

import io
from collections.abc import Mapping

import numpy as np


def pack(arrays: Mapping[str, np.ndarray], *, compressed: bool = True) -> bytes:
    """Serialize arrays. Equal arrays in the same order give equal bytes.

    Args:
        arrays: name → array of numbers, booleans or texts.
        compressed: whether the content is compressed; weights and random numbers hardly shrink.

    Raises:
        TypeError: an array holds Python objects, which only a pickle could store.

    >>> unpack(pack({"plays": np.arange(3)}))["plays"].tolist()
    [0, 1, 2]
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:  # not by allow_pickle, which NumPy before 2.2 takes for the name of an array
            raise TypeError(f"{name!r} holds Python objects")
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def unpack(content: bytes) -> dict[str, np.ndarray]:
    """Read all arrays of an archive into memory.

    Raises:
        ValueError: the content is not an archive, or it holds Python objects; EOFError if it is empty.
        BadZipFile: the archive is damaged.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)
