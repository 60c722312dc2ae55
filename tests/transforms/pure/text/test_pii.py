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
        ("see https://example.org/u/ann.lee?x=1.", "url"),
        ("on www.example.org/ann, daily", "url"),
        ("NL91 ABNA 0417 1643 00 thanks", "iban"),
        ("NO93-8601-1117-947 12", "iban"),
        ("from MT84MALT011000012345MTLCAST001S, too", "iban"),
        ("on 2011-09-17 12:30 it was +49 30 901820", "phone"),
        ("Tel.: 321 2214", "phone"),
        ("appelle 06 12 34 56 78 ce soir", "phone"),
        ("電話は03-1234-5678です", "phone"),
        ("(02) 4973 6411 or mail", "phone"),
        ("202.555.0143x6489", "phone"),
        ('{"phone":"0612345678"}', "phone"),
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
        "at 2011-09-17T12:30:05Z and 2011-09-17 12:30:05.123456+00:00",
        "on 2011-09-17 12:30 - 14:45, 12.05.2019 - 13.05.2019",
        "cat. no. 2564-61223-2, SRCS-2734 5678, Atlantic 7567-81234-2",
        "barcode 724384526021, ISBN 978-3-16-148410-0, 0306406152",
        "at 1612345678 seconds",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "no 12 of us at 20 the same be 12 3456 de 89 many people",
        "version www.",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text).text == text


def test_what_is_beside_a_number_does_not_hide_it() -> None:
    for iban in ("DE89 3704 0044 0532 0130 00", "gb82west12345698765432", "FR14 2004 1010 0505 0001 3M02 606"):
        for before, after in (
            ("", " an Max"),
            ("", " 12 Mai"),
            ("to ", ", ok"),
            ("a,", ",7"),
            ("", " 7"),
            ("IBAN:", "."),
        ):
            assert mask(f"{before}{iban}{after}").text == f"{before}[IBAN]{after}"


def test_long_runs_of_digits_take_linear_time() -> None:
    """A second for each would be thousands of times too much."""
    for pattern in ("12 ", "1", "(1", "+1 ", "12-", "DE", "a@", "1.", "www."):
        mask(pattern * 5_000)


@given(st.text(st.sampled_from("+-()./ @0123456789abAB:."), max_size=60))
def test_masking_again_changes_nothing(text: str) -> None:
    masked = mask(text).text
    assert mask(masked).text == masked


@given(
    st.sampled_from(["4", "34", "37", "30", "36", "38", "51", "55", "2221", "2720", "6011", "65", "35", "62"]),
    st.lists(st.integers(0, 9), min_size=18),
)
def test_every_card_number_with_its_check_digit_is_masked(issuer: str, numbers: list[int]) -> None:
    length = {"3": {"5": 15}.get(issuer[1:], 14 if issuer in ("34", "37") else 13)}.get(issuer[0], 15)
    digits = [*map(int, issuer), *numbers][:length]
    check_digit = next(digit for digit in range(10) if _luhn([*digits, digit]))
    number = "".join(map(str, [*digits, check_digit]))
    assert mask(f"card {number} thanks").text == "card [CARD] thanks"
    grouped = " ".join(number[start : start + 4] for start in range(0, 16, 4)) if length == 15 else number
    for before, after in (("", " 12"), ("2 ", ""), ("a,", ",7"), ("", " thank you"), ("(", ")"), ("", "\n12/27")):
        assert mask(f"{before}{grouped}{after}").text == f"{before}[CARD]{after}"


def _luhn(digits: list[int]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(digit * 2, 10)) if place % 2 else digit
    return total % 10 == 0
