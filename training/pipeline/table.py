"""The outcomes of many models as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from feature_repo.output.plain import one_line
from training.pipeline.models import Outcome

if TYPE_CHECKING:
    from rich.table import Table


def table(outcomes: Sequence[Outcome]) -> "Table":
    """Makes a table with one row per model: version, figure on test, gain over the best baseline, seconds, decision."""
    from rich.table import Table
    from rich.text import Text

    result = Table(title="Models", title_justify="left")
    for heading in ("model", "version", "figure on test", "over the best baseline", "seconds", "pull", "may serve"):
        result.add_column(heading, justify="right" if heading in ("version", "seconds", "pull") else "left")
    for outcome in outcomes:
        result.add_row(*(Text(one_line(cell)) for cell in _cells(outcome)))
    return result


def _cells(outcome: Outcome) -> tuple[str, ...]:
    if outcome.error is not None:
        message = f"needs {outcome.error.expected}: found {outcome.error.found}"
        return outcome.model.name, "–", message, f"Next: {outcome.error.next_command}", "", "", "–"
    figure, best = outcome.figure, min(outcome.gain.items(), key=lambda item: item[1].mean, default=None)
    return (
        outcome.model.name,
        str(outcome.version),
        f"{outcome.metric} {figure}" if figure else "",
        f"{best[1].signed} {best[0]}" if best else "",
        "as before" if outcome.cached else f"{outcome.seconds:.1f}",
        "" if outcome.cached else f"{outcome.pull:.1f}",
        {"pass": "yes", "fail": "no", "undecided": "undecided"}[outcome.decision.answer] if outcome.decision else "no",
    )
