"""What each feature view is worth: the test's loss without it, fitted anew, row by row beside the loss with it."""

from collections.abc import Mapping
from typing import Any

from feature_repo.command_line import Progress, silent
from training.datasets.tabular import TabularSet
from training.models.tabular import TabularModel
from training.validation.bootstrap import Interval, interval
from transforms.tabular.layout import Layout


def ablation(
    model: TabularModel, rows: TabularSet, learner: str, parameters: Mapping[str, Any], progress: Progress = silent
) -> dict[str, Interval]:
    """View → how much the mean loss of the test grows without its features; nothing for the only view."""
    learned, asked = model.split(rows)
    train, test = rows.take(learned), rows.take(asked)
    layout = Layout.fit(train.features)
    views = list(dict.fromkeys(name.partition("__")[0] for name in layout.names))
    with_all = _loss(model, train, test, layout, learner, parameters)
    found = {}
    for place, view in enumerate(views if len(views) > 1 else []):
        progress(place, len(views), f"without {view}")
        without = Layout(tuple(column for column in layout.columns if column.name.partition("__")[0] != view))
        grown = _loss(model, train, test, without, learner, parameters) - with_all
        found[view] = interval(grown, test.clusters)
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))


def _loss(
    model: TabularModel,
    train: TabularSet,
    test: TabularSet,
    layout: Layout,
    learner: str,
    parameters: Mapping[str, Any],
):  # type: ignore[no-untyped-def]
    fitted = model.fit(train, layout, learner, parameters)
    return model.loss(fitted.predict(layout.matrix(test.features)), test.labels)
