"""Tokens of an identity provider: the signature, the audience and the expiry are checked."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.security import tokens
from inference.security.caller import Refused
from inference.security.tokens import TokenVerifier

ISSUER, AUDIENCE = "https://id.example", "refrain"


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def _jwks(path: Path, **keys: Any) -> Path:
    entries = []
    for name, key in keys.items():
        kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.OKPAlgorithm
        entries.append({**json.loads(kind.to_jwk(key.public_key())), "kid": name, "use": "sig"})
    path.write_text(json.dumps({"keys": entries}))
    return path


def _claims(**overrides: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 60, "roles": ["predict", "king"]}
    return {name: value for name, value in (claims | overrides).items() if value is not None}


@pytest.fixture
def verifier(tmp_path: Path, private: rsa.RSAPrivateKey) -> TokenVerifier:
    return TokenVerifier(Home(tmp_path), ISSUER, AUDIENCE, str(_jwks(tmp_path / "jwks.json", one=private)))


def _token(key: Any, algorithm: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    return jwt.encode(_claims(**claims), key, algorithm, headers={"kid": kid} if kid else None)


def test_a_good_token(verifier: TokenVerifier, private: rsa.RSAPrivateKey) -> None:
    caller = verifier.caller(_token(private))
    assert (caller.id, caller.name, caller.tenant) == ("oidc:alice", "alice", "default")
    assert caller.roles == {"predict"}  # unknown roles are ignored
    assert verifier.caller(_token(private, roles="predict send_events")).roles == {"predict", "send_events"}
    assert verifier.caller(_token(private, roles=None)).roles == frozenset()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"sub": None},
        {"nbf": int(time.time()) + 3_600},
        {"tenant": "acme"},
        {"kid": "two"},
        {"kid": None},
    ],
    ids=lambda claims: next(iter(claims)),  # a time in a test id would differ between workers
)
def test_a_token_that_is_not_for_us_is_refused(
    verifier: TokenVerifier, private: rsa.RSAPrivateKey, claims: dict[str, Any]
) -> None:
    with pytest.raises(Refused):
        verifier.caller(_token(private, **claims))


def test_a_token_that_somebody_else_signed_is_refused(verifier: TokenVerifier, private: rsa.RSAPrivateKey) -> None:
    other_key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    with pytest.raises(Refused):
        verifier.caller(_token(other_key))
    public_key = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    parts = [
        jwt.utils.base64url_encode(json.dumps(part).encode()) for part in ({"alg": "none", "kid": "one"}, _claims())
    ]
    unsigned_token = b".".join([*parts, b""]).decode()
    confused_token = _hmac_token({"alg": "HS256", "kid": "one"}, public_key)
    for token in (unsigned_token, confused_token, "", "a.b.c", "x" * 9_000, _token(private)[:-4] + "AAAA"):
        with pytest.raises(Refused):
            verifier.caller(token)


def _hmac_token(header: dict[str, str], secret: bytes) -> str:
    """A token signed with the public key as an HMAC secret; a verifier that trusts the header accepts it."""
    import hashlib
    import hmac

    signing_input = b".".join(jwt.utils.base64url_encode(json.dumps(part).encode()) for part in (header, _claims()))
    mac = hmac.new(secret, signing_input, hashlib.sha256).digest()
    return (signing_input + b"." + jwt.utils.base64url_encode(mac)).decode()


def test_another_kind_of_key(tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    verifier = TokenVerifier(Home(tmp_path), ISSUER, AUDIENCE, str(_jwks(tmp_path / "jwks.json", one=private)))
    assert verifier.caller(_token(private, "EdDSA")).name == "alice"


def test_a_key_that_is_new_is_found_and_nobody_makes_us_ask_often(
    tmp_path: Path, private: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    read_content = tokens._content
    monkeypatch.setattr(tokens, "_content", lambda location: reads.append(location) or read_content(location))
    path = _jwks(tmp_path / "jwks.json", one=private)
    verifier = TokenVerifier(Home(tmp_path), ISSUER, AUDIENCE, str(path))
    verifier.caller(_token(private))
    for _ in range(50):
        with pytest.raises(Refused, match="unknown key"):
            verifier.caller(_token(private, kid="guessed"))
    assert len(reads) == 1
    second_key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    _jwks(path, one=private, two=second_key)
    monkeypatch.setattr(tokens, "MIN_REFRESH_SECONDS", 0.0)
    assert verifier.caller(_token(second_key, kid="two"))
    path.write_text("nothing")
    monkeypatch.setattr(tokens, "MAX_AGE_SECONDS", 0.0)
    assert verifier.caller(_token(second_key, kid="two"))  # the keys from the last good read stay valid


def test_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: rsa.RSAPrivateKey) -> None:
    assert TokenVerifier.from_env(Home(tmp_path)) is None
    monkeypatch.setenv("REFRAIN_OIDC_ISSUER", ISSUER)
    with pytest.raises(InputError, match="REFRAIN_OIDC_AUDIENCE"):
        TokenVerifier.from_env(Home(tmp_path))
    monkeypatch.setenv("REFRAIN_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("REFRAIN_OIDC_KEYS", "http://id.example/keys")
    with pytest.raises(InputError, match="https"):
        TokenVerifier.from_env(Home(tmp_path))
    monkeypatch.setenv("REFRAIN_OIDC_KEYS", str(_jwks(tmp_path / "jwks.json", one=private)))
    verifier = TokenVerifier.from_env(Home(tmp_path))
    assert verifier is not None
    assert verifier.caller(_token(private)).name == "alice"
