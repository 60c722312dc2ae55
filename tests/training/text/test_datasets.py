"""Labelled texts: a text and its parts stay on the same side of a split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.texts import LabelledTexts, owners, split, whole_texts

TOKENS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), min_size=1, max_size=10)


def within(part: list[str], whole: list[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(whole)} "


@given(TOKENS)
def test_owners_are_all_texts_that_contain_it_and_are_in_no_other(tokens: list[list[str]]) -> None:
    owner_rows = owners(tokens)
    whole_rows = set(whole_texts(owner_rows).tolist())
    for row, own_tokens in enumerate(tokens):
        containing = {
            other
            for other in whole_rows
            if within(own_tokens, tokens[other])
        }  # fmt: skip
        assert containing
        assert set(owner_rows[row].tolist()) == (containing if row not in whole_rows else {row})
    for first in whole_rows:
        assert not any(first != second and within(tokens[first], tokens[second]) for second in whole_rows)


@given(TOKENS, st.booleans(), st.integers(0, 3))
def test_nothing_learned_from_is_part_of_what_is_asked(tokens: list[list[str]], timed: bool, seed: int) -> None:
    texts = LabelledTexts.of(
        [" ".join(text_tokens) for text_tokens in tokens],
        ["y"] * len(tokens),
        list(range(len(tokens))) if timed else None,
    )
    parts = split(texts, share=0.5, seed=seed)
    assert parts.by == ("time" if timed and len(tokens) > 1 else "chance")
    for test_row in parts.test:
        assert not any(within(texts.tokens[row], texts.tokens[test_row]) for row in parts.train)
        if parts.by == "time" and len(parts.train):
            assert texts.times[parts.train].max() <= texts.times[parts.test].min()


def test_labels_are_joined_and_known_when_both_are(in_written: Home) -> None:
    texts = LabelledTexts.load(in_written, "sentiment")
    assert texts.classes == ("negative", "positive")
    assert np.all(np.diff(texts.times) >= 0)
    assert len(texts) > 100
    assert len(set(zip(texts.texts, texts.labels.tolist(), strict=True))) == len(texts)


def test_without_labels_there_is_a_next_command(home: Home) -> None:
    with pytest.raises(InputError, match="import texts"):
        LabelledTexts.load(home, "sentiment")
