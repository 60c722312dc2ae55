"""The first rounds of a run over items: the catalogue of all silos, then without items of few listeners.

The items are those of a public list, if the terms have one (``parameters["items"]``), or the hashed union of the silos'
items, read off one masked sum. Each item's number of listeners is a masked sum, too.
"""

from itertools import count

import numpy as np

from feature_repo.errors import InputError
from training.private.federated.answer import Answer
from training.private.federated.catalogue import Catalogue, hash_of
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.statistic import Scope, SiloData
from training.private.federated.step import Step
from training.private.federated.union import fill, peel, words_of

FIRST_CAPACITY, LARGEST_CAPACITY = 4_096, 2**22
"""Number of items that the first table of a union is made for, and the largest."""
KINDS = {"union": 12, "listeners": 1}
"""Kinds of the steps → how many of them there are in a run at the most: a table of one item has grown
to the largest, by four each time, with the twelfth."""


def agree_catalogue(run: CoordinatorRun) -> Catalogue:
    """Finds the catalogue of a run, and shows it to all silos.

    Raises:
        InputError: the union cannot be read, or no item has enough listeners.
    """
    terms = run.agreement
    listed = terms.parameters.get("items")
    catalogue = _union(run) if listed is None else Catalogue(tuple(sorted(set(listed))), terms.run)
    run.show(catalogue)
    if terms.least_listeners > 1:
        listeners = run.ask("listeners", len(catalogue.items)).words
        catalogue = catalogue.only(listeners >= np.uint64(terms.least_listeners))
        run.show(catalogue)
    if not catalogue.items:
        raise InputError(
            expected=f"items with {terms.least_listeners} listeners or more, of all silos",
            found="none",
            next_command="refrain model federate recommendation --least-listeners 1",
        )
    return catalogue


def _union(run: CoordinatorRun) -> Catalogue:
    capacity = int(run.agreement.parameters.get("capacity", FIRST_CAPACITY))
    for attempt in count():
        total = run.ask("union", words_of(capacity), {"capacity": capacity, "attempt": attempt})
        try:
            return Catalogue.of_hashes(peel(total.words, capacity, len(total.silos))[0], run.agreement.run)
        except InputError:
            if 4 * capacity > LARGEST_CAPACITY:
                raise
            capacity *= 4
    raise AssertionError


def _answer_union(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    capacity = min(int(step.content["capacity"]), LARGEST_CAPACITY)
    plays = data.plays.before(scope.agreement.cutoff)
    ids = [plays.track_ids[track] for track in np.unique(plays.track).tolist()]
    Catalogue((), scope.agreement.run, is_hashed=True).places(ids)  # refuses two ids with one hash
    keys = np.array([hash_of(id_, scope.agreement.run) for id_ in ids], np.uint64)
    return fill(keys, capacity)


def _answer_listeners(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    plays = scope.catalogue.number(data.plays.before(scope.agreement.cutoff))
    pairs = np.unique(np.stack([plays.user, plays.track]), axis=1)
    return np.bincount(pairs[1], minlength=len(scope.catalogue.items)).astype(np.uint64)


ANSWERS = (Answer("union", _answer_union), Answer("listeners", _answer_listeners))
