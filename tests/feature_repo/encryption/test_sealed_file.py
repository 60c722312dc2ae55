"""Sealed files: whatever is done to one, it opens as it was written or not at all."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.encryption import sealed_file
from feature_repo.encryption.key_ring import DataKey
from feature_repo.encryption.sealed_file import CHUNK, TAG, SealError, open_sealed, open_stream, seal, seal_stream
from feature_repo.errors import InputError, RefrainError

PLACE = "default:reports/tenant=default/a.json"


class Keys:
    """Data keys by their id."""

    def __init__(self, *keys: DataKey) -> None:
        self._keys = {key.id: key for key in keys}

    def by_id(self, key_id: str) -> DataKey:
        if key_id not in self._keys:
            raise InputError(expected="a key", found=key_id, next_command="refrain encryption status")
        return self._keys[key_id]


KEY = DataKey("k1", os.urandom(32))
KEYS = Keys(KEY)


@given(st.binary(max_size=200), st.text("aé/:", max_size=20))
def test_a_content_comes_back_and_is_not_in_the_file(content: bytes, place: str) -> None:
    sealed = seal(content, KEY, place)
    assert open_sealed(sealed, KEYS, place) == content
    assert len(content) < 4 or content not in sealed
    assert sealed != seal(content, KEY, place)


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5])
def test_lengths_around_a_chunk(length: int) -> None:
    content = os.urandom(length)
    sealed = seal(content, KEY, PLACE)
    assert open_sealed(sealed, KEYS, PLACE) == content
    assert len(sealed) == sealed.index(KEY.id.encode()) + len(KEY.id) + 32 + length + TAG * max(1, -(-length // CHUNK))


@given(st.lists(st.integers(0, 3 * CHUNK // 2), max_size=4))
def test_parts_of_any_length_give_the_same_chunks(lengths: list[int]) -> None:
    parts = [bytes([number]) * length for number, length in enumerate(lengths)]
    sealed = list(seal_stream(parts, KEY, PLACE))
    assert all(len(chunk) == CHUNK + TAG for chunk in sealed[1:-1])
    assert b"".join(open_stream(io.BytesIO(b"".join(sealed)), KEYS, PLACE)) == b"".join(parts)


def test_every_flipped_bit_of_a_small_file_is_refused() -> None:
    sealed = seal(b"a person", KEY, PLACE)
    for number in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[number // 8] ^= 1 << number % 8
        with pytest.raises(RefrainError):
            open_sealed(bytes(changed), KEYS, PLACE)


@pytest.mark.parametrize("length", [10, CHUNK, 2 * CHUNK + 5])
def test_a_file_that_is_cut_off_is_refused(length: int) -> None:
    sealed = seal(bytes(length), KEY, PLACE)
    header = len(sealed) - length - TAG * max(1, -(-length // CHUNK))
    ends = {0, 3, header - 1, header, header + 5, header + CHUNK + TAG, header + 2 * (CHUNK + TAG), len(sealed) - 1}
    for end in sorted(end for end in ends if end < len(sealed)):
        with pytest.raises(SealError):
            open_sealed(sealed[:end], KEYS, PLACE)


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(SealError):
        open_sealed(seal(b"a", KEY, PLACE) + b"b", KEYS, PLACE)


def test_chunks_that_are_swapped_repeated_or_of_another_file_are_refused() -> None:
    first, second = (list(seal_stream([os.urandom(3 * CHUNK)], KEY, PLACE)) for _ in range(2))
    start, one, two, three = first
    for chunks in ([start, two, one, three], [start, one, one, three], [start, one, three], [start, one, *second[2:]]):
        with pytest.raises(SealError):
            open_sealed(b"".join(chunks), KEYS, PLACE)


@pytest.mark.parametrize("place", ["default:reports/tenant=default/b.json", "other:reports/tenant=default/a.json", ""])
def test_another_place_or_tenant_is_refused(place: str) -> None:
    with pytest.raises(SealError, match=place or "changed"):
        open_sealed(seal(b"a", KEY, PLACE), KEYS, place)


def test_another_key_of_the_same_name_is_refused() -> None:
    with pytest.raises(SealError):
        open_sealed(seal(b"a", KEY, PLACE), Keys(DataKey("k1", os.urandom(32))), PLACE)
    with pytest.raises(InputError, match="k1"):
        open_sealed(seal(b"a", KEY, PLACE), Keys(), PLACE)


def test_a_newer_version_of_the_format_says_so() -> None:
    sealed = seal(b"a", KEY, PLACE)
    assert sealed_file.is_sealed(sealed[:4] + b"\x02" + sealed[5:])
    with pytest.raises(SealError, match="this version"):
        open_sealed(sealed[:4] + b"\x02" + sealed[5:], KEYS, PLACE)


def test_what_is_shown_of_a_key_hides_it() -> None:
    assert KEY.secret.hex() not in repr(KEY) and repr(KEY.secret) not in repr(KEY)
