"""The fixed form of a statement: one text each, and no other bytes are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.signing.statement import FILE_NAME, LARGEST, Statement

KEY = "ed25519:" + "1f" * 32
names = st.from_regex(rf"\A{FILE_NAME}\Z")
statements = st.builds(
    Statement,
    kind=st.sampled_from(["bundle", "champion", "manifest"]),
    tenant=st.from_regex(r"\A[a-z][a-z0-9_]{0,31}\Z"),
    name=st.from_regex(r"\A[a-z][a-z0-9_.-]{0,20}\Z"),
    version=st.integers(0, 999_999_999),
    signed_at=st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),
    public_key=st.just(KEY),
    files=st.dictionaries(names, st.from_regex(r"\A[0-9a-f]{64}\Z"), max_size=3),
    signature=st.binary(min_size=64, max_size=64),
)
A_STATEMENT = Statement(
    "bundle", "default", "churn", 3, datetime(2026, 3, 2, tzinfo=UTC), KEY, {"a": "0" * 64, "b": "1" * 64}, bytes(64)
)


@given(statements)
def test_a_statement_comes_back_as_it_was(statement: Statement) -> None:
    assert Statement.from_bytes(statement.to_bytes()) == statement


@given(statements, statements)
def test_different_statements_have_different_texts(one: Statement, other: Statement) -> None:
    assert (one.content == other.content) == (
        (one.kind, one.tenant, one.name, one.version, one.signed_at, one.files)
        == (other.kind, other.tenant, other.name, other.version, other.signed_at, other.files)
    )


@given(st.data())
def test_no_byte_can_be_changed_added_or_removed(data: st.DataObject) -> None:
    content = A_STATEMENT.to_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.binary(min_size=0, max_size=2))
    changed = content[:place] + byte + content[place + 1 :]
    try:
        assert (Statement.from_bytes(changed) == A_STATEMENT) == (changed == content)
    except ValueError:
        assert changed != content


@given(st.binary(max_size=300))
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        Statement.from_bytes(content)


def test_a_statement_of_any_size_is_not_read() -> None:
    with pytest.raises(ValueError, match="at most"):
        Statement.from_bytes(A_STATEMENT.to_bytes() + b"\n" * LARGEST)


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../a": "0" * 64}},
        {"files": {"a\nfile: b": "0" * 64}},
        {"files": {"..": "0" * 64}},
        {"name": "a\nversion: 1"},
        {"tenant": "A"},
        {"version": -1},
        {"public_key": "ed25519:00"},
    ],
)
def test_values_without_a_form_are_not_signed(change: dict) -> None:
    with pytest.raises(ValueError, match="."):
        Statement(**{**A_STATEMENT.__dict__, **change}).content  # noqa: B018


def test_times_are_in_utc() -> None:
    assert b"signed: 2026-03-02T00:00:00.000000Z" in A_STATEMENT.content
    with pytest.raises(ValueError, match="signed"):
        Statement.from_bytes(A_STATEMENT.to_bytes().replace(b"00Z", b"00+01:00"))
    assert A_STATEMENT.signed_at + timedelta(0) == datetime(2026, 3, 2, tzinfo=UTC)
