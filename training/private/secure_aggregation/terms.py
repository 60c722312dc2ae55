"""What a round is about: everything that all parties have to agree on, word for word."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from training.private.secure_aggregation.errors import RoundRefused
from training.private.secure_aggregation.roster import Roster

LABEL = "refrain secure aggregation 1"
ROUND_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
MOST_WORDS = 1 << 25
"""Words of a round: a quarter of a gigabyte, which a party holds a few times over."""
MOST_ABOUT = 64
"""Further agreements, each of at most 200 characters."""


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of a round.

    Attributes:
        round_name: name of the round, used once.
        words: number of words that each silo adds.
        threshold: number of silos that the sum has to be over, at least.
        about: further agreements by name, such as digests of the catalogue and of the schema, and a version.
        roster: digest of the roster.
    """

    round_name: str
    words: int
    threshold: int
    about: dict[str, str]
    roster: bytes

    @classmethod
    def of(cls, round_name: str, words: int, threshold: int, about: Mapping[str, str], roster: Roster) -> "Terms":
        """Terms in order.

        Raises:
            RoundRefused: a name cannot be used, there are too few or too many words or agreements, or the threshold
                is not more than half of the silos, or more than all.

        >>> keys = [f"ed25519:{number:064x}" for number in range(4)]
        >>> roster = Roster(keys[0], {"north": keys[1], "south": keys[2], "east": keys[3]})
        >>> Terms.of("ease-1", 100, 2, {"catalogue": "9f…"}, roster).words
        100
        """
        if not re.fullmatch(ROUND_NAME, round_name):
            raise RoundRefused.because("a round name of letters, digits and . _ -", repr(round_name[:140]))
        if not 1 <= words <= MOST_WORDS:
            raise RoundRefused.because(f"1 to {MOST_WORDS:,} words", f"{words:,}")
        is_text = all(isinstance(text, str) and len(text) <= 200 for entry in about.items() for text in entry)
        if len(about) > MOST_ABOUT or not is_text:
            raise RoundRefused.because(
                f"at most {MOST_ABOUT} further agreements, names and texts of at most 200 characters",
                f"{len(about)} of them, or others than texts: digests of what is long",
            )
        if not roster.least_threshold <= threshold <= len(roster.silos):
            raise RoundRefused.because(
                f"a threshold of {roster.least_threshold} to {len(roster.silos)} silos: with half of all or fewer, a "
                "coordinator that tells them different things could read a summand",
                f"{threshold}",
            )
        return cls(round_name, words, threshold, dict(sorted(about.items())), roster.digest)

    @property
    def context(self) -> bytes:
        """SHA-256 of the terms, which every signature and key of the round depends on."""
        content = (LABEL, self.round_name, self.words, self.threshold, sorted(self.about.items()), self.roster)
        return hashlib.sha256(msgspec.msgpack.encode(content)).digest()

    def check_equal(self, other: "Terms") -> None:
        """Checks that a coordinator announced these terms.

        Raises:
            RoundRefused: it announced others; the error names the first that differs.
        """
        entries, others = self._entries(), other._entries()
        for name in [*entries, *(name for name in others if name not in entries)]:
            if entries.get(name) != others.get(name):
                raise RoundRefused.because(f"{name}: {entries.get(name)}", f"{others.get(name)}"[:200])

    def _entries(self) -> dict[str, object]:
        about = {f"about {name}": text for name, text in self.about.items()}
        own = {"round name": self.round_name, "number of words": self.words, "threshold": self.threshold}
        return {**own, "roster": self.roster.hex(), **about}
