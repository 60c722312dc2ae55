"""All that can be said of why a model answers as it does, told and drawn."""

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
from training.registry import lineage_of
from training.validation.bootstrap import Interval
from transforms.pure import svg

SHOWN = 6
Row = tuple[float, list[tuple[str, float, float]]]
"""Answer; column, value and contribution of those that moved it most."""


@dataclass(frozen=True)
class Explained:
    """Of one version.

    Attributes:
        name: of the model.
        importance: feature → share of all contributions.
        dependence: column → values, and the mean answer at each.
        worth: view → growth of the test's loss without it.
        cost: view → what it costs to look up.
        rows: of the test: answer, and the largest contributions by column.
        page: where it is drawn.
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
        """The most worth first; then those whose worth was not asked, by cost."""
        return list(dict.fromkeys([*self.worth, *self.cost]))

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        if self.importance:
            yield "What moves the answers, as shares of all contributions:"
        for name, share in list(self.importance.items())[: 2 * SHOWN]:
            yield f"  {name:44}{share:7.1%}"
        if self.dependence:
            yield "Mean answer along a column, all others as they are:"
        for name, (values, means) in self.dependence.items():
            told = "  ".join(f"{value:.4g}→{mean:.3f}" for value, mean in zip(values, means, strict=True))
            yield f"  {name:44}{told}"
        yield "Growth of the test's loss without a view, and what the view costs to look up for 100 rows:"
        for view in self.views:
            grown, cost = self.worth.get(view), self.cost.get(view)
            told = f"{grown.mean:+.5f} ({grown.low:+.5f} to {grown.high:+.5f})" if grown else "not left out"
            dear = f"{cost.milliseconds:7.2f} ms {cost.row_bytes:6.0f} bytes a row" if cost else "  computed on demand"
            yield f"  {view:28}{told:34}{dear}"
        for number, (answer, parts) in enumerate(self.rows, start=1):
            told = ", ".join(f"{column}={value:.4g} {part:+.3f}" for column, value, part in parts)
            yield f"row {number} of the test: {answer:.3f}, by {told}"
        yield f"page: {self.page}"


def explain(home: Home, name: str, *, rows: int = 3, progress: Progress = silent) -> Explained:
    """Explain a champion, or a version such as ``skip_model:2``, by whatever it keeps and eats.

    Args:
        home: the data folder.
        name: of the model.
        rows: of the test to explain one by one.
        progress: told of the refits.

    Raises:
        BundleError: there is no such version.
        InputError: nothing declares the model any more, or it keeps and eats nothing that it could be explained by.
    """
    bundle = open_bundle(name, home)
    plain = name_and_version(name)[0]
    model = models().get(plain)
    if model is None:
        raise InputError(
            expected=f"a MODEL named {plain!r} below training.models",
            found="none",
            next_command="python -m training list --all",
        )
    background = Background.read(bundle.folder)
    worth = _worth(home, model, bundle, progress)
    cost = lookup_cost(home, model.services)
    if background is None and not worth and not cost:
        raise InputError(
            expected="a model that eats features, or keeps what moved its answers",
            found=f"{bundle.name_version}, which makes its own of raw data",
            next_command=f"python -m training report {plain}",
        )
    page = home.reports / f"{plain}-explained.html"
    parts = ({}, {}, []) if background is None else _answers(home, bundle, background, rows)
    found = Explained(plain, parts[0], parts[1], worth, cost, parts[2], page)
    svg.write(page, _page(found))
    return found


def _worth(home: Home, model: Model, bundle: Bundle, progress: Progress) -> dict[str, Interval]:
    """Of each view, learned again with the parameters of the version."""
    if not model.searchable or not model.services:
        return {}
    parameters = dict(lineage_of(home, model.name, int(bundle.manifest["version"])).get("parameters", {}))
    narrowed = model.narrowed(without=parameters.pop("without", ()))
    return ablation(narrowed.problem(home, progress=progress), parameters, progress)


def _answers(
    home: Home, bundle: Bundle, background: Background, rows: int
) -> tuple[dict[str, float], dict[str, tuple[np.ndarray, np.ndarray]], list[Row]]:
    """Importance, dependence along the strongest columns, and some rows one by one."""
    answer, columns = OnnxBooster(bundle.read(background.model)).predict, background.columns
    strongest = np.argsort(-np.abs(background.contributions[:, :-1]).mean(axis=0))[:SHOWN]
    dependence = {columns[place]: partial_dependence(answer, background.inputs, int(place)) for place in strongest}
    some = background.inputs[:rows]
    parts = background.contributions[:rows]
    if rows and bundle.manifest["extra"].get("kind") == "tabular":  # what serves has learned from these rows, too
        parts = ServedTabular.load(home, bundle.name_version).contributions(some)
    told: list[Row] = []
    for said, mine, values in zip(answer(some) if rows else (), parts, some, strict=False):
        largest = np.argsort(-np.abs(mine[:-1]))[:5]
        told.append((float(said), [(columns[at], float(values[at]), float(mine[at])) for at in largest]))
    return background.importance, dependence, told


def _page(found: Explained) -> str:
    """One page that needs nothing else."""
    parts = []
    if found.importance:
        told = [(name, f"{share:.1%}") for name, share in list(found.importance.items())[: 3 * SHOWN]]
        parts += ["<h2>What moves the answers</h2>", svg.table(["feature", "share"], told, numbers=(1,))]
    for name, (values, means) in found.dependence.items():
        span = f"{values[0]:.4g} to {values[-1]:.4g}" if len(values) else "nothing known"
        parts.append(svg.lines(f"Mean answer along {name}, {span}", [means.tolist()]))
    parts.append("<h2>What each feature view is worth, and costs</h2>")
    rows = []
    for view in found.views:
        grown, cost = found.worth.get(view), found.cost.get(view)
        rows.append(
            (
                view,
                *([f"{told:+.5f}" for told in (grown.mean, grown.low, grown.high)] if grown else [""] * 3),
                f"{cost.milliseconds:.2f}" if cost else "",
                f"{cost.row_bytes:.0f}" if cost else "",
            )
        )
    heads = ["view", "loss without it", "from", "to", "ms for 100 rows", "bytes a row"]
    parts.append(svg.table(heads, rows, numbers=(1, 2, 3, 4, 5)))
    for number, (answer, moved) in enumerate(found.rows, start=1):
        parts.append(f"<h3>Row {number} of the test: {answer:.3f}</h3>")
        shown = [(column, f"{value:.4g}", f"{part:+.3f}") for column, value, part in moved]
        parts.append(svg.table(["column", "value", "contribution"], shown, numbers=(1, 2)))
    return svg.page(f"{found.name}, explained", "".join(parts))
