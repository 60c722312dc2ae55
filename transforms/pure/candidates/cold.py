"""Cold start: recommendations for unknown listeners, and exploration of new tracks.

Popularity within segments of listeners (country, age), shrunk towards the overall popularity for small segments
(Bayesian average). Exploration by Thompson sampling (Thompson 1933; Chapelle, Li: An Empirical Evaluation of Thompson
Sampling, NeurIPS 2011) of the share of plays to the end.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.pure import npz

PRIOR_PLAYS = 200.0
"""Weight of the overall popularity in the popularity of a segment, in plays."""
DRAWS = 200
"""Number of draws that estimate the propensity of the chosen track."""


def segments(country: str | None, birth_year: float | None) -> tuple[str, ...]:
    """Names of the segments of a listener, the widest first.

    >>> segments("SE", 1994.0)
    ('1990s', 'SE', 'SE 1990s')
    """
    decade = None if birth_year is None or math.isnan(birth_year) else f"{int(birth_year) // 10 * 10}s"
    combined = (f"{country} {decade}",) if country and decade else ()
    return tuple(name for name in (decade, country) if name) + combined


@dataclass(frozen=True)
class SegmentPopularity:
    """Plays by segment and track in the weeks before a cutoff.

    Attributes:
        names: names of the segments.
        starts: (segments + 1,) index of the first entry of each segment.
        places: (m,) int32 numbers of the tracks that a segment played.
        plays: (m,) float32 plays of these tracks in the segment.
        of_all: (tracks,) float32 plays by all listeners.
    """

    names: tuple[str, ...]
    starts: np.ndarray
    places: np.ndarray
    plays: np.ndarray
    of_all: np.ndarray

    @classmethod
    def of(cls, segments: Mapping[str, tuple[np.ndarray, np.ndarray]], of_all: np.ndarray) -> "SegmentPopularity":
        """Put together the popularity of segments.

        Args:
            segments: name → (m,) distinct tracks that the segment played, and (m,) plays of these.
            of_all: (tracks,) plays by all listeners.
        """
        names = tuple(sorted(segments))
        places, plays = ([segments[name][part] for name in names] for part in (0, 1))
        return cls(
            names,
            np.concatenate([[0], np.cumsum([len(part) for part in places])]).astype(np.int64),
            np.concatenate([np.empty(0), *places]).astype(np.int32),
            np.concatenate([np.empty(0), *plays]).astype(np.float32),
            of_all.astype(np.float32),
        )

    def shares(self, segment_names: Sequence[str]) -> np.ndarray:
        """(tracks,) share of each track in the plays of listeners of the given segments.

        Args:
            segment_names: segments, the widest first; each is shrunk towards the one before it with a weight of
                ``PRIOR_PLAYS`` plays. Unknown names are ignored.
        """
        shares = np.asarray(self.of_all, np.float64) / max(float(self.of_all.sum()), 1.0)
        for name in segment_names:
            if name in self.names:
                number = self.names.index(name)
                part = slice(self.starts[number], self.starts[number + 1])
                total = float(self.plays[part].sum())
                shares *= PRIOR_PLAYS / (PRIOR_PLAYS + total)
                shares[self.places[part]] += self.plays[part] / (PRIOR_PLAYS + total)
        return shares

    def plays_in(self, name: str, place: int) -> float:
        """Plays of one track in one segment; 0 for an unknown segment."""
        if name not in self.names:
            return 0.0
        number = self.names.index(name)
        part = slice(self.starts[number], self.starts[number + 1])
        return float(self.plays[part][self.places[part] == place].sum())

    def to_bytes(self) -> bytes:
        """Serialize for a bundle."""
        arrays = {
            "names": np.array(self.names, dtype=np.str_),
            "starts": self.starts,
            "places": self.places,
            "plays": self.plays,
            "of_all": self.of_all,
        }
        return npz.pack(arrays, compressed=False)

    @classmethod
    def from_bytes(cls, content: bytes) -> "SegmentPopularity":
        """Deserialize the bytes of ``to_bytes``."""
        arrays = npz.unpack(content)
        names = tuple(arrays["names"].tolist())
        return cls(names, arrays["starts"], arrays["places"], arrays["plays"], arrays["of_all"])


@dataclass(frozen=True)
class Choice:
    """One explored track.

    Attributes:
        place: index in the list of candidates.
        propensity: probability that this track is drawn.
    """

    place: int
    propensity: float


def thompson(liked: np.ndarray, disliked: np.ndarray, rng: np.random.Generator) -> Choice:
    """Draw one of n tracks: the one with the largest sample from its Beta distribution.

    The propensity is estimated from ``DRAWS`` further draws, with one added per track so that it is never 0.

    Args:
        liked: (n,) plays to the end.
        disliked: (n,) skipped plays.
        rng: random generator of the draws.
    """
    draws = rng.beta(liked + 1.0, disliked + 1.0, size=(DRAWS + 1, len(liked)))
    winners = draws.argmax(axis=1)
    chosen = int(winners[0])
    wins = int((winners[1:] == chosen).sum())
    return Choice(chosen, (wins + 1) / (DRAWS + len(liked)))


def profile_of(vectors: np.ndarray, amounts: np.ndarray) -> np.ndarray | None:
    """(d,) weighted mean of vectors (h, d), scaled to length one; None if the mean is zero."""
    total = amounts @ vectors
    length = float(np.linalg.norm(total))
    return np.asarray(total / length, np.float32) if length > 1e-9 else None


def evidence(similar: np.ndarray, content: np.ndarray, shares: np.ndarray) -> Mapping[str, np.ndarray]:
    """Scores of n candidates, for ``transforms.pure.candidates.blend``.

    Args:
        similar: (n,) summed neighbour weights to the picked tracks.
        content: (n,) cosine similarity to the picked tracks; NaN if unknown.
        shares: (n,) shares of plays in the listener's segments.
    """
    return {"similar": np.log1p(similar), "content": content, "popular": np.log(shares + 1e-9)}
