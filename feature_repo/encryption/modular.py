"""Parquet Modular Encryption of a whole file in memory.

Every page header, page and the footer is a module of its own, encrypted with AES-256-GCM; the footer as well, so that
neither columns nor statistics can be read without the key. Each module is authenticated with its place: the prefix that
the caller gives, which is not stored, the file's own random bytes, row group, column and page. Pages are not decoded.
polars and Arrow read and write the same format; this module is for files that lie in memory: it is faster for small
ones, and the digest of the plain bytes is known. Indexes of pages are left out.
Source: https://github.com/apache/parquet-format/blob/master/Encryption.md
"""

import secrets
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from feature_repo.encryption.thrift import BINARY, I32, I64, STRUCT, TRUE, Fields, Struct, read_struct, write_struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAIN, ENCRYPTED = b"PAR1", b"PARE"
MAGIC = (PLAIN, ENCRYPTED)
"""What a file begins and ends with: a plain one, an encrypted one."""
_FOOTER, _DATA_PAGE, _DICTIONARY_PAGE, _DATA_HEADER, _DICTIONARY_HEADER = 0, 2, 3, 4, 5
_OVERHEAD = 32
"""Bytes that a module adds: length, nonce and tag."""
_IS_DICTIONARY = 2
_INDEXES = (4, 5, 6, 7)
"""Fields of a column chunk about indexes of pages, which are left out."""
_BLOOM = (14, 15)


_META: Fields = {number: {} for number in (7, 9, 11, *_BLOOM)}
_CHUNK: Fields = {2: {}, 3: _META, **{number: {} for number in _INDEXES}}
_FOOTER_FIELDS: Fields = {4: {1: _CHUNK, 5: {}, 6: {}}}
"""The fields that are changed: sizes and places of row groups, and of their column chunks."""
_HEADER_FIELDS: Fields = {1: {}, 3: {}}
"""Of a page header: kind and size of the page."""


class Modules:
    """Encrypts the modules of one file.

    Args:
        cipher: AES-GCM with the data key.
        prefix: what the file belongs to; not stored.
        unique: the file's own random bytes.
    """

    def __init__(self, cipher: "AESGCM", prefix: bytes, unique: bytes) -> None:
        self._cipher, self._aad = cipher, prefix + unique

    def seal(self, content: bytes, kind: int, *place: int) -> bytes:
        """Encrypts a module; ``place`` is row group, column and page, as far as its kind has them."""
        nonce = secrets.token_bytes(12)
        sealed = self._cipher.encrypt(nonce, content, self._context(kind, place))
        return (len(sealed) + 12).to_bytes(4, "little") + nonce + sealed

    def _context(self, kind: int, place: tuple[int, ...]) -> bytes:
        return self._aad + bytes([kind]) + struct.pack(f"<{len(place)}h", *place)


def encrypt(content: bytes, cipher: "AESGCM", prefix: bytes) -> tuple[bytes, bytes, bytes]:
    """Encrypts a plain file.

    Args:
        content: the file, which polars or Arrow wrote.
        cipher: AES-GCM with the data key.
        prefix: what the file belongs to.

    Returns:
        All before the footer, the file's own random bytes, and the encrypted footer.

    Raises:
        ValueError: this is no plain Parquet file.
    """
    try:
        return _encrypt(_plain_footer(content), content, cipher, prefix)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("a Parquet file with a footer that says nothing of its pages") from error


def _encrypt(footer: Struct, content: bytes, cipher: "AESGCM", prefix: bytes) -> tuple[bytes, bytes, bytes]:
    unique = secrets.token_bytes(8)
    modules = Modules(cipher, prefix, unique)
    parts, position = [ENCRYPTED], len(ENCRYPTED)
    for group_number, group in enumerate(_groups(footer)):
        total = 0
        for column_number, chunk in enumerate(group[1][1][1]):
            meta = chunk[3][1]
            start, size = position, 0
            offsets: dict[int, int] = {}
            for kind, header, page, ordinal in _pages(content, meta):
                offsets.setdefault(kind, position + size)
                header[3] = I32, header[3][1] + _OVERHEAD
                place = (group_number, column_number, *ordinal)
                sealed_header = modules.seal(write_struct(header), _HEADERS[kind], *place)
                sealed_page = modules.seal(page, kind, *place)
                parts += sealed_header, sealed_page
                size += len(sealed_header) + len(sealed_page)
            _move(chunk, meta, start, size, offsets)
            chunk[8] = STRUCT, {1: (STRUCT, {})}
            position += size
            total += size
        _move_group(group, total)
    return b"".join(parts), unique, modules.seal(write_struct(footer), _FOOTER)


def algorithm(unique: bytes, key_metadata: bytes) -> bytes:
    """The start of an encrypted footer: AES-GCM, the file's own bytes, a prefix that is not stored, the key."""
    aes_gcm: Struct = {2: (BINARY, unique), 3: (TRUE, True)}
    return write_struct({1: (STRUCT, {1: (STRUCT, aes_gcm)}), 2: (BINARY, key_metadata)})


_HEADERS = {_DATA_PAGE: _DATA_HEADER, _DICTIONARY_PAGE: _DICTIONARY_HEADER}


def _plain_footer(content: bytes) -> Struct:
    if content[:4] != PLAIN or content[-4:] != PLAIN or len(content) < 12:
        raise ValueError("no plain Parquet file")
    length = int.from_bytes(content[-8:-4], "little")
    return read_struct(content, len(content) - 8 - length, _FOOTER_FIELDS)[0]


def _groups(footer: Struct) -> list[Struct]:
    return footer[4][1][1] if 4 in footer else []


def _start(meta: Struct) -> int:
    """Where the pages of a column chunk begin."""
    return int(min((meta[number][1] for number in (9, 11) if number in meta and meta[number][1]), default=0))


def _pages(content: bytes, meta: Struct) -> Iterator[tuple[int, Struct, bytes, tuple[int, ...]]]:
    """Yields kind, header and bytes of each page of a column chunk, and its ordinal if it has one."""
    place = _start(meta)
    end, page_number = place + meta[7][1], 0
    while place < end:
        header, start = read_struct(content, place, _HEADER_FIELDS)
        is_dictionary = header[1][1] == _IS_DICTIONARY
        kind, ordinal = (_DICTIONARY_PAGE, ()) if is_dictionary else (_DATA_PAGE, (page_number,))
        page_end = start + header[3][1]
        yield kind, header, content[start:page_end], ordinal
        place, page_number = page_end, page_number + (not is_dictionary)


def _move(chunk: Struct, meta: Struct, start: int, size: int, offsets: dict[int, int]) -> None:
    """Writes the new places of a column chunk, and leaves out those of its indexes."""
    meta[7] = I64, size
    if meta[9][1]:  # a chunk without rows may have a dictionary alone
        meta[9] = I64, offsets.get(_DATA_PAGE, start)
    if 11 in meta and _DICTIONARY_PAGE in offsets:
        meta[11] = I64, offsets[_DICTIONARY_PAGE]
    if chunk.get(2, (I64, 0))[1]:
        chunk[2] = I64, start
    for number in _INDEXES:
        chunk.pop(number, None)
    for number in _BLOOM:
        meta.pop(number, None)


def _move_group(group: Struct, size: int) -> None:
    """Writes the new place and size of a row group, where they are noted."""
    chunks: list[Struct] = group[1][1][1]
    for number, value in ((5, _start(chunks[0][3][1]) if chunks else 0), (6, size)):
        if number in group:
            group[number] = I64, value
