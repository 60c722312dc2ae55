"""Bundles of models, and their copies among MLflow's artifacts."""

from collections.abc import Iterator
from pathlib import Path

from feature_repo.encryption.bundle_files import MANIFEST, open_files, seal_files
from feature_repo.encryption.file_kind import FileKind
from feature_repo.home import Home


def _folders(home: Home) -> Iterator[Path]:
    """Yields the folders of bundles; of MLflow's, those of models that the tenant has."""
    models = home.bundles("any").parent
    yield from (path.parent for path in sorted(models.glob(f"*/*/{MANIFEST}")))
    for model in sorted(models.glob("*/")):
        yield from (path.parent for path in sorted((home.mlflow / "artifacts" / model.name).glob(f"*/**/{MANIFEST}")))


def _seal(home: Home) -> int:
    return sum(bool(seal_files(folder, home)) for folder in _folders(home))


def _open(home: Home) -> int:
    return sum(bool(open_files(folder, home)) for folder in _folders(home))


KIND = FileKind("bundles", _seal, _open)
