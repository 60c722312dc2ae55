"""Inputs of the global trend models: calendar, level, and features of tracks as of each origin."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import polars as pl

from training.datasets import Sample, training_set
from training.models.forecasting import calendar
from training.models.forecasting.panel import Panel
from training.models.forecasting.trend_histories import SERVICE, World

_TRACK_INPUTS = (
    "log_plays_28d",
    "log_listeners_7d",
    "log_listeners_28d",
    "skip_rate_28d",
    "log_artist_plays_7d",
    "log_artist_plays_28d",
    "platform_growth",
    "explicit",
    "age_days",
)


class TrendInputs:
    """Inputs of the global models besides lags: calendar, level, and features of tracks as of the origin."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._inputs_by_origin: dict[datetime, np.ndarray] = {}
        self._node_of = {name: number for number, name in enumerate(world.panel.ids)}
        self._level_of_node = np.zeros(len(world.panel), np.float32)
        for number, nodes in enumerate(world.hierarchy.levels.values()):
            self._level_of_node[nodes] = number
        self.pulled = Sample({}, {})
        self.rows = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return (*calendar.NAMES, "level", *_TRACK_INPUTS)

    def pull(self, ends: Sequence[datetime]) -> None:
        """Pulls the features of all tracks as of the given origins in one training set."""
        ends = sorted(set(ends) - set(self._inputs_by_origin))
        if not ends:
            return
        world = self._world
        texts = {"track_id": pl.String, "artist_id": pl.String}
        tracks = pl.DataFrame({"track_id": world.tracks, "artist_id": world.artists}, schema=texts)
        origins = pl.DataFrame({"event_timestamp": ends}, schema={"event_timestamp": pl.Datetime("us", "UTC")})
        spine = origins.join(tracks, how="cross").with_columns(platform_id=pl.lit(world.home.tenant))
        training_data = training_set(SERVICE, spine, home=world.home)
        self.rows += spine.height
        self.pulled = Sample.of(training_data)
        for number, end in enumerate(ends):
            self._inputs_by_origin[end] = _track_inputs(
                training_data.data[number * len(world.tracks) : (number + 1) * len(world.tracks)]
            )

    def __call__(self, panel: Panel, horizon: int) -> np.ndarray:
        """Returns the inputs (n, horizon, k) at the panel's end."""
        self.pull([panel.end])
        calendar_inputs = calendar.days_ahead(panel.end, horizon, self._world.countries)
        nodes = np.array([self._node_of[name] for name in panel.ids], int)
        track_inputs = np.full((len(nodes), len(_TRACK_INPUTS)), np.nan, np.float32)
        is_track = nodes < len(self._world.tracks)
        track_inputs[is_track] = self._inputs_by_origin[panel.end][nodes[is_track]]
        inputs = np.empty((len(nodes), horizon, len(self.names)), np.float32)
        inputs[:, :, : calendar_inputs.shape[1]] = calendar_inputs
        inputs[:, :, calendar_inputs.shape[1]] = self._level_of_node[nodes][:, None]
        inputs[:, :, calendar_inputs.shape[1] + 1 :] = track_inputs[:, None]
        return inputs


def _track_inputs(rows: pl.DataFrame) -> np.ndarray:
    """Computes the inputs of tracks (tracks, len(_TRACK_INPUTS)) from a pulled spine of one origin."""
    values = {name: rows[name].cast(pl.Float64).to_numpy() for name in rows.columns if rows.schema[name].is_numeric()}
    age_days = (rows["event_timestamp"] - rows["track_catalogue__released"]).dt.total_seconds().cast(
        pl.Float64
    ) / 86_400
    daily_plays = values["platform_activity__plays_7d"] / 7
    columns = [
        np.log1p(values["track_popularity__plays_28d"]),
        np.log1p(values["track_popularity__listeners_7d"]),
        np.log1p(values["track_popularity__listeners_28d"]),
        values["track_popularity__skip_rate_28d"],
        np.log1p(values["artist_popularity__plays_7d"]),
        np.log1p(values["artist_popularity__plays_28d"]),
        daily_plays / np.maximum(values["platform_activity__plays_28d"] / 28, 1),
        rows["track_catalogue__explicit"].cast(pl.Float64).to_numpy(),
        np.clip(age_days.to_numpy(), -1, 400),
    ]
    return np.column_stack(columns).astype(np.float32)
