"""The load of the service under attack: its ensemble and every member, from a history with spikes or outages."""

from collections.abc import Sequence
from typing import Any

from feature_repo.errors import InputError
from training.models.forecasting.capacity import DAY, NAME, WEEK, Settings, forecasters, load
from training.robustness.subject import Request, Subject
from training.robustness.subjects.series import panel_targets
from training.robustness.target import Target


def targets(request: Request) -> Sequence[Target[Any]]:
    """Learns and asks at the origins of the model's own test.

    Raises:
        InputError: there are too few hours.
    """
    settings, panel = Settings(), load(request.home)
    if panel.steps < max(settings.validation) + 2 * WEEK:
        raise InputError(
            expected=f"at least {(max(settings.validation) + 2 * WEEK) // DAY} days of plays",
            found=f"{panel.steps // DAY}",
            next_command="refrain import FORMAT PATH  (more days)",
        )
    judged = "Held out by time: learned before each origin, asked about the week after it."
    members = [one for one in forecasters(settings) if one.name != "mstl"]
    return panel_targets(
        panel, members, settings.horizon, validation=settings.validation, test=settings.test, judged=judged
    )


SUBJECT = Subject(NAME, ("series",), targets)
