"""The extra ``protection``: keys are made and used; without it commands name it."""

import re

import pytest

from tests.extras.conftest import Make

pytestmark = pytest.mark.extras

SIGNED = """
import sys
from pathlib import Path
from feature_repo.errors import SignatureError
from feature_repo.home import Home
from feature_repo.signing.bundles import sign_bundle, verify_bundle

home = Home.from_env().ensure()
folder = home.bundles("churn") / "1"
folder.mkdir(parents=True)
(folder / "model.onnx").write_bytes(b"weights")
sign_bundle(folder, home, "churn", 1)
print(sorted(verify_bundle(folder, home, "churn", "1")))
(folder / "model.onnx").write_bytes(b"other")
try:
    verify_bundle(folder, home, "churn", "1")
except SignatureError:
    print("refused")
"""


def test_bundles_are_signed_and_verified(make: Make) -> None:
    environment = make("protection")
    key = str(environment.work / "signing.pem")
    public = re.search(r"ed25519:[0-9a-f]{64}", environment.refrain("signing", "key", "--out", key).stdout)
    assert public is not None
    variables = {"REFRAIN_SIGNING_KEY": key, "REFRAIN_TRUSTED_KEYS": public[0]}
    assert environment.run("python", "-c", SIGNED, **variables).stdout.split() == ["['model.onnx']", "refused"]


def test_an_encrypted_folder_is_built(make: Make) -> None:
    environment = make("transforms,protection")
    variables = {"REFRAIN_NOW": "2026-01-06T00:00:00"}
    key = environment.work / "encryption.key"
    environment.refrain("encryption", "on", "--key", f"file:{key}", "--make-key", **variables)
    environment.refrain("simulate", "--users", "20", "--tracks", "100", "--days", "5", "--plays", "500", **variables)
    environment.refrain("build", **variables)
    files = [path for path in (environment.home / "features").rglob("*.parquet") if path.stat().st_size]
    assert files
    assert {path.read_bytes()[-4:] for path in files} == {b"PARE"}  # a footer that is encrypted


def test_without_the_extra_it_is_named(make: Make) -> None:
    environment = make("")
    for command in (("encryption", "on", "--key", "file:key", "--make-key"), ("signing", "key")):
        assert "'refrain[protection]'" in environment.refrain(*command, code=1).stderr
