"""What a project declares against the theft of its models: ``[model_theft]`` of ``refrain.toml``.

::

    [model_theft]
    action = "observe"                # of an alarm: "observe" writes it down, "refuse" also refuses the owner
    questions_per_day = 20_000        # distinct questions of one owner of keys to one model, a day (UTC)
    questions_per_month = 100_000     # the same in 30 days
    tenant_questions_per_month = 1_000_000  # of all owners together
    keys_per_month = { user_id = 5_000 }    # distinct keys that one owner asks about, whatever model, in 30 days
    without_redis = "answer"          # while Redis does not answer: "answer" without counting, or "refuse"
    trusted = ["nightly export"]      # owners who may ask systematically; their questions still count
    canaries = { user_id = ["u900017"] }    # keys of nobody; who asks about one is reported

    [model_theft.models.churn_model]
    digits = 2                        # of chances and numbers in answers; all if left out
    labels_only = false               # chances as 0 and 1
    watermark = 0.03                  # strength of the owner's mark in answers; see transforms.pure.tabular.watermark
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from feature_repo.errors import InputError

OBSERVE, REFUSE, ANSWER = "observe", "refuse", "answer"
MAX_STRENGTH = 0.1
"""Maximum strength of a watermark: answers move by at most twice as much."""


@dataclass(frozen=True)
class AnswerSettings:
    """How the answers of one model leave the server.

    Attributes:
        digits: digits after the point; None for all.
        labels_only: whether chances are answered as 0 and 1.
        watermark: strength of the owner's mark, in chances or standard deviations of numbers; 0 for none.
    """

    digits: int | None = None
    labels_only: bool = False
    watermark: float = 0.0


@dataclass(frozen=True)
class TheftSettings:
    """What is declared of a project.

    Attributes:
        action: what an alarm does: ``observe`` or ``refuse``.
        questions_per_day: maximum number of distinct questions of one owner to one model a day; None for any number.
        questions_per_month: the same in 30 days.
        tenant_questions_per_month: the same of all owners together.
        keys_per_month: join key → maximum number of its distinct values that one owner asks any model about in 30 days.
        without_redis: ``answer`` or ``refuse`` while questions cannot be counted.
        trusted: owners whom no alarm is raised about.
        canaries: join key → keys that nobody has.
        models: model → how its answers leave the server.
    """

    action: str = OBSERVE
    questions_per_day: int | None = None
    questions_per_month: int | None = None
    tenant_questions_per_month: int | None = None
    keys_per_month: Mapping[str, int] = field(default_factory=dict, hash=False)
    without_redis: str = ANSWER
    trusted: tuple[str, ...] = ()
    canaries: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    models: Mapping[str, AnswerSettings] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, section: Any) -> "TheftSettings":
        """Read the section.

        Raises:
            InputError: an option is unknown, or its value is not allowed.

        >>> TheftSettings.parse({"models": {"churn_model": {"digits": 2}}}).models["churn_model"]
        AnswerSettings(digits=2, labels_only=False, watermark=0.0)
        """
        if not isinstance(section, dict):
            raise _invalid("[model_theft] as a section", section)
        _check_names(section, cls, "model_theft")
        for name in ("questions_per_day", "questions_per_month", "tenant_questions_per_month"):
            if name in section and not _is_whole(section[name], 1):
                raise _invalid(f"{name} as a whole number above zero", section[name])
        for name, words in (("action", (OBSERVE, REFUSE)), ("without_redis", (ANSWER, REFUSE))):
            if section.get(name, words[0]) not in words:
                raise _invalid(f"{name} as one of {', '.join(words)}", section[name])
        coverage = section.get("keys_per_month", {})
        if not isinstance(coverage, dict) or not all(_is_whole(most, 1) for most in coverage.values()):
            raise _invalid("keys_per_month as whole numbers above zero such as { user_id = 5000 }", coverage)
        canaries, models = section.get("canaries", {}), section.get("models", {})
        if not isinstance(canaries, dict) or not all(map(_is_texts, canaries.values())):
            raise _invalid('canaries as lists of texts such as { user_id = ["u900017"] }', canaries)
        if not _is_texts(section.get("trusted", [])):
            raise _invalid("trusted as a list of names of owners", section["trusted"])
        if not isinstance(models, dict) or not all(isinstance(model, dict) for model in models.values()):
            raise _invalid("models as sections such as [model_theft.models.churn_model]", models)
        return cls(
            **{
                **section,
                "trusted": tuple(section.get("trusted", ())),
                "canaries": {name: tuple(keys) for name, keys in canaries.items()},
                "models": {name: _answers(name, model) for name, model in models.items()},
            }
        )

    def answers_of(self, model: str) -> AnswerSettings:
        """Return how the answers of a model leave the server.

        >>> TheftSettings().answers_of("churn_model").digits is None
        True
        """
        return self.models.get(model, AnswerSettings())


def _answers(name: str, section: dict[str, Any]) -> AnswerSettings:
    _check_names(section, AnswerSettings, f"model_theft.models.{name}")
    if "digits" in section and not _is_whole(section["digits"], 0):
        raise _invalid("digits as a whole number", section["digits"])
    if not isinstance(section.get("labels_only", False), bool):
        raise _invalid("labels_only as true or false", section["labels_only"])
    strength = section.get("watermark", 0.0)
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= MAX_STRENGTH:
        raise _invalid(f"watermark from 0 to {MAX_STRENGTH:g}", strength)
    return AnswerSettings(section.get("digits"), section.get("labels_only", False), float(strength))


def _check_names(section: dict[str, Any], kind: Any, place: str) -> None:
    options = [option.name for option in fields(kind)]
    unknown = sorted(set(section) - set(options))
    if unknown:
        raise _invalid(f"the options {', '.join(options)} in [{place}]", unknown[0])


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _invalid(expected: str, found: Any) -> InputError:
    return InputError(expected=f"{expected} in refrain.toml", found=repr(found), next_command="correct refrain.toml")
