"""The result of one gate: passed, failed, or undecided where the evidence is too small to tell."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """The result of one gate.

    Attributes:
        name: name of the gate.
        passed: whether the version passes.
        summary: the result in words.
        binding: whether anything but a pass keeps the version from serving; otherwise it is only a note.
        of_data: whether the gate is about the training set alone, and so the same for every champion.
        undecided: whether the version did not pass because the evidence is too small to tell.
    """

    name: str
    passed: bool
    summary: str
    binding: bool = True
    of_data: bool = False
    undecided: bool = False

    @property
    def verdict(self) -> str:
        """``passed``, ``FAILED``, ``UNDECIDED``, or ``note`` if the gate is not binding."""
        if self.passed:
            return "passed"
        if not self.binding:
            return "note"
        return "UNDECIDED" if self.undecided else "FAILED"

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Check":
        """Returns a check as JSON has it; earlier decisions call the summary ``told``."""
        return cls(**{"summary" if key == "told" else key: value for key, value in content.items()})
