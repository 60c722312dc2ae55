"""The typed keyword arguments of ``recommend`` are the options that are checked."""

from typing import get_type_hints

import pytest

from feature_repo.home import Home
from inference import RecommendationEngine
from inference.recommend.request import RecommendationOptions, RequestOptions


def test_the_arguments_are_the_options() -> None:
    assert get_type_hints(RecommendationOptions) == get_type_hints(RequestOptions)
    assert not RecommendationOptions.__required_keys__


def test_an_unknown_option_is_refused(in_world: Home) -> None:
    with pytest.raises(TypeError, match="diversifly"):
        RecommendationEngine.load(home=in_world).recommend("u000007", diversifly="mmr")  # type: ignore[call-arg]
