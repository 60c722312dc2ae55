"""``POST /v1/predictions/{model}``: predictions of a promoted tabular model for entity keys."""

import re
import threading
from typing import Annotated

from fastapi import FastAPI, Path, Request

from feature_repo.audit_lines import whose
from feature_repo.bundle import champion, open_bundle, promoted_models
from feature_repo.errors import BundleError, ConsentError, InputError
from feature_repo.home import Home
from feature_repo.project import Project
from inference.api import errors
from inference.api.acts import audit_act
from inference.api.costs import VALUES, charge_in_thread, units_of
from inference.api.models import PREDICTIONS, Champions
from inference.api.permission import Permission, role_field
from inference.api.schemas.features import MOST_ROWS, FeaturesRequest, PredictionsResponse
from inference.api.theft import caller_of, check_questions, questions_of, texts_of
from inference.forecast.forecaster import UnknownKey
from inference.monitoring.predictions import PredictionLog
from inference.rows import RowModel
from inference.security.theft.answer_form import form_answers
from inference.security.theft.canaries import Canaries
from inference.security.theft.guard import Rows
from inference.swap import Live

NAME = r"[a-z][a-z0-9_]{0,63}"
"""Pattern of names of models."""
ModelName = Annotated[str, Path(examples=["churn_model"])]


class PredictionService:
    """Tabular models by name; each is loaded on first use and follows promotions.

    Args:
        home: the data folder.
        champions: registry of serving objects, which follows their promotions.
    """

    def __init__(self, home: Home, champions: Champions) -> None:
        self._home, self._champions = home, champions
        self._lives: dict[str, Live[RowModel]] = {}
        self._lock = threading.Lock()
        self.settings = Project.load(home.project_folder).model_theft
        self.canaries = Canaries(home)

    def model(self, name: str) -> RowModel:
        """Get the champion of a model.

        Raises:
            UnknownKey: no tabular model of this name is promoted.
        """
        with self._lock:
            live = self._lives.get(name)
            if live is None:
                self._check_promoted(name)
                live = Live(lambda: RowModel.load(name, self._home), [name], self._home)
                self._lives[name] = self._champions.add(f"{PREDICTIONS}{name}", live)
        return live.get()

    def _check_promoted(self, name: str) -> None:
        try:
            if not re.fullmatch(NAME, name):
                raise BundleError(expected="", found="", next_command="")
            champion(self._home, name)
            if open_bundle(name, self._home).manifest["extra"].get("kind") != "tabular":
                raise BundleError(expected="", found="", next_command="")
        except BundleError as error:
            raise self._unknown(name) from error

    def _unknown(self, name: str) -> UnknownKey:
        promoted = sorted(promoted_models(self._home, "tabular"))
        is_name = re.fullmatch(NAME, name) is not None
        is_trained = is_name and any(self._home.bundles(name).glob("[0-9]*")) and name not in promoted
        return UnknownKey(
            expected=f"a promoted tabular model, one of {promoted}" if promoted else "a promoted tabular model",
            found=f"no such model: {name[:64]!r}",
            next_command=f"refrain model promote {name}" if is_trained else "refrain model list --all",
        )


def install(app: FastAPI, service: PredictionService, log: PredictionLog, permission: Permission) -> None:
    """Add the route."""

    @app.post("/v1/predictions/{model}", responses=errors.RESPONSES, tags=["predictions"], operation_id="predict")
    def predictions(request: Request, model: ModelName, body: FeaturesRequest) -> PredictionsResponse:
        """Predicts probabilities or numbers with one model, for at most 1,000 rows.

        A key with one value counts for all rows. The predictions equal those for a training set at the same moment;
        ``known`` is false where no feature of a row has a value.
        """
        longest = max((len(values) for values in body.keys.values()), default=0)
        if longest > MOST_ROWS:
            raise InputError(expected=f"at most {MOST_ROWS:,} rows", found=f"{longest:,}", next_command="see /docs")
        serving = service.model(model)
        charge_in_thread(request, units_of(longest * len(serving.service.features), VALUES), "so many features")
        fields = body.request_for(serving.service)
        sight = permission.check(request, serving.lookup, body.keys)
        audit_act(request, "prediction", model=model, rows=longest, **role_field(sight), **whose(body.keys))
        try:
            result = serving.predict(body.keys, fields)
        except ConsentError:
            audit_act(request, "withheld", model=model, **whose(body.keys))
            raise
        keys = texts_of(body.keys)
        marks = serving.row_marks
        check_questions(
            request,
            model,
            questions_of(keys, body.request),
            keys=keys,
            unknown=int((~result.known).sum()),
            rows=None if marks is None else Rows(marks, result.inputs, result.values),
        )
        values, known = service.canaries.fill(caller_of(request), model, keys, result)
        family = str(serving.bundle.manifest["family"])
        for value in result.values.tolist():
            log.put(family, result.model, answer=round(value, 6))
        answers = form_answers(values, result.kind, service.settings.answers_of(model), caller_of(request))
        return PredictionsResponse(model=result.model, kind=result.kind, values=answers, known=known.tolist())
