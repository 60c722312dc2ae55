"""Technical documentation under the headings of Annex IV of Regulation (EU) 2024/1689, filled from records.

Each point has what is recorded (figures, digests, files) and, where only the provider can say it, a line that
begins with ``TO_WRITE``. A point is never filled by a guess. Whether the annex binds, because a system is of high
risk by Article 6, is also for the provider to say. The headings are ours and short; the annex has the full wording.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from feature_repo.output.markdown import escape, table, without_html
from training.cards.facts import Facts
from training.cards.markdown import below, evaluation_tables, gates_table, importance_table, training_data_table

TO_WRITE = "> **To be written by the provider:**"
"""Begins what no record says."""
WRITTEN = "**By the provider:**"
"""Begins what the provider says."""
SOURCE = "Regulation (EU) 2024/1689, Annex IV (https://eur-lex.europa.eu/eli/reg/2024/1689/oj)"


@dataclass(frozen=True)
class Point:
    """One point of the annex.

    Attributes:
        number: its number, such as ``2(d)``.
        heading: what it is about.
        to_write: what only the provider can say; empty if the records say all.
        recorded: function of the facts that returns what is recorded as Markdown; None if nothing can be.
    """

    number: str
    heading: str
    to_write: str = ""
    recorded: Callable[[Facts], str] | None = None


def document(facts: Facts, words: Mapping[str, str] = MappingProxyType({})) -> str:
    """Writes the technical documentation of a version.

    Args:
        facts: facts of the version, as ``gather`` or ``facts_of`` collects them.
        words: number of a point → what the provider says of it (``provider.words_of``).

    Returns:
        Markdown with every point of the annex.
    """
    model = facts["model"]
    parts = [
        f"# Technical documentation of {escape(model['name'])} {model['version']}",
        f"Headings of {SOURCE}. What follows a heading is taken from the records of this version; what they do not "
        f"say is marked. Whether the system is of high risk (Article 6), so that this documentation is required, is "
        f"the provider's to decide.",
    ]
    for part, title in PARTS.items():
        parts.append(f"## {part}. {title}")
        for point in (point for point in POINTS if point.number.partition("(")[0] == part):
            if point.number != part:
                parts.append(f"### {point.number} {point.heading}")
            text = point.recorded(facts) if point.recorded else ""
            parts += [text] if text else []
            if point.number in words:
                parts.append(f"{WRITTEN} {below(words[point.number], 3)}")
            elif point.to_write:
                parts.append(f"{TO_WRITE} {point.to_write}")
            elif not text:
                parts.append("Nothing is recorded.")
    return "\n\n".join(parts) + "\n"


def missing(text: str) -> int:
    """Counts the places of a document that the provider has to write."""
    return text.count(TO_WRITE)


def _purpose(facts: Facts) -> str:
    model = facts["model"]
    before = [str(one["version"]) for one in facts.get("promotions") or () if one.get("version")]
    rows = [
        ["name and version", f"{model['name']} {model['version']}"],
        ["family", model["family"]],
        ["owner", facts.get("owner") or "not declared"],
        ["champions until now, in order", ", ".join(before) or "none"],
    ]
    return table(["what", "recorded"], rows)


def _software(facts: Facts) -> str:
    model = facts["model"]
    return table(["what", "version"], [["Refrain", model["refrain"]], ["code", model["code_revision"]]])


def _forms(facts: Facts) -> str:
    model = facts["model"]
    files = table(["file", "SHA-256"], [[name, digest] for name, digest in model["files"].items()])
    return f"A model bundle of {model['bytes']:,} bytes, served over HTTP and by the command line.\n\n{files}"


def _methods(facts: Facts) -> str:
    rows = [[name, str(value)] for name, value in (facts["run"].get("parameters") or {}).items()]
    steps = "Features are pulled point in time from the feature service, a test on newer rows follows, then the gates."
    return steps + ("\n\n" + table(["parameter", "value"], rows) if rows else "")


def _design(facts: Facts) -> str:
    model = facts["model"]
    outputs = table(["output", "type"], model["outputs"]) if model["outputs"] else ""
    inputs = table(["input", "type"], model["inputs"]) if model["inputs"] else ""
    return "\n\n".join(
        part for part in (below(without_html(facts["about"]), 3), inputs, outputs, importance_table(facts)) if part
    )


def _data(facts: Facts) -> str:
    sources = [
        [one.get("feature_service", ""), name, str(digest)]
        for one in facts["training_sets"]
        for name, digest in (one.get("sources") or {}).items()
    ]
    rows = [[name, f"{count:,}"] for name, count in (facts["run"].get("rows") or {}).items() if isinstance(count, int)]
    parts = [
        f"Nothing after {facts['model']['cutoff'] or 'an unknown time'} was used.",
        training_data_table(facts),
        table(["feature service", "view", "digest of its files"], sources) if sources else "",
        table(["raw table", "rows"], rows) if rows else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _testing(facts: Facts) -> str:
    reviews = [[one["at"][:10], one["by"], one["note"]] for one in facts.get("reviews") or ()]
    parts = [*evaluation_tables(facts), gates_table(facts)]
    if reviews:
        parts.append(table(["reviewed", "by", "note"], reviews))
    return "\n\n".join(parts)


def _control(facts: Facts) -> str:
    segments = (facts["evaluation"] or {}).get("segments") or {}
    divisions = f"Figures by {', '.join(segments)} are under 2(g)." if segments else ""
    return f"A version serves only if it passed its gates, or a person promoted it with a reason. {divisions}".strip()


def _metrics(facts: Facts) -> str:
    evaluation = facts["evaluation"]
    return f"The test's metric is {evaluation['metric']}; all figures are under 2(g)." if evaluation else ""


def _changes(facts: Facts) -> str:
    rows = [[one["at"][:19], one.get("version") or "none", one["reason"]] for one in facts.get("promotions") or ()]
    return table(["at", "champion", "reason"], rows) if rows else ""


def _after(facts: Facts) -> str:
    return (
        "Lookups and predictions are logged by day; `refrain monitor` compares them with the training data and with "
        "what happened, and `refrain model retrain` records every decision with its reasons."
    )


PARTS: dict[str, str] = {
    "1": "General description of the system",
    "2": "Elements of the system, and its development",
    "3": "Monitoring, functioning and control",
    "4": "Appropriateness of the performance metrics",
    "5": "Risk management system (Article 9)",
    "6": "Changes through the lifecycle",
    "7": "Harmonised standards and other specifications",
    "8": "EU declaration of conformity (Article 47)",
    "9": "Evaluation after placing on the market (Article 72)",
}
"""Number of a part of the annex → its heading."""

POINTS: tuple[Point, ...] = (
    Point("1(a)", "Purpose, provider, version", "the intended purpose, the name of the provider", _purpose),
    Point("1(b)", "Interaction with other hardware, software and AI systems", "what the system interacts with"),
    Point("1(c)", "Versions of software and firmware, and of their updates", "requirements on updates", _software),
    Point("1(d)", "Forms in which it is placed on the market", "the form that is chosen", _forms),
    Point("1(e)", "Hardware on which it is intended to run", "the hardware"),
    Point("1(f)", "Photographs of products that it is a component of", "photographs, or that there is no such product"),
    Point("1(g)", "User interface for the deployer", "the interface, in a few sentences"),
    Point("1(h)", "Instructions for use", "the instructions for the deployer"),
    Point("2(a)", "Methods and steps of development, third-party parts", "pre-trained parts, if there are", _methods),
    Point("2(b)", "Design: logic, choices, what is optimised, outputs", "rationale, assumptions, trade-offs", _design),
    Point("2(c)", "Architecture and computational resources", "the resources, and how the parts work together"),
    Point("2(d)", "Training data: provenance, scope, selection, labels", "how data were obtained and labelled", _data),
    Point("2(e)", "Human oversight (Article 14)", "the measures of oversight, and who carries them out"),
    Point("2(f)", "Changes determined in advance", "changes that are planned, or that there are none"),
    Point("2(g)", "Validation and testing", "potentially discriminatory impacts, and signed test reports", _testing),
    Point("2(h)", "Cybersecurity", "the measures that are in place"),
    Point("3", PARTS["3"], "capabilities and limits for persons and groups, foreseeable risks, oversight", _control),
    Point("4", PARTS["4"], "why this metric suits the purpose", _metrics),
    Point("5", PARTS["5"], "the risk management system"),
    Point("6", PARTS["6"], "what was changed, and why", _changes),
    Point("7", PARTS["7"], "the standards that are applied, or the solutions in their place"),
    Point("8", PARTS["8"], "a copy of the declaration"),
    Point("9", PARTS["9"], "the plan of the monitoring after placing on the market", _after),
)
"""Every point of the annex, in its order."""
