"""What a signature says, as lines in a fixed form: what is signed, of whom, when, by which key, with which files.

The form is strict so that one statement has one text: nothing is escaped, ordered or spaced at choice. It is read with
a pattern for each line, and of at most ``LARGEST`` bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from feature_repo.signing.public_keys import PUBLIC_KEY

Kind = Literal["bundle", "champion", "manifest"]

LARGEST = 1 << 20
"""Bytes of a statement that is read."""

FILE_NAME = r"(?!\.{1,2}$)[^/\\\x00-\x1f\x7f-\x9f\u2028\u2029]{1,255}"
"""Pattern of names of files that can be signed: of one folder, without control characters."""

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_HEAD = (
    ("kind", "bundle|champion|manifest"),
    ("tenant", r"[a-z][a-z0-9_]{0,31}"),
    ("name", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}"),
    ("version", r"0|[1-9]\d{0,8}"),
    ("signed", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    ("key", PUBLIC_KEY),
)
_FIRST = "refrain signature 1"


@dataclass(frozen=True)
class Statement:
    """A statement about something that is signed.

    Attributes:
        kind: ``bundle``, ``champion`` (which version serves) or ``manifest``.
        tenant: name of the tenant.
        name: name of the model; ``manifest`` of a manifest.
        version: version of the model; 0 of a manifest, and where no version serves.
        signed_at: when it was signed, UTC, by the clock of the machine that signed.
        public_key: key that signed it, as a text.
        files: name → SHA-256 of every file, as hexadecimal digits.
        signature: 64 bytes; empty before it is signed.
    """

    kind: Kind
    tenant: str
    name: str
    version: int
    signed_at: datetime
    public_key: str
    files: Mapping[str, str] = field(default_factory=dict)
    signature: bytes = b""

    @property
    def content(self) -> bytes:
        """The bytes that are signed.

        Raises:
            ValueError: a value has no form in a statement, such as a name of a file with a line break.
        """
        values = (
            *(self.kind, self.tenant, self.name, str(self.version)),
            *(self.signed_at.astimezone(UTC).strftime(_TIME), self.public_key),
        )
        lines = [_FIRST]
        for (label, pattern), value in zip(_HEAD, values, strict=True):
            if not re.fullmatch(pattern, value, re.ASCII):
                raise ValueError(f"{label} {value!r}")
            lines.append(f"{label}: {value}")
        for name, digest in sorted(self.files.items()):
            if not re.fullmatch(FILE_NAME, name):
                raise ValueError(f"file {name!r}")
            lines.append(f"file: {digest} {name}")
        return "\n".join([*lines, ""]).encode()

    def to_bytes(self) -> bytes:
        """Returns the statement with its signature, as it is in a file."""
        return self.content + f"signature: {self.signature.hex()}\n".encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Statement":
        """Reads a statement; its signature is not verified.

        Raises:
            ValueError: the content is no statement in exactly this form.

        >>> key = "ed25519:" + "00" * 32
        >>> said = Statement("champion", "default", "churn", 3, datetime(2026, 3, 2, tzinfo=UTC), key, {}, bytes(64))
        >>> Statement.from_bytes(said.to_bytes()) == said
        True
        """
        if len(content) > LARGEST:
            raise ValueError(f"{len(content):,} bytes; at most {LARGEST:,} are read")
        lines = content.decode("utf-8").split("\n")
        if len(lines) < len(_HEAD) + 3 or lines[0] != _FIRST:
            raise ValueError(f"its first line is not {_FIRST!r}" if lines[0] != _FIRST else "it is cut off")
        values = {}
        for line, (label, pattern) in zip(lines[1:], _HEAD, strict=False):
            match = re.fullmatch(f"{label}: ({pattern})", line, re.ASCII)
            if match is None:
                raise ValueError(f"no {label} where it should be")
            values[label] = match[1]
        *files, signature, end = lines[len(_HEAD) + 1 :]
        digests = {}
        for line in files:
            match = re.fullmatch(f"file: ([0-9a-f]{{64}}) ({FILE_NAME})", line)
            if match is None:
                raise ValueError("a line that is no file")
            digests[match[2]] = match[1]
        match = re.fullmatch("signature: ([0-9a-f]{128})", signature)
        if match is None or end:
            raise ValueError("no signature at its end")
        statement = cls(
            kind=values["kind"],  # type: ignore[arg-type]
            tenant=values["tenant"],
            name=values["name"],
            version=int(values["version"]),
            signed_at=datetime.strptime(values["signed"], _TIME).replace(tzinfo=UTC),
            public_key=values["key"],
            files=digests,
            signature=bytes.fromhex(match[1]),
        )
        if statement.to_bytes() != content:
            raise ValueError("files that are out of order, or twice")
        return statement

    def signed_with(self, signature: bytes) -> "Statement":
        """Returns the statement with a signature."""
        return replace(self, signature=signature)
