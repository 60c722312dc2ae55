"""``POST /v1/features/{service}``: the online lookup over HTTP."""

import threading
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Path, Request

from feature_repo.access.sight import Sight
from feature_repo.access.viewer import Viewer
from feature_repo.audit_lines import whose
from feature_repo.errors import AccessError, InputError
from feature_repo.home import Home
from feature_repo.manifest import UnknownService
from inference.api import errors
from inference.api.acts import audit_act
from inference.api.costs import VALUES, charge_in_thread, units_of
from inference.api.permission import Permission, role_field
from inference.api.schemas.features import MOST_ROWS, FeaturesRequest, FeaturesResponse
from inference.api.theft import check_questions, questions_of, texts_of
from inference.features import OnlineFeatures
from inference.forecast.forecaster import UnknownKey

ServiceName = Annotated[str, Path(examples=["listener_v1"])]


class FeatureLookups:
    """One lookup per feature service, made on first use."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._by_service: dict[str, OnlineFeatures] = {}
        self._lock = threading.Lock()

    def get(self, service: str) -> OnlineFeatures:
        """Get the lookup of a feature service.

        Raises:
            UnknownKey: there is no feature service of this name.
        """
        with self._lock:
            if service not in self._by_service:
                try:
                    self._by_service[service] = OnlineFeatures(service, self._home)
                except UnknownService as error:
                    raise UnknownKey(
                        expected=error.expected, found=error.found, next_command=error.next_command
                    ) from error
            return self._by_service[service]


def install(app: FastAPI, lookups: FeatureLookups, permission: Permission) -> None:
    """Add the route."""

    @app.post("/v1/features/{service}", responses=errors.RESPONSES, tags=["features"], operation_id="look_up_features")
    def features(request: Request, service: ServiceName, body: FeaturesRequest) -> FeaturesResponse:
        """Looks up the features of one feature service for at most 1,000 rows; null where a value is missing.

        A key with one value counts for all rows. The values equal those of a training set at the same moment.
        """
        longest = max((len(values) for values in body.keys.values()), default=0)
        if longest > MOST_ROWS:
            raise InputError(expected=f"at most {MOST_ROWS:,} rows", found=f"{longest:,}", next_command="see /docs")
        lookup = lookups.get(service)
        charge_in_thread(request, units_of(longest * len(lookup.service.features), VALUES), "so many features")
        viewer = permission.viewer(request)
        sight = None if viewer is None else _sight(request, lookup, viewer, body)
        audit_act(request, "features", service=service, rows=longest, **role_field(sight), **whose(body.keys))
        rows = lookup.get(body.keys, body.request_for(lookup.service), viewer=viewer)
        keys_of_rows = texts_of(body.keys)
        unknown = int(np.all([*rows.missing.values()], axis=0).sum()) if rows.missing else 0
        check_questions(request, service, questions_of(keys_of_rows), keys=keys_of_rows, unknown=unknown)
        json_values = {name: [_to_json(value) for value in values] for name, values in rows.values.items()}
        denied = [] if rows.denied is None else np.flatnonzero(rows.denied).tolist()
        withheld = [] if rows.withheld is None else np.flatnonzero(rows.withheld).tolist()
        for places in (denied, withheld):
            if places:
                keys = {
                    name: values if len(values) == 1 else [values[place] for place in places]
                    for name, values in body.keys.items()
                }
                audit_act(request, "withheld", service=service, rows=len(places), **role_field(sight), **whose(keys))
        return FeaturesResponse(
            service=service,
            fingerprint=rows.service.fingerprint,
            rows=len(rows),
            values=json_values,
            denied=denied,
            withheld=withheld,
            hidden=dict(rows.hidden),
        )


def _sight(request: Request, lookup: OnlineFeatures, viewer: Viewer, body: FeaturesRequest) -> Sight | None:
    """Return what the caller sees; a refusal is written down with whose rows were asked for."""
    try:
        return lookup.sight(viewer)
    except AccessError as error:
        audit_act(request, "not permitted", service=lookup.service.name, reason=error.found, **whose(body.keys))
        raise


def _to_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_to_json(item) for item in value.tolist()]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
