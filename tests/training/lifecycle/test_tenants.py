"""Tenants of a data folder share its MLflow; no tenant sees, promotes or removes the versions of another one."""

from dataclasses import replace

import pytest

from feature_repo.errors import BundleError
from feature_repo.home import Home
from tests.training.lifecycle.test_promotion import NAME, _register
from training import promotions, registry, version_files
from training.mlflow_client import client


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A data folder with an MLflow of its own; each test registers versions under its own name."""
    return Home(tmp_path_factory.mktemp("tenants") / "data")


def test_versions_and_aliases_are_of_a_tenant(home: Home) -> None:
    acme = replace(home, tenant="acme")
    first = _register(home, 0.5)
    assert registry.versions(acme) == []
    assert registry.challenger_of(acme, NAME) is None
    other = _register(acme, 0.5)
    assert other != first
    for one, own in ((home, first), (acme, other)):
        assert [(version.version, version.aliases) for version in registry.versions(one)] == [(own, ("challenger",))]
        assert promotions.promote(one, NAME) == own
        assert version_files.champion_of(one, NAME) == own
        assert registry.versions(one)[0].aliases == ("challenger", "champion")
    with pytest.raises(BundleError, match=rf"one of \[{first}\]"):
        promotions.promote(home, NAME, other)

    promotions.demote(acme, NAME)
    registry.remove(acme, NAME, first)  # of nobody here: nothing is removed
    assert registry.versions(home)[0].aliases == ("challenger", "champion")
    registry.remove(acme, NAME, other)
    assert registry.versions(acme) == []


def test_versions_before_tags_are_of_the_tenant_whose_folder_has_them(home: Home) -> None:
    acme, name = replace(home, tenant="acme"), "untagged"
    versions = {"default": _register(home, 0.5, name=name), "acme": _register(acme, 0.5, name=name)}
    for number in versions.values():
        client(home).delete_model_version_tag(name, str(number), "tenant")
    for one in (home, acme):
        own = [version.version for version in registry.versions(one) if version.name == name]
        assert own == [versions[one.tenant]]
