"""Parsing of titles and performers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pure.text.spelling import spelled


@pytest.mark.parametrize(
    ("title", "performer", "called", "by", "versions"),
    [
        ("Smooth (feat. Rob Thomas)", "Santana", "smooth", ("santana", "rob thomas"), set()),
        ("Smooth", "Santana Featuring Rob Thomas", "smooth", ("santana", "rob thomas"), set()),
        ("Hey Jude - Remastered 2015", "The Beatles", "hey jude", ("beatles",), set()),
        ("Hey Jude (2015 Remaster)", "Beatles", "hey jude", ("beatles",), set()),
        ("Creep - Live at Reading", "Radiohead", "creep", ("radiohead",), {"live"}),
        ("Layla (Acoustic) [Live]", "Eric Clapton", "layla", ("eric clapton",), {"acoustic", "live"}),
        ("Blue Monday - 12\" Mix", "New Order", "blue monday", ("new order",), {"remix"}),
        ("Iris (Album Version)", "Goo Goo Dolls", "iris", ("goo goo dolls",), set()),
        ("Volverás (Spanish Version)", "X", "volveras", ("x",), {"other"}),
        ("Live Forever", "Oasis", "live forever", ("oasis",), set()),
        ("(I Can't Get No) Satisfaction", "The Rolling Stones", "satisfaction", ("rolling stones",), set()),
        ("Déjà Vu", "Beyoncé", "deja vu", ("beyonce",), set()),
        ("Группа крови", "Кино", "gruppa krovi", ("kino",), set()),
        ("Bills, Bills, Bills", "Destiny's Child", "bills bills bills", ("destinys child",), set()),
        ("Stay - From \"The Bodyguard\"", "Somebody", "stay", ("somebody",), set()),
    ],
)  # fmt: skip
def test_what_it_is_called_by_whom_and_in_which_version(
    title: str, performer: str, called: str, by: tuple[str, ...], versions: set[str]
) -> None:
    spelling = spelled(title, performer)
    assert (spelling.title, spelling.performers, spelling.versions) == (called, by, versions)


def test_numbers_of_parts_are_kept_apart() -> None:
    second, third = (spelled(f"Another Brick in the Wall, Pt. {number}", "Pink Floyd") for number in (2, 3))
    assert second.numbers == (2,)
    assert spelled("Another Brick In The Wall (Part II)", "Pink Floyd").numbers == (2,)
    assert second.key != third.key or second.numbers != third.numbers


@given(st.text(st.characters(exclude_categories=()), max_size=400), st.text(max_size=80))
def test_any_title_can_be_taken_apart(title: str, performer: str) -> None:
    spelling = spelled(title, performer)
    assert spelling.title.isascii()
    assert all(name for name in spelling.performers)
