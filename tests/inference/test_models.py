"""Loading refuses a bundle that was changed or does not fit the features, and names the next command."""

import json
from pathlib import Path

import pytest

from feature_repo.errors import BundleError
from feature_repo.home import Home
from inference.models import load_bundle
from training import promotions, registry


def bundle_folder(home: Home) -> Path:
    return load_bundle("recommendation", home).folder


def test_the_champion_and_a_version_are_found(in_world: Home) -> None:
    champion = load_bundle("recommendation", in_world)
    assert load_bundle(champion.name_version, in_world).manifest == champion.manifest
    assert champion.manifest["feature_service"] == "recommendation_v1"
    for field in ("fingerprint", "inputs", "outputs", "metrics", "training_set", "code_revision", "cutoff", "refrain"):
        assert champion.manifest[field]
    assert "NDCG@10" in champion.read("README.md").decode()


def test_nothing_promoted_is_told(home: Home) -> None:
    with pytest.raises(BundleError, match="refrain model run recommendation && refrain model promote"):
        load_bundle("recommendation", home)


def test_no_such_version_is_told(in_world: Home) -> None:
    with pytest.raises(BundleError, match="next: refrain model list"):
        load_bundle("recommendation:99", in_world)
    with pytest.raises(BundleError, match="one of .*found 99"):
        promotions.promote(in_world, "recommendation", 99)


@pytest.mark.parametrize("file", ["hybrid.onnx", "taste.voy", "catalogue.json"])
def test_a_changed_file_is_named_and_promote_brings_it_back(own_world: Home, file: str) -> None:
    folder = bundle_folder(own_world)
    path = folder / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"the file {file} of recommendation:1.*rm -r .*refrain model promote"):
        load_bundle("recommendation", own_world)
    path.unlink()
    with pytest.raises(BundleError, match="no file"):
        load_bundle("recommendation", own_world)
    for item in folder.iterdir():
        item.unlink()
    assert promotions.promote(own_world, "recommendation", 1) == 1
    load_bundle("recommendation", own_world)


def test_a_torn_manifest_is_told(own_world: Home) -> None:
    (bundle_folder(own_world) / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match="a bundle in"):
        load_bundle("recommendation", own_world)


def test_a_changed_feature_service_is_refused(own_world: Home) -> None:
    document = json.loads(own_world.manifest.read_text())
    document["services"]["recommendation_v1"]["fingerprint"] = "another"
    own_world.manifest.write_text(json.dumps(document))
    with pytest.raises(BundleError, match="trained on recommendation_v1 as it is online.*refrain model run"):
        load_bundle("recommendation", own_world)


def test_a_failed_registration_leaves_no_version(own_world: Home) -> None:
    def fail(folder: Path, version: int) -> None:
        raise OSError("disk full")

    before = registry.versions(own_world)
    with pytest.raises(OSError, match="disk full"):
        registry.register(own_world, "recommendation", parameters={}, metrics={}, write=fail)  # type: ignore[arg-type]
    assert registry.versions(own_world) == before
    remaining = {path.name for path in own_world.bundles("recommendation").iterdir()}
    assert remaining == {"1", "aliases.json", "promotions.jsonl"}
