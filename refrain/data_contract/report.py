"""The results of a check for a person: lines of a terminal, and a page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from feature_repo.output import json_text
from refrain.data_contract.result import Result, Status
from transforms.pure import svg

_STYLES: dict[Status, str] = {"ok": "good", "violated": "bad", "warning": "bad", "not checked": "note"}


def violations(results: Sequence[Result]) -> int:
    """Counts the violations that bind."""
    return sum(result.status == "violated" for result in results)


def lines(results: Sequence[Result], *, every: bool = False) -> Iterator[str]:
    """Yields the report: a line a contract, then what is violated; everything if ``every``."""
    for (kind, name), group in groupby(results, lambda result: (result.kind, result.table)):
        of_table = list(group)
        counts = Counter(result.status for result in of_table)
        words = [f"{counts[status]} {status}" for status in _STYLES if counts[status]]
        yield f"{kind:9}{name:28}{', '.join(words)}"
        for result in of_table:
            if every or result.status in ("violated", "warning"):
                yield f"    {result.status:12}{result.check}: {_place(result)}{result.summary}"
    tables = len({(result.kind, result.table) for result in results})
    yield f"{tables} contracts, {len(results):,} checks: {violations(results)} violated"


def page(results: Sequence[Result]) -> str:
    """The report as a page."""
    parts = [f"<p>{len(results):,} checks, {violations(results)} violated.</p>"]
    for (kind, name), group in groupby(results, lambda result: (result.kind, result.table)):
        cells = [
            (
                svg.Html(f"<span class={_STYLES[result.status]}>{result.status}</span>"),
                result.check,
                result.column,
                svg.Html(f"<span style='white-space: normal'>{svg.escape(result.summary)}</span>"),
            )
            for result in group
        ]
        parts.append(f"<h2>{svg.escape(name)} ({kind})</h2>" + svg.table(["", "check", "column", "result"], cells))
    return svg.page("Data contracts", "".join(parts))


def to_json(results: Sequence[Result]) -> str:
    """The results as one JSON object."""
    content = {"violations": violations(results), "results": [asdict(result) for result in results]}
    return json_text.to_json(content)


def _place(result: Result) -> str:
    return "" if not result.column or result.column in result.summary else f"{result.column}, "
