"""On-demand features, computed at the moment of the request from other features and from the request.

Each module has one pure numpy function; ``ON_DEMAND`` declares its inputs and outputs. Feast, the training SDK and the
serving process call the same function, so that all compute the same values. Imports no Feast.

Columns are arrays of one length n: numbers as float64 with NaN for missing, timestamps as float64 seconds since
1970 UTC, texts as object arrays with None for missing, vectors as (n, d) float32 with NaN rows for missing. Vectors
of several lengths are passed in one call per length, so that the result of a row does not depend on other rows.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np

from feature_repo.on_demand.affinity_share import affinity_share
from feature_repo.on_demand.candidate_match import candidate_match
from feature_repo.on_demand.endpoint_deviation import endpoint_deviation
from feature_repo.on_demand.host_deviation import METRICS, host_deviation
from feature_repo.on_demand.popularity_share import popularity_share
from feature_repo.on_demand.request_context import request_context
from feature_repo.on_demand.taste_match import taste_match
from feature_repo.on_demand.track_age import track_age
from feature_repo.on_demand.user_deviation import user_deviation
from feature_repo.vectors import is_ragged, rows_by_length, vector_column
from feature_repo.windowed import WINDOWED
from feature_repo.windows import moment

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class OnDemand:
    """The declaration of one on-demand function.

    Attributes:
        function: pure function from one array per argument to one array per output.
        inputs: argument name → ``view__feature``, or the plain name of a request field.
        outputs: output name → name of its Feast type.
        settings: further settings that affect the result, for the fingerprint of services.
    """

    function: Callable[..., dict[str, np.ndarray]]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    settings: str = ""

    @property
    def module(self) -> ModuleType:
        """Module of the function."""
        function = self.function.func if isinstance(self.function, partial) else self.function
        return sys.modules[function.__module__]

    @property
    def about(self) -> str:
        """Description in one line."""
        function = self.function.func if isinstance(self.function, partial) else self.function
        return (function.__doc__ or "").split("\n")[0]

    def compute(self, columns: Columns) -> dict[str, np.ndarray]:
        """Computes the outputs from columns named as the values of ``inputs``.

        Vectors of several lengths (``vector_column``) are computed in one call per length, so that the result of a
        row does not depend on other rows.
        """
        arguments = {argument: columns[column] for argument, column in self.inputs.items()}
        ragged = [values for values in arguments.values() if values.dtype == object and is_ragged(values)]
        if not ragged:
            return self.function(**arguments)
        outputs: dict[str, np.ndarray] = {}
        for rows in rows_by_length(ragged):
            part = {argument: values[rows] for argument, values in arguments.items()}
            part |= {name: vector_column(values) for name, values in part.items() if is_ragged(arguments[name])}
            for output, values in self.function(**part).items():
                outputs.setdefault(output, np.empty(len(ragged[0]), values.dtype))[rows] = values
        return outputs


REQUEST_FIELDS = {
    "request_timestamp": "UnixTimestamp",
    "device": "String",
    "context": "String",
    "similar_score": "Float64",
    "follows_score": "Float64",
}
"""Request field → Feast type; a field is given per request or per row."""

ON_DEMAND: dict[str, OnDemand] = {
    "taste_match": OnDemand(
        taste_match,
        inputs={
            "user_vector": "user_taste__vector",
            "user_fit": "user_taste__fit",
            "track_vector": "track_taste__vector",
            "track_fit": "track_taste__fit",
        },
        outputs={"score": "Float64"},
    ),
    "content_match": OnDemand(
        taste_match,
        inputs={
            "user_vector": "user_content__vector",
            "user_fit": "user_content__fit",
            "track_vector": "track_content__vector",
            "track_fit": "track_content__fit",
        },
        outputs={"score": "Float64"},
    ),
    "candidate_match": OnDemand(
        candidate_match,
        inputs={"similar_score": "similar_score", "follows_score": "follows_score"},
        outputs={"similar": "Float64", "follows": "Float64"},
    ),
    "popularity_share": OnDemand(
        popularity_share,
        inputs={
            "track_1d": "track_popularity__plays_1d",
            "track_7d": "track_popularity__plays_7d",
            "track_28d": "track_popularity__plays_28d",
            "all_1d": "platform_activity__plays_1d",
            "all_7d": "platform_activity__plays_7d",
            "all_28d": "platform_activity__plays_28d",
        },
        outputs={"share_1d": "Float64", "share_7d": "Float64", "share_28d": "Float64"},
    ),
    "affinity_share": OnDemand(
        affinity_share,
        inputs={
            "pair_7d": "user_artist_affinity__plays_7d",
            "pair_28d": "user_artist_affinity__plays_28d",
            "user_7d": "user_listening__plays_7d",
            "user_28d": "user_listening__plays_28d",
        },
        outputs={"share_7d": "Float64", "share_28d": "Float64"},
    ),
    "track_age": OnDemand(
        track_age,
        inputs={"released": "track_catalogue__released", "request_timestamp": "request_timestamp"},
        outputs={"days": "Float64"},
    ),
    "host_deviation": OnDemand(
        host_deviation,
        inputs={
            f"{metric}_{what}": column
            for metric in METRICS
            for what, column in (
                ("now", f"host_health__{metric}_5m"),
                ("usual", f"host_baseline__{metric}_usual"),
                ("spread", f"host_baseline__{metric}_spread"),
            )
        },
        outputs=dict.fromkeys(METRICS, "Float64"),
    ),
    "endpoint_deviation": OnDemand(
        endpoint_deviation,
        inputs={
            "request_timestamp": "request_timestamp",
            **{name: f"endpoint_performance__{name}_5m" for name in ("requests", "latency", "error_rate")},
            **{
                name: f"endpoint_baseline__{name}"
                for name in (
                    "requests_usual",
                    "requests_spread",
                    "latency_usual",
                    "latency_spread",
                    "error_rate_usual",
                )
            },
        },
        outputs=dict.fromkeys(("traffic", "latency", "errors"), "Float64"),
    ),
    "user_deviation": OnDemand(
        user_deviation,
        inputs={
            **{
                f"{name}_{window}": f"user_behavior__{name}_{window}"
                for window, names in (
                    ("5m", ("plays", "barely_paid_rate")),
                    ("1h", ("plays", "barely_paid_rate", "tracks", "listening_ms")),
                    ("1d", ("plays", "barely_paid_rate", "tracks", "listening_ms")),
                )
                for name in names
            },
            "plays_28d": "user_listening__plays_28d",
        },
        outputs=dict.fromkeys(
            (
                "barely_paid_5m",
                "barely_paid_1h",
                "barely_paid_1d",
                "repeats_1h",
                "repeats_1d",
                "hours_1h",
                "hours_1d",
                "pace",
            ),
            "Float64",
        ),
    ),
    "request_context": OnDemand(
        request_context,
        inputs={"request_timestamp": "request_timestamp", "device": "device", "context": "context"},
        outputs={
            "hour_of_day": "Int64",
            "day_of_week": "Int64",
            "device_code": "Int64",
            "context_code": "Int64",
        },
    ),
    **{
        moment.name_of(table): OnDemand(
            moment.function(table), moment.inputs(table), moment.outputs(table), settings=table.fingerprint
        )
        for table in WINDOWED.values()
        if moment.inputs(table)
    },
}
