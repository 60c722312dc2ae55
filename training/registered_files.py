"""What a version is registered with besides its bundle: files of its evidence and decision, and tags of its run.

``training.version_files`` reads the files again.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any

from feature_repo.bill_of_materials import FILE as BOM
from feature_repo.bill_of_materials.document import document
from feature_repo.bill_of_materials.packages import installed
from training.bundle import SAMPLE, BundleManifest, amend
from training.datasets.sample import Sample, samples_to_bytes
from training.fairness.figure import FAIRNESS, Figure, to_bytes
from training.validation.evidence import EVIDENCE, Evidence
from training.validation.gates import Decision
from training.version_files import DECISION, LINEAGE

RUN: ContextVar[Mapping[str, Any]] = ContextVar("RUN", default=MappingProxyType({}))
"""The caller's description of the current run: ``key``, ``parameters``, ``rows`` of the raw tables, ``erasures`` that
were done when it began. Stored in the lineage."""


def add_files(
    folder: Path,
    manifest: BundleManifest,
    evidence: Evidence | None,
    decision: Decision,
    training_sets: Sequence[Sample],
    figures: Sequence[Figure] = (),
) -> None:
    """Adds what every bundle has: evidence, fairness, decision, lineage, sample rows, packages, and its cards."""
    from training.card import CARD, draw
    from training.cards import ANNEX_IV, CARD_MARKDOWN, annex_iv, markdown
    from training.cards.facts import gather

    started = RUN.get().get("began")
    duration = {} if started is None else {"seconds": round(time.time() - started, 1)}
    lineage = [dict(training_set.manifest) for training_set in training_sets]
    run = {**RUN.get(), **duration, "training_sets": lineage}
    files = {DECISION: decision.to_json().encode(), LINEAGE: json.dumps(run, indent=1).encode()}
    if evidence is not None:
        files[EVIDENCE] = evidence.to_bytes()
        files[FAIRNESS] = to_bytes(figures)
    if training_sets:
        files[SAMPLE] = samples_to_bytes(training_sets)
    files[BOM] = document(installed(), manifest.name, str(manifest.version), kind="machine-learning-model").encode()
    files[CARD] = draw(folder, manifest, evidence, decision, lineage, figures).encode()
    complete = amend(folder, files)
    facts = gather(folder, complete, evidence, decision, run)
    documents = {CARD_MARKDOWN: markdown.card(facts).encode(), ANNEX_IV: annex_iv.document(facts).encode()}
    amend(folder, documents)


def tags_of(manifest: BundleManifest, decision: Decision, training_sets: Sequence[Sample]) -> dict[str, str]:
    """Returns the tags that describe where a run came from."""
    return {
        "family": manifest.family,
        "feature_service": manifest.feature_service,
        "fingerprint": manifest.fingerprint,
        "training_set": manifest.training_set,
        "cutoff": manifest.cutoff,
        "code_revision": manifest.code_revision,
        "refrain": manifest.refrain,
        "may_serve": str(decision.may_serve).lower(),
        "reasons": "; ".join(decision.reasons)[:4_000],
        "key": str(RUN.get().get("key", "")),
        "lineage": json.dumps([training_set.manifest.get("sources") for training_set in training_sets])[:4_000],
    }
