"""Lineage that training wrote down: training set → version of a model → alias, with digests.

A bundle has a manifest and ``lineage.json``, with the manifests of its training sets and digests of the files behind
each view; ``aliases.json`` beside the versions says which of them serves.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.signing.champions import SIGNED
from refrain.lineage.graph import Edge, Lineage, Node

RECORD = "lineage.json"
"""File of a bundle with the manifests of its training sets."""


def recorded_lineage(home: Home) -> Lineage:
    """Returns the training sets, versions and aliases of all models whose bundles are there.

    Raises:
        BundleError: a bundle is damaged.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    facts: dict[Node, Mapping[str, str]] = {}
    for folder in sorted(home.bundles("any").parent.glob("*/*/")):
        if not folder.name.isdecimal() or not (folder / MANIFEST).is_file():
            continue
        manifest, record = _read(folder / MANIFEST), _read(folder / RECORD)
        version = Node("version", f"{folder.parent.name}:{folder.name}")
        nodes.append(version)
        edges.append(Edge(Node("model", folder.parent.name), version, "record"))
        facts[version] = _texts(manifest, "training_set", "cutoff", "code_revision", "refrain")
        for of, of_set in _training_sets(manifest, record):
            edges.append(Edge(of, version, "record"))
            facts[of] = _texts(of_set, "digest", "fingerprint", "cutoff", "rows", "spine_digest")
            if of_set.get("feature_service"):
                edges.append(Edge(Node("service", str(of_set["feature_service"])), of, "record"))
    for file in sorted(home.bundles("any").parent.glob(f"*/{ALIASES}")):
        for alias, number in _read(file).items():
            if alias == SIGNED:
                continue
            node = Node("alias", f"{file.parent.name}@{alias}")
            nodes.append(node)
            version = Node("version", f"{file.parent.name}:{number}")
            edges += [Edge(version, node, "record")] if version in facts else []
    return Lineage(nodes, edges, facts)


def _training_sets(manifest: Mapping[str, Any], record: Mapping[str, Any]) -> Iterator[tuple[Node, Mapping[str, Any]]]:
    """Yields the training sets of a version: those of its record, or the digest that its manifest has."""
    set_manifests = [one for one in record.get("training_sets", ()) if one.get("digest")]
    if not set_manifests and manifest.get("training_set"):
        set_manifests = [{"digest": manifest["training_set"], "feature_service": manifest.get("feature_service")}]
    for one in set_manifests:
        yield Node("training set", str(one["digest"])[:16]), one


def _texts(fields: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: str(fields[name]) for name in names if fields.get(name) not in (None, "")}


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(document, dict):
        raise _damaged(path, "no JSON object")
    return document


def _damaged(path: Path, found: str) -> BundleError:
    name, version = path.parent.parent.name, path.parent.name
    restore = f"rm -r '{path.parent}' && refrain model promote {name} {version}"
    return BundleError(
        expected=f"a JSON object in {path}",
        found=found,
        next_command=restore if version.isdecimal() else f"refrain model list {version}",
    )
