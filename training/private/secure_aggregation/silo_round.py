"""One round at a silo, without transport: what it answers to each message of the coordinator, once."""

import hashlib
import secrets

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from feature_repo.signing.public_keys import is_signed_by
from training.private.secure_aggregation import messages
from training.private.secure_aggregation.agreement import mask_seed, seal, unseal
from training.private.secure_aggregation.envelope import PHASES, Envelope, Phase, decode, signed_bytes
from training.private.secure_aggregation.errors import RoundRefused
from training.private.secure_aggregation.keystream import SEED_BYTES, add_keystream
from training.private.secure_aggregation.roster import COORDINATOR, Roster
from training.private.secure_aggregation.shamir import share
from training.private.secure_aggregation.terms import LABEL, Terms

MOST_BYTES = 1 << 20
"""Bytes of a message of the coordinator."""


class SiloRound:
    """A silo's part in one round. Its keys and seeds are drawn anew, and are in the memory of this object alone.

    Args:
        terms: the terms, as the silo itself has them.
        roster: the parties.
        silo: name of this silo.
        identity: private key of this silo.
        words: (n,) uint64 of this silo; they are not changed.

    Raises:
        RoundRefused: there are fewer or more words than in the terms, or of another type.
    """

    def __init__(self, terms: Terms, roster: Roster, silo: str, identity: Ed25519PrivateKey, words: np.ndarray) -> None:
        if words.dtype != np.uint64 or words.shape != (terms.words,):
            raise RoundRefused.because(f"{terms.words:,} words of uint64", f"{words.dtype} of shape {words.shape}")
        self._terms, self._roster, self._silo, self._identity = terms, roster, silo, identity
        self._context, self._words = terms.context, words
        self._seed = secrets.token_bytes(SEED_BYTES)
        self._mask_key, self._encryption_key = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self._keys: dict[str, messages.Keys] = {}
        self._seed_shares: dict[str, bytes] = {}
        self._key_shares: dict[str, bytes] = {}
        self._digest_of_keys = b""
        self._confirmation = b""
        self._survivors: list[str] = []
        self._answers: dict[Phase, tuple[bytes, bytes]] = {}
        self._is_over = False

    def answer(self, phase: Phase, content: bytes) -> bytes:
        """The silo's message of a phase. The same message of the coordinator gets the same answer, another one none.

        Args:
            phase: the phase; they come in order.
            content: message of the coordinator.

        Raises:
            RoundRefused: the message is not signed by the coordinator, not of this round or phase, was followed by
                another one of its phase, or asks for what would show this silo's words. The round is over for this
                silo then.
        """
        question = hashlib.sha256(content).digest()
        if phase in self._answers and self._answers[phase][0] == question:
            return self._answers[phase][1]
        envelope = Envelope.parse(content, MOST_BYTES)
        envelope.verify(self._roster, self._context, sender=COORDINATOR, phase=phase)
        if self._is_over or len(self._answers) >= len(PHASES) or PHASES[len(self._answers)] != phase:
            self._is_over = True
            raise RoundRefused.because(
                "one message of the coordinator in each phase, in order, and none after a refusal",
                f"another one of the phase {phase}",
            )
        steps = (self._advertise, self._share, self._mask, self._confirm, self._unmask)
        try:
            body = dict(zip(PHASES, steps, strict=True))[phase](envelope.body)
        except BaseException:
            self._is_over = True
            raise
        answer = Envelope.sign(self._identity, self._silo, phase, self._context, body).to_bytes()
        self._answers[phase] = question, answer
        return answer

    def _advertise(self, body: bytes) -> bytes:
        self._terms.check_equal(decode(body, Terms))
        encryption, mask = (key.public_key().public_bytes_raw() for key in (self._encryption_key, self._mask_key))
        return msgspec.msgpack.encode(messages.Keys(encryption, mask, commitment(self._seed, self._context)))

    def _share(self, body: bytes) -> bytes:
        signed = decode(body, messages.AllKeys)
        self._check_number(signed, "that advertised keys")
        for name, keys in signed.items():
            envelope = Envelope(name, Phase.ADVERTISE, keys.body, keys.signature)
            envelope.verify(self._roster, self._context, sender=name)
            self._keys[name] = decode(keys.body, messages.Keys)
        own = self._keys.get(self._silo)
        public = [key for keys in self._keys.values() for key in (keys.encryption, keys.mask)]
        if own is None or own.mask != self._mask_key.public_key().public_bytes_raw() or COORDINATOR in self._keys:
            raise RoundRefused.because("the keys that this silo advertised", "others of its name")
        if len(set(public)) < len(public):
            raise RoundRefused.because("keys that are all different", "one key twice")
        self._digest_of_keys = hashlib.sha256(body).digest()
        names = sorted(self._keys)
        points = [self._roster.point_of(name) for name in names]
        shares_of_key = share(self._mask_key.private_bytes_raw(), self._terms.threshold, points)
        shares_of_seed = share(self._seed, self._terms.threshold, points)
        sealed = {}
        for name, key_share, seed_share in zip(names, shares_of_key, shares_of_seed, strict=True):
            if name == self._silo:
                self._seed_shares[name] = seed_share
                continue
            way = f"{self._silo} {name}"
            sealed[name] = seal(
                key_share + seed_share, self._encryption_key, self._keys[name].encryption, self._context, way
            )
        return msgspec.msgpack.encode(sealed)

    def _mask(self, body: bytes) -> bytes:
        sealed = decode(body, messages.Shares)
        members = {*sealed, self._silo}
        self._check_number(members, "that shared their secrets")
        if self._silo in sealed or not members <= set(self._keys):
            raise RoundRefused.because("shares of silos that advertised keys", "shares of others")
        words = self._words.astype("<u8")
        for name, content in sorted(sealed.items()):
            keys = self._keys[name]
            shares = unseal(content, self._encryption_key, keys.encryption, self._context, f"{name} {self._silo}")
            self._key_shares[name], self._seed_shares[name] = shares[:SEED_BYTES], shares[SEED_BYTES:]
            seed = mask_seed(self._mask_key, keys.mask, self._context)
            add_keystream(words, seed, subtract=self._silo > name)
        add_keystream(words, self._seed)
        return words.tobytes()

    def _confirm(self, body: bytes) -> bytes:
        self._survivors = decode(body, messages.Survivors)
        self._check_number(self._survivors, "whose words are in the sum")
        members = sorted(self._seed_shares)
        is_in_order = self._survivors == sorted(set(self._survivors))
        if not is_in_order or not {self._silo} <= set(self._survivors) <= set(members):
            raise RoundRefused.because("survivors in order, this silo and others that shared their secrets", "others")
        confirmation = messages.Confirmation(self._digest_of_keys, members, self._survivors)
        self._confirmation = msgspec.msgpack.encode(confirmation)
        return self._confirmation

    def _unmask(self, body: bytes) -> bytes:
        signatures = decode(body, messages.Signatures)
        self._check_number(signatures, "that confirmed the survivors")
        for name, signature in signatures.items():
            content = signed_bytes(name, Phase.CONFIRM, self._context, self._confirmation)
            if name not in self._survivors or not is_signed_by(self._roster.silos[name], content, signature):
                raise RoundRefused.because(
                    f"a signature of {name[:80]} that it was told the same survivors", "none: it was told others"
                )
        survivors = set(self._survivors)
        seeds = {name: self._seed_shares[name] for name in self._survivors}
        keys = {name: content for name, content in self._key_shares.items() if name not in survivors}
        return msgspec.msgpack.encode(messages.Unmasking(seeds, keys))

    def _check_number(self, silos: "set[str] | list[str] | dict", what: str) -> None:
        if len(silos) < self._terms.threshold:
            raise RoundRefused.because(f"{self._terms.threshold} silos {what}, or more", f"{len(silos)}")


def commitment(seed: bytes, context: bytes) -> bytes:
    """Digest of a seed of 32 random bytes, which does not give the seed away."""
    return hashlib.sha256(LABEL.encode() + b" seed" + context + seed).digest()
