"""Sections of sounds whose form is known, and the best partition against an exhaustive search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.pure.audio.structure.sounds import passage
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.structure.describe import Structure, structure
from transforms.pure.audio.structure.partition import PartitionCosts, partition
from transforms.pure.audio.track import analyze

A = passage([(0, 4, 7), (5, 9, 12)] * 4, 2.0, 8)
B = passage([(2, 6, 9), (7, 11, 14)] * 4, 2.0, 2)


def _structure(sound: np.ndarray) -> Structure:
    analysis = analyze([sound])
    return structure(analysis.frames, analysis.beats)


def test_sections_begin_where_chords_and_timbre_change() -> None:
    result = _structure(np.concatenate([A, B, A]))
    assert [section.start for section in result.sections] == pytest.approx([0, 16, 32], abs=1.0)
    assert [section.key.tonic for section in result.sections if section.key] == ["C", "D", "C"]
    assert all(section.confidence > 0.8 for section in result.sections)
    assert [section.tempo for section in result.sections] == pytest.approx([120] * 3, rel=0.02)


def test_a_louder_section_is_louder() -> None:
    quiet, loud = _structure(np.concatenate([A, 4 * B])).sections
    assert loud.loudness is not None and quiet.loudness is not None
    assert loud.loudness - quiet.loudness == pytest.approx(12 + _loudness(B) - _loudness(A), abs=0.5)


def _loudness(sound: np.ndarray) -> float:
    return float(_structure(sound).loudness or 0.0)


@pytest.mark.parametrize("kind", ["tone", "noise", "beats", "silence"])
def test_what_does_not_change_is_one_section(kind: str) -> None:
    times, rng = np.arange(40 * RATE) / RATE, np.random.default_rng(0)
    sounds = {
        "tone": 0.2 * np.sin(2 * np.pi * 220 * times),
        "noise": 0.1 * rng.normal(size=len(times)),
        "beats": 0.1 * rng.normal(size=len(times)) * np.exp(-20 * (times % 0.5)),
        "silence": np.zeros(len(times)),
    }
    assert len(_structure(sounds[kind].astype(np.float32)).sections) == 1


def _cost(vectors: np.ndarray, starts: tuple[int, ...], costs: PartitionCosts) -> float:
    total = 0.0
    for first, stop in zip(starts, (*starts[1:], len(vectors)), strict=True):
        length = stop - first
        irregular = next(
            (
                share
                for divisor, share in ((1, 0.0), (2, 0.4), (4, 0.7))
                if length % max(costs.period // divisor, 1) == 0
            ),
            1.0,
        )
        part = vectors[first:stop]
        total += float(((part - part.mean(axis=0)) ** 2).sum()) + costs.part * (1 + costs.irregularity * irregular)
    return total


def _all_partitions(count: int, least: int) -> list[tuple[int, ...]]:
    """Every way to cut ``count`` items into parts of at least ``least``; all of them are one part if they are fewer."""
    partitions = [(0,)]
    for first in range(least, count - least + 1):
        partitions += [(*earlier, first) for earlier in _all_partitions(first, least)]
    return partitions


@given(
    st.integers(0, 10_000),
    st.integers(1, 13),
    st.floats(0.1, 5),
    st.sampled_from([4, 8]),
    st.sampled_from([0.0, 0.75, 4.0]),
)
def test_the_partition_is_the_best_of_all(
    seed: int, count: int, price: float, period: int, irregularity: float
) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(5, 2)), 3, axis=0)[:count] + 0.3 * rng.normal(size=(count, 2))
    costs = PartitionCosts(price, irregularity, period, 2)
    starts, confidence = partition(vectors, costs)
    best = min(_cost(vectors, starts, costs) for starts in _all_partitions(count, 2))
    assert _cost(vectors, tuple(starts.tolist()), costs) == pytest.approx(best)
    assert confidence[0] == 1.0
    assert ((confidence >= 0) & (confidence <= 1)).all()
