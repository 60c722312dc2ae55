"""Fades of known length."""

from collections.abc import Callable

import numpy as np
import pytest

from transforms.pure.audio.structure.fades import Fades, fades
from transforms.pure.audio.structure.frames import BLOCK_SECONDS
from transforms.pure.audio.track import analyze

TIMES = np.arange(round(60 / BLOCK_SECONDS)) * BLOCK_SECONDS
SECONDS = float(len(TIMES) * BLOCK_SECONDS)
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "amplitudes": lambda share: share,
    "decibels": lambda share: 10 ** (-3 * (1 - share)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("first", "last"), [(4.0, 6.0), (8.0, 12.0)])
def test_the_length_of_a_fade(shape: str, first: float, last: float) -> None:
    gain = SHAPES[shape](np.clip(TIMES / first, 0, 1)) * SHAPES[shape](np.clip((SECONDS - TIMES) / last, 0, 1))
    result = fades(gain**2, SECONDS)
    assert result.end_of_fade_in == pytest.approx(first, abs=0.5)
    assert result.start_of_fade_out == pytest.approx(SECONDS - last, abs=0.5)


def test_uneven_music_does_not_fade() -> None:
    rng = np.random.default_rng(0)
    power = 10 ** rng.normal(0, 0.3, len(TIMES) // 40 + 1).repeat(40)[: len(TIMES)]
    assert fades(power, SECONDS) == Fades(0.0, SECONDS)


def test_silence_around_the_sound_belongs_to_the_fades() -> None:
    power = ((TIMES > 2) & (TIMES < 55)).astype(float)
    result = fades(power, SECONDS)
    assert (result.end_of_fade_in, result.start_of_fade_out) == pytest.approx((2, 55), abs=0.02)


def test_a_real_sound_that_fades() -> None:
    rng, seconds = np.random.default_rng(0), np.arange(30 * 22_050) / 22_050
    noise = rng.normal(size=len(seconds)) * 0.1 * np.clip((30 - seconds) / 8, 0, 1)
    frames = analyze([noise.astype(np.float32)]).frames
    result = fades(frames.power, frames.seconds)
    assert result.end_of_fade_in == 0
    assert result.start_of_fade_out == pytest.approx(22, abs=0.7)


@pytest.mark.parametrize("blocks", [0, 1, 30, 70])
def test_short_and_silent_sounds(blocks: int) -> None:
    for power in (np.zeros(blocks), np.ones(blocks)):
        result = fades(power, blocks * BLOCK_SECONDS)
        assert (result.end_of_fade_in, result.start_of_fade_out) == pytest.approx((0, blocks * BLOCK_SECONDS))


def test_a_damaged_sample_does_not_silence_the_others() -> None:
    power = np.full(len(TIMES), 0.05)
    power[len(power) // 2] = 1e8
    assert fades(power, SECONDS) == Fades(0.0, SECONDS)
