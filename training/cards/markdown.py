"""A model card as the Hugging Face hub reads it: YAML metadata with a model index, then text for a person.

The format is that of https://huggingface.co/docs/hub/model-cards and its specification of metadata; the sections of the
text are those of M. Mitchell et al., Model Cards for Model Reporting, 2019. What is not recorded, such as a licence, is
left out of the metadata: the hub shows it as unknown.
"""

from typing import Any

import yaml

from feature_repo.output.markdown import escape, table, without_html
from training.cards.facts import Facts, number
from training.private.leaks.leak import from_json as leaks_from_json
from training.private.leaks.report import HEADS as LEAK_HEADS
from training.private.leaks.report import LIMIT
from training.private.leaks.report import table_rows as leak_rows
from training.robustness.curve import from_json
from training.robustness.report import HEADS, table_rows

TASKS = {
    "anomaly": "tabular-classification",
    "audio": "audio-classification",
    "forecasting": "time-series-forecasting",
    "recommendation": "other",
    "sequence_model": "text-generation",
    "text": "text-classification",
    "text_embedder": "feature-extraction",
}
"""Name of a model, or family → its task on the hub; models of rows classify if they give chances."""
UNKNOWN = "other"


def card(facts: Facts) -> str:
    """Writes the card of a version.

    Args:
        facts: facts of the version, as ``gather`` or ``facts_of`` collects them.

    Returns:
        The text of ``model_card.md``, or of a ``README.md`` on the hub.
    """
    metadata = yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True, width=120)
    measured = (_evaluation(facts), robustness(facts), leaks(facts))
    sections = (_summary(facts), *measured, _gates(facts), _data(facts), _where(facts))
    return f"---\n{metadata}---\n\n" + "\n\n".join(part for part in sections if part) + "\n"


def _task(facts: Facts) -> str:
    model, evaluation = facts["model"], facts["evaluation"] or {}
    rows = "tabular-classification" if evaluation.get("is_a_chance") else "tabular-regression"
    return TASKS.get(model["name"]) or TASKS.get(model["family"]) or rows


def _metadata(facts: Facts) -> dict[str, Any]:
    model, task = facts["model"], _task(facts)
    metadata: dict[str, Any] = {"library_name": "onnx"} if "model.onnx" in model["files"] else {}
    metadata |= {} if task == UNKNOWN else {"pipeline_tag": task}
    metadata["tags"] = ["refrain", model["family"]]
    metadata["model_name"] = f"{model['name']} {model['version']}"
    if results := _results(facts, task):
        metadata["metrics"] = sorted({metric["type"] for one in results for metric in one["metrics"]})
        metadata["model-index"] = [{"name": model["name"], "results": results}]
    return metadata


def _results(facts: Facts, task: str) -> list[dict[str, Any]]:
    """The results of the test; only numbers that are there."""
    model, evaluation = facts["model"], facts["evaluation"]
    if evaluation is None or evaluation["figure"]["mean"] is None:
        return []
    service = model["feature_service"] or "raw tables"
    figure = evaluation["figure"]
    metric: dict[str, Any] = {"type": evaluation["metric"], "name": evaluation["metric"], "value": figure["mean"]}
    if figure["low"] is not None:
        metric["args"] = {"interval": "95 %, by bootstrap", "low": figure["low"], "high": figure["high"]}
    dataset = {"name": service, "type": service, "split": "test", "revision": model["training_set"][:16] or "unknown"}
    return [{"task": {"type": task, "name": model["family"]}, "dataset": dataset, "metrics": [metric]}]


def _summary(facts: Facts) -> str:
    model = facts["model"]
    people = [f"Owner: {escape(facts['owner'])}."] if facts.get("owner") else []
    people += [
        f"Reviewed by {escape(one['by'])} at {one['at'][:10]}. {escape(one['note'])}"
        for one in facts.get("reviews") or ()
    ]
    people += [
        f"**Promoted anyway** at {one['at'][:10]} ({escape(one['reason'])}), against its gates: "
        f"{escape('; '.join(one['anyway']))}."
        for one in facts.get("promotions") or ()
        if one.get("version") == model["version"] and one.get("anyway")
    ]
    lines = [
        f"# {escape(model['name'])} {model['version']}",
        f"A model of the family {model['family']}. Nothing after {model['cutoff'] or 'an unknown time'} was known to "
        f"it. It takes {len(model['inputs'])} inputs"
        + (f" of the feature service {model['feature_service']}." if model["feature_service"] else "."),
        *people,
        f"## Intended use, and limits\n\n{below(without_html(facts['about']), 2)}" if facts["about"] else "",
    ]
    return "\n\n".join(line for line in lines if line)


def below(text: str, levels: int) -> str:
    """A text of Markdown whose headings are some levels lower, so that they stand below those of a document.

    >>> below("# churn_model", 2)
    '### churn_model'
    """
    return "\n".join("#" * levels + line if line.startswith("#") else line for line in text.splitlines())


def evaluation_tables(facts: Facts) -> list[str]:
    """Figures of the test beside the baselines, and by segment, as Markdown; none without evidence."""
    evaluation = facts["evaluation"]
    if evaluation is None:
        return []
    metric = evaluation["metric"]
    rows = {facts["model"]["name"]: evaluation["figure"], **evaluation["baselines"]}
    if evaluation["permuted_labels"] is not None:
        rows["fit on permuted labels (floor)"] = evaluation["permuted_labels"]
    parts = [
        f"{metric}, {'higher' if evaluation['higher_is_better'] else 'lower'} is better, over "
        f"{evaluation['units']:,} test units in {evaluation['clusters']:,} clusters; 95 % intervals by bootstrap.",
        table(["model", metric, "from", "to"], [[name, *_cells(figure)] for name, figure in rows.items()]),
    ]
    for division, segments in evaluation["segments"].items():
        cells = [[name, f"{part['units']:,}", *_cells(part)] for name, part in segments.items()]
        parts.append(table([division, "units", metric, "from", "to"], cells))
    return parts


def _cells(figure: dict[str, Any]) -> list[str]:
    return [number(figure["mean"]), number(figure["low"]), number(figure["high"])]


def _evaluation(facts: Facts) -> str:
    parts = evaluation_tables(facts)
    return "## Evaluation\n\n" + ("\n\n".join(parts) if parts else "No evidence of a test was kept.")


def robustness(facts: Facts) -> str:
    """The worst of each attack that was measured of the version, as Markdown; empty if none was."""
    curves = from_json(facts.get("robustness") or ())
    if not curves:
        return ""
    judged = list(dict.fromkeys(curve.judged for curve in curves if curve.judged))
    return "\n\n".join(["## Robustness", *judged, table(HEADS, table_rows(curves))])


def leaks(facts: Facts) -> str:
    """What attacks on the version have shown of the people it learned from, as Markdown; empty if none was made.

    The card of a private version says so, too.
    """
    figures = leaks_from_json(facts.get("leaks") or ())
    if figures:
        return "\n\n".join(["## Leaks", LIMIT, table(LEAK_HEADS, leak_rows(figures))])
    return f"## Leaks\n\n{not_measured(facts)}" if facts.get("privacy") else ""


def not_measured(facts: Facts) -> str:
    """What the card of a private version says before it was attacked."""
    model = facts["model"]
    return f"Not measured. Next: `refrain model leaks {model['name']}:{model['version']}`"


def gates_table(facts: Facts) -> str:
    """The decision whether the version may serve, with every gate, as Markdown."""
    gates = facts["gates"]
    if gates is None:
        return "No gates were checked."
    rows = [[_verdict(check), check["name"], check["summary"]] for check in gates["checks"]]
    return f"Decision: {gates['answer']}.\n\n" + table(["", "gate", "result"], rows)


def _verdict(check: dict[str, Any]) -> str:
    if check["passed"]:
        return "passed"
    return ("undecided" if check["undecided"] else "failed") if check["binding"] else "note"


def _gates(facts: Facts) -> str:
    return f"## Gates\n\n{gates_table(facts)}"


def training_data_table(facts: Facts) -> str:
    """The training sets with their digests, as Markdown; empty if there are none."""
    rows = [
        [one.get("feature_service", ""), f"{one.get('rows', 0):,}", str(one.get("cutoff"))[:19], one["digest"][:16]]
        for one in facts["training_sets"]
    ]
    return table(["feature service", "rows", "until", "digest"], rows) if rows else ""


def importance_table(facts: Facts) -> str:
    """The features that move the answers most, as Markdown; empty if nothing was explained."""
    rows = [[name, f"{share:.1%}"] for name, share in facts["importance"].items()]
    return table(["feature", "share of all contributions"], rows) if rows else ""


def _data(facts: Facts) -> str:
    parts = [part for part in (training_data_table(facts), importance_table(facts)) if part]
    return "## Training data\n\n" + "\n\n".join(parts) if parts else ""


def _where(facts: Facts) -> str:
    model = facts["model"]
    rows = [
        ["training set", model["training_set"]],
        ["feature service", f"{model['feature_service'] or 'none'} {model['fingerprint']}".strip()],
        ["code", model["code_revision"]],
        ["Refrain", model["refrain"]],
        *[[name, digest] for name, digest in model["files"].items()],
    ]
    return "## Where it came from\n\n" + table(["what", "digest"], rows)
