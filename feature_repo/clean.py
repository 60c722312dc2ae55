"""Remove a data folder: what Refrain wrote into it, and nothing else that lies there."""

import shutil
from pathlib import Path

from feature_repo.errors import HomeError
from feature_repo.home import Home
from feature_repo.stores import redis_server

_MARKS = ("registry.db", "feature_store-*.yaml", "raw/*/tenant=*", "features/*/tenant=*", "redis/redis.log")
"""One of these lies in every data folder that was used."""

_TABLES = ("raw", "features", "tiles", "quarantine")
_OF_TENANTS = (
    *("models", "lookups", "impressions", "audit_log", "predictions", "exposures", "reports", "audits"),
    *("pipeline", "training_sets"),
)
_WRITTEN = (
    *(f"{name}/*/tenant=*" for name in _TABLES),
    *(f"{name}/.*" for name in _TABLES),
    *(f"{name}/tenant=*" for name in _OF_TENANTS),
    *("registry.db*", "manifest-*.json", "feature_store-*.yaml", "experiments-*.json", "security/keys-*.json"),
    *("redis", "mlflow", "simulated", "anomaly", "tiles/text_scores", ".*.lock"),
)


def clean(home: Home) -> tuple[list[Path], list[Path]]:
    """Stop the folder's Redis and remove all that Refrain wrote, of every tenant; the folder, too, if it is empty then.

    Returns:
        The entries of the folder that were removed, and those that are left because they are not Refrain's.

    Raises:
        HomeError: the folder is there and no data folder of Refrain; nothing is removed.
    """
    redis_server.stop(home)
    if not home.root.is_dir() or not any(home.root.iterdir()):
        return [], []
    if not any(_found(home.root, mark) for mark in _MARKS):
        raise HomeError(
            expected=f"a data folder of Refrain at {home.root}",
            found=f"none of {', '.join(_MARKS)}",
            next_command="export REFRAIN_HOME=/the/data/folder, then the same again",
        )
    before = sorted(home.root.iterdir())
    for pattern in _WRITTEN:
        for path in _found(home.root, pattern):
            _remove(path)
    for folder in sorted({home.root / pattern.split("/")[0] for pattern in _WRITTEN if "/" in pattern}):
        _remove_empty(folder)
    left = sorted(home.root.iterdir())
    if not left and not home.root.is_symlink():
        home.root.rmdir()
    return [path for path in before if path not in left], left


def _found(root: Path, pattern: str) -> list[Path]:
    return [path for path in root.glob(pattern) if path.name not in (".", "..")]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    """A folder and those below it, if there is nothing else in them."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for below in folder.iterdir():
        _remove_empty(below)
    if not any(folder.iterdir()):
        folder.rmdir()
