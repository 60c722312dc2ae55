"""The lineage of a data folder, compiled once for each state of its definitions.

Definitions take seconds to import. What follows from them is kept in a file, as of the manifest and the code of the
project; versions and aliases of models are read anew each time.
"""

import hashlib
import json
from typing import Any

from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from feature_repo.project import FILE, Project
from feature_repo.version import version
from feature_repo.whole_files import write_whole
from refrain.lineage.graph import Lineage, Node
from refrain.lineage.recorded import recorded_lineage

FORM = 1


def lineage_of(home: Home, *, anew: bool = False) -> Lineage:
    """Returns the lineage of a data folder: what its definitions declare and what its models recorded.

    Args:
        home: the data folder.
        anew: whether to read the definitions in any case. Otherwise they are read when the manifest, a file of the
            project or the version of Refrain has changed.

    Raises:
        InputError: a declaration names a raw column that does not exist.
        BundleError: a bundle is damaged.
    """
    return _declared(home, anew=anew) | recorded_lineage(home)


def find(lineage: Lineage, name: str) -> Node:
    """Returns the node of a name.

    Raises:
        BundleError: it is a version of a model that was deleted.
        InputError: no node has the name; near names are listed.
    """
    try:
        return lineage.find(name)
    except InputError:
        model, _, number = name.strip().removeprefix("version ").partition(":")
        if number.isdecimal() and Node("model", model) in lineage:
            versions = [node.name for node in lineage.of_kind("version") if node.name.startswith(f"{model}:")]
            raise BundleError(
                expected=f"a version of {model} that is there, {', '.join(versions) or 'none of which is'}",
                found=f"{model}:{number}, which was deleted or never trained",
                next_command=f"refrain model list {model}",
            ) from None
        raise


def _declared(home: Home, *, anew: bool) -> Lineage:
    path, state = home.lineage, _state(home)
    document: dict[str, Any] = {}
    try:
        document = json.loads(path.read_text())
        if document["state"] == state and not anew:
            return Lineage.from_json(document)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # the file only saves time
    from feature_repo.contract import contract_of
    from refrain.lineage.declared import declared_lineage

    lineage = declared_lineage(contract_of(home))
    home.ensure()
    write_whole(path, json.dumps({"state": state, **lineage.to_json()}) + "\n")
    return lineage


def _state(home: Home) -> str:
    """Digest of what the declared lineage follows from: the version of Refrain, the manifest, the project's modules."""
    total = hashlib.sha256(f"{FORM} {version()}\n".encode())
    total.update(home.manifest.read_bytes() if home.manifest.is_file() else b"")
    project = Project.load(home.project_folder)
    if project.folder is not None:
        modules = [project.folder.joinpath(*name.split(".")) for name in (*project.definitions, *project.models)]
        files = [file for module in modules for file in (*module.rglob("*.py"), module.with_suffix(".py"))]
        for file in sorted({project.folder / FILE, *files}):
            total.update(file.read_bytes() if file.is_file() else b"")
    return total.hexdigest()
