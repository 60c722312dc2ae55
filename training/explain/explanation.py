"""Everything that explains a model's answers, as lines and as a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.bundle import Bundle, name_and_version, open_bundle
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.background import Background
from training.explain.ablation import ablation
from training.explain.dependence import partial_dependence
from training.explain.lookup_cost import Cost, lookup_cost
from training.models.base import Model
from training.models.find import models
from training.models.lightgbm_onnx import OnnxBooster
from training.models.served import ServedTabular
from training.validation.bootstrap import Interval
from training.version_files import lineage_of
from transforms.pure import svg

SHOWN = 6
Row = tuple[float, list[tuple[str, float, float]], list[tuple[str, float]]]
"""An answer; column, value and contribution of its largest contributions; and its parts where it is a sum of several,
each with its contribution."""


@dataclass(frozen=True)
class Explanation:
    """The explanation of one version.

    Attributes:
        name: name of the model.
        importance: feature → share of all contributions.
        dependence: column → values, and the mean answer at each.
        worth: view → growth of the test's loss without it.
        cost: view → cost of its lookup.
        rows: rows of the test: answer, the largest contributions by column, and the parts of the answer.
        page: path of the page.
    """

    name: str
    importance: dict[str, float]
    dependence: dict[str, tuple[np.ndarray, np.ndarray]]
    worth: dict[str, Interval]
    cost: dict[str, Cost]
    rows: list[Row]
    page: Path

    @property
    def views(self) -> list[str]:
        """Views with a measured worth first, then the others by cost."""
        return list(dict.fromkeys([*self.worth, *self.cost]))

    def lines(self) -> Iterator[str]:
        """Yields the explanation as lines for a terminal."""
        if self.importance:
            yield "What moves the answers, as shares of all contributions:"
        for name, share in list(self.importance.items())[: 2 * SHOWN]:
            yield f"  {name:44}{share:7.1%}"
        if self.dependence:
            yield "Mean answer along a column, all others as they are:"
        for name, (values, means) in self.dependence.items():
            curve = "  ".join(f"{value:.4g}→{mean:.3f}" for value, mean in zip(values, means, strict=True))
            yield f"  {name:44}{curve}"
        yield "Growth of the test's loss without a view, and what the view costs to look up for 100 rows:"
        for view in self.views:
            loss_growth, cost = self.worth.get(view), self.cost.get(view)
            growth = (
                f"{loss_growth.mean:+.5f} ({loss_growth.low:+.5f} to {loss_growth.high:+.5f})"
                if loss_growth
                else "not left out"
            )
            lookup = (
                f"{cost.milliseconds:7.2f} ms {cost.row_bytes:6.0f} bytes a row" if cost else "  computed on demand"
            )
            yield f"  {view:28}{growth:34}{lookup}"
        for number, (answer, moved, parts) in enumerate(self.rows, start=1):
            largest = ", ".join(f"{column}={value:.4g} {contribution:+.3f}" for column, value, contribution in moved)
            yield f"row {number} of the test: {answer:.3f}{_sum_of(parts)}, by {largest}"
        yield f"page: {self.page}"


def explain(home: Home, name: str, *, rows: int = 3, progress: Progress = silent) -> Explanation:
    """Explains a champion, or a version such as ``skip_model:2``, by what its bundle stores and the features it takes.

    Args:
        home: the data folder.
        name: name of the model, or name and version.
        rows: how many rows of the test to explain one by one.
        progress: callback for the progress of the refits.

    Raises:
        BundleError: there is no such version.
        InputError: the model is not declared any more, or has neither features nor a stored background.
    """
    bundle = open_bundle(name, home)
    model_name = name_and_version(name)[0]
    model = models(home).get(model_name)
    if model is None:
        raise InputError(
            expected=f"a MODEL named {model_name!r} below training.models",
            found="none",
            next_command="refrain model list --all",
        )
    background = Background.read(bundle.folder)
    worth = _worth(home, model, bundle, progress)
    cost = lookup_cost(home, model.services)
    if background is None and not worth and not cost:
        raise InputError(
            expected="a model that takes features, or stores its contributions",
            found=f"{bundle.name_version}, which computes its inputs from raw data",
            next_command=f"refrain model report {model_name}",
        )
    page = home.reports / f"{model_name}-explained.html"
    parts = ({}, {}, []) if background is None else _answers(home, bundle, background, rows)
    explanation = Explanation(model_name, parts[0], parts[1], worth, cost, parts[2], page)
    svg.write(page, _page(explanation))
    return explanation


def _worth(home: Home, model: Model, bundle: Bundle, progress: Progress) -> dict[str, Interval]:
    """Measures the worth of each view by training without it, with the parameters of the version."""
    if not model.searchable or not model.services:
        return {}
    parameters = dict(lineage_of(home, model.name, int(bundle.manifest["version"])).get("parameters", {}))
    model_variant = model.narrowed(without=parameters.pop("without", ()))
    return ablation(model_variant.problem(home, progress=progress), parameters, progress)


def _answers(
    home: Home, bundle: Bundle, background: Background, rows: int
) -> tuple[dict[str, float], dict[str, tuple[np.ndarray, np.ndarray]], list[Row]]:
    """Returns importance, dependence along the strongest columns, and some rows one by one."""
    booster, columns = OnnxBooster(bundle.read(background.model)), background.columns

    def answer(changed: np.ndarray) -> np.ndarray:
        return background.answer(np.asarray(booster.predict(changed)), changed)

    strongest = np.argsort(-np.abs(background.contributions[:, :-1]).mean(axis=0))[:SHOWN]
    dependence = {columns[column]: partial_dependence(answer, background.inputs, int(column)) for column in strongest}
    inputs = background.inputs[:rows]
    parts = background.contributions[:rows]
    if rows and bundle.manifest["extra"].get("kind") == "tabular":  # the served model was trained on these rows, too
        parts = ServedTabular.load(home, bundle.name_version).contributions(inputs)
    explained_rows: list[Row] = []
    scores = np.asarray(booster.predict(background.inputs)) if rows else np.empty(0)
    answers = background.answer(scores, background.inputs) if rows else scores
    summed = _parts_of(background, scores, rows)
    for row_answer, row_parts, values, of_sum in zip(answers[:rows], parts, inputs, summed, strict=True):
        largest = np.argsort(-np.abs(row_parts[:-1]))[:5]
        moved = [(columns[column], float(values[column]), float(row_parts[column])) for column in largest]
        explained_rows.append((float(row_answer), moved, of_sum))
    return background.importance, dependence, explained_rows


def _parts_of(background: Background, scores: np.ndarray, rows: int) -> list[list[tuple[str, float]]]:
    """Returns the parts of the first answers with their contributions; empty where the model alone answers."""
    if background.parts is None or not rows:
        return [[] for _ in background.inputs[:rows]]
    contributions = background.parts.contributions(scores, background.inputs, background.columns)[:rows]
    return [list(zip(background.parts.names, row.tolist(), strict=True)) for row in contributions]


def _sum_of(parts: list[tuple[str, float]]) -> str:
    return " = " + ", ".join(f"{name} {contribution:+.3f}" for name, contribution in parts) if parts else ""


def _page(explanation: Explanation) -> str:
    """Draws the explanation as one self-contained page."""
    parts = []
    if explanation.importance:
        share_rows = [(name, f"{share:.1%}") for name, share in list(explanation.importance.items())[: 3 * SHOWN]]
        parts += ["<h2>What moves the answers</h2>", svg.table(["feature", "share"], share_rows, numbers=(1,))]
    for name, (values, means) in explanation.dependence.items():
        span = f"{values[0]:.4g} to {values[-1]:.4g}" if len(values) else "nothing known"
        parts.append(svg.lines(f"Mean answer along {name}, {span}", [means.tolist()]))
    parts.append("<h2>What each feature view is worth, and costs</h2>")
    rows = []
    for view in explanation.views:
        loss_growth, cost = explanation.worth.get(view), explanation.cost.get(view)
        rows.append(
            (
                view,
                *(
                    [f"{share_rows:+.5f}" for share_rows in (loss_growth.mean, loss_growth.low, loss_growth.high)]
                    if loss_growth
                    else [""] * 3
                ),
                f"{cost.milliseconds:.2f}" if cost else "",
                f"{cost.row_bytes:.0f}" if cost else "",
            )
        )
    heads = ["view", "loss without it", "from", "to", "ms for 100 rows", "bytes a row"]
    parts.append(svg.table(heads, rows, numbers=(1, 2, 3, 4, 5)))
    for number, (answer, moved, summed) in enumerate(explanation.rows, start=1):
        parts.append(f"<h3>Row {number} of the test: {answer:.3f}{_sum_of(summed)}</h3>")
        part_rows = [(column, f"{value:.4g}", f"{part:+.3f}") for column, value, part in moved]
        parts.append(svg.table(["column", "value", "contribution"], part_rows, numbers=(1, 2)))
    return svg.page(f"{explanation.name}, explained", "".join(parts))
