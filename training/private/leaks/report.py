"""Figures as lines for a terminal, and as a table of a model card."""

from collections.abc import Iterator, Mapping, Sequence

from training.private.leaks.leak import Leak

HEADS = ("attack", "on", "measure", "figure", "95 %", "beside", "")
"""Heads of the columns of ``table_rows``."""
LIMIT = "An attack shows the least that a model gives away: what it does not find may be there."


def lines(leaks: Sequence[Leak], left_out: Mapping[str, str]) -> Iterator[str]:
    """Yields lines for a terminal: the figures of each attack and part, then what does not apply."""
    before = None
    for leak in leaks:
        if (leak.attack, leak.part) != before:
            before = (leak.attack, leak.part)
            group = [one for one in leaks if (one.attack, one.part) == before]
            judged = next((one.judged for one in group if one.value is not None), "")
            yield f"{leak.attack} on {leak.part}: {judged}".removesuffix(": ")
        yield f"  {leak.sentence}"
    for name, reason in left_out.items():
        yield f"{name}: does not apply, {reason}"
    yield LIMIT


def table_rows(leaks: Sequence[Leak]) -> list[list[str]]:
    """Returns a row for each figure."""
    return [
        [
            leak.attack,
            leak.part,
            leak.measure,
            "" if leak.value is None else f"{leak.value:.4f}",
            _interval(leak),
            f"{leak.beside} {leak.chance:.4f}",
            leak.verdict,
        ]
        for leak in leaks
    ]


def _interval(leak: Leak) -> str:
    if leak.low is None:
        return ""
    return f"from {leak.low:.4f}" if leak.high is None else f"{leak.low:.4f} to {leak.high:.4f}"
