"""The next item under attack: how likely the true next item stays if the items before it are changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from feature_repo.errors import InputError
from training.datasets.consent import raw_rows
from training.models.text.kneser_ney import KneserNey
from training.models.text.sequence_model import NAME, Sequences, chosen, sessions, tag_lines, titles
from training.robustness.subject import Request, Subject
from training.robustness.target import Target
from transforms.raw.read import scan


def targets(request: Request) -> Sequence[Target[Any]]:
    """Fits each kind of sequences as it was measured, and asks about the last item of the test sequences.

    Raises:
        InputError: there are too few sequences.
    """
    home = request.home
    plays = raw_rows(home, "plays").select("user_id", "track_id", "event_timestamp").collect()
    kinds = [
        Sequences.cut("sessions", sessions(plays), fewest=5),
        Sequences.cut("titles", titles(scan(home, "tracks").collect()), fewest=2),
        Sequences.cut("tag_lines", tag_lines(raw_rows(home, "tags").collect()), fewest=2),
    ]
    kinds = [sequences for sequences in kinds if sequences.enough and any(len(one) > 1 for one in sequences.test)]
    if not kinds:
        raise InputError(
            expected="dozens of sessions, titles or tags", found="too few", next_command="refrain simulate"
        )
    return [_target(sequences, chosen(sequences)) for sequences in kinds]


def _target(sequences: Sequences, model: KneserNey) -> Target[np.ndarray]:
    items = sorted(model.vocabulary | {item for one in sequences.test for item in one})
    numbers = {item: number for number, item in enumerate(items)}
    tested = [one for one in sequences.test if len(one) > 1]
    contexts = [np.array([(numbers[item], 1.0) for item in one[:-1]]) for one in tested]

    def margins(changed: Any, units: np.ndarray) -> np.ndarray:
        return np.array(
            [
                np.log(model.probability(tested[unit][-1], [items[int(number)] for number in context[:, 0]]))
                for context, unit in zip(changed, units, strict=True)
            ]
        )

    judged = f"Held out by time: order {model.order}, fitted to the older 70 % of the {sequences.kind}."
    extra = {"catalogue": len(items)}
    name = sequences.kind.replace("_", " ")
    return Target("histories", contexts, margins, "log_probability", graded=True, judged=judged, part=name, extra=extra)


SUBJECT = Subject(NAME, ("histories",), targets)
