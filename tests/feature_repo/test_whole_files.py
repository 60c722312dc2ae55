"""Small files are written whole, or not at all; an error names the file."""

import errno
import os
from pathlib import Path

import pytest

from feature_repo.whole_files import write_whole


def test_a_full_disk_leaves_the_file_of_before_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mark.json"
    write_whole(path, "before")

    def full(handle: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space") as error:
            write_whole(path, "after")
    assert error.value.filename == str(path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
