"""Promotions: which version of a model serves. Each is a line of ``promotions.jsonl``, which ``rollback`` reads.

Serving reads no MLflow: a promotion also writes ``aliases.json`` beside the bundles.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feature_repo.bundle import ALIASES, CHAMPION, MANIFEST
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.signing.bundles import sign_again, verify_bundle
from feature_repo.signing.champions import write_champion
from training.bundle import amend
from training.mlflow_client import client
from training.registry import ARTIFACT, challenger_of, decision_now, version_numbers
from training.tenant_versions import alias_of
from training.validation.gates import Decision
from training.version_files import PROMOTIONS, champion_of, privacy_of, promotions, rolled_back

if TYPE_CHECKING:
    from mlflow import MlflowClient


def promote_by_itself(home: Home, name: str, version: int, decision: Decision | None, reason: str) -> str:
    """Promotes a version if it passed its gates and nobody rolled it back. Returns what was done, in words.

    A champion that is differentially private stays: what it guarantees would end with one that is not.
    """
    champion = champion_of(home, name)
    if champion == version:
        return f"kept {version}: it was trained with the same code and data"
    if decision is None or not decision.may_serve:
        reasons = "; ".join(decision.reasons) if decision else "nothing was decided"
        return f"kept {champion}: version {version} may not serve: {reasons}"
    if version in rolled_back(home, name):
        return f"kept {champion}: version {version} was rolled back"
    if champion is not None and privacy_of(home, name, champion) and not privacy_of(home, name, version):
        return (
            f"kept {champion}: it is differentially private and version {version} is not; "
            f"to serve it all the same: refrain model promote {name} {version}"
        )
    promote(home, name, version, reason=reason)
    return f"promoted {version}"


def promote(
    home: Home,
    name: str,
    version: int | None = None,
    *,
    alias: str = CHAMPION,
    reason: str = "by hand",
    undoes: int | None = None,
) -> int:
    """Makes a version the champion: the one that serves.

    Args:
        home: the data folder.
        name: name of the model.
        version: version to promote; the challenger if None.
        alias: alias to set: ``champion``, ``challenger`` or ``shadow``.
        reason: reason stored with the promotion.
        undoes: version that this promotion rolls back.

    A version that did not pass its gates is marked: on its card, in its MLflow tags and in the record of promotions.

    Returns:
        The version.

    Raises:
        BundleError: there is no such version.
    """
    mlflow = client(home)
    registered = version_numbers(mlflow, home, name)
    chosen = version or challenger_of(home, name)
    if chosen not in registered:
        raise BundleError(
            expected=f"a version of {name!r}, one of {registered}",
            found=str(version or "no challenger"),
            next_command=f"refrain model run {name}  (refrain model list shows what there is)",
        )
    assert chosen is not None
    _restore(mlflow, home, name, chosen)
    before, decision = champion_of(home, name), decision_now(home, name, chosen)
    gates_failed = ["it has no decision of its gates"] if decision is None else decision.reasons
    if alias == CHAMPION and gates_failed:
        _mark(mlflow, home, name, chosen, reason, gates_failed)
    mlflow.set_registered_model_alias(name, alias_of(home, alias), str(chosen))
    if alias != CHAMPION:
        return chosen
    write_champion(home.bundles(name) / ALIASES, home, name, chosen)
    if before != chosen:
        promotion: dict[str, Any] = {"version": chosen, "before": before, "reason": reason}
        promotion |= {"anyway": gates_failed} if gates_failed else {}
        _record(home, name, promotion | ({} if undoes is None else {"undoes": undoes}))
    return chosen


def demote(home: Home, name: str, *, reason: str = "by hand") -> int:
    """Takes the champion down, so that no version serves. Returns its version, which nothing promotes by itself again.

    Raises:
        BundleError: there is no champion.
    """
    champion = champion_of(home, name)
    if champion is None:
        raise BundleError(
            expected=f"a champion of {name!r}", found="none", next_command=f"refrain model promote {name} VERSION"
        )
    write_champion(home.bundles(name) / ALIASES, home, name, None)
    mlflow = client(home)
    if alias_of(home, CHAMPION) in mlflow.get_registered_model(name).aliases:
        mlflow.delete_registered_model_alias(name, alias_of(home, CHAMPION))
    _record(home, name, {"version": None, "before": champion, "reason": reason, "undoes": champion})
    return champion


def _record(home: Home, name: str, promotion: Mapping[str, Any]) -> None:
    """Adds a line to the record of promotions."""
    with (home.bundles(name) / PROMOTIONS).open("a") as file:
        file.write(json.dumps({**promotion, "at": datetime.now(UTC).isoformat()}) + "\n")


def _mark(
    mlflow: "MlflowClient", home: Home, name: str, version: int, reason: str, failed_gates: Sequence[str]
) -> None:
    """Marks the card and the MLflow version of a model that serves without having passed its gates."""
    from training.card import CARD, marked

    mlflow.set_model_version_tag(name, str(version), "promoted_anyway", f"{reason}: {'; '.join(failed_gates)}"[:4_000])
    folder = home.bundles(name) / str(version)
    if (folder / CARD).is_file():
        verify_bundle(folder, home, name, str(version))  # what is signed next is what was signed before, and the mark
        amend(folder, {CARD: marked((folder / CARD).read_text(), reason, failed_gates).encode()})
        sign_again(folder, home, name, version)


def rollback(home: Home, name: str, *, reason: str = "rolled back by hand") -> int:
    """Makes the previous champion the champion again. Returns its version.

    Raises:
        BundleError: there is no earlier champion.
    """
    champion = champion_of(home, name)
    # A rollback undoes one promotion, so two rollbacks undo two.
    earlier_champions: list[int] = []
    for promotion in promotions(home, name):
        if earlier_champions and promotion["version"] == earlier_champions[-1]:
            earlier_champions.pop()
        elif promotion["version"] is not None and promotion["before"] is not None:
            earlier_champions.append(int(promotion["before"]))
    if champion is None or not earlier_champions:
        raise BundleError(
            expected=f"a champion of {name!r} before the one that serves",
            found="none",
            next_command=f"refrain model promote {name} VERSION  (refrain model list shows what there is)",
        )
    return promote(home, name, earlier_champions[-1], reason=reason, undoes=champion)


def _restore(mlflow: "MlflowClient", home: Home, name: str, version: int) -> None:
    """Fetches the bundle from MLflow if its folder is gone."""
    folder = home.bundles(name) / str(version)
    if (folder / MANIFEST).is_file():
        return
    run_id = str(mlflow.get_model_version(name, str(version)).run_id)
    with tempfile.TemporaryDirectory(dir=home.bundles(name), prefix=".fetching-") as scratch:
        fetched = Path(mlflow.download_artifacts(run_id, ARTIFACT, scratch))
        shutil.rmtree(folder, ignore_errors=True)
        fetched.rename(folder)
