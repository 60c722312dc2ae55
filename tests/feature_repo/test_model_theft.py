"""What a project declares against the theft of its models."""

from typing import Any

import pytest

from feature_repo.errors import InputError
from feature_repo.model_theft import AnswerSettings, TheftSettings


def test_everything_that_can_be_declared() -> None:
    settings = TheftSettings.parse(
        {
            "action": "refuse",
            "questions_per_day": 5,
            "trusted": ["export"],
            "canaries": {"user_id": ["u9"]},
            "models": {"m": {"digits": 0, "watermark": 0.03}},
        }
    )
    assert settings.canaries == {"user_id": ("u9",)}
    assert settings.answers_of("m") == AnswerSettings(0, False, 0.03)
    assert hash(settings) == hash(settings)


@pytest.mark.parametrize(
    "section",
    [
        3,
        {"unknown": 1},
        {"action": "shout"},
        {"questions_per_day": 0},
        {"questions_per_month": True},
        {"keys_per_month": 5},
        {"keys_per_month": {"user_id": 0}},
        {"without_redis": "wait"},
        {"trusted": "export"},
        {"canaries": {"user_id": "u9"}},
        {"models": {"m": 3}},
        {"models": {"m": {"digits": -1}}},
        {"models": {"m": {"labels_only": "yes"}}},
        {"models": {"m": {"watermark": 0.5}}},
        {"models": {"m": {"watermark": float("nan")}}},
        {"models": {"m": {"colour": 1}}},
    ],
)
def test_what_cannot_be_declared(section: Any) -> None:
    with pytest.raises(InputError, match=r"refrain\.toml"):
        TheftSettings.parse(section)
