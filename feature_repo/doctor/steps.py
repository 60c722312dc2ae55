"""Says which steps of the order of work a data folder still lacks: a folder may be sound and yet half-way."""

import json
from collections.abc import Iterator

from feature_repo.bundle import ALIASES, CHAMPION
from feature_repo.contract import Contract, contract_of
from feature_repo.days import files_in
from feature_repo.doctor.finding import Finding
from feature_repo.home import Home

APPLY = "refrain apply"
BUILD = "refrain build"
MATERIALIZE = "refrain materialize"

NOT_ONLINE = Finding("online store", "it is empty", MATERIALIZE, is_fault=False)
"""The step where there are tables, and nothing of them is online."""


def steps(home: Home) -> Iterator[Finding]:
    """Yields the missing steps up to a promoted model, in their order; only those that can be done now.

    What is online is compared elsewhere, for it needs the store.
    """
    contract = contract_of(home)
    has_events = any(files_in(folder) for folder in home.root.glob(f"raw/*/tenant={home.tenant}"))
    is_built = (home.root / "features" / f".built-{home.tenant}").exists()
    if contract.events and not has_events and not is_built:
        yield _step("events", "none are stored", contract.import_command())
        return
    if has_events and not is_built:
        yield _step("feature tables", "none are built", BUILD)
    if not home.manifest.exists():
        yield _step("registry", "the definitions are not applied", APPLY)
    elif is_built or not contract.events:
        yield from _models(home, contract)


def _models(home: Home, contract: Contract) -> Iterator[Finding]:
    """Yields models that were trained and not promoted; one step for all if none was ever trained."""
    folders = sorted(folder for folder in home.bundles("any").parent.glob("*") if any(folder.glob("[0-9]*")))
    for folder in folders:
        try:
            is_promoted = CHAMPION in json.loads((folder / ALIASES).read_text())
        except (OSError, ValueError):
            is_promoted = False
        if not is_promoted:
            yield _step(
                folder.name, "it is trained, and no version is promoted", f"refrain model promote {folder.name}"
            )
    if not folders and (contract.project.models or contract.project.extends):
        name = "recommendation" if contract.project.extends and not contract.project.models else "all"
        yield _step("models", "none is trained", f"refrain model run {name}")


def _step(where: str, found: str, command: str) -> Finding:
    return Finding(where, found, command, is_fault=False)
