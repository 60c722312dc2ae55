"""The coordinator of a run: asks steps, one after the other, and sees the sum of each alone.

A procedure is a program that calls ``ask``; what was asked before the coordinator was killed is read from disk, so that
the same program run again goes on where it was. A round that too few silos ended is asked again, under a new name.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError, RefrainError
from training.private.federated.agreement import Agreement
from training.private.federated.catalogue import Catalogue
from training.private.federated.channel import CoordinatorChannel
from training.private.federated.rounds import Rounds, RoundTotal
from training.private.federated.step import AGREEMENT, END, RESULT, STOPPED, Step, digest, name_of, name_of_attachment

ATTEMPTS = 3
"""How often a round is asked before the run stops; a silo answers no more often."""

RESUMED = 2
"""How many times as long a round waits that another one was stopped before: silos still wait for that one."""
SILO_PATIENCE = 1.5
"""How many times the deadline a silo waits for one message of a round: longer than a phase, shorter than the above."""


class CoordinatorRun:
    """One run at the coordinator.

    Args:
        agreement: the terms.
        channel: the coordinator's side of the transport.
        rounds: the rounds that are done.
        progress: callback for the progress.

    Attributes:
        agreement: the terms.
        participation: kind and number of each step → names of the silos in its sum, and of those that dropped out.
    """

    def __init__(
        self, agreement: Agreement, channel: CoordinatorChannel, rounds: Rounds, progress: Progress = silent
    ) -> None:
        self.agreement = agreement
        self.participation: dict[str, RoundTotal] = {}
        self._channel, self._rounds, self._progress = channel, rounds, progress
        self._number, self._catalogue, self._digest = 0, "", agreement.digest()
        channel.publish(AGREEMENT, agreement.to_bytes())

    def show(self, catalogue: Catalogue) -> None:
        """Shows a catalogue to all silos; later steps are about it."""
        content = catalogue.to_bytes()
        self._catalogue = digest(content)
        self._channel.publish(name_of_attachment(self._catalogue), content)

    def ask(
        self, kind: str, words: int, content: Mapping[str, Any] | None = None, attachment: bytes = b""
    ) -> RoundTotal:
        """Asks all silos for words, and returns their sum.

        Args:
            kind: which answer is computed.
            words: number of words.
            content: what the answer depends on.
            attachment: bytes that belong to the step.

        Raises:
            InputError: a round went wrong each time; the rounds before it are kept.
        """
        step = Step(self._number, 0, kind, "", self._digest, self._catalogue, content or {})
        if attachment:
            step = replace(step, attachment=digest(attachment))
            self._channel.publish(name_of_attachment(step.attachment), attachment)
        self._progress(step.number, step.number + 1, f"{kind}: {words:,} words of each silo")
        total = self._rounds.read(step.number, step.question)
        if total is not None and total.words.shape == (words,):
            self._publish(replace(step, is_open=False))
        else:
            total = self._collect(step, words)
            self._rounds.write(step.number, step.question, total)
        self.participation[f"{step.number} {kind}"] = replace(total, words=total.words[:0])
        self._number += 1
        return total

    def end(self, result: bytes) -> None:
        """Shows the result to all silos, and keeps it."""
        self._channel.publish(RESULT, result)
        last = next(reversed(self.participation.values()), None)
        content = {"result": digest(result), "silos": 0 if last is None else len(last.silos)}
        self._publish(Step(self._number, 0, END, "", self._digest, content=content, is_open=False))
        self._rounds.finish(result)

    def stop(self, reason: str) -> None:
        """Tells all silos that there will be no result."""
        self._channel.publish(STOPPED, reason[:2_000].encode())

    def _publish(self, step: Step) -> None:
        self._channel.publish(name_of(step.number, step.attempt), step.to_bytes())

    def _collect(self, step: Step, words: int) -> RoundTotal:
        terms, problem = self.agreement, "a coordinator that was stopped each time"
        first = self._rounds.attempt(step.number)
        for attempt in range(first):
            self._publish(replace(step, attempt=attempt, is_open=False))
        for attempt in range(first, ATTEMPTS):
            name = f"{terms.run}-{step.number}-{step.kind}-{attempt}"
            self._publish(replace(step, attempt=attempt, round=name))
            try:
                total = RoundTotal.of(
                    self._channel.collect(
                        name,
                        words,
                        threshold=terms.threshold,
                        timeout_s=terms.deadline_s * (RESUMED if attempt == first > 0 else 1),
                        about={"question": step.question},
                    )
                )
            except RefrainError as error:
                problem = str(error)
            else:
                if len(set(total.silos)) >= terms.threshold and total.words.shape == (words,):
                    return total
                problem = f"a sum of {len(set(total.silos))} silos and {len(total.words):,} words"
            if attempt + 1 < ATTEMPTS:
                self._rounds.attempt(step.number)
        raise InputError(
            expected=f"a sum of {terms.threshold} silos or more for {step.kind}, in {ATTEMPTS} attempts",
            found=problem[:500],
            next_command="refrain model federate recommendation --name ANOTHER_NAME  (a new run; silos answer no more)",
        )
