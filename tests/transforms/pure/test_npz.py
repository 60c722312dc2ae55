"""Arrays as the bytes of a file: they come back as they were, and pickles are refused in both directions."""

import io
import zipfile

import numpy as np
import pytest

from transforms.pure import npz

ARRAYS = {
    "": np.frombuffer(b'{"a": 1}', np.uint8),
    "values/model": np.array([0.1, np.nan, np.inf]),
    "matrix": np.arange(6, dtype=np.int32).reshape(2, 3).T,
    "texts": np.array(["", "é", "日本"], dtype=np.str_),
    "none": np.empty((0, 4), np.float16),
    "one": np.array(True),
}


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_come_back_as_they_were(compressed: bool) -> None:
    content = npz.pack(ARRAYS, compressed=compressed)
    assert content == npz.pack(ARRAYS, compressed=compressed)
    read = npz.unpack(content)
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_the_bytes_are_those_of_numpy() -> None:
    for compressed, save in ((True, np.savez_compressed), (False, np.savez)):
        content = io.BytesIO()
        save(content, **ARRAYS)
        assert npz.pack(ARRAYS, compressed=compressed) == content.getvalue()


def test_python_objects_are_neither_written_nor_read() -> None:
    objects = {"texts": np.array(["a", None], dtype=object)}
    with pytest.raises(TypeError, match="'texts' holds Python objects"):
        npz.pack(objects)
    content = io.BytesIO()
    np.savez(content, **objects)
    with pytest.raises(ValueError, match="allow_pickle"):
        npz.unpack(content.getvalue())


@pytest.mark.parametrize("content", [b"", b"text", npz.pack(ARRAYS)[:-40]])
def test_damaged_bytes_are_an_error(content: bytes) -> None:
    with pytest.raises((ValueError, EOFError, zipfile.BadZipFile)):
        npz.unpack(content)
