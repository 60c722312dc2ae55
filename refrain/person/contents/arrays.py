"""Arrays of numpy: the distinct values of an array of texts; ``.npz`` is a zip of arrays."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from refrain.person.contents.reader import Part, Reader, values_part


def _read(content: bytes, _path: Path | None) -> Iterator[Part]:
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.kind in "US":
        yield values_part("texts", np.unique(array).tolist())


NPY = Reader("npy", lambda content: content[:6] == b"\x93NUMPY", _read, is_complete=True)
