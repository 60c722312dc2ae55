"""EASE from private sums: what is played by the same people, hardly changed by any one of them.

1. Each person's weights become a row of one length, so that everyone costs the same (``unit_rows``).
2. Popularity with noise chooses the catalogue (``private_popularity``).
3. The rows, cut to the catalogue and brought to one length again, are summed with noise (``private_gram``).
4. The sum is repaired by what is known of its noise (``spectrum``), and solved as EASE is, with λ half of the radius of
   the noise. These steps, and every answer, see the noisy numbers alone and cost nothing.

The unit is a person, added or taken away with all plays. The list of tracks is public. A listener's own history is used
for that listener's answers, as it is: what is protected is what others learn from the model and from their answers
(joint privacy; Kearns, Pai, Roth and Ullman, Mechanism Design in Large Games, ITCS 2014). Noise on XᵀX is of Dwork,
Talwar, Thakurta and Zhang, Analyze Gauss, STOC 2014; EASE of Steck, WWW 2019.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError
from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.recommendation.weighting import Weighting
from training.private.differential import private_gram, private_popularity, zcdp
from training.private.differential.private_popularity import PrivatePopularity
from training.private.differential.spectrum import repair
from training.private.differential.statement import PrivacyStatement
from training.private.differential.unit_rows import BITS, unit_rows
from transforms.pure import npz

POPULARITY_SHARE = 0.1
"""Share of the cost for popularity; the rest is for the pairs of tracks."""
WEIGHTING = Weighting(logarithm=True)
_LEAST_ROOM = 1e-12


@dataclass(frozen=True)
class ItemRelease:
    """What people's plays were published as: everything else is computed of it.

    Attributes:
        popularity: noisy popularity of all tracks.
        catalogue: (k,) numbers of the tracks of ``gram``.
        gram: (k, k) int64 noisy XᵀX in units of 4^-bits.
        rho: cost of all of it.

    >>> release = PrivateEASE(1.0).release(sparse.csr_array(np.eye(3)), np.random.default_rng(0))
    >>> ItemRelease.from_bytes(release.to_bytes()).gram.shape
    (3, 3)
    """

    popularity: PrivatePopularity
    catalogue: np.ndarray
    gram: np.ndarray
    rho: float

    @property
    def sigma(self) -> float:
        """σ of the noise of the diagonal of ``gram``, for rows of length 1."""
        return private_gram.sigma_of(self.rho * (1 - POPULARITY_SHARE))

    def to_bytes(self) -> bytes:
        """Serializes the release."""
        return npz.pack(
            {
                "tracks": self.popularity.tracks,
                "people": np.array(self.popularity.people),
                "catalogue": self.catalogue,
                "gram": self.gram[np.triu_indices(len(self.catalogue))],
                "rho": np.array(self.rho),
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> "ItemRelease":
        """Deserializes the bytes of ``to_bytes``.

        Raises:
            ValueError, KeyError, EOFError, BadZipFile: the content is damaged.
        """
        arrays = npz.unpack(content)
        size = len(arrays["catalogue"])
        upper = np.zeros((size, size), np.int64)
        upper[np.triu_indices(size)] = arrays["gram"]
        popularity = PrivatePopularity(arrays["tracks"], float(arrays["people"]))
        return cls(popularity, arrays["catalogue"], upper + np.triu(upper, 1).T, float(arrays["rho"]))


@dataclass(frozen=True)
class PrivateFit:
    """A fitted model.

    Attributes:
        history: (users, tracks) weighted histories; each is used for its own listener alone.
        catalogue: (k,) numbers of the tracks that the model knows.
        weights: (k, k) strength with which a track (row) recommends another (column).
        popularity: (tracks,) noisy popularity.
        above: number of directions of taste that stand out of the noise; without any, lists are of popularity.
    """

    history: sparse.csr_array
    catalogue: np.ndarray
    weights: np.ndarray
    popularity: np.ndarray
    above: int

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores all tracks for users: the catalogue by their histories, equals and all other tracks by popularity."""
        known = self.history[users][:, self.catalogue] @ self.weights
        shares = self.popularity / max(float(np.abs(self.popularity).max(initial=0.0)), _LEAST_ROOM)
        scores = shares - 2 + known.min(axis=1, initial=0.0)[:, None]
        scores[:, self.catalogue] = known + 1e-9 * shares[self.catalogue]
        return np.asarray(scores)


@dataclass(frozen=True)
class PrivateEASE:
    """Settings of private EASE.

    Attributes:
        epsilon: ε.
        delta: δ, below one by the number of people.
        weighting: weighting of a listener's plays, from their own plays alone.

    Raises:
        InputError: ε or δ is no number that privacy can be had with.
    """

    epsilon: float
    delta: float = 1e-6
    weighting: Weighting = WEIGHTING

    def __post_init__(self) -> None:
        self.statement()

    @property
    def rho(self) -> float:
        """The cost of a fit."""
        return zcdp.rho(self.epsilon, self.delta)

    def statement(self, purpose: str = "", what: str = "", people: int | None = None) -> PrivacyStatement:
        """What a fit guarantees.

        Args:
            purpose: purpose whose budget is spent.
            what: what is published.
            people: number of people that δ is compared with; None for none.

        Raises:
            InputError: δ is 1/people or more.
        """
        rho = self.rho
        noise = f"discrete Gaussian, sigma {private_gram.sigma_of(rho * (1 - POPULARITY_SHARE)):.3g} a unit row"
        return PrivacyStatement(
            self.epsilon, self.delta, rho=rho, mechanism=noise, people=people, purpose=purpose, what=what
        )

    def fit(
        self,
        interactions: Interactions,
        cutoff: int,
        attributes: Attributes | None = None,
        rng: np.random.Generator | None = None,
    ) -> PrivateFit:
        """Publishes the sums of the plays before a cutoff, and solves them. It is in no ledger: see ``release``.

        Args:
            interactions: plays; the list of tracks is public.
            cutoff: µs since 1970 UTC, chosen without regard to the plays.
            attributes: not read.
            rng: a seeded generator, in tests; None for the operating system's randomness.
        """
        weights = self.weighting.matrix(interactions.before(cutoff), cutoff)
        return self.solve(self.release(weights, rng), weights)

    def release(self, weights: sparse.csr_array, rng: np.random.Generator | None = None) -> ItemRelease:
        """Publishes sums at the cost of ``rho``, which must have been paid for.

        Args:
            weights: (people, tracks) weights of 0 or more, of each person from their own plays alone.
            rng: a seeded generator, in tests; None for the operating system's randomness.

        Raises:
            InputError: a weight is negative or not a number, or there are no tracks.
        """
        if not weights.shape[1]:
            raise InputError(
                expected="a list of tracks",
                found="none",
                next_command="refrain import FORMAT PATH  (tracks of a catalogue)",
            )
        rho = self.rho
        popularity_rho = rho * POPULARITY_SHARE
        popularity = private_popularity.count(unit_rows(weights), BITS, popularity_rho, rng)
        gram_rho = rho - popularity_rho
        catalogue = private_popularity.choose_catalogue(popularity, private_gram.sigma_of(gram_rho))
        rows = unit_rows(sparse.csr_array(weights[:, catalogue]))
        return ItemRelease(popularity, catalogue, private_gram.count(rows, BITS, gram_rho, rng), rho)

    def solve(self, release: ItemRelease, histories: sparse.csr_array) -> PrivateFit:
        """Solves published sums, at no cost.

        Args:
            release: the sums.
            histories: (users, tracks) weighted histories of those who will be answered.
        """
        weights, above = solve(release)
        return PrivateFit(histories, release.catalogue, weights, release.popularity.tracks, above)


def solve(release: ItemRelease) -> tuple[np.ndarray, int]:
    """Solves EASE from published sums.

    With V diag(w) Vᵀ the repaired sum, (V diag(w) Vᵀ + λI)⁻¹ = (I - V diag(w / (w + λ)) Vᵀ) / λ.

    Returns:
        (k, k) weights of the catalogue with a diagonal of 0, and the number of eigenvalues beyond the noise.
    """
    low = repair(np.ldexp(release.gram.astype(np.float64), -2 * BITS), release.sigma)
    regularization = max(low.radius / 2, _LEAST_ROOM)
    half = low.vectors * np.sqrt(low.values / (low.values + regularization))
    inverse = np.eye(len(release.catalogue)) - half @ half.T  # times λ, which cancels
    weights = -inverse / np.maximum(np.diag(inverse), _LEAST_ROOM)
    np.fill_diagonal(weights, 0)
    return weights, low.above
