"""Files and logs of a data folder with encryption on: read as they were written, or refused."""

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_repo import whole_files
from feature_repo.encryption.file_list import FileList
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.sealed_log import SealedLogs
from feature_repo.encryption.settings import KEY
from feature_repo.encryption.stored_files import (
    read_lines,
    read_stored,
    remove_stored,
    salt_of,
    write_lines,
    write_stored,
)
from feature_repo.errors import EncryptionError
from feature_repo.home import Home
from tests.sealed import turn_on

LINES = [b'{"user_id": "u000042", "n": %d}' % number for number in range(5)]


@pytest.fixture
def keys(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EncryptionKeys:
    return turn_on(home.ensure(), tmp_path, monkeypatch)


@pytest.fixture
def logs(home: Home, keys: EncryptionKeys) -> Iterator[SealedLogs]:
    yield SealedLogs(home, keys)


def log_of(home: Home, day: str = "2026-03-01", name: str = "1-a.jsonl") -> Path:
    path = home.impressions / f"date={day}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_file_is_sealed_on_the_disk_and_reads_as_written(home: Home, keys: EncryptionKeys) -> None:
    path = home.reports / "new" / "a.json"
    write_stored(path, b"u000042", home, "reports", is_secret=True)
    assert b"u000042" not in path.read_bytes() and read_stored(path, home) == b"u000042"
    assert path.stat().st_mode & 0o777 == 0o600
    write_stored(path, b"", home, "reports")
    assert read_stored(path, home) == b""


def test_plain_files_of_before_are_read_and_nothing_is_sealed_while_it_is_off(home: Home, tmp_path: Path) -> None:
    path, log = home.reports / "a.json", log_of(home)
    write_stored(path, b"before", home, "reports")
    write_lines(log, LINES, home)
    assert path.read_bytes() == b"before" and log.read_bytes() == b"\n".join(LINES) + b"\n"
    with pytest.MonkeyPatch.context() as patch:
        turn_on(home, tmp_path, patch)
        assert read_stored(path, home) == b"before" and read_lines(log, home) == LINES
    assert not (home.root / "security").exists()


def test_a_sealed_file_without_the_key_says_which_setting(
    home: Home, keys: EncryptionKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home.reports / "a.json"
    write_stored(path, b"a", home, "reports")
    home.encryption_keys.unlink()
    monkeypatch.delenv(KEY)
    with pytest.raises(EncryptionError, match=KEY):
        read_stored(path, home)


def _swap(one: Path, two: Path, _old: bytes) -> None:
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        _swap,
        lambda one, two, old: one.write_bytes(two.read_bytes()),
        lambda one, two, old: one.write_bytes(old),
        lambda one, two, old: one.write_bytes(b"u000043"),
        lambda one, two, old: one.write_bytes(b""),
        lambda one, two, old: os.truncate(one, one.stat().st_size - 1),
        lambda one, two, old: one.write_bytes(one.read_bytes() + old),
    ],
    ids=["swapped", "replaced", "rolled back", "plain", "emptied", "cut off", "appended"],
)
def test_a_file_that_was_tampered_with_is_refused(home: Home, keys: EncryptionKeys, change) -> None:  # type: ignore[no-untyped-def]
    one, two = home.reports / "a.json", home.reports / "b.json"
    write_stored(one, b"old", home, "reports")
    old = one.read_bytes()
    write_stored(one, b"u000042", home, "reports")
    write_stored(two, b"u000043", home, "reports")
    change(one, two, old)
    with pytest.raises(EncryptionError):
        read_stored(one, home)


def test_a_file_that_was_removed_and_put_back_is_refused(home: Home, keys: EncryptionKeys) -> None:
    path = home.reports / "a.json"
    write_stored(path, b"a", home, "reports")
    content = path.read_bytes()
    remove_stored(path, home)
    path.write_bytes(content)
    with pytest.raises(EncryptionError, match="older one"):
        read_stored(path, home)


def test_a_file_of_another_tenant_is_refused(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turn_on(home.ensure(), tmp_path, monkeypatch)
    other = Home(home.root, "other")
    write_stored(other.reports / "a.json", b"a", other, "reports")
    write_stored(home.reports / "a.json", b"b", home, "reports")
    shutil.copy(other.reports / "a.json", home.reports / "a.json")
    with pytest.raises(EncryptionError, match="tenant other"):
        read_stored(home.reports / "a.json", home)


def test_a_list_that_was_changed_is_refused(home: Home, keys: EncryptionKeys) -> None:
    path, files = home.reports / "a.json", FileList(home, keys)
    write_stored(path, b"a", home, "reports")
    content = bytearray(files.path.read_bytes())
    content[-1] ^= 1
    files.path.write_bytes(content)
    with pytest.raises(EncryptionError):
        read_stored(path, home)
    files.path.unlink()
    with pytest.raises(EncryptionError):
        read_stored(path, home)


@pytest.mark.parametrize("step", ["before the name", "after the name"])
def test_a_writer_that_is_killed_leaves_the_old_or_the_new_file(
    home: Home, keys: EncryptionKeys, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = home.reports / "a.json"
    write_stored(path, b"old", home, "reports")

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*((whole_files.os, "replace") if step == "before the name" else (FileList, "keep_only")), killed)
        write_stored(path, b"secret u000042", home, "reports")
    assert read_stored(path, home) == (b"old" if step == "before the name" else b"secret u000042")
    assert not [file for file in home.root.rglob("*") if file.is_file() and b"u000042" in file.read_bytes()]


def test_a_log_is_sealed_and_reads_line_by_line(home: Home, logs: SealedLogs) -> None:
    path = log_of(home)
    for line in LINES[:3]:
        logs.append(path, line)
    logs.append(path, b"\n".join(LINES[3:]))
    assert b"u000042" not in path.read_bytes() and read_lines(path, home) == LINES
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_process_that_is_killed_leaves_a_block_cut_off(home: Home, logs: SealedLogs) -> None:
    path = log_of(home)
    ends = []
    for line in LINES:
        logs.append(path, line)
        ends.append(path.stat().st_size)
    content = path.read_bytes()
    for size in range(ends[2], ends[3]):
        path.write_bytes(content[:size])
        assert read_lines(path, home) == LINES[:3]


def test_every_flipped_byte_of_a_log_is_refused(home: Home, logs: SealedLogs) -> None:
    path = log_of(home)
    logs.append(path, LINES[0])
    logs.append(path, LINES[1])
    logs.close()
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(EncryptionError):
            read_lines(path, home)


def _blocks(home: Home, logs: SealedLogs, path: Path) -> list[bytes]:
    ends = [0]
    for line in LINES:
        logs.append(path, line)
        ends.append(path.stat().st_size)
    logs.close()
    content = path.read_bytes()
    ends.append(len(content))
    return [content[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize(
    "order",
    [(0, 2, 1, 3, 4, 5), (0, 1, 3, 4, 5), (0, 1, 1, 2, 3, 4, 5), (0, 1, 2, 3, 4), (0, 1), (), (0, 1, 2, 3, 4, 5, 5)],
    ids=["swapped", "removed", "repeated", "without its end", "cut off", "empty", "appended"],
)
def test_a_closed_log_with_other_blocks_is_refused(home: Home, logs: SealedLogs, order: tuple[int, ...]) -> None:
    path = log_of(home)
    blocks = _blocks(home, logs, path)
    assert read_lines(path, home) == LINES
    path.write_bytes(b"".join(blocks[number] for number in order))
    with pytest.raises(EncryptionError):
        read_lines(path, home)


def test_blocks_of_another_log_are_refused(home: Home, logs: SealedLogs) -> None:
    one, two = log_of(home, name="1-a.jsonl"), log_of(home, name="1-b.jsonl")
    blocks, others = _blocks(home, logs, one), _blocks(home, logs, two)
    one.write_bytes(b"".join([blocks[0], others[1], *blocks[2:]]))
    with pytest.raises(EncryptionError):
        read_lines(one, home)
    shutil.copy(two, one)
    with pytest.raises(EncryptionError):
        read_lines(one, home)


def test_lines_that_were_erased_do_not_come_back(home: Home, logs: SealedLogs) -> None:
    path = log_of(home)
    logs.append(path, LINES[0])
    before = path.read_bytes()
    write_lines(path, [], home)
    assert read_lines(path, home) == []
    logs.append(path, LINES[1])  # the process that writes goes on in another file
    assert read_lines(path, home) == []
    assert [read_lines(file, home) for file in path.parent.iterdir() if file != path] == [[LINES[1]]]
    path.write_bytes(before)
    with pytest.raises(EncryptionError, match="older one"):
        read_lines(path, home)


def test_a_log_that_is_packed_is_read_under_its_new_name_alone(home: Home, logs: SealedLogs) -> None:
    path = log_of(home, name="1-a.jsonl")
    logs.append(path, LINES[0])
    taken = path.rename(path.with_name("1-a-0f.packing"))
    logs.append(path, LINES[1])
    assert read_lines(taken, home) == LINES[:1] and read_lines(path, home) == LINES[1:2]
    remove_stored(taken, home)
    assert read_lines(path, home) == LINES[1:2]
    with pytest.raises(EncryptionError):
        read_lines(path.rename(path.with_name("1-b.jsonl")), home)


def test_the_next_day_closes_the_log_of_the_day_before(home: Home, keys: EncryptionKeys, logs: SealedLogs) -> None:
    first, second = log_of(home, "2026-03-01"), log_of(home, "2026-03-02")
    logs.append(first, LINES[0])
    logs.append(second, LINES[1])
    closed = [
        FileList(home, keys).check(f"default:{path.relative_to(home.root)}", salt_of(path.read_bytes()))
        for path in (first, second)
    ]
    assert closed == [True, False]
    logs.close()
    logs.append(second, LINES[2])
    assert read_lines(second, home) == [LINES[1]]


def test_a_full_disk_leaves_the_log_as_it_was(home: Home, logs: SealedLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    path = log_of(home)
    logs.append(path, LINES[0])
    write = os.write
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(whole_files.os, "write", lambda handle, content: write(handle, content[:7]))
        logs.append(path, LINES[1])
    assert read_lines(path, home) == LINES[:1]
    logs.append(path, LINES[2])
    assert sorted(line for file in path.parent.iterdir() for line in read_lines(file, home)) == [LINES[0], LINES[2]]
