"""Models that forget: what an erasure asks of them, and training them anew at once.

Where training is not installed, an erasure asks nothing, and leaves the models to where they are trained.
"""

import shlex
from typing import TYPE_CHECKING

from feature_repo.bundle import MANIFEST
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from refrain.person.erasure.journal import Journal

if TYPE_CHECKING:
    from training.pipeline.forgetting import VersionState

NOW, NEXT_RUN = "now", "next-run"
WHEN = (NOW, NEXT_RUN)


def check_when(when: str) -> str:
    """Returns when models are to forget, if it is one of ``WHEN``.

    Raises:
        InputError: it is not.
    """
    if when not in WHEN:
        raise InputError(
            expected=f"--models {' or --models '.join(WHEN)}",
            found=repr(when),
            next_command=f"refrain person forget ID --models {NEXT_RUN}",
        )
    return when


def ask_models(home: Home, journal: Journal, when: str) -> None:
    """Notes when the models are to forget the people of a journal, before their first raw row goes."""
    if not any(home.bundles("any").parent.glob(f"*/*/{MANIFEST}")):
        return
    try:
        from training.pipeline import forgetting
    except ModuleNotFoundError:  # the certificate names the versions
        return
    forgetting.begin(home, journal.key, journal.ids, when, rows_are_there=not journal.tables)


def train_without(home: Home, *, progress: Progress = silent) -> "list[VersionState]":
    """Trains every model anew that knows people who were erased, promotes what passes its gates, removes what knew.

    Killed and repeated it goes on: a version that was registered is not trained again.

    Args:
        home: the data folder.
        progress: called for each stage.

    Returns:
        What each version knows now.

    Raises:
        StoreError: a version that knows them still serves; the message says why and what to do.
    """
    from training.pipeline import MLPipeline, forgetting

    names = forgetting.due(home)
    reasons = {}
    if names:
        run = MLPipeline(feature_store=home, models=names).run(
            "forget", auto_deploy=True, monitoring_enabled=False, progress=progress
        )
        for outcome in run.outcomes:
            if outcome.error is not None:
                reasons[outcome.model.name] = f"needs {outcome.error.expected}, found {outcome.error.found}"
            elif outcome.decision is not None and not outcome.decision.may_serve:
                reasons[outcome.model.name] = (
                    f"version {outcome.version} does not know them, and may not serve: "
                    f"{'; '.join(outcome.decision.reasons)}"
                )
    elif any(each.state != forgetting.UNAFFECTED for each in forgetting.states(home)):
        forgetting.settle(home)
    states = forgetting.states(home)
    serving = [each for each in states if each.state == forgetting.DUE]
    if serving:
        name = serving[0].version.partition(":")[0]
        raise StoreError(
            expected="no version that serves to know the people; everything else is done",
            found=f"{', '.join(each.version for each in serving)}; {reasons.get(name, serving[0].note)}",
            next_command=f"refrain model promote {shlex.quote(name)} --anyway, or: refrain model demote "
            f"{shlex.quote(name)}; then: refrain model lifecycle {shlex.quote(name)}",
        )
    return states
