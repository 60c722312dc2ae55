"""All that can be said of why a model of rows answers as it does, told and drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_repo.bundle import name_and_version
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.card import importance
from training.explain.ablation import ablation
from training.explain.dependence import partial_dependence
from training.explain.lookup_cost import Cost, lookup_cost
from training.models.find import models
from training.models.served import ServedTabular
from training.models.tabular import TabularModel
from training.validation.bootstrap import Interval
from transforms import svg

SHOWN = 6


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
    rows: list[tuple[float, list[tuple[str, float, float]]]]
    page: Path

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield "What moves the answers, as shares of all contributions:"
        for name, share in list(self.importance.items())[: 2 * SHOWN]:
            yield f"  {name:44}{share:7.1%}"
        yield "Mean answer along a column, all others as they are:"
        for name, (values, means) in self.dependence.items():
            told = "  ".join(f"{value:.4g}→{mean:.3f}" for value, mean in zip(values, means, strict=True))
            yield f"  {name:44}{told}"
        yield "Growth of the test's loss without a view, and what the view costs to look up for 100 rows:"
        for view, grown in self.worth.items():
            cost = self.cost.get(view)
            dear = f"{cost.milliseconds:7.2f} ms {cost.row_bytes:6.0f} bytes a row" if cost else "  computed on demand"
            yield f"  {view:28}{grown.mean:+.5f} ({grown.low:+.5f} to {grown.high:+.5f}){dear}"
        for number, (answer, parts) in enumerate(self.rows, start=1):
            told = ", ".join(f"{column}={value:.4g} {part:+.3f}" for column, value, part in parts)
            yield f"row {number} of the test: {answer:.3f}, by {told}"
        yield f"page: {self.page}"


def explain(home: Home, name: str, *, rows: int = 3, progress: Progress = silent) -> Explained:
    """Explain a champion, or a version such as ``skip_model:2``.

    Args:
        home: the data folder.
        name: of the model.
        rows: of the test to explain one by one.
        progress: told of the refits.

    Raises:
        BundleError: there is none, or it is no model of rows.
        InputError: nothing declares the model any more.
    """
    served = ServedTabular.load(home, name)
    plain = name_and_version(name)[0]
    model = models().get(plain)
    if not isinstance(model, TabularModel):
        raise InputError(
            expected=f"a MODEL named {plain!r} below training.models",
            found="none",
            next_command="python -m training list --all",
        )
    model = model.leaving_out(served.extra["without"])
    kept, columns = served.background(), served.layout.outputs
    weighed = importance(served.folder)
    strongest = np.argsort(-np.abs(kept["contributions"][:, :-1]).mean(axis=0))[:SHOWN]
    dependence = {
        columns[place]: partial_dependence(served.onnx.predict, kept["inputs"], int(place)) for place in strongest
    }
    asked = model.rows(home)
    worth = ablation(model, model.pull(home), served.extra["learner"], served.extra["parameters"], progress)
    cost = lookup_cost(home, model.service, asked)
    parts = served.contributions(kept["inputs"][:rows]) if rows else np.empty((0, 1))
    told = []
    for answer, mine, values in zip(served.onnx.predict(kept["inputs"][:rows]), parts, kept["inputs"], strict=False):
        largest = np.argsort(-np.abs(mine[:-1]))[:5]
        told.append((float(answer), [(columns[at], float(values[at]), float(mine[at])) for at in largest]))
    page = home.reports / f"{plain}-explained.html"
    found = Explained(plain, weighed, dependence, worth, cost, told, page)
    svg.write(page, _page(found))
    return found


def _page(found: Explained) -> str:
    """One page that needs nothing else."""
    parts = ["<h2>What moves the answers</h2>"]
    parts.append(
        svg.table(
            ["feature", "share"],
            [(name, f"{share:.1%}") for name, share in list(found.importance.items())[: 3 * SHOWN]],
            numbers=(1,),
        )
    )
    for name, (values, means) in found.dependence.items():
        span = f"{values[0]:.4g} to {values[-1]:.4g}" if len(values) else "nothing known"
        parts.append(svg.lines(f"Mean answer along {name}, {span}", [means.tolist()]))
    parts.append("<h2>What each feature view is worth, and costs</h2>")
    rows = []
    for view, grown in found.worth.items():
        cost = found.cost.get(view)
        rows.append(
            (
                view,
                f"{grown.mean:+.5f}",
                f"{grown.low:+.5f}",
                f"{grown.high:+.5f}",
                f"{cost.milliseconds:.2f}" if cost else "",
                f"{cost.row_bytes:.0f}" if cost else "",
            )
        )
    heads = ["view", "loss without it", "from", "to", "ms for 100 rows", "bytes a row"]
    parts.append(svg.table(heads, rows, numbers=(1, 2, 3, 4, 5)))
    for number, (answer, told) in enumerate(found.rows, start=1):
        parts.append(f"<h3>Row {number} of the test: {answer:.3f}</h3>")
        shown = [(column, f"{value:.4g}", f"{part:+.3f}") for column, value, part in told]
        parts.append(svg.table(["column", "value", "contribution"], shown, numbers=(1, 2)))
    return svg.page(f"{found.name}, explained", "".join(parts))
