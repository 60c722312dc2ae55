"""Removes the files of a data folder that Refrain wrote, and no others."""

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from feature_repo import layout
from feature_repo.errors import HomeError
from feature_repo.home import Home
from feature_repo.stores import redis_server

_MARKERS = ("registry.db", "feature_store-*.yaml", "raw/*/tenant=*", "features/*/tenant=*", "redis/redis.log")
"""Patterns of which at least one matches in every data folder that was used."""

_TABLES = ("raw", "features", "tiles", "quarantine", "cursors")
_TENANT_FOLDERS = (
    *("models", "lookups", "impressions", "audit_log", "predictions", "exposures", "reports", "audits"),
    *("pipeline", "training_sets", "sessions", "encryption_contexts", "retention"),
)
_WRITTEN = (
    *(f"{name}/*/tenant=*" for name in _TABLES),
    *(f"{name}/.*" for name in _TABLES),
    *(f"{name}/tenant=*" for name in _TENANT_FOLDERS),
    *("registry.db*", "manifest-*.json*", "lineage-*.json", "feature_store-*.yaml", "experiments-*.json"),
    *("security/keys-*.json", "security/sealed-*.list", "security/.sealed-*.lock", "security/person-keys-*.json"),
    *("redis", "mlflow", "simulated", "anomaly", "rights", "tiles/text_scores", layout.FILE, ".*.lock"),
)


def clean(home: Home) -> tuple[list[Path], list[Path]]:
    """Stops the folder's Redis and removes all files of Refrain, of every tenant, and the folder if it is then empty.

    Returns:
        The removed entries of the folder, and the entries that were kept because Refrain did not write them.

    Raises:
        HomeError: the folder exists but is not a data folder of Refrain, or the project lies in it; nothing is removed.
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
    if home.project_folder is not None and home.project_folder.resolve().is_relative_to(home.root.resolve()):
        raise HomeError(
            expected="a data folder without the project's own files",
            found=f"{home.root}, which has the project {home.project_folder}",
            next_command="export REFRAIN_HOME=/a/folder/of/its/own",
        )
    entries, sources = sorted(home.root.iterdir()), _sources(home.root)
    for pattern in _WRITTEN:
        for path in _matches(home.root, pattern):
            _remove(path, sources)
    for folder in sorted({home.root / pattern.split("/")[0] for pattern in _WRITTEN if "/" in pattern}):
        _remove_empty(folder)
    kept = sorted(home.root.iterdir())
    if not kept and not home.root.is_symlink():
        home.root.rmdir()
    return [path for path in entries if path not in kept], kept


def _matches(root: Path, pattern: str) -> list[Path]:
    return [path for path in root.glob(pattern) if path.name not in (".", "..")]


def _sources(root: Path) -> list[Path]:
    """Lists the files and folders behind plain views, of all tenants; Refrain did not write them."""
    sources = []
    for file in root.glob("manifest-*.json"):
        try:
            paths = json.loads(file.read_text())["sources"].values()
        except (OSError, ValueError, KeyError, AttributeError):  # a damaged manifest names no files
            continue
        for path in filter(None, paths):
            fixed = itertools.takewhile(lambda part: not set("*?[") & set(part), Path(path).parts)
            sources.append(Path(*fixed).resolve())
    return sources


def _remove(path: Path, sources: Sequence[Path]) -> None:
    """Removes a file or a folder, except for some files or folders in it."""
    if any(path.resolve().is_relative_to(source) for source in sources):
        return
    if path.is_dir() and not path.is_symlink():
        if any(source.is_relative_to(path.resolve()) for source in sources):
            for child in path.iterdir():
                _remove(child, sources)
            return
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
