"""Text measures that need no model, against naive counting and on examples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pure.text.measures import explicitness, repetition, rhyme_density, subjectivity, vocabulary_richness
from transforms.pure.text.words import words

TOKENS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=120)


@given(TOKENS)
def test_richness_is_the_mean_over_all_windows(tokens: list[str]) -> None:
    width = min(50, len(tokens))
    windows = [tokens[start : start + width] for start in range(len(tokens) - width + 1)]
    naive = sum(len(set(window)) / width for window in windows) / len(windows)
    assert vocabulary_richness(tokens) == pytest.approx(naive)


@given(TOKENS)
def test_repetition_counts_runs_that_were_there_before(tokens: list[str]) -> None:
    seen: set[tuple[str, ...]] = set()
    repeated = total = 0
    for start in range(len(tokens) - 2):
        run = tuple(tokens[start : start + 3])
        repeated += run in seen
        total += 1
        seen.add(run)
    share = repetition(tokens)
    assert math.isnan(share) if total == 0 else share == pytest.approx(repeated / total)


def test_lines_that_rhyme() -> None:
    assert rhyme_density("the cat\nsat on a mat\nand the dog\nate a frog") == 1.0
    # rhymes are judged by spelling
    assert rhyme_density("roses are red\nviolets are blue\nsugar is sweet\nand so are you") == 0.0
    assert rhyme_density("in the night\nall is bright\nwithout a sound\nit goes away") == 0.5
    assert rhyme_density("love\nlove\nlove") == 0.0  # a word does not rhyme with itself
    assert rhyme_density("make\nlake\nbe\nme") == 1.0
    assert math.isnan(rhyme_density("one line"))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("what the fucking fuck", 50.0),
        ("Scunthorpe's classic assassin dickens cocktail shitake", 0.0),
        ("what the f*ck", 100 / 3),
        ("this sh#t is f***ing b****y", 60.0),
        ("A$$ and F@CKING", 200 / 3),
        ("Joe Cocker and Philip K. Dick with Van Dyke Parks", 0.0),
        ("what a dick, DICK", 50.0),
        ("M*A*S*H, 5*4, a* b*, me@home, C# and rock*steady", 0.0),
    ],
)
def test_explicit_words_count_with_their_endings_and_not_within_others(text: str, share: float) -> None:
    assert explicitness(text, words(text)) == pytest.approx(share)


def test_a_text_without_words_has_no_explicitness() -> None:
    assert math.isnan(explicitness("!", ["!"]))


def test_subjectivity_is_the_mean_of_what_the_lexicon_knows() -> None:
    lexicon = {"great": 0.8, "red": 0.2}
    assert subjectivity(words("a great red car"), lexicon) == pytest.approx(0.5)
    assert subjectivity(words("a car"), lexicon) == 0.0
    assert math.isnan(subjectivity([], lexicon))
