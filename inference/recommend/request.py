"""Options of a recommendation request."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from feature_repo.errors import InputError

Strategy = Literal["collaborative", "content", "hybrid", "real_time", "cold_start", "again", "forgotten"]


class RecommendationOptions(TypedDict, total=False):
    """The keyword arguments of ``RecommendationEngine.recommend``: the fields of ``RequestOptions``."""

    exclude_tracks: Collection[str]
    exclude_artists: Collection[str]
    explicit: bool
    country: str | None
    pick_tracks: Sequence[str]
    pick_artists: Sequence[str]
    pick_genres: Sequence[str]
    most_by_artist: int | None
    diversify: Literal["mmr", "calibrated"] | None
    diversity: float
    long_tail: float
    long_tail_loss: float
    explore: float
    seed: int | None
    strategy: Strategy | None
    explain: bool


@dataclass(frozen=True)
class RequestOptions:
    """Options of a recommendation request, all with defaults.

    Attributes:
        exclude_tracks: identifiers of tracks to leave out.
        exclude_artists: identifiers of artists to leave out.
        explicit: whether explicit tracks are allowed.
        country: current country of the listener; the country of the profile if None.
        pick_tracks: identifiers of tracks that a new listener says they like.
        pick_artists: identifiers of artists that a new listener says they like.
        pick_genres: genres that a new listener says they like.
        most_by_artist: maximum number of tracks by one artist; a third of the list, at least two, if None.
        diversify: ``mmr`` for dissimilar tracks, ``calibrated`` for the genre shares of the listener's plays, or None.
        diversity: weight of diversity beside the score, 0 to 1.
        long_tail: bonus of tracks outside the most popular fifth, beside gains from 0 to 1; 0 for none.
        long_tail_loss: largest share of its gain that the list may lose to that bonus, 0 to 1.
        explore: share of the slots that show little-known tracks in order to learn about them, 0 to 1.
        seed: seed of the exploration; random if None.
        strategy: which model answers, ``again`` and ``forgotten`` with heard tracks; chosen by what is known of the
            listener, among those of unheard tracks, if None.
        explain: whether to say without what the first track would not have come first.
    """

    exclude_tracks: Collection[str] = ()
    exclude_artists: Collection[str] = ()
    explicit: bool = True
    country: str | None = None
    pick_tracks: Sequence[str] = ()
    pick_artists: Sequence[str] = ()
    pick_genres: Sequence[str] = ()
    most_by_artist: int | None = None
    diversify: Literal["mmr", "calibrated"] | None = None
    diversity: float = 0.3
    long_tail: float = 0.0
    long_tail_loss: float = 0.05
    explore: float = 0.0
    seed: int | None = None
    strategy: Strategy | None = None
    explain: bool = False

    def __post_init__(self) -> None:
        for name in ("diversity", "long_tail", "long_tail_loss", "explore"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    expected=f"{name} from 0 to 1",
                    found=repr(getattr(self, name)),
                    next_command=f"recommend(…, {name}=0.3)",
                )
        if self.diversify not in (None, "mmr", "calibrated"):
            raise InputError(
                expected="diversify as 'mmr', 'calibrated' or None",
                found=repr(self.diversify),
                next_command="recommend(…, diversify='mmr')",
            )
        if self.strategy not in (None, *get_args(Strategy)):
            raise InputError(
                expected=f"strategy as one of {', '.join(get_args(Strategy))}, or None",
                found=repr(self.strategy),
                next_command="recommend(…, strategy='hybrid')",
            )
        if self.most_by_artist is not None and self.most_by_artist < 1:
            raise InputError(
                expected="most_by_artist of 1 or more",
                found=repr(self.most_by_artist),
                next_command="recommend(…, exclude_artists=[…])  (to have none of them)",
            )
