"""Disguises are undone within words, before personal data are masked."""

import pytest

from transforms.pure.text.clean import DISGUISED, clean
from transforms.pure.text.lookalikes import LATIN, undisguise
from transforms.pure.text.pii import mask


def test_no_ascii_character_and_no_letter_twice_is_in_the_map() -> None:
    assert not any(letter.isascii() for letter in LATIN)
    assert all(letter.isascii() and letter.isalpha() for letter in LATIN.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gr\u0435\u0430t s\u03bfng", "great song"),
        ("wr\u200bite to ann@ex\u00adample.\u2060org", "write to ann@example.org"),
        ("\u0430bc", "abc"),
        ("\uff21bc", "Abc"),
        ("\u0430\u0440\u0430", "\u0430\u0440\u0430"),  # all Cyrillic: it may be Russian
        ("x\u0436y", "x\u0436y"),  # a letter that looks like none
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_words_that_mix_scripts_become_latin(text: str, expected: str) -> None:
    assert undisguise(text) == expected
    assert undisguise(expected) == expected


def test_a_disguised_address_is_masked_and_the_text_marked() -> None:
    cleaned = clean("write to \u0430nn@ex\u200dample.org now")
    assert cleaned.marks == (DISGUISED,)
    assert mask(cleaned.text).text == "write to [EMAIL] now"
    assert clean("a naïve café, \U0001f469\u200d\U0001f3a4").marks == ()


def test_a_handle_at_the_end_of_a_sentence_is_masked() -> None:
    assert mask("ask @some_body. Thanks").text == "ask [HANDLE]. Thanks"
    assert mask("see @some.body").counts == {}
