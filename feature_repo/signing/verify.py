"""Verifies a statement: whose signature it is, of what, of when. Nothing that is signed is read here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from feature_repo.signing.newest import check_newest
from feature_repo.signing.public_keys import is_signed_by, short_name
from feature_repo.signing.statement import Kind, Statement
from feature_repo.signing.trust import Trust

SKEW = timedelta(minutes=5)
"""How far the clock of the machine that signed may be ahead."""

Refuse = Callable[[str, str], Exception]
"""Function of what was expected and what was found that returns the error to raise."""


def verify(
    content: bytes,
    trust: Trust,
    refuse: Refuse,
    *,
    kind: Kind,
    tenant: str,
    name: str,
    version: int | None = None,
    newest_of: str = "",
) -> Statement:
    """Returns a statement that a trusted key made of exactly this thing, not in the future.

    Args:
        content: the statement, as in a file.
        trust: whose signatures count.
        refuse: makes the error.
        kind: what has to be signed.
        tenant: tenant of whom it has to be.
        name: name that it has to have.
        version: version that it has to have; any if None.
        newest_of: a data folder, of which a statement that is older than one verified before is refused; empty if the
            age does not matter.

    Raises:
        Exception: that of ``refuse``, if any of this is not so.
    """
    try:
        statement = Statement.from_bytes(content)
    except ValueError as error:
        raise refuse("a signature in its fixed form", str(error)) from None
    key = statement.public_key
    if key in trust.revoked:
        when = f" since {trust.revoked[key].at}" if trust.revoked[key].at else ""
        raise refuse("a signature by a key that is not revoked", f"one by {short_name(key)}, which is revoked{when}")
    if key not in trust.trusted:
        pinned = ", ".join(short_name(each) for each in trust.trusted if each not in trust.revoked) or "none"
        raise refuse(f"a signature by a pinned key ({pinned})", f"one by {short_name(key)}")
    if not is_signed_by(key, statement.content, statement.signature):
        raise refuse(f"a signature that {short_name(key)} made", "one that was not made by that key")
    wanted, said = (kind, tenant, name), (statement.kind, statement.tenant, statement.name)
    if said != wanted or version not in (None, statement.version):
        raise refuse(
            f"a signature of the {kind} {name}{'' if version is None else f' {version}'} of tenant {tenant}",
            f"one of the {statement.kind} {statement.name} {statement.version} of tenant {statement.tenant}",
        )
    now = datetime.now(UTC)
    if statement.signed_at > now + SKEW:
        raise refuse(
            f"a time of signing that is not in the future (it is {now:%Y-%m-%d %H:%M:%S} UTC here)",
            f"{statement.signed_at:%Y-%m-%d %H:%M:%S} UTC; the clock of one of the machines is wrong",
        )
    if newest_of:
        check_newest(statement, newest_of, refuse)
    return statement
