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

from training.bundle import SAMPLE, BundleManifest, amend
from training.datasets.sample import Sample, samples_to_bytes
from training.validation.evidence import EVIDENCE, Evidence
from training.validation.gates import Decision
from training.version_files import DECISION, LINEAGE

RUN: ContextVar[Mapping[str, Any]] = ContextVar("RUN", default=MappingProxyType({}))
"""The caller's description of the current run: ``key``, ``parameters``, ``rows`` of the raw tables. Stored in the
lineage."""


def add_files(
    folder: Path,
    manifest: BundleManifest,
    evidence: Evidence | None,
    decision: Decision,
    training_sets: Sequence[Sample],
) -> None:
    """Adds what every bundle has: evidence, decision, lineage, sample rows of the training sets, and its cards."""
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
    if training_sets:
        files[SAMPLE] = samples_to_bytes(training_sets)
    files[CARD] = draw(folder, manifest, evidence, decision, lineage).encode()
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
