"""The result of a private run of a model, for a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass

from training.private.differential.statement import PrivacyStatement


@dataclass(frozen=True)
class PrivateResult:
    """A registered private version.

    Attributes:
        name: name of the model.
        version: version of the registered bundle.
        statement: what is guaranteed.
        data: what it was learned from, such as ``plays``.
        notes: what is to be said of this version besides.
        is_new: whether a release was paid for; False if an earlier one was returned.
        seconds: stage → wall time in seconds.
    """

    name: str
    version: int
    statement: PrivacyStatement
    data: str
    notes: tuple[str, ...]
    is_new: bool
    seconds: dict[str, float]

    def lines(self) -> Iterator[str]:
        """Formats the result as lines for a terminal."""
        for stage, seconds in self.seconds.items():
            yield f"{stage:14}{seconds:7.1f} s"
        yield self.statement.text()
        again = f"the same {self.data}, ε and δ as before: the earlier release, at no cost"
        yield "paid for now" if self.is_new else again
        yield from self.notes
        yield (
            f"registered: {self.name} {self.version} (challenger), without figures of a test, which would tell of "
            f"people. Next: refrain model promote {self.name} {self.version} --anyway"
        )
