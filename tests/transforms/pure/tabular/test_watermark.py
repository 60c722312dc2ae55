"""The owner's pattern in answers: secret, bounded, and the same for the same secret."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from transforms.pure.tabular.watermark import MAX_SIGNAL, Watermark

ROWS = np.random.default_rng(0).normal(size=(400, 5))


def test_the_pattern_is_of_the_secret_and_of_the_version() -> None:
    signal = Watermark.create(b"secret", "m:1", ROWS).signal(ROWS)
    np.testing.assert_array_equal(signal, Watermark.create(b"secret", "m:1", ROWS).signal(ROWS))
    for secret, model in ((b"other", "m:1"), (b"secret", "m:2")):
        other = Watermark.create(secret, model, ROWS).signal(ROWS)
        assert abs(np.corrcoef(signal, other)[0, 1]) < 0.6
    assert signal.std() > 0.8


@given(
    arrays.arrays(np.float64, (60, 3), elements=st.floats(width=32) | st.sampled_from([0.0, 1.0, np.nan])),
    st.floats(0, 0.1),
)
@settings(max_examples=40, deadline=None)
def test_chances_stay_chances_whatever_the_rows(rows: np.ndarray, strength: float) -> None:
    mark = Watermark.create(b"secret", "m:1", rows)
    signal = mark.signal(rows)
    assert np.all(np.abs(signal) <= MAX_SIGNAL)
    chances = np.linspace(0, 1, 60)
    marked = mark.mark_chances(chances, rows, strength)
    assert np.all((marked >= -1e-12) & (marked <= 1 + 1e-12))
    certain = np.abs(chances - 0.5) * (1 - 4 * strength) > MAX_SIGNAL * strength + 1e-9
    assert np.array_equal((marked >= 0.5)[certain], (chances >= 0.5)[certain])
    new = np.full((1, 3), np.inf)
    assert np.isfinite(mark.signal(new)).all()


def test_numbers_move_in_their_own_units() -> None:
    mark = Watermark.create(b"secret", "m:1", ROWS)
    moved = mark.mark_numbers(np.full(400, 50.0), ROWS, 0.05, 10.0) - 50.0
    assert 0.3 < moved.std() < 0.6


def test_rows_without_columns_or_differences_have_no_signal() -> None:
    for rows in (np.zeros((80, 2)), np.full((80, 2), np.nan), np.zeros((80, 0)), ROWS[:10]):
        assert not Watermark.create(b"secret", "m:1", rows).signal(rows).any()
