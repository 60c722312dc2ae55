"""What to play to somebody of whom little or nothing is known, and how to learn about tracks that are new.

Popularity among those who share what is told (a country, an age), drawn to that of all where few do (Bayesian average);
exploration by Thompson sampling (Thompson 1933; Chapelle, Li: An Empirical Evaluation of Thompson Sampling, NeurIPS
2011) over how often a track was heard to its end.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

PRIOR_PLAYS = 200.0
"""Plays that popularity among all is worth, beside that of a segment."""
DRAWS = 200
"""By which the chance of being chosen is estimated."""


def segments(country: str | None, birth_year: float | None) -> tuple[str, ...]:
    """Names of the groups that somebody belongs to, the widest first.

    >>> segments("SE", 1994.0)
    ('1990s', 'SE', 'SE 1990s')
    """
    decade = None if birth_year is None or math.isnan(birth_year) else f"{int(birth_year) // 10 * 10}s"
    both = (f"{country} {decade}",) if country and decade else ()
    return tuple(name for name in (decade, country) if name) + both


@dataclass(frozen=True)
class SegmentPopularity:
    """Plays by segment and track, of the weeks before a cutoff.

    Attributes:
        names: of the segments.
        starts: (segments + 1,) where each one's tracks begin.
        places: (m,) int32 tracks that a segment played.
        plays: (m,) float32 how often.
        of_all: (tracks,) float32 plays by everybody.
    """

    names: tuple[str, ...]
    starts: np.ndarray
    places: np.ndarray
    plays: np.ndarray
    of_all: np.ndarray

    @classmethod
    def count(cls, members: Iterable[tuple[str, np.ndarray]], of_all: np.ndarray) -> "SegmentPopularity":
        """From the tracks of each segment's plays, and the plays of each track by everybody."""
        names, places, plays = [], [], []
        for name, tracks in sorted(members, key=lambda member: member[0]):
            found, counts = np.unique(tracks, return_counts=True)
            names.append(name)
            places.append(found)
            plays.append(counts)
        sizes = [len(part) for part in places]
        return cls(
            tuple(names),
            np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            np.concatenate([np.empty(0), *places]).astype(np.int32),
            np.concatenate([np.empty(0), *plays]).astype(np.float32),
            of_all.astype(np.float32),
        )

    def shares(self, told: Sequence[str]) -> np.ndarray:
        """(tracks,) share of each track in what is played among those who share what is told.

        Args:
            told: segments, the widest first; each is drawn to the one before it as by ``PRIOR_PLAYS`` plays. Unknown
                ones are left out.
        """
        found = np.asarray(self.of_all, np.float64) / max(float(self.of_all.sum()), 1.0)
        for name in told:
            if name in self.names:
                number = self.names.index(name)
                part = slice(self.starts[number], self.starts[number + 1])
                total = float(self.plays[part].sum())
                found *= PRIOR_PLAYS / (PRIOR_PLAYS + total)
                found[self.places[part]] += self.plays[part] / (PRIOR_PLAYS + total)
        return found

    def to_bytes(self) -> bytes:
        """As a file of a bundle."""
        out = io.BytesIO()
        names = np.array(self.names, dtype=np.str_)
        np.savez(out, names=names, starts=self.starts, places=self.places, plays=self.plays, of_all=self.of_all)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "SegmentPopularity":
        """From such a file."""
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            names = tuple(file["names"].tolist())
            return cls(names, file["starts"], file["places"], file["plays"], file["of_all"])


@dataclass(frozen=True)
class Choice:
    """One explored track.

    Attributes:
        place: in the list that was drawn from.
        propensity: chance that this one would be drawn.
    """

    place: int
    propensity: float


def thompson(liked: np.ndarray, disliked: np.ndarray, rng: np.random.Generator) -> Choice:
    """Draw one of n tracks: that with the largest draw from its Beta distribution.

    Args:
        liked: (n,) plays to the end.
        disliked: (n,) plays that were skipped.
        rng: of the draw, and of ``DRAWS`` more, by which the chance is estimated; counted with one more for each track,
            so that it is never 0.
    """
    draws = rng.beta(liked + 1.0, disliked + 1.0, size=(DRAWS + 1, len(liked)))
    winners = draws.argmax(axis=1)
    chosen = int(winners[0])
    won = int((winners[1:] == chosen).sum())
    return Choice(chosen, (won + 1) / (DRAWS + len(liked)))


def profile_of(vectors: np.ndarray, amounts: np.ndarray) -> np.ndarray | None:
    """(d,) weighted mean of vectors (h, d), of length one; None where they say nothing."""
    total = amounts @ vectors
    length = float(np.linalg.norm(total))
    return np.asarray(total / length, np.float32) if length > 1e-9 else None


def evidence(similar: np.ndarray, content: np.ndarray, shares: np.ndarray) -> Mapping[str, np.ndarray]:
    """What speaks for each of n candidates: for ``transforms.pure.candidates.blend``.

    Args:
        similar: (n,) how much it goes with what was picked.
        content: (n,) cosine with what was picked; NaN for unknown.
        shares: (n,) of plays among those who share what is told.
    """
    return {"similar": np.log1p(similar), "content": content, "popular": np.log(shares + 1e-9)}
