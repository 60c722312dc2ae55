"""The extra ``oidc``: a server takes tokens that a local key signed, and no others."""

import json
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.environments import copy_data
from tests.extras.conftest import NOW, Make

pytestmark = pytest.mark.extras

ISSUER, AUDIENCE = "https://id.example", "refrain"
SIGN = f"""
import json, time
from pathlib import Path
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

def token(key):
    claims = {{"iss": {ISSUER!r}, "aud": {AUDIENCE!r}, "sub": "alice", "exp": int(time.time()) + 600}}
    return jwt.encode(claims | {{"roles": ["predict"]}}, key, "EdDSA", headers={{"kid": "one"}})

key = Ed25519PrivateKey.generate()
public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
Path("jwks.json").write_text(json.dumps({{"keys": [public | {{"kid": "one", "use": "sig"}}]}}))
print(json.dumps([token(key), token(Ed25519PrivateKey.generate())]))
"""
"""Writes the public key of a new pair; prints a token that it signed, and one of a stranger."""
VERIFY = """
import sys
from feature_repo.home import Home
from inference.security.caller import Refused
from inference.security.tokens import TokenVerifier

verifier, (good, bad) = TokenVerifier.from_env(Home.from_env()), sys.argv[1:]
print(verifier.caller(good).id)
try:
    verifier.caller(bad)
except Refused:
    print("refused")
"""


def variables(work: Path) -> dict[str, str]:
    keys = str(work / "jwks.json")
    return {"REFRAIN_OIDC_ISSUER": ISSUER, "REFRAIN_OIDC_AUDIENCE": AUDIENCE, "REFRAIN_OIDC_KEYS": keys}


def test_a_token_is_verified(make: Make) -> None:
    environment = make("oidc")
    tokens = json.loads(environment.run("python", "-c", SIGN).stdout)
    output = environment.run("python", "-c", VERIFY, *tokens, **variables(environment.work)).stdout
    assert output.split() == ["oidc:alice", "refused"]


def test_a_server_takes_tokens(make: Make, trained: Path) -> None:
    environment = make("inference,oidc")
    copy_data(trained, environment.home)
    good, bad = json.loads(environment.run("python", "-c", SIGN).stdout)
    command = ("refrain", "serve", "--port", "PORT", "--access", "keys")
    with environment.serving(*command, REFRAIN_NOW=NOW, **variables(environment.work)) as (address, _):
        statuses = [
            httpx.post(
                f"{address}/v1/recommendations",
                json={"user_id": "u000001"},
                headers={"authorization": f"Bearer {token}"} if token else {},
                timeout=60,
            ).status_code
            for token in (good, bad, "")
        ]
    assert statuses == [200, 401, 401]


def test_without_the_extra_it_is_named(make: Make) -> None:
    environment = make("inference")
    error = environment.refrain("serve", "--port", "0", code=1, **variables(environment.work)).stderr
    assert "python -m pip install 'refrain[oidc]'" in error
