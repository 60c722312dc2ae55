"""What can be counted in a run: each statistic is one file below ``statistics``, found by its type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from feature_repo.discovery import definitions
from feature_repo.errors import InputError
from training.datasets.interactions import Interactions
from training.exact.sums import Sums
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue
from training.private.federated.layout import Packing, TableWords

PACKAGE = "training.private.federated.statistics"


@dataclass(frozen=True)
class SiloData:
    """What a silo has of its own people. Nothing of it leaves the silo but in sums.

    Attributes:
        plays: the plays of its listeners.
        segments: listener → segments.
        texts: words of each of its texts.
        features: (rows, d) features of labelled rows; standardized by public numbers.
        labels: (rows,) their labels.
        erasures: number of erasures that were done when it was read.
    """

    plays: Interactions
    segments: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    texts: Sequence[Sequence[str]] = ()
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0))
    erasures: int = 0


@dataclass(frozen=True)
class Scope:
    """What everybody knows when a statistic is counted.

    Attributes:
        agreement: the terms of the run.
        catalogue: the items; empty for statistics without items.
    """

    agreement: Agreement
    catalogue: Catalogue


@dataclass(frozen=True)
class Statistic:
    """A statistic that is a sum over people.

    Attributes:
        name: its name in an agreement.
        about: what it counts and whose models are solved from it.
        tables: the tables that everybody sends, from what everybody knows.
        count: the tables of a silo, as ``training.exact`` counts them; plays are numbered by the catalogue.
    """

    name: str
    about: str
    tables: Callable[[Scope], Sequence[TableWords]]
    count: Callable[[SiloData, Scope], Sums]


def statistics(names: Sequence[str]) -> list[Statistic]:
    """The statistics of some names.

    Raises:
        InputError: there is none of a name.
    """
    by_name = definitions(PACKAGE, Statistic)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputError(
            expected=f"statistics of {sorted(by_name)}",
            found=", ".join(unknown)[:200],
            next_command="the same version of Refrain at the coordinator and at every silo",
        )
    return [by_name[name] for name in names]


def packing_of(scope: Scope) -> Packing:
    """The words of a round with all statistics of the agreement.

    Raises:
        InputError: a statistic is unknown, or there are too many words.
    """
    tables = [table for each in statistics(scope.agreement.statistics) for table in each.tables(scope)]
    return Packing(tables, scope.agreement.most)


def count_all(data: SiloData, scope: Scope) -> Sums:
    """Counts all statistics of the agreement, of the people of one silo.

    Raises:
        InputError: a statistic is unknown, or a cell could overflow.
    """
    sums = Sums({})
    numbered = replace(data, plays=scope.catalogue.number(data.plays))
    for each in statistics(scope.agreement.statistics):
        sums += each.count(numbered, scope)
    return sums
