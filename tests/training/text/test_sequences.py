"""The Kneser-Ney language model matches its definition; sequences, perplexity and BLEU."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.evaluate.generation import bleu
from training.models.text.kneser_ney import END, UNKNOWN, KneserNey
from training.models.text.sequence_model import Sequences, chosen, perplexities, run, sessions, tag_lines, written

SEQUENCES = st.lists(st.lists(st.sampled_from("abcd"), max_size=5), min_size=1, max_size=12)


@given(SEQUENCES, st.integers(1, 4), st.lists(st.sampled_from("abcz"), max_size=5), st.integers(1, 2))
@example([["a"], *[["a", "a", "c", "b"]] * 3, ["a", "a", "c", "b", "a"]], 2, [], 1)  # a discount estimated as 0
def test_probabilities_add_up_to_one_after_any_context(
    sequences: list[list[str]], order: int, context: list[str], fewest: int
) -> None:
    model = KneserNey(order, fewest).fit(sequences)
    assert sum(model.probability(item, context) for item in model.vocabulary) == pytest.approx(1)
    assert model.probability("never seen", context) == model.probability(UNKNOWN, context) > 0


@given(SEQUENCES)
def test_of_order_one_it_is_discounted_counting(sequences: list[list[str]]) -> None:
    model = KneserNey(1).fit(sequences)
    counts = Counter(item for sequence in sequences for item in [*sequence, END])
    discounts = model._discounts[0]
    total = sum(counts.values())
    discount_mass = sum(discounts[min(count, 3) - 1] for count in counts.values()) / total
    for item in model.vocabulary:
        count = counts.get(item, 0)
        discounted = max(count - (discounts[min(count, 3) - 1] if count else 0), 0) / total
        assert model.probability(item, []) == pytest.approx(discounted + discount_mass / len(model.vocabulary))


def test_the_shorter_context_counts_what_an_item_follows_not_how_often() -> None:
    """The example of the paper: "Francisco" is frequent, but only after "San"."""
    sequences = [["san", "francisco"]] * 20 + [[first, "glasses"] for first in ("my", "her", "his", "the")]
    model = KneserNey(2).fit(sequences)
    assert model.probability("glasses", ["new"]) > model.probability("francisco", ["new"])
    assert model.probability("francisco", ["san"]) > 0.8


@given(SEQUENCES, st.integers(1, 3))
def test_perplexity_is_that_of_the_probabilities_and_files_answer_alike(sequences: list[list[str]], order: int) -> None:
    model = KneserNey(order).fit(sequences)
    logs = [
        math.log(model.probability(item, sequence[:position]))
        for sequence in sequences
        for position, item in enumerate([*sequence, END])
    ]
    assert model.perplexity(sequences) == pytest.approx(math.exp(-sum(logs) / len(logs)))
    reloaded = KneserNey.from_bytes(model.to_bytes())
    assert reloaded.perplexity(sequences) == pytest.approx(model.perplexity(sequences))
    assert model.to_bytes() == reloaded.to_bytes()


def test_it_continues_what_it_has_seen() -> None:
    model = KneserNey(3).fit([["rock", "indie", "british"]] * 5 + [["jazz", "piano"]] * 5)
    assert model.continue_sequence(["rock"], max_items=5) == ["rock", "indie", "british"]
    assert model.continue_sequence(["jazz"], max_items=5) == ["jazz", "piano"]
    assert model.continue_sequence(["rock"], max_items=2) == ["rock", "indie"]
    assert len(model.continue_sequence(["never"], max_items=4)) <= 4
    assert model.likely_next(["rock"])[0][0] == "indie"


def test_sessions_end_after_a_pause() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = {"u1": [(0, "a"), (10, "b"), (50, "c")], "u2": [(5, "d"), (35, "e")]}
    plays = pl.DataFrame(
        [
            (user, track, start + timedelta(minutes=minute))
            for user, plays_of_user in minutes.items()
            for minute, track in plays_of_user
        ],
        schema=["user_id", "track_id", "event_timestamp"],
        orient="row",
    )
    assert sessions(plays) == [["a", "b"], ["d", "e"], ["c"]]


def test_tag_lines_are_the_most_frequent_tags_oldest_artist_first() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [("x", "Jazz", 3), ("x", "jazz", 4), ("x", "piano", 5), ("x", "cool", 6), ("y", "a", 1), ("y", "b", 2)]
    rows += [("z", tag, number) for number, tag in enumerate("abcdefg")]
    tags = pl.DataFrame(
        [(artist, tag, start + timedelta(days=day)) for artist, tag, day in rows],
        schema=["artist_id", "tag", "event_timestamp"],
        orient="row",
    )
    assert tag_lines(tags) == [list("abcde"), ["jazz", "cool", "piano"]]


def test_it_predicts_better_than_what_knows_less() -> None:
    lines = [["a", "b", "c"], ["b", "c", "d"], ["c", "d", "a"], ["x", "y"]] * 30
    sequences = Sequences.cut("lines", lines, fewest=1)
    model = chosen(sequences)
    by_model = perplexities(sequences, model)
    assert by_model["kneser_ney"] < by_model["pairs_plus_one"] < by_model["how_often"]
    assert written(sequences, model)["kneser_ney"].bleu > 90


def test_bleu_is_sacrebleus_with_its_signature() -> None:
    score = bleu(["rock, indie, british, alternative"], ["rock, indie, british, alternative"])
    assert score.bleu == pytest.approx(100)
    assert "nrefs:1" in score.signature
    assert bleu(["jazz, piano, cool, trio"], ["rock, indie, british, pop"]).bleu < 15


def test_a_run_measures_and_registers(own_written: Home) -> None:
    result = run(own_written)
    assert result.metrics["tag_lines/kneser_ney"]["perplexity"] < result.metrics["tag_lines/how_often"]["perplexity"]
    assert "bleu" in result.metrics["tag_lines/commonest_line"]
    assert any("signature" in line or "nrefs" in line for line in result.lines())


def test_without_sequences_there_is_a_next_command(home: Home) -> None:
    with pytest.raises(InputError, match="simulate"):
        run(home)
