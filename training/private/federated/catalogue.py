"""The items of a run in an order that everybody has: plain ids from a public list, or hashes of ids.

A catalogue has a version, which grows as items are left out of it, and a digest, which every later message names: words
of another catalogue are never added up. Hashes of 56 bits are keyed by the run, so that nothing computed beforehand
finds an id; who has a list of possible ids can still hash all of it, and of the union of all silos the hashes are
therefore no secret. Which silo has which item is one (``union``).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.errors import InputError
from training.datasets.interactions import Interactions

HASH_BYTES = 7
MOST_BYTES = 2**28
"""Largest catalogue that is read."""


def hash_of(id_: str, run: str) -> int:
    """56 bits of BLAKE2b of an id, keyed by the run.

    >>> hash_of("track 1", "run") == hash_of("track 1", "run") != hash_of("track 1", "another run")
    True
    """
    key = hashlib.blake2b(run.encode(), digest_size=32).digest()
    return int.from_bytes(hashlib.blake2b(id_.encode(), digest_size=HASH_BYTES, key=key).digest(), "big")


@dataclass(frozen=True)
class Catalogue:
    """The items of a run.

    Attributes:
        items: sorted ids, or sorted hashes in hex.
        run: identifier of the run.
        is_hashed: whether the items are hashes.
        version: 1, and one more each time that items were left out.

    >>> Catalogue(("a", "c"), "run").places(["c", "b"]).tolist()
    [1, -1]
    """

    items: Sequence[str]
    run: str
    is_hashed: bool = False
    version: int = 1

    def __post_init__(self) -> None:
        if any(left >= right for left, right in zip(self.items, self.items[1:], strict=False)):
            raise InputError(
                expected="sorted items, each once",
                found="a catalogue in another order",
                next_command="refrain model federate recommendation  (writes it anew)",
            )

    @classmethod
    def of_hashes(cls, hashes: np.ndarray, run: str) -> "Catalogue":
        """The catalogue of (n,) uint64 hashes."""
        return cls(tuple(f"{value:0{2 * HASH_BYTES}x}" for value in np.unique(hashes).tolist()), run, is_hashed=True)

    def places(self, ids: Sequence[str]) -> np.ndarray:
        """(n,) place of each id in the catalogue, -1 of those that are not in it.

        Raises:
            InputError: two of the ids have one hash.
        """
        names = [f"{hash_of(id_, self.run):0{2 * HASH_BYTES}x}" for id_ in ids] if self.is_hashed else list(ids)
        if len(set(names)) < len(names):
            raise InputError(
                expected="ids with different hashes",
                found="two ids with one hash, or one id twice",
                next_command="refrain model federate recommendation  (another run has another key)",
            )
        place_of = {item: place for place, item in enumerate(self.items)}
        return np.array([place_of.get(name, -1) for name in names], np.int64)

    def only(self, is_kept: np.ndarray) -> "Catalogue":
        """The next version, with some of the items.

        Args:
            is_kept: (items,) True for those that stay.
        """
        items = tuple(item for item, keep in zip(self.items, is_kept.tolist(), strict=True) if keep)
        return Catalogue(items, self.run, self.is_hashed, self.version + 1)

    def number(self, plays: Interactions) -> Interactions:
        """The same plays with the tracks numbered as here; those of other tracks are left out.

        Raises:
            InputError: two of the ids have one hash.
        """
        places = self.places(plays.track_ids)
        artist_of: list[str | None] = [None] * len(self.items)
        for place, artist in zip(places.tolist(), plays.artist_ids, strict=True):
            if place >= 0:
                artist_of[place] = artist
        rest = plays.only(places[plays.track] >= 0)
        return Interactions(
            plays.user_ids,
            self.items,
            artist_of,
            rest.user,
            places[rest.track],
            rest.time,
            rest.weight,
            rest.device,
            rest.context,
            rest.skipped,
        )

    def to_bytes(self) -> bytes:
        """Serializes the catalogue; equal ones give equal bytes."""
        record = {"run": self.run, "version": self.version, "is_hashed": self.is_hashed, "items": list(self.items)}
        return json.dumps(record, sort_keys=True).encode()

    def digest(self) -> str:
        """SHA-256 of the catalogue."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def from_bytes(cls, content: bytes, digest: str) -> "Catalogue":
        """Deserializes a catalogue.

        Raises:
            InputError: it does not have the digest, or is damaged.
        """
        try:
            if len(content) > MOST_BYTES or hashlib.sha256(content).hexdigest() != digest:
                raise ValueError("another digest, or too large")
            record = json.loads(content)
            items = record["items"]
            if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
                raise TypeError("items that are no texts")
            return cls(tuple(items), str(record["run"]), bool(record["is_hashed"]), int(record["version"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InputError(
                expected=f"the catalogue with the digest {digest[:16]}…",
                found=f"{type(error).__name__}: {str(error)[:200]}",
                next_command="refrain model federate recommendation  (the coordinator shows it again)",
            ) from error
