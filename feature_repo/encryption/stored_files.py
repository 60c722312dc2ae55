"""Files of the data folder as they are stored: sealed where encryption is on, plain where it is not.

All code that reads or writes logs, bundles and reports calls these functions, so that a folder may hold plain files of
before beside sealed ones. A plain file at a place whose file was sealed is refused.
"""

import io
from collections.abc import Iterable
from pathlib import Path

from feature_repo.encryption import bundle_files, sealed_log
from feature_repo.encryption.file_list import PLAIN, FileList, list_of
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.sealed_file import MAGIC, Header, is_sealed, open_sealed, refusal, seal
from feature_repo.encryption.sealed_log import is_sealed_log, open_log, seal_log
from feature_repo.encryption.settings import KEY
from feature_repo.encryption.stored_place import stored_place
from feature_repo.errors import EncryptionError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole


def read_stored(path: Path, home: Home) -> bytes:
    """The content of a file, opened if it is sealed.

    Args:
        path: a file in the data folder.
        home: the data folder.

    Raises:
        FileNotFoundError: there is no file.
        SealError: it was changed, moved or rolled back.
        EncryptionError: it is sealed, and its key is not there.

    >>> read_stored(Path("/srv/refrain/models/tenant=default/a/1/model.onnx"), Home.from_env())    # doctest: +SKIP
    """
    return open_content(path.read_bytes(), path, home)


def open_content(content: bytes, path: Path, home: Home) -> bytes:
    """What ``read_stored`` returns, of bytes that were read already."""
    if is_sealed_log(content):
        return b"".join(line + b"\n" for line in _open_log(content, path, home))
    if not is_sealed(content):
        _refuse_plain(path, home)
        return content
    if (path.parent / bundle_files.MANIFEST).is_file():
        return bundle_files.read_file(path.parent, path.name, home)
    keys, place = _keys(home, path), stored_place(home, path)
    plain = open_sealed(content, keys, place)
    if path != list_of(home):  # the list does not list itself
        FileList(home, keys).check(place, salt_of(content))
    return plain


def read_lines(path: Path, home: Home) -> list[bytes]:
    """The lines of a log, plain or sealed, without their line breaks.

    Lines that a killed process has cut off are left out of a sealed log; of a plain one, they are there as they are.

    Raises:
        FileNotFoundError: there is no file.
        SealError: the log was changed, moved, cut off after it was closed, or rolled back.
        EncryptionError: it is sealed, and its key is not there.
    """
    content = path.read_bytes()
    if is_sealed_log(content):
        return _open_log(content, path, home)
    return open_content(content, path, home).splitlines()


def write_stored(path: Path, content: bytes, home: Home, scope: str, *, is_secret: bool = False) -> None:
    """Writes a file whole, sealed where encryption is on; makes its folder.

    A reader sees the old content or the new one; what a killed writer leaves is sealed, too.

    Args:
        path: a file in the data folder.
        content: its content.
        home: the data folder.
        scope: scope of the data key, such as ``bundles``.
        is_secret: whether only the owner may read it.
    """
    keys = EncryptionKeys.of(home)
    if keys is None:
        write_whole(path, content, is_secret=is_secret)
        return
    files, place = FileList(home, keys), stored_place(home, path)
    sealed_content = seal(content, keys.key(scope), place)
    salt = salt_of(sealed_content)
    files.add(place, salt, is_closed=True)
    write_whole(path, sealed_content, is_secret=is_secret)
    files.keep_only(place, salt)


def write_lines(path: Path, lines: Iterable[bytes], home: Home) -> None:
    """Writes a log whole, readable by its owner alone, sealed where encryption is on.

    Args:
        path: a log in the data folder.
        lines: its lines, with or without line breaks.
        home: the data folder.
    """
    keys = EncryptionKeys.of(home)
    if keys is None:
        write_whole(path, b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines), is_secret=True)
        return
    files, place = FileList(home, keys), stored_place(home, path)
    before = path.read_bytes() if path.is_file() else b""
    content = seal_log(lines, keys, place)
    files.add(place, salt_of(content), is_closed=True)
    write_whole(path, content, is_secret=True)
    if is_sealed_log(before):  # another log may have the same place, while one is being packed
        files.drop(place, salt_of(before))


def remove_stored(path: Path, home: Home) -> None:
    """Removes a file, and refuses it from then on, should it be put back."""
    content = path.read_bytes() if (keys := EncryptionKeys.for_reading(home)) is not None else b""
    path.unlink()
    if keys is not None and (is_sealed(content) or is_sealed_log(content)):
        FileList(home, keys).drop(stored_place(home, path), salt_of(content))


def make_plain(path: Path, home: Home) -> None:
    """Writes a sealed file or log anew as a plain one, with the same permissions. May be killed and repeated."""
    mode = path.stat().st_mode
    sealed_content, place = path.read_bytes(), stored_place(home, path)
    content, files = open_content(sealed_content, path, home), FileList(home, _keys(home, path))
    files.allow_plain(place)
    write_whole(path, content, is_secret=True)
    path.chmod(mode)
    files.drop(place, salt_of(sealed_content))


def salt_of(content: bytes) -> bytes:
    """The salt of a sealed file or log, from its first bytes.

    Raises:
        SealError: it has no whole header.
    """
    magic = MAGIC if is_sealed(content) else sealed_log.MAGIC
    return Header.read(io.BytesIO(content), magic, "a sealed file").salt


def _open_log(content: bytes, path: Path, home: Home) -> list[bytes]:
    keys, place = _keys(home, path), stored_place(home, path)
    lines, salt, is_ended = open_log(content, keys, place)
    if FileList(home, keys).check(place, salt) and not is_ended:
        raise refusal(place, "its end is missing, though it was closed")
    return lines


def _refuse_plain(path: Path, home: Home) -> None:
    """Refuse a plain file where a sealed one was."""
    if not list_of(home).is_file() or not path.is_relative_to(home.root):
        return
    place = stored_place(home, path)
    if PLAIN not in FileList(home, _keys(home, path)).read().get(place, {PLAIN: True}):
        raise refusal(place, "a plain file, where a sealed one was")


def _keys(home: Home, path: Path) -> EncryptionKeys:
    keys = EncryptionKeys.for_reading(home)
    if keys is None:
        raise EncryptionError(
            expected=f"the key-encryption key of {home.root}, as {path} is sealed",
            found="nothing that says where it is",
            next_command=f"export {KEY}=file:/the/key/of/this/folder",
        )
    return keys
