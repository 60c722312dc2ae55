"""``POST /v1/predictions/{model}``: what a promoted model of rows says of some keys."""

import re
import threading

from fastapi import FastAPI

from feature_repo.bundle import champion, open_bundle
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from inference.api import errors
from inference.api.models import Champions
from inference.api.schemas.features import MOST_ROWS, FeaturesRequest, PredictionsResponse
from inference.forecast.forecaster import UnknownKey
from inference.monitoring.predictions import PredictionLog
from inference.rows import RowModel
from inference.swap import Live


class Predicting:
    """One model of rows by name, loaded when it is first asked, and its successors.

    Args:
        home: the data folder.
        champions: told of each, so that promotions are taken over.
    """

    def __init__(self, home: Home, champions: Champions) -> None:
        self._home, self._champions = home, champions
        self._lives: dict[str, Live[RowModel]] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> RowModel:
        """The champion of a model.

        Raises:
            UnknownKey: no such model of rows is promoted.
        """
        with self._lock:
            live = self._lives.get(name)
            if live is None:
                self._exists(name)
                live = Live(lambda: RowModel.load(name, self._home), [name], self._home)
                self._lives[name] = self._champions.add(f"predictions: {name}", live)
        return live.get()

    def _exists(self, name: str) -> None:
        try:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
                raise BundleError(expected="", found="", next_command="")
            champion(self._home, name)
            if open_bundle(name, self._home).manifest["extra"].get("kind") != "tabular":
                raise BundleError(expected="", found="", next_command="")
        except BundleError as error:
            raise UnknownKey(
                expected="a promoted model of rows, such as churn_model",
                found=f"none of the name {name[:64]!r}",
                next_command="python -m training run churn_model && python -m training promote churn_model",
            ) from error


def install(app: FastAPI, predicting: Predicting, log: PredictionLog) -> None:
    """Add the route."""

    @app.post("/v1/predictions/{model}", responses=errors.RESPONSES, tags=["predictions"])
    def predictions(model: str, body: FeaturesRequest) -> PredictionsResponse:
        """Chances or numbers of one model, for 1,000 rows at the most.

        A key with one value counts for all rows. The answers are those of the model to the training set of the same
        moment; ``known`` is false where nothing at all was known of a row.
        """
        longest = max((len(values) for values in body.keys.values()), default=0)
        if longest > MOST_ROWS:
            raise InputError(expected=f"{MOST_ROWS:,} rows at the most", found=f"{longest:,}", next_command="see /docs")
        serving = predicting.of(model)
        found = serving.predict(body.keys, body.context.request())
        family = str(serving.bundle.manifest["family"])
        for value in found.values.tolist():
            log.put(family, found.model, answer=round(value, 6))
        return PredictionsResponse(
            model=found.model, kind=found.kind, values=found.values.tolist(), known=found.known.tolist()
        )
