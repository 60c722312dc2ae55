"""What is asked for beside a number of tracks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from feature_repo.errors import InputError

Strategy = Literal["collaborative", "content", "hybrid", "real_time", "cold_start"]


@dataclass(frozen=True)
class Wishes:
    """What is asked for beside a number of tracks.

    Attributes:
        exclude_tracks: not these.
        exclude_artists: nothing by these.
        explicit: whether explicit tracks may be among them.
        country: where the listener is; what they once told if None.
        pick_tracks: what somebody new says they like.
        pick_artists: likewise.
        pick_genres: likewise.
        most_by_artist: tracks of one artist; a third of the list, two at least, if None.
        diversify: ``mmr`` for tracks unlike each other, ``calibrated`` for genres as the listener plays them, or None.
        diversity: how much that counts beside the score, 0 to 1.
        explore: share of the slots that show something new to be learned of, 0 to 1.
        seed: of what is explored; the clock if None.
        strategy: which of the five models answers; the one that fits what is known of the listener if None.
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
    explore: float = 0.0
    seed: int | None = None
    strategy: Strategy | None = None

    def __post_init__(self) -> None:
        for name in ("diversity", "explore"):
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
