"""What vectors tell: as much as is in them, and nothing of what is not."""

import numpy as np
import pytest

from feature_repo.errors import InputError
from training.private.leaks.attributes import infer
from training.private.leaks.leak import NOTHING
from training.private.leaks.subjects.recommendation import of_inference


def test_an_attribute_in_the_vectors_is_inferred_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    gender = np.where(rng.random(400) < 0.3, "F", "M").astype(object)
    gender[:20] = None
    vectors = rng.normal(0, 1, (400, 6))
    vectors[:, 0] += 2.0 * (gender == "F")
    vectors[20:25] = 0  # without plays
    inference = infer(vectors, gender)
    assert inference is not None
    assert inference.people == 375
    assert inference.gain.low > 0
    assert inference.balanced > 0.7
    nothing = infer(rng.normal(0, 1, (400, 6)), gender)
    assert nothing is not None
    assert nothing.gain.low <= 0
    (leak,) = of_inference("gender", nothing, 400)
    assert leak.verdict == NOTHING
    assert (leak.low, leak.high) == (
        pytest.approx(nothing.baseline + nothing.gain.low),
        pytest.approx(nothing.baseline + nothing.gain.high),
    )


def test_values_of_few_people_are_left_out_and_one_value_is_undecided() -> None:
    rng = np.random.default_rng(1)
    country = np.array(["SE"] * 60 + ["NO"] * 30 + ["FI"] * 5, object)
    result = infer(rng.normal(0, 1, (95, 3)), country)
    assert result is not None
    assert result.values == ("NO", "SE")
    assert infer(rng.normal(0, 1, (60, 3)), country[:60]) is None
    assert infer(np.empty((0, 3)), np.empty(0, object)) is None
    (leak,) = of_inference("country", None, 60)
    assert leak.verdict == "undecided"
    assert leak.value is None
    with pytest.raises(InputError):
        infer(np.full((95, 3), np.nan), country)
    with pytest.raises(InputError):
        infer(np.zeros((94, 3)), country)
