"""The declaration of a feature service: the features that one version of a model takes. Imports no Feast."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceDeclaration:
    """A feature service, as declared; ``feature_repo.services`` makes Feast's object of it.

    Attributes:
        name: name of the service, with its version.
        description: one line.
        features: views, with or without their features; see ``service``.
        predicts: the label that a model of this service learns; empty if there is none.
        purpose: what the features are used for, such as ``personalisation``; empty if it is not said.
    """

    name: str
    description: str
    features: tuple[str, ...]
    predicts: str = ""
    purpose: str = ""

    def projections(self) -> Iterator[tuple[str, list[str]]]:
        """Yields each view with the names of the features taken; an empty list stands for all."""
        for feature in self.features:
            view, _, columns = feature.partition(":")
            yield view.strip(), [name for word in columns.split() for name in _expand(word)]


def service(name: str, description: str, *features: str, predicts: str = "", purpose: str = "") -> ServiceDeclaration:
    """Declares a feature service.

    Args:
        name: name of the service, with its version.
        description: one line.
        features: the views, each alone for all its features, or followed by a colon and the features taken. Braces
            stand for several endings: ``user_session: plays_{1h,1d}`` takes ``plays_1h`` and ``plays_1d``.
        predicts: the label that a model of this service learns, if there is one.
        purpose: what the features are used for (``feature_repo.purposes``). Where the project asks for consent to it,
            training sets and answers leave out people who have not given it.

    >>> list(service("skip_v1", "Whether a play is skipped", "user_session: plays_{1h,1d}", "track_age").projections())
    [('user_session', ['plays_1h', 'plays_1d']), ('track_age', [])]
    """
    return ServiceDeclaration(name, description, features, predicts, purpose)


def _expand(word: str) -> list[str]:
    stem, braces, endings = word.partition("{")
    return [stem + ending for ending in endings.rstrip("}").split(",")] if braces else [word]
