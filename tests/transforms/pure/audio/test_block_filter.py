"""The filter by blocks and the true peak that passes spans over, each against the plain computation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt

from transforms.pure.audio import mel, shape, stft
from transforms.pure.audio.loudness import k_weighting, true_peak
from transforms.pure.audio.loudness.block_filter import BlockFilter
from transforms.pure.audio.loudness.true_peak import TruePeak


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([8_000, 44_100, 192_000]), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_pieces_are_filtered_as_the_whole_sample_by_sample(rate: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(channels, int(rng.integers(1, 9_000)))) + 0.5
    block_filter, place, parts = BlockFilter(k_weighting.sections(rate), channels), 0, []
    while place < samples.shape[1]:
        stop = place + int(rng.integers(1, 4_000))
        parts.append(block_filter.add(samples[:, place:stop]))
        place = stop
    expected = sosfilt(k_weighting.sections(rate), samples, axis=1)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), expected, atol=1e-7)  # -140 dB


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([(44_100, 4), (96_000, 2), (192_000, 1)]), st.integers(0, 2**32 - 1))
def test_the_true_peak_is_that_of_all_places(rate_and_factor: tuple[int, int], seed: int) -> None:
    rate, factor = rate_and_factor
    rng = np.random.default_rng(seed)
    samples = (rng.normal(size=(2, int(rng.integers(1, 3_000)))) ** 3 * rng.random((2, 1))).astype(np.float32)
    meter, place = TruePeak(rate, 2), 0
    while place < samples.shape[1]:
        stop = place + int(rng.integers(1, 900))
        meter.add(samples[:, place:stop])
        place = stop
    reach = true_peak._REACH
    expected = float(np.abs(samples).max())
    for channel in np.pad(samples, ((0, 0), (2 * reach, 2 * reach))).astype(np.float64):
        for phase in range(1, factor):
            distance = np.arange(-reach + 1, reach + 1) - phase / factor
            taps = np.sinc(distance) * np.i0(true_peak._SHAPE * np.sqrt(1 - (distance / reach) ** 2))
            expected = max(expected, float(np.abs(np.correlate(channel, taps / taps.sum(), "valid")).max()))
    assert meter.result() == pytest.approx(expected, rel=1e-5)


def test_bands_levels_and_crossings_are_those_of_the_plain_formulas() -> None:
    rng = np.random.default_rng(0)
    power = rng.random((5, stft.BINS)).astype(np.float32)
    np.testing.assert_allclose(mel.of_power(power), power @ mel.bank(), rtol=1e-5)
    around, frames = rng.normal(size=stft.WINDOW + 10 * 512 + 300).astype(np.float32), 11
    windows = np.lib.stride_tricks.sliding_window_view(around, stft.WINDOW)[::512][:frames]
    np.testing.assert_allclose(shape.levels(around, frames), np.sqrt((windows**2).mean(axis=1)), rtol=1e-5)
    changes = ((windows[:, 1:] < 0) != (windows[:, :-1] < 0)).sum(axis=1)
    np.testing.assert_allclose(shape.crossings(around, frames), changes / stft.WINDOW)
    exact = around[: stft.WINDOW]
    assert shape.crossings(exact, 1)[0] == pytest.approx(changes[0] / stft.WINDOW)
