"""How well unknown sounds are told: a part of the sources, or artists, and a third of the classes are left out."""

import numpy as np

from training.models.audio import heads
from training.models.audio.distance import LIMIT, first_task
from training.models.audio.tasks import FEWEST_CLASSES, Task

PARTS = 3
"""Number of parts that the classes, and the sources or artists, are cut into; each is left out once."""


def unknown_figures(
    inputs: np.ndarray,
    tasks: list[Task],
    groups: np.ndarray,
    *,
    sources: np.ndarray | None = None,
    shifts: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Return figures of sounds by left-out sources, of classes that were learned and of classes that were not.

    ``known_called_unknown`` and ``unseen_called_unknown`` are shares, ``unseen_auc`` the area under the ROC curve of
    the distance; no figures without a task of one label per sound and at least four classes.

    Args:
        inputs: (n, d) features.
        tasks: the tasks on these rows; the first one that is no number is asked.
        groups: (n,) artist of each row.
        sources: (n,) source of each row; artists are left out in their place if None or all the same.
        shifts: as in ``heads.fit``.
        seed: random seed of the parts.
    """
    from sklearn.metrics import roc_auc_score

    task = first_task(tasks)
    if task is None or task.kind != "one_of" or len(task.classes) < 2 * FEWEST_CLASSES:
        return {}
    rng = np.random.default_rng(seed)
    has_sources = sources is not None and len(np.unique(sources)) > 1
    left_out = sources if has_sources and sources is not None else groups
    names, classes = rng.permutation(np.unique(left_out)), rng.permutation(len(task.classes))
    distances, unseen_flags = [], []
    for part, unseen_classes in zip(
        np.array_split(names, min(PARTS, len(names))), np.array_split(classes, PARTS), strict=False
    ):
        unseen: np.ndarray = np.asarray(task.targets[:, unseen_classes].any(axis=1))
        is_test = np.isin(left_out, part)
        train = np.intersect1d(np.flatnonzero(~is_test & ~unseen), task.labelled_rows)
        test = np.intersect1d(np.flatnonzero(is_test), task.labelled_rows)
        of_train = without_classes(task.take(train), unseen_classes)
        test = test[unseen[test] | task.targets[np.ix_(test, of_train[1])].any(axis=1)]
        if len(of_train[1]) < FEWEST_CLASSES or not len(test):
            continue  # each source has classes of its own
        model = heads.fit(
            inputs[train],
            [of_train[0]],
            groups[train],
            sources=None if sources is None else sources[train],
            shifts=shifts,
            seed=seed,
        )
        distances.append(model.answers(inputs[test])[1])
        unseen_flags.append(unseen[test])
    if not distances:
        return {}
    distance, is_unseen = np.concatenate(distances), np.concatenate(unseen_flags)
    if is_unseen.all() or not is_unseen.any():
        return {}
    return {
        "known_called_unknown": float((distance[~is_unseen] > LIMIT).mean()),
        "unseen_called_unknown": float((distance[is_unseen] > LIMIT).mean()),
        "unseen_auc": float(roc_auc_score(is_unseen, distance)),
    }


def without_classes(task: Task, left_out: np.ndarray) -> tuple[Task, np.ndarray]:
    """Return the task without some classes and without those that no row has, and the numbers of the others."""
    others = np.setdiff1d(np.flatnonzero(np.nansum(task.targets, axis=0) > 0), left_out)
    classes = tuple(task.classes[number] for number in others)
    return Task(task.name, task.kind, classes, task.targets[:, others]), others
