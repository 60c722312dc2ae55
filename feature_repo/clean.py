"""Removes the files of a data folder that Refrain wrote, and no others."""

import shutil
from pathlib import Path

from feature_repo.errors import HomeError
from feature_repo.home import Home
from feature_repo.stores import redis_server

_MARKERS = ("registry.db", "feature_store-*.yaml", "raw/*/tenant=*", "features/*/tenant=*", "redis/redis.log")
"""Patterns of which at least one matches in every data folder that was used."""

_TABLES = ("raw", "features", "tiles", "quarantine", "cursors")
_TENANT_FOLDERS = (
    *("models", "lookups", "impressions", "audit_log", "predictions", "exposures", "reports", "audits"),
    *("pipeline", "training_sets"),
)
_WRITTEN = (
    *(f"{name}/*/tenant=*" for name in _TABLES),
    *(f"{name}/.*" for name in _TABLES),
    *(f"{name}/tenant=*" for name in _TENANT_FOLDERS),
    *("registry.db*", "manifest-*.json", "feature_store-*.yaml", "experiments-*.json", "security/keys-*.json"),
    *("redis", "mlflow", "simulated", "anomaly", "tiles/text_scores", ".*.lock"),
)


def clean(home: Home) -> tuple[list[Path], list[Path]]:
    """Stops the folder's Redis and removes all files of Refrain, of every tenant, and the folder if it is then empty.

    Returns:
        The removed entries of the folder, and the entries that were kept because Refrain did not write them.

    Raises:
        HomeError: the folder exists but is not a data folder of Refrain; nothing is removed.
    """
    redis_server.stop(home)
    if not home.root.is_dir() or not any(home.root.iterdir()):
        return [], []
    if not any(_matches(home.root, pattern) for pattern in _MARKERS):
        raise HomeError(
            expected=f"a data folder of Refrain at {home.root}",
            found=f"none of {', '.join(_MARKERS)}",
            next_command="export REFRAIN_HOME=/the/data/folder, then repeat the command",
        )
    entries = sorted(home.root.iterdir())
    for pattern in _WRITTEN:
        for path in _matches(home.root, pattern):
            _remove(path)
    for folder in sorted({home.root / pattern.split("/")[0] for pattern in _WRITTEN if "/" in pattern}):
        _remove_empty(folder)
    kept = sorted(home.root.iterdir())
    if not kept and not home.root.is_symlink():
        home.root.rmdir()
    return [path for path in entries if path not in kept], kept


def _matches(root: Path, pattern: str) -> list[Path]:
    return [path for path in root.glob(pattern) if path.name not in (".", "..")]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    """Removes a folder and its subfolders if they contain no files."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for child in folder.iterdir():
        _remove_empty(child)
    if not any(folder.iterdir()):
        folder.rmdir()
