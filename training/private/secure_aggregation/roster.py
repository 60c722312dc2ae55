"""Who takes part: names of silos and the public keys that every party pins beforehand.

A roster is a file of its own and not the keys that sign models (``feature_repo.signing.trust``): a silo may add to a
sum, and is not trusted to sign a model. A key that is revoked there is refused here as well.
"""

import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from feature_repo.errors import InputError
from feature_repo.signing.public_keys import check_public_key
from feature_repo.signing.trust import Trust
from training.private.secure_aggregation.shamir import MOST_SHARES

COORDINATOR = "coordinator"
"""Name of the party that adds up; no silo has it."""
NAME = r"[a-z0-9][a-z0-9_-]{0,63}"


@dataclass(frozen=True)
class Roster:
    """The parties and their keys.

    Attributes:
        coordinator: public key of the coordinator, ``ed25519:…``.
        silos: name → public key of each silo, from two to 255.

    >>> keys = [f"ed25519:{number:064x}" for number in range(4)]
    >>> Roster(keys[0], {"north": keys[1], "south": keys[2], "east": keys[3]}).least_threshold
    2
    """

    coordinator: str
    silos: Mapping[str, str]

    def __post_init__(self) -> None:
        keys = [check_public_key(key) for key in (self.coordinator, *self.silos.values())]
        names = [name for name in self.silos if not re.fullmatch(NAME, name) or name == COORDINATOR]
        if names or not 2 <= len(self.silos) <= MOST_SHARES or len(set(keys)) < len(keys):
            raise InputError(
                expected=f"2 to {MOST_SHARES} silos with names such as label_a, each party with a key of its own",
                found=f"the name {names[0]!r}"
                if names
                else f"{len(self.silos)} silos, {len(set(keys))} different keys",
                next_command="refrain signing status  (at each silo: it shows the silo's key)",
            )
        object.__setattr__(self, "coordinator", keys[0])
        object.__setattr__(self, "silos", dict(sorted(zip(self.silos, keys[1:], strict=True))))

    @classmethod
    def load(cls, file: Path, trust: Trust | None = None) -> "Roster":
        """Reads a roster in TOML: ``coordinator = "ed25519:…"`` and a table ``[silos]`` of name = key.

        Args:
            file: the file, which nobody but its owner may write.
            trust: the keys that are revoked.

        Raises:
            InputError: it is no such file, others may write it, or a key is revoked.
        """
        try:
            with file.open("rb") as stream:
                mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
                document = tomllib.loads(stream.read(1 << 20).decode())
            roster = cls(*_parts(document))
        except (OSError, ValueError) as error:
            raise _invalid(file, str(error)) from error
        if mode & 0o022:
            raise _invalid(file, f"mode {mode:o}: others can write it")
        for name, key in (("coordinator", roster.coordinator), *roster.silos.items()):
            if trust is not None and key in trust.revoked:
                raise _invalid(file, f"a key of {name} that is revoked")
        return roster

    @property
    def least_threshold(self) -> int:
        """The smallest number of silos whose sum may be unmasked: more than half of all.

        With half or fewer, a coordinator that tells two halves of the silos of different survivors gets from one half
        the shares of a silo's own mask and from the other those of its key, and reads its summand.
        """
        return len(self.silos) // 2 + 1

    @property
    def recommended_threshold(self) -> int:
        """Two thirds and one: also safe if less than a third collude with a coordinator that breaks the protocol."""
        return max(self.least_threshold, 2 * len(self.silos) // 3 + 1)

    @property
    def digest(self) -> bytes:
        """SHA-256 of all names and keys."""
        return hashlib.sha256(msgspec.msgpack.encode((self.coordinator, list(self.silos.items())))).digest()

    def key_of(self, party: str) -> str | None:
        """Public key of a silo, or of the coordinator; None of a stranger."""
        return self.coordinator if party == COORDINATOR else self.silos.get(party)

    def point_of(self, silo: str) -> int:
        """The number from 1 on at which the silo's shares lie."""
        return 1 + list(self.silos).index(silo)


def _parts(document: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    coordinator, silos = document.get("coordinator"), document.get("silos")
    if set(document) != {"coordinator", "silos"} or not isinstance(coordinator, str) or not isinstance(silos, dict):
        raise ValueError("its entries are not coordinator and [silos]")
    if not all(isinstance(key, str) for key in silos.values()):
        raise ValueError("a key of [silos] that is no text")
    return coordinator, silos


def _invalid(file: Path, problem: str) -> InputError:
    return InputError(
        expected=f'a roster in {file}: coordinator = "ed25519:…" and [silos] of name = "ed25519:…", mode 644 or 600',
        found=problem,
        next_command=f"correct {file}",
    )
