"""Personal data in texts is masked; text that only looks like it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pure.text.pii import mask


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ann.b+news@mail.example.org please", "email"),
        ("https://ann:secret@example.org/x", "url"),
        ("4111 1111 1111 1111", "card"),
        ("5500-0000-0000-0004", "card"),
        ("378282246310005", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("gb82west12345698765432", "iban"),
        ("from 192.168.10.254 again", "ip"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "ip"),
        ("078-05-1120", "ssn"),
        ("+49 30 901820", "phone"),
        ("(202) 555-0143", "phone"),
        ("call 202-555-0143 now", "phone"),
        ("0044 20 7946 0958", "phone"),
        ("ask @some_body about it", "handle"),
    ],
)
def test_it_is_masked_and_counted(text: str, kind: str) -> None:
    masked = mask(text)
    assert masked.counts == {kind: 1}
    assert f"[{kind.upper()}]" in masked.text


@pytest.mark.parametrize(
    "text",
    [
        "released 2011-09-17, remastered 12.05.2019",
        "1999 was 20 years before 2019",
        "3.14159265358979",
        "4111 1111 1111 1112",
        "DE89 3704 0044 0532 0130 01",
        "version 1.2.3 of 256.300.1.2",
        "played 1,234,567 times",
        "track 12 of 14, 3:45",
        "10 000 000 plays",
        "me @ the show, a@b",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text).text == text


@given(st.text(st.sampled_from("+-()./ @0123456789abAB:."), max_size=60))
def test_masking_again_changes_nothing(text: str) -> None:
    masked = mask(text).text
    assert mask(masked).text == masked


@given(st.lists(st.integers(0, 9), min_size=12, max_size=18))
def test_every_card_number_with_its_check_digit_is_masked(digits: list[int]) -> None:
    if len(set(digits)) == 1:
        return
    check_digit = next(digit for digit in range(10) if _luhn([*digits, digit]))
    number = "".join(map(str, [*digits, check_digit]))
    assert number not in mask(f"card {number} thanks").text


def _luhn(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(digit * 2, 10)) if place % 2 else digit
    return total % 10 == 0
