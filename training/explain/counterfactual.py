"""Without which plays the first track of a listener would not come first, exactly, by the linear model of the family.

EASE scores a track by a sum over the tracks of the history, so that the fewest of them whose removal puts another track
first are found exactly. What the model learned from all listeners stays as it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError
from feature_repo.home import Home
from training.datasets.interactions import Interactions
from training.models.recommendation.bundle import NAME
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.ease import EASE, DualFit
from training.models.recommendation.knowledge import MOST_FOR_EASE
from transforms.pure.candidates.counterfactual import smallest_removal


@dataclass(frozen=True)
class Removal:
    """The fewest reasons without which another track comes first.

    Attributes:
        track: the track that comes first.
        tracks: tracks whose plays are taken away; empty if it comes first without any.
        artists: artists whose plays are taken away, where artists count as one reason; empty likewise.
        instead_of_tracks: the track that comes first without these tracks; None if there are none.
        instead_of_artists: the track that comes first without these artists; None if there are none.
    """

    track: str
    tracks: tuple[str, ...]
    artists: tuple[str, ...]
    instead_of_tracks: str | None
    instead_of_artists: str | None

    def lines(self) -> Iterator[str]:
        """Yields the removal as lines for a terminal."""
        yield f"first by the tracks that are played together: {self.track}"
        for kind, removed, instead in (
            ("the plays of", self.tracks, self.instead_of_tracks),
            ("all plays of the artists", self.artists, self.instead_of_artists),
        ):
            if instead is None:
                yield f"  it would come first without any of {kind} its listener"
            else:
                yield f"  without {kind} {', '.join(removed)}: {instead} would have come first"


def explain_listener(home: Home, model: str, user_id: str) -> Removal:
    """Explains what EASE puts first for a listener, of all tracks that they have not played.

    Args:
        home: the data folder.
        model: name of the model, ``recommendation``.
        user_id: identifier of the listener.

    Raises:
        InputError: the model does not recommend, nobody has this identifier, or there are too many listeners and tracks
            for EASE.
        StoreError: there are no plays.
    """
    if model != NAME:
        raise InputError(
            expected=f"--listener with {NAME}",
            found=model,
            next_command=f"refrain model explain {NAME} --listener {user_id}",
        )
    interactions = Interactions.load(home)
    if user_id not in interactions.user_ids:
        raise InputError(
            expected="a listener with plays",
            found=repr(user_id),
            next_command=f"refrain model explain recommendation --listener {interactions.user_ids[0]}",
        )
    if min(interactions.shape) > MOST_FOR_EASE:
        raise InputError(
            expected=f"at most {MOST_FOR_EASE:,} listeners or tracks, for EASE",
            found=f"{interactions.shape[0]:,} listeners and {interactions.shape[1]:,} tracks",
            next_command=f"refrain recommend {user_id} --explain",
        )
    cutoff = int(interactions.time[-1]) + 1
    return removal_of(EASE().fit(interactions, cutoff), interactions, list(interactions.user_ids).index(user_id))


def removal_of(fit: FromHistory | DualFit, interactions: Interactions, user: int) -> Removal:
    """Finds the fewest tracks, and the fewest artists, without which another unheard track comes first.

    Args:
        fit: a fitted EASE.
        interactions: the plays that it was fitted to.
        user: number of the listener.
    """
    history = sparse.csr_array(_history(fit)[[user]])
    heard, amounts = history.indices, history.data
    heard = heard[heard < interactions.shape[1]]
    weights = fit.weights(heard) if isinstance(fit, DualFit) else _rows(fit.weights, heard)
    unheard = np.setdiff1d(np.arange(interactions.shape[1]), heard)
    parts = (weights * amounts[: len(heard), None])[:, unheard].T  # a track's own weight is 0
    first = int(np.argsort(-parts.sum(axis=1), kind="stable")[0])
    names = interactions.track_ids
    by_track = smallest_removal(parts, np.zeros(len(parts)), first)
    artists, artist = np.unique(
        [interactions.artist_ids[track] or f"track {names[track]}" for track in heard.tolist()], return_inverse=True
    )
    of_artist = np.zeros((len(parts), len(artists)))
    np.add.at(of_artist.T, artist, parts.T)
    by_artist = smallest_removal(of_artist, np.zeros(len(parts)), first)

    def named(removal: tuple[np.ndarray, int] | None, of: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
        if removal is None:
            return (), None
        return tuple(of[number] for number in removal[0].tolist()), names[unheard[removal[1]]]

    tracks, instead_of_tracks = named(by_track, [names[track] for track in heard.tolist()])
    removed_artists, instead_of_artists = named(by_artist, artists.tolist())
    return Removal(names[unheard[first]], tracks, removed_artists, instead_of_tracks, instead_of_artists)


def _history(fit: FromHistory | DualFit) -> sparse.csr_array:
    return fit.history if isinstance(fit, FromHistory) or fit.history is not None else fit.played


def _rows(weights: sparse.csr_array | np.ndarray, rows: np.ndarray) -> np.ndarray:
    table = weights[rows]
    return table.toarray() if isinstance(table, sparse.csr_array) else np.asarray(table)
