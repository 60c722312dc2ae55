"""Which versions in MLflow are of a tenant: tenants of a data folder share its MLflow, with one count of versions.

A version has its tenant as a tag, and each tenant has aliases of its own, so that no tenant sees, promotes or removes
what was learned from the people of another one.
"""

from typing import TYPE_CHECKING

from feature_repo.home import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

TENANT = "tenant"
"""Tag of a version."""


def own_versions(mlflow: "MlflowClient", home: Home, name: str) -> list["ModelVersion"]:
    """Returns the versions of a model that are of the tenant of a data folder, newest first."""
    registered = mlflow.search_model_versions(f"name = '{name}'")
    own = [version for version in registered if _tenant(home, name, version) == home.tenant]
    return sorted(own, key=lambda version: -int(version.version))


def alias_of(home: Home, alias: str) -> str:
    """Returns the name that MLflow has for an alias of a tenant.

    >>> from pathlib import Path
    >>> alias_of(Home(Path("data")), "champion"), alias_of(Home(Path("data"), "acme"), "champion")
    ('champion', 'acme-champion')
    """
    return alias if home.tenant == Home.tenant else f"{home.tenant}-{alias}"


def _tenant(home: Home, name: str, version: "ModelVersion") -> str:
    """Returns the tenant of a version; of one without the tag, the tenant whose folder has its bundle."""
    if TENANT in version.tags:
        return str(version.tags[TENANT])
    folders = (home.root / "models").glob(f"tenant=*/{name}/{version.version}")
    tenants = {folder.parent.parent.name.removeprefix("tenant=") for folder in folders}
    return home.tenant if home.tenant in tenants else min(tenants, default=Home.tenant)
