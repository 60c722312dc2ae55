"""Bundles of models, and their copies among MLflow's artifacts."""

from collections.abc import Iterator
from pathlib import Path

from feature_repo.encryption.bundle_files import MANIFEST, open_files, owner_of, seal_files
from feature_repo.encryption.file_kind import FileKind
from feature_repo.home import Home


def _folders(home: Home) -> Iterator[Path]:
    """Yields the folders of a tenant's bundles; of MLflow's, which tenants share, those of the tenant's versions."""
    models = home.bundles("any").parent
    yield from (path.parent for path in sorted(models.glob(f"*/*/{MANIFEST}")))
    for model in sorted(models.glob("*/")):
        for path in sorted((home.mlflow / "artifacts" / model.name).glob(f"*/**/{MANIFEST}")):
            if owner_of(path.parent, home) == home.tenant:
                yield path.parent


def _seal(home: Home) -> int:
    return sum(bool(seal_files(folder, home)) for folder in _folders(home))


def _open(home: Home) -> int:
    return sum(bool(open_files(folder, home)) for folder in _folders(home))


KIND = FileKind("bundles", _seal, _open)
