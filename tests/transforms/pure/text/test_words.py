"""Tokens of texts, and the terms that are counted."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.pure.text.words import parts, runs, turned, words

TOKENS = st.lists(st.sampled_from(["a", "bc", "not", "n't", ".", "good"]), max_size=8)


def test_words_are_split_as_the_treebank_has_it() -> None:
    assert words("I can't wait... it's soft-hearted, NOT bad!!!!!") == [
        "i", "ca", "n't", "wait", "...", "it", "'s", "soft-hearted", ",", "not", "bad", "!!!",
    ]  # fmt: skip
    assert words("音楽が好き") == list("音楽が好き")
    assert words("don’t") == words("don't") == ["do", "n't"]


def test_smileys_are_words() -> None:
    assert words("great :) sad :-( lol :D <3") == ["great", ":)", "sad", ":-(", "lol", ":d", "<3"]
    assert words("note: done (yes), <30") == ["note", ":", "done", "(", "yes", ")", ",", "30"]


@given(st.text())
def test_any_text_has_words_of_bounded_length(text: str) -> None:
    assert all(0 < len(token) <= 60 and token == token.strip() for token in words(text))


@given(TOKENS)
def test_runs_are_all_slices_of_one_to_three_words(tokens: list[str]) -> None:
    naive = [
        " ".join(tokens[start : start + length]) for length in (1, 2, 3) for start in range(len(tokens) - length + 1)
    ]
    assert sorted(runs(tokens)) == sorted(naive)


def test_a_negation_turns_four_words_until_punctuation() -> None:
    marked = [
        term for term in turned(["not", "a", "very", "good", "film", "at", "all", ".", "fine"]) if term.startswith("¬")
    ]
    assert marked == ["¬a", "¬very", "¬good", "¬film"]
    assert [term for term in turned(["not", ".", "good"]) if term.startswith("¬")] == []


@given(TOKENS)
def test_parts_are_slices_of_the_padded_word(tokens: list[str]) -> None:
    naive = [
        f" {token} "[start : start + length]
        for token in tokens
        for length in range(2, 7)
        for start in range(len(token) + 2 - length + 1)
    ]
    assert sorted(parts(tokens)) == sorted(naive)
