"""Bounds on the requests that one process answers at the same time: in all, and by kind of request.

A request whose body still arrives takes no place, so that slow clients do not keep others out.
"""

MOST = 256
"""Maximum number of requests in all."""
MOST_BY_PATH = {
    "/health": 64,
    "/live": 64,
    "/ready": 64,
    "/metrics": 8,
    "/console/login": 8,
    "/console": 32,
    "/v1/audio": 16,
    "/v1/text": 64,
}
"""Maximum number by start of the path; the first that matches counts."""
RESERVED = ("/health", "/live", "/ready")
"""Starts of the paths that are answered even if all places are taken, and take none of them."""


class Places:
    """The places of one process. Use it on the event loop only."""

    def __init__(self) -> None:
        self.taken = 0
        self.taken_by_kind = dict.fromkeys(MOST_BY_PATH, 0)


class Place:
    """The place of one request; it is taken and left several times while the body arrives.

    Args:
        places: all places.
        path: the path of the request.

    >>> places = Places()
    >>> place = Place(places, "/v1/recommendations")
    >>> place.take(), places.taken
    (True, 1)
    >>> place.leave(), places.taken
    (None, 0)
    """

    def __init__(self, places: Places, path: str) -> None:
        self._places, self._is_reserved, self._is_taken = places, path.startswith(RESERVED), False
        self._kind = next((start for start in MOST_BY_PATH if path.startswith(start)), "")

    def take(self) -> bool:
        """Take a place; False if there is none."""
        places, kind = self._places, self._kind
        if self._is_taken:
            return True
        if kind and places.taken_by_kind[kind] >= MOST_BY_PATH[kind]:
            return False
        if not self._is_reserved:
            if places.taken >= MOST:
                return False
            places.taken += 1
        if kind:
            places.taken_by_kind[kind] += 1
        self._is_taken = True
        return True

    def leave(self) -> None:
        """Leave the place, if it is taken."""
        if not self._is_taken:
            return
        self._is_taken = False
        self._places.taken -= not self._is_reserved
        if self._kind:
            self._places.taken_by_kind[self._kind] -= 1
