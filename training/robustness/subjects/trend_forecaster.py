"""Daily streams under attack: the ensemble of all nodes and every member, from histories with spikes or outages.

Weights by level and reconciliation are left out, and so are models of single series, which take minutes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from feature_repo.errors import InputError
from training.models.forecasting.trend_histories import World
from training.models.forecasting.trend_inputs import TrendInputs
from training.models.forecasting.trends import NAME, Settings, forecasters
from training.robustness.subject import Request, Subject
from training.robustness.subjects.series import panel_targets
from training.robustness.target import Target


def targets(request: Request) -> Sequence[Target[Any]]:
    """Learns before the oldest test origin, and asks about the days after it.

    Raises:
        InputError: there are too few days.
        StoreError: features are not built or not applied.
    """
    settings = replace(Settings(), most_statistical=0, trees=100)
    world = World.load(request.home)
    needed = max(settings.validation) + 2 * settings.horizon
    if world.panel.steps < needed:
        raise InputError(
            expected=f"at least {needed} days of plays",
            found=f"{world.panel.steps}",
            next_command="refrain import FORMAT PATH  (more days)",
        )
    judged = "Held out by time: learned before the origin, asked about the week after it; all tracks, artists, genres."
    members = forecasters(TrendInputs(world), settings, len(world.panel))
    return panel_targets(
        world.panel,
        members,
        settings.horizon,
        validation=settings.validation[:1],
        test=settings.test[:1],
        judged=judged,
    )


SUBJECT = Subject(NAME, ("series",), targets)
