"""What a data folder brings into a run: the plays of its listeners, and their segments."""

import hashlib

import numpy as np

from feature_repo.forgotten import erasures_done
from feature_repo.home import Home
from training.datasets import Interactions
from training.models.recommendation.segments import segments_of_users
from training.private.federated.statistic import SiloData

WHOLE = (0, 1)


def own_data(home: Home, cutoff: int, part: tuple[int, int] = WHOLE) -> SiloData:
    """Reads the people of a data folder who have consented, with their plays before a cutoff.

    Args:
        home: the data folder.
        cutoff: µs since 1970 UTC.
        part: number of a part, and of parts, that the listeners are divided into by a hash of their ids, for a trial on
            one machine.

    Raises:
        StoreError: there are no plays, or features are not applied.
    """
    erasures = erasures_done(home)  # before anything is read: an erasure meanwhile makes the version due
    plays = Interactions.load(home)
    number, parts = part
    chosen = [user for user, id_ in enumerate(plays.user_ids) if parts == 1 or part_of(id_, parts) == number]
    is_chosen = np.zeros(len(plays.user_ids), bool)
    is_chosen[chosen] = True
    rest = plays.before(cutoff)
    rest = rest.only(is_chosen[rest.user])
    numbers = np.cumsum(is_chosen) - 1
    users = [plays.user_ids[user] for user in chosen]
    data = Interactions(
        users,
        plays.track_ids,
        plays.artist_ids,
        numbers[rest.user],
        rest.track,
        rest.time,
        rest.weight,
        rest.device,
        rest.context,
        rest.skipped,
    )
    return SiloData(data, segments_of_users(home, data, cutoff), erasures=erasures)


def part_of(user_id: str, parts: int) -> int:
    """The part of a listener, the same on every machine.

    >>> {part_of(f"u{number}", 3) for number in range(20)}
    {0, 1, 2}
    """
    return int.from_bytes(hashlib.sha256(user_id.encode()).digest()[:8], "big") % parts
