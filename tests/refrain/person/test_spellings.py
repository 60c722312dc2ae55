"""The spellings of an id are found wherever they are planted, and shorter ids within longer ones are not."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refrain.person.contents.json_documents import values_of
from refrain.person.spellings import is_distinctive, spellings

IDS = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=5, max_size=24).filter(is_distinctive)


def hits(id_: str, content: bytes, *, is_delimited: bool = False) -> tuple[set[str], set[str]]:
    counts = {each: each.count(content, is_delimited=is_delimited) for each in spellings(id_)}
    return (
        {each.form for each, (certain, _) in counts.items() if certain},
        {each.form for each, (_, possible) in counts.items() if possible},
    )


@given(IDS, st.binary(max_size=9), st.binary(max_size=9))
def test_base64_is_found_at_each_of_its_three_places(id_: str, before: bytes, after: bytes) -> None:
    content = base64.b64encode(before + id_.encode() + after)
    assert "base64" in hits(id_, content)[0]
    assert "base64" in hits(id_, base64.urlsafe_b64encode(before + id_.encode() + after))[0]


@given(IDS)
def test_codings_and_digests_are_found(id_: str) -> None:
    raw = id_.encode()
    planted = {
        "UTF-16": id_.encode("utf-16-le"),
        "UTF-32": id_.encode("utf-32-le"),
        "hex": raw.hex().encode(),
        "md5": hashlib.md5(raw).digest(),
        "sha256": hashlib.sha256(raw).hexdigest().encode(),
        "sha512": base64.b64encode(hashlib.sha512(raw).digest()),
        "blake2b": hashlib.blake2b(raw, digest_size=8).digest(),
    }
    for form, content in planted.items():
        assert form in hits(id_, b"\x01before " + content + b" after")[0], form


def test_a_shorter_id_is_not_found_in_a_longer_one() -> None:
    assert hits("u00004", b"\0u000042\0", is_delimited=True) == (set(), set())
    assert hits("u00004", b"\0by u00004\0", is_delimited=True) == (set(), {"text"})
    assert hits("u00004", b"\0u00004\0", is_delimited=True) == ({"text"}, set())
    assert hits("u00004", b"u000042") == (set(), {"text"})
    assert hits("anna@x.com", b"anna@x.com.au") == (set(), {"text"})
    assert hits("u00004", b'"u00004","xu00004"')[0] == {"text"}


@pytest.mark.parametrize("id_", ["17", "2026", "u1", "12345678901"])
def test_numbers_and_short_ids_are_values_of_their_key(id_: str) -> None:
    assert not is_distinctive(id_)
    for text in (f'{{"customer_id": "{id_}", "a": 1}}', f'{{"keys": {{"customer_id": [1, "{id_}"]}}}}'):
        (part,) = (part for part in values_of([text]) if part.key == "customer_id")
        assert f"\0{id_}\0".encode() in part.content, text


@given(IDS)
def test_json_is_read_however_it_is_escaped(id_: str) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else letter for letter in id_)
    (part,) = (part for part in values_of([f'{{"user_id": "{escaped}"}}']) if part.key == "user_id")
    assert hits(id_, part.content, is_delimited=True)[0] >= {"text"}
