"""Files, folders and archives: what is in them is found and read, and what is damaged is named."""

import gzip
import io
import os
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import InputError
from tests.transforms.raw.files.containers import CONTAINERS, tarred, zipped, zstd_zip
from transforms.raw.files import streams, tar
from transforms.raw.files.members import Member, members, single

CONTENT = b"".join(b"line %d of a file\n" % number for number in range(2_000))


NOISE = os.urandom(5 << 18)


def content(member: Member) -> bytes:
    with member.open() as handle:
        return handle.read()


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_its_file(container: str, tmp_path: Path) -> None:
    path = CONTAINERS[container](tmp_path, "plays.jsonl", CONTENT)
    listed = list(members(path))
    whole = [member for member in listed if not member.damage]
    assert [content(member) for member in whole] == [CONTENT]
    assert (whole[0].stem, whole[0].file_name) == ("plays", "plays.jsonl")
    assert [member.damage.partition(":")[0] for member in listed if member.damage] == (
        ["the table of contents is missing"]
        if "without its table" in container
        else ["the end is missing"]
        if "without its end" in container
        else []
    )


@pytest.mark.parametrize("container", CONTAINERS)
def test_progress_grows_to_the_size(container: str, tmp_path: Path) -> None:
    member = next(members(CONTAINERS[container](tmp_path, "plays.jsonl", NOISE)))
    positions = []
    with member.open() as handle:
        while handle.read(1 << 18):
            positions.append(handle.position())
    assert positions == sorted(positions)
    assert len(set(positions)) > 1 or "bzip2" in container, "whose blocks are larger than this file"
    assert 0.9 * member.size < positions[-1] <= member.size


def test_a_folder_with_everything_in_it(tmp_path: Path) -> None:
    for name, data in {
        "b/10.json": b"1",
        "b/9.json": b"2",
        ".scrobbler.log": b"3",
        "log/auth.log.2.gz": gzip.compress(b"4"),
        "part.zip": zipped({"y": b"5", "x/z.json": b"6", "deep.zip": zipped({"w": b"7"})}),
        "book.xlsx": zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"}),
        "empty.zip": zipped({}),
        ".DS_Store": b"0",
        "__MACOSX/._b": b"0",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe")
    listed = {member.name: member for member in members(tmp_path)}
    names = [".scrobbler.log", "b/10.json", "b/9.json", "book.xlsx", "log/auth.log.2.gz"]
    assert list(listed) == [*names, "part.zip/deep.zip/w", "part.zip/x/z.json", "part.zip/y"]
    assert [content(member) for name, member in listed.items() if name != "book.xlsx"] == [
        b"3", b"1", b"2", b"4", b"7", b"6", b"5",
    ]  # fmt: skip
    assert listed["log/auth.log.2.gz"].file_name == "auth.log.2"
    assert listed["part.zip/x/z.json"].place == f"{tmp_path / 'part.zip'}: x/z.json"


def test_folders_that_are_not_looked_into_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("export/ä b", "export/locked", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "elsewhere" / "x").write_bytes(b"1")
    (tmp_path / "export" / "ä b" / "y").symlink_to(tmp_path / "elsewhere" / "x")
    (tmp_path / "export" / "circle").symlink_to(tmp_path / "export")
    (tmp_path / "export" / "gone").symlink_to(tmp_path / "nowhere")
    scan = os.scandir

    def refused(place: Any) -> Any:
        if str(place).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", refused)
    listed = [(member.name, member.damage) for member in members(tmp_path / "export")]
    assert listed == [
        ("circle", "a link to a folder"),
        ("locked", "a folder that cannot be read: Permission denied"),
        ("ä b/y", ""),
    ]


def test_members_can_be_read_after_they_are_listed(tmp_path: Path) -> None:
    path = CONTAINERS["zip in zip"](tmp_path, "a.txt", CONTENT)
    listed = list(members(path))
    path.unlink()
    assert [content(member) for member in listed * 2] == [CONTENT, CONTENT]


def test_a_damaged_entry_does_not_stop_the_others(tmp_path: Path) -> None:
    packed = bytearray(zipped({"a": CONTENT, "b": CONTENT[::-1], "c": b"x" * 99}))
    middle = packed.index(b"PK\x03\x04", 4) + 60
    packed[middle : middle + 40] = bytes(40)
    (tmp_path / "export.zip").write_bytes(packed)
    first, second, third = members(tmp_path / "export.zip")
    assert (content(first), content(third)) == (CONTENT, b"x" * 99)
    with pytest.raises(InputError, match="b, which is cut short or damaged"):
        content(second)


def test_an_archive_that_is_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    noise = os.urandom(5_000)
    packed = zipped({"a": CONTENT, "b": noise})
    (tmp_path / "export.zip").write_bytes(packed[: packed.index(b"PK\x03\x04", 4) + 2_000])
    first, second, notice = members(tmp_path / "export.zip")
    assert content(first) == CONTENT
    with second.open() as handle, pytest.raises(InputError, match="cut short or damaged"):
        assert noise.startswith(handle.read1(1_000))
        handle.read()
    assert "files may be missing at its end" in notice.damage


def test_archives_too_deep_and_locked_ones_are_named(tmp_path: Path) -> None:
    inner = zipped({"c.zip": zipped({"d": b"1"})})
    locked = bytearray(zipped({"secret": b"1"}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    other = bytearray(zipped({"large": b"1"}))
    for place in (other.index(b"PK\x03\x04") + 8, other.index(b"PK\x01\x02") + 10):
        other[place] = 9
    files = {"b.zip": inner, "l.zip": bytes(locked), "n.zip": b"no zip", "o.zip": bytes(other)}
    (tmp_path / "export.zip").write_bytes(zipped(files))
    damages = {member.name: member.damage for member in members(tmp_path / "export.zip")}
    assert damages == {
        "b.zip/c.zip": "an archive 3 archives deep",
        "l.zip/secret": "a password locks it",
        "n.zip": "no archive",
        "o.zip/large": "it is packed by deflate64; unpack it with another program, and import the folder",
    }
    for member in members(tmp_path / "export.zip"):
        with pytest.raises(InputError), member.open():
            pass


def test_links_and_devices_of_a_tar_archive_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "export.tar", "w") as archive:
        for name, kind, target in (
            ("a", tarfile.SYMTYPE, "/etc/passwd"),
            ("b", tarfile.LNKTYPE, "c"),
            ("d", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        for text in (b"old", b"new"):
            info = tarfile.TarInfo("../c\udce4")
            info.size, info.mtime = len(text), 10**15
            archive.addfile(info, io.BytesIO(text))
    assert [(member.name, content(member)) for member in members(tmp_path / "export.tar")] == [
        ("../c\N{REPLACEMENT CHARACTER}", b"new")
    ]


@pytest.mark.parametrize("place", [700, 3_000, 90_000])
def test_a_packed_tar_archive_that_is_cut_short_gives_what_is_whole(place: int, tmp_path: Path) -> None:
    packed = gzip.compress(tarred({"a": CONTENT, "b": NOISE}), 0)
    (tmp_path / "export.tar.gz").write_bytes(packed[: len(packed) - 100] if place == 90_000 else packed[:place])
    *found, notice = members(tmp_path / "export.tar.gz")
    assert [member.name for member in found] == (["a", "b"] if place == 90_000 else ["a"])
    assert "cut short or damaged" in notice.damage
    if place == 90_000:
        assert [content(member) for member in found] == [CONTENT, NOISE]
    else:
        with pytest.raises(InputError, match="cut short or damaged"):
            content(found[0])


def test_headers_made_to_fill_memory_or_to_turn_in_circles_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar, "LARGEST_HEADER", 1 << 14)
    with tarfile.open(tmp_path / "long.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("x" * (1 << 15)))
    (notice,) = members(tmp_path / "long.tar")
    assert "a header of" in notice.damage
    circle = bytearray(tarred({"a": b"1", "b": b"2"}))
    circle[1024 + 124 : 1024 + 136] = (-2048).to_bytes(12, "big", signed=True)
    circle[1024 + 148 : 1024 + 156] = b" " * 8
    circle[1024 + 148 : 1024 + 155] = b"%06o\0" % sum(circle[1024:1536])
    (tmp_path / "circle.tar").write_bytes(circle)
    listed = list(members(tmp_path / "circle.tar"))
    assert [member.name for member in listed if not member.damage] == ["a"]
    assert listed[-1].damage


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "export.tar.gz").write_bytes(gzip.compress(tarred({"a": CONTENT})))
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
        (member,) = members(tmp_path / "export.tar.gz")
    assert "no room for it" in member.damage


def test_a_name_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(zipped({"../\x1b[31mred\n.json": b"1"}))
    assert (
        next(members(tmp_path / "export.zip")).name
        == "../\N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}.json"
    )


@pytest.mark.parametrize(
    "container",
    ["gzip", "xz", "bzip2", "zstd", "zip", "zstd in zip", "gzip in zip", "zip in zip", "tar.gz", "tgz in zip"],
)
def test_bombs_are_refused(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = CONTAINERS[container](tmp_path, "ones", b"1" * (2 << 20))
    assert len(content(next(members(path)))) == 2 << 20, "small files may be packed well"
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    monkeypatch.setattr(streams, "GREATEST_RATIO", 20)
    with pytest.raises(InputError, match="made to fill memory"):
        for member in members(path):
            content(member)


def test_many_members_share_one_allowance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FREE_BYTES", 5 << 20)
    monkeypatch.setattr(streams, "GREATEST_RATIO", 20)
    path = tmp_path / "export.zip"
    path.write_bytes(zipped({str(number): b"1" * (1 << 20) for number in range(8)}))
    listed = list(members(path))
    for _again in range(9):
        content(listed[0])
    with pytest.raises(InputError, match="made to fill memory"):
        for member in listed:
            content(member)


def test_the_checksum_of_an_entry_of_zstd_counts(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    data = bytearray(zstd_zip("a", b"1" * 1000))
    assert data.count(zlib.crc32(b"1" * 1000).to_bytes(4, "little")) == 2
    path.write_bytes(data.replace(zlib.crc32(b"1" * 1000).to_bytes(4, "little"), b"\x00\x00\x00\x01"))
    with pytest.raises(InputError, match="its checksum differs"):
        content(next(members(path)))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing at"):
        list(members(tmp_path / "absent"))
    assert list(members(tmp_path)) == []
    os.mkfifo(tmp_path / "pipe")
    for pipe in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InputError, match="a pipe or a device"):
            list(members(pipe))
    (tmp_path / "a.zip").write_bytes(zipped({"x": b"1"}))
    assert [member.name for member in (single(tmp_path / "a.zip"),)] == ["a.zip"]
    assert zipfile.is_zipfile(tmp_path / "a.zip")
