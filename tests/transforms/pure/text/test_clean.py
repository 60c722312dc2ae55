"""Cleaning of texts: any input becomes readable text, with marks that name the changes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pure.text import clean as module
from transforms.pure.text.clean import CONTROLS, CUT, EMPTY, HTML, LONE_SURROGATES, LONGEST, NO_WORDS, clean

ANYTHING = st.one_of(st.text(st.characters(exclude_categories=())), st.binary())


@given(ANYTHING)
def test_anything_comes_back_readable_and_stays_as_it_is(text: str | bytes) -> None:
    cleaned = clean(text).text
    cleaned.encode()  # no lone surrogate
    assert not any(unicodedata.category(character) == "Cc" and character != "\n" for character in cleaned)
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    if "<" not in cleaned and "&" not in cleaned:
        assert clean(cleaned).text == cleaned


@pytest.mark.parametrize(
    ("text", "expected", "mark"),
    [
        ("", "", EMPTY),
        ("  \n\t ", "", EMPTY),
        ("😀👍", "😀👍", NO_WORDS),
        ("12 !!", "12 !!", NO_WORDS),
        ("<p>one</p><p>two &amp; three</p>", "one\n\ntwo & three", HTML),
        ("a<script>alert('x')</script>b<style>p{}</style>c", "abc", HTML),
        ("a<!-- never <b>seen</b> -->b", "ab", HTML),
        ("x\x00y\x1bz\u202eabc", "xyzabc", CONTROLS),
        ("lone \ud800 one", "lone \ufffd one", LONE_SURROGATES),
        (b"caf\xe9", "caf\ufffd", module.BAD_BYTES),
    ],
)
def test_what_is_wrong_is_mended_and_told(text: str | bytes, expected: str, mark: str) -> None:
    assert clean(text).text == expected
    assert mark in clean(text).marks


@pytest.mark.parametrize("text", ["plain words", "1 < 2 and 3 > 2", "AT&T", "I <3 you", "e = mc²", "👨‍👩‍👧", "नमस्ते"])
def test_what_is_fine_is_left_alone(text: str) -> None:
    assert clean(text) == module.Cleaned(text, ("no words",) if text == "👨‍👩‍👧" else ())


def test_a_long_text_is_cut_as_text_and_as_bytes_alike() -> None:
    long = "é" * 2_000_000
    assert clean(long).text == "é" * LONGEST
    assert CUT in clean(long).marks
    assert clean(long.encode()) == clean(long)
    assert clean(("a" * (4 * LONGEST) + "é").encode()).marks == (CUT,)


def test_a_pile_of_combining_characters_is_thinned() -> None:
    assert len(clean("a" + "\u0301\u0327" * 5_000).text) <= 1 + module.MOST_MARKS


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert clean("Beyonce\u0301").text == clean("Beyoncé").text
