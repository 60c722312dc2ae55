"""``POST /v1/features/{service}``: the online lookup for who has no Python."""

import threading
from datetime import datetime
from typing import Any

import numpy as np
from fastapi import FastAPI

from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.manifest import UnknownService
from inference.api import errors
from inference.api.schemas.features import MOST_ROWS, FeaturesRequest, FeaturesResponse
from inference.features import OnlineFeatures
from inference.forecast.forecaster import UnknownKey


class Lookups:
    """One lookup a feature service, made when it is first asked for."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._made: dict[str, OnlineFeatures] = {}
        self._lock = threading.Lock()

    def of(self, service: str) -> OnlineFeatures:
        """Of a service.

        Raises:
            UnknownKey: there is none of the name.
        """
        with self._lock:
            if service not in self._made:
                try:
                    self._made[service] = OnlineFeatures(service, self._home)
                except UnknownService as error:
                    raise UnknownKey(
                        expected=error.expected, found=error.found, next_command=error.next_command
                    ) from error
            return self._made[service]


def install(app: FastAPI, lookups: Lookups) -> None:
    """Add the route."""

    @app.post("/v1/features/{service}", responses=errors.RESPONSES, tags=["features"])
    def features(service: str, body: FeaturesRequest) -> FeaturesResponse:
        """Features of one service, of 1,000 rows at the most; null where nothing is known.

        A key with one value counts for all rows. Values are those of the training set of the same moment.
        """
        longest = max((len(values) for values in body.keys.values()), default=0)
        if longest > MOST_ROWS:
            raise InputError(expected=f"{MOST_ROWS:,} rows at the most", found=f"{longest:,}", next_command="see /docs")
        rows = lookups.of(service).get(body.keys, body.context.request())
        told = {name: [_plain(value) for value in values] for name, values in rows.values.items()}
        return FeaturesResponse(service=service, fingerprint=rows.service.fingerprint, rows=len(rows), values=told)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value.tolist()]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
