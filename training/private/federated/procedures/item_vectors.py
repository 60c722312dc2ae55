"""iALS whose listeners stay in their silos: the tracks' side from exact sums of normal equations.

Hu, Koren, Volinsky (ICDM 2008), the weights and regularization of ``training.models.recommendation.ials``, each half
step solved exactly. Every round the silos get the tracks' vectors y, solve the vector x of each of their listeners,
and add up, for each track, Σ w x xᵀ, Σ w x and Σ w, and Σ x xᵀ of all. Vectors and weights are rounded to fixed point
before they are multiplied, so that the sums are those of one world, bit for bit. A listener's vector never leaves the
silo; the equations of a track with one listener would show it to everybody, which is what ``least_listeners`` is for.

Parameters: ``factors`` (16), ``rounds`` (8), ``unobserved`` (0.3), ``regularization`` (0.01), ``seed``; ``weighting``
(``half_life_days``, ``recency``; counts by their logarithm).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from training.datasets import Interactions
from training.exact.fixed_point import proven, to_floats, to_integers
from training.exact.sums import Sums, Table
from training.models.recommendation.weighting import Weighting
from training.private.federated.agreement import Agreement
from training.private.federated.answer import Answer, Procedure
from training.private.federated.coordinator import CoordinatorRun
from training.private.federated.layout import Dense, Packing, TableWords, Triangle
from training.private.federated.procedures.agree_catalogue import KINDS, agree_catalogue
from training.private.federated.statistic import Scope, SiloData
from training.private.federated.step import Step
from transforms.pure import npz

VECTOR_BITS, WEIGHT_BITS = 14, 10
"""Bits after the point of listeners' vectors and of weights: a product of two vectors and a weight has 38."""
MOST_COMPONENT = 16.0
"""Largest component of a listener's vector; larger ones are clipped."""
PRODUCTS, TARGETS, TOTALS, GRAM = "products of a track", "targets of a track", "weights of a track", "products of all"


@dataclass(frozen=True)
class Factors:
    """Settings of the vectors.

    Attributes:
        factors: length of a vector.
        rounds: number of iterations.
        unobserved: weight of pairs without plays.
        regularization: λ; it is scaled by the weight of a listener or a track.
        seed: seed of the tracks' first vectors.
        weighting: weights of pairs of listener and track.
    """

    factors: int = 16
    rounds: int = 8
    unobserved: float = 0.3
    regularization: float = 0.01
    seed: int = 0
    weighting: Weighting = field(default_factory=lambda: Weighting(logarithm=True))

    @classmethod
    def of(cls, terms: Agreement) -> "Factors":
        """The settings in the terms of a run."""
        values = dict(terms.parameters)
        weighting = Weighting(logarithm=True, **values.get("weighting", {}))
        names = ("factors", "rounds", "unobserved", "regularization", "seed")
        return cls(**{name: values[name] for name in names if name in values}, weighting=weighting)

    def initial(self, tracks: int) -> np.ndarray:
        """(tracks, factors) first vectors."""
        return np.random.default_rng(self.seed).normal(0, 0.1 / np.sqrt(self.factors), (tracks, self.factors))

    def packing(self, tracks: int, most: int) -> Packing:
        """The words of one round."""
        half = self.factors * (self.factors + 1) // 2
        return Packing(
            [
                TableWords(PRODUCTS, Dense(tracks, half), is_signed=True),
                TableWords(TARGETS, Dense(tracks, self.factors), is_signed=True),
                TableWords(TOTALS, Dense(1, tracks)),
                TableWords(GRAM, Triangle(self.factors), is_signed=True),
            ],
            most,
        )

    def listeners(self, weights: sparse.csr_array, tracks: np.ndarray) -> np.ndarray:
        """(listeners, factors) vectors with those of the tracks fixed; zero for listeners without plays."""
        vectors = np.zeros((weights.shape[0], self.factors))
        everywhere = self.unobserved * (tracks.T @ tracks)
        with threadpool_limits(1, user_api="blas"):  # the same bits however many listeners a silo has
            for listener in np.flatnonzero(np.diff(weights.indptr)).tolist():
                part = slice(weights.indptr[listener], weights.indptr[listener + 1])
                own, weight = tracks[weights.indices[part]], weights.data[part]
                ridge = self.regularization * (weight.sum() + self.unobserved * len(tracks))
                matrix = everywhere + own.T @ (weight[:, None] * own) + ridge * np.eye(self.factors)
                vectors[listener] = np.linalg.solve(matrix, weight @ own)
        return np.clip(vectors, -MOST_COMPONENT, MOST_COMPONENT)

    def count(self, weights: sparse.csr_array, tracks: np.ndarray) -> Sums:
        """The sums of some listeners, given the tracks' vectors."""
        vectors = to_integers(self.listeners(weights, tracks), VECTOR_BITS)
        upper = np.triu_indices(self.factors)
        outer = vectors[:, upper[0]] * vectors[:, upper[1]]
        units = sparse.csr_array(
            (to_integers(weights.data, WEIGHT_BITS), weights.indices, weights.indptr), weights.shape
        )
        by_track = sparse.csr_array(units.T)
        most = int(np.abs(outer).max(initial=0)) * int(units.data.max(initial=0))
        proven(most * int(np.diff(by_track.indptr).max(initial=0)), PRODUCTS)
        cells = {
            PRODUCTS: by_track @ outer,
            TARGETS: by_track @ vectors,
            TOTALS: np.asarray(units.sum(axis=0)).reshape(1, -1),
            GRAM: vectors.T @ vectors,
        }
        return Sums(
            {
                name: Table.of(
                    sparse.csr_array(table), int(np.abs(table).max(initial=0)), name, is_signed=name != TOTALS
                )
                for name, table in cells.items()
            }
        )

    def solve(self, sums: Sums, listeners: int) -> np.ndarray:
        """(tracks, factors) vectors of the tracks from the sums; zero for tracks without plays.

        Args:
            sums: the sums of all silos.
            listeners: number of all listeners, which the regularization is scaled by.
        """
        upper = np.triu_indices(self.factors)
        products = to_floats(sums[PRODUCTS].toarray(), 2 * VECTOR_BITS + WEIGHT_BITS)
        targets = to_floats(sums[TARGETS].toarray(), VECTOR_BITS + WEIGHT_BITS)
        totals = to_floats(sums[TOTALS].toarray()[0], WEIGHT_BITS)
        everywhere = self.unobserved * to_floats(sums[GRAM].toarray(), 2 * VECTOR_BITS)
        vectors = np.zeros((len(totals), self.factors))
        for track in np.flatnonzero(totals).tolist():
            matrix = np.zeros((self.factors, self.factors))
            matrix[upper] = products[track]
            matrix += np.triu(matrix, 1).T
            ridge = self.regularization * (totals[track] + self.unobserved * listeners)
            vectors[track] = np.linalg.solve(matrix + everywhere + ridge * np.eye(self.factors), targets[track])
        return vectors


def weights_of(plays: Interactions, cutoff: int, settings: Factors) -> sparse.csr_array:
    """(listeners, tracks) weights of plays before a cutoff."""
    return settings.weighting.matrix(plays.before(cutoff), cutoff)


def coordinate(run: CoordinatorRun) -> bytes:
    """Iterates, and returns an archive of ``items`` and ``vectors``.

    Raises:
        InputError: a round went wrong each time.
    """
    settings, catalogue = Factors.of(run.agreement), agree_catalogue(run)
    count = len(catalogue.items)
    packing, tracks = settings.packing(count, run.agreement.most), settings.initial(count)
    listeners = int(run.ask("people", 1).words[0])
    for _ in range(settings.rounds):
        total = run.ask("vectors", packing.words, attachment=npz.pack({"tracks": tracks}, compressed=False))
        tracks = settings.solve(packing.unpack(total.words, len(total.silos)), listeners)
    return npz.pack({"items": np.array(catalogue.items, np.str_), "vectors": tracks}, compressed=False)


def _answer_people(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    plays = scope.catalogue.number(data.plays.before(scope.agreement.cutoff))
    return np.array([len(np.unique(plays.user))], np.uint64)


def _answer_vectors(data: SiloData, scope: Scope, step: Step, attachment: bytes) -> np.ndarray:
    settings = Factors.of(scope.agreement)
    weights = weights_of(scope.catalogue.number(data.plays), scope.agreement.cutoff, settings)
    sums = settings.count(weights, npz.unpack(attachment)["tracks"])
    return settings.packing(len(scope.catalogue.items), scope.agreement.most).pack(sums)


PROCEDURE = Procedure(
    "item_vectors",
    "iALS whose listeners' vectors stay in their silos",
    coordinate,
    {**KINDS, "people": 1, "vectors": None},
)
ANSWERS = (Answer("people", _answer_people), Answer("vectors", _answer_vectors))
