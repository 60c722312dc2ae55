"""Models of rows: whether a person's rows were learned from, by shadow models of the version's learner.

Of a private version its mechanism is attacked, on simulated people.
"""

from collections.abc import Sequence

import numpy as np

from training.models.as_trained import as_trained, extra_of
from training.models.tabular import TabularModel
from training.private.leaks import private_rows
from training.private.leaks.leak import Leak
from training.private.leaks.lira import logit
from training.private.leaks.shadows import FEWEST_PEOPLE, attack_models, shadow_confidence, too_few
from training.private.leaks.subject import Request, Subject
from transforms.pure.tabular.layout import Layout


def measure(request: Request) -> tuple[Sequence[Leak], dict[str, str]]:
    """Attacks the declared model, with the learner and parameters of the version.

    Raises:
        InputError: the rows are unfit for training.
        StoreError: the features are not built or not applied.
    """
    assert isinstance(request.model, TabularModel)
    extra = extra_of(request.home, request.model, request.version)
    if "privacy" in extra:
        return private_rows.measure_version(extra, request)
    model, learner, parameters = as_trained(request.model, extra)
    rows = model.pull(request.home)
    person, everybody = _numbers(rows.clusters, request)
    drawn = np.flatnonzero(person >= 0)
    rows, person = rows.take(drawn), person[drawn]
    unit = model.cluster.removesuffix("_id").replace("_", " ")
    part = f"chances of {learner}" if model.kind == "binary" else f"numbers of {learner}"
    if everybody < FEWEST_PEOPLE:
        return too_few(part, everybody, unit), {}
    layout = Layout.fit(rows.features)
    inputs, size = layout.matrix(rows.features), np.bincount(person, minlength=everybody)

    def fit(is_in: np.ndarray) -> np.ndarray:
        fitted = model.fit(rows.take(np.flatnonzero(is_in[person])), layout, learner, parameters)
        answers = fitted.predict(inputs)
        if model.kind == "number":
            confidence = -np.abs(answers - rows.labels)
        else:
            confidence = logit(np.where(rows.labels > 0, answers, 1 - answers))
        return np.asarray(np.bincount(person, confidence, minlength=everybody) / size)

    confidence, is_in = shadow_confidence(everybody, request.shadows, fit, request.seed, request.progress)
    return attack_models(part, confidence, is_in, unit), {}


def _numbers(clusters: np.ndarray, request: Request) -> tuple[np.ndarray, int]:
    """(rows,) number of each row's person, −1 of those who are not drawn; and the number of people who are."""
    names, person = np.unique(clusters, return_inverse=True)
    count = min(len(names), request.people)
    numbers = np.full(len(names), -1)
    numbers[np.random.default_rng(request.seed).permutation(len(names))[:count]] = np.arange(count)
    return numbers[person], count


SUBJECT = Subject("rows", measure, model_type=TabularModel)
