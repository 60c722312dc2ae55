"""Every model that may serve has an owner, a card, and a review of the version that serves."""

from collections.abc import Iterator

from refrain.compliance.facts import Facts
from refrain.compliance.rule import Breach, Rule
from training.reviews import all_stewardships


def owners(facts: Facts) -> Iterator[Breach]:
    """Yields models for which nobody answers."""
    for model in all_stewardships(facts.home):
        if not model.owner:
            yield Breach(
                model.model,
                "nobody answers for it",
                f'{model.model} = "NAME" in [owners] of refrain.toml, or: '
                f"refrain model review {model.model}:{model.version} --by NAME --owner NAME",
            )


def cards(facts: Facts) -> Iterator[Breach]:
    """Yields models whose version that serves has no card."""
    for model in all_stewardships(facts.home):
        if model.card is None:
            yield Breach(model.model, f"version {model.version} has no card", f"refrain model run {model.model}")


def reviews(facts: Facts) -> Iterator[Breach]:
    """Yields models whose version that serves was never reviewed."""
    for model in all_stewardships(facts.home):
        if not model.reviewed_at:
            yield Breach(
                model.model,
                f"version {model.version} was never reviewed",
                f"refrain model review {model.model}:{model.version} --by NAME",
            )


RULES = (
    Rule("model_owned", "Every model has an owner.", owners),
    Rule("model_described", "The version of a model that serves has a card.", cards),
    Rule("model_reviewed", "The version of a model that serves was reviewed.", reviews),
)
