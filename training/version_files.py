"""Reads what is stored with the versions of a model: champion, promotions, evidence, decision, lineage, samples."""

import json
from typing import Any

import numpy as np

from feature_repo.bundle import ALIASES, CHAMPION, MANIFEST
from feature_repo.encryption.bundle_files import read_file
from feature_repo.home import Home
from training.bundle import SAMPLE
from training.datasets.sample import samples_from_bytes
from training.validation.evidence import EVIDENCE, Evidence
from training.validation.gates import Decision

DECISION = "decision.json"
"""File of a bundle: the gates that were checked, and their result."""
LINEAGE = "lineage.json"
"""File of a bundle: key of the run, and manifests of the training sets with digests of their sources."""
PROMOTIONS = "promotions.jsonl"
"""File beside the versions of a model: which version became champion, when and why."""


def champion_of(home: Home, name: str) -> int | None:
    """Returns the version that serves, or None."""
    try:
        return int(json.loads((home.bundles(name) / ALIASES).read_text())[CHAMPION])
    except (OSError, ValueError, KeyError):
        return None


def evidence_of(home: Home, name: str, version: int) -> Evidence | None:
    """Reads the test evidence of a version; None if it has none."""
    try:
        return Evidence.from_bytes(read_file(home.bundles(name) / str(version), EVIDENCE))
    except (OSError, ValueError, KeyError):
        return None


def lineage_of(home: Home, name: str, version: int) -> dict[str, Any]:
    """Reads a version's lineage: key of the run, rows of raw tables, training sets. Empty if it has none."""
    try:
        return dict(json.loads((home.bundles(name) / str(version) / LINEAGE).read_text()))
    except (OSError, ValueError):
        return {}


def privacy_of(home: Home, name: str, version: int) -> dict[str, Any] | None:
    """Reads what a version guarantees to a person (``PrivacyStatement.to_dict``); None if it is not private."""
    path = home.bundles(name) / str(version) / MANIFEST
    content = json.loads(path.read_text()).get("extra", {}) if path.is_file() else {}
    privacy: dict[str, Any] | None = content.get("privacy")
    return privacy


def learned_from(home: Home, name: str, version: int) -> dict[str, dict[str, np.ndarray]] | None:
    """Reads the sample of a version's training sets: service → feature → values; None if it has none."""
    try:
        return samples_from_bytes(read_file(home.bundles(name) / str(version), SAMPLE))
    except (OSError, ValueError):
        return None


def decision_of(home: Home, name: str, version: int) -> Decision | None:
    """Reads the decision on a version; None if it was registered without one."""
    return Decision.read(home.bundles(name) / str(version) / DECISION)


def promotions(home: Home, name: str) -> list[dict[str, Any]]:
    """Reads the promotions of a model, oldest first: version, time and reason."""
    try:
        return [json.loads(line) for line in (home.bundles(name) / PROMOTIONS).read_text().splitlines() if line]
    except FileNotFoundError:
        return []


def rolled_back(home: Home, name: str) -> set[int]:
    """Returns the versions that were rolled back and not promoted by hand since; nothing promotes them by itself."""
    rolled_back_versions: set[int] = set()
    for promotion in promotions(home, name):
        rolled_back_versions.discard(promotion["version"])
        if "undoes" in promotion:
            rolled_back_versions.add(int(promotion["undoes"]))
    return rolled_back_versions
