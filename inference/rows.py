"""Tabular models: entity keys in, one probability or number per row out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.manifest import Service
from inference import golden
from inference.features import OnlineFeatures, OnlineRows
from inference.features.consent import require_consent
from inference.models import load_bundle, onnx_session
from inference.security.theft.row_marks import RowMarks
from inference.watermarks import AnswerMark, reference_rows
from transforms.pure.tabular.layout import Layout


@dataclass(frozen=True)
class Predictions:
    """The predictions for the rows of one call.

    Attributes:
        values: (n,) probabilities or numbers.
        model: name and version, such as ``skip_model:3``.
        kind: ``binary`` for probabilities, ``number`` for numbers.
        known: (n,) whether any stored feature of the row has a value; features of the moment do not count.
        inputs: (n, d) rows that the model saw.
    """

    values: np.ndarray
    model: str
    kind: Literal["binary", "number"]
    known: np.ndarray
    inputs: np.ndarray


class RowModel:
    """A promoted tabular model with its online features. Safe to share between threads.

    >>> model = RowModel.load("churn_model")                       # doctest: +SKIP
    >>> model.predict({"user_id": ["u000007", "u000042"]}).values  # doctest: +SKIP

    >>> model.answer(inputs)  # (n, d) float32, in the order of the bundle  # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle, home: Home) -> None:
        self.bundle = bundle
        self._layout = Layout.from_json(bundle.manifest["extra"]["layout"])
        self._session = onnx_session(bundle.read("model.onnx"))
        self._input = self._session.get_inputs()[0].name
        self._features = OnlineFeatures(bundle.manifest["feature_service"], home)
        self._kind: Literal["binary", "number"] = bundle.manifest["extra"]["answer"]
        reference = reference_rows(bundle)
        answers = self.answer(reference) if len(reference) else np.zeros(0, np.float32)
        self.row_marks = (
            RowMarks.fit(reference, answers, are_chances=self._kind == "binary") if len(reference) else None
        )
        self._mark = AnswerMark.load(bundle, home, reference, answers)

    @classmethod
    def load(cls, name: str, home: Home | None = None) -> "RowModel":
        """Load the champion, or a version such as ``churn_model:2``.

        Raises:
            BundleError: nothing is promoted, the bundle is damaged or was trained on other features than those online,
                the model is not a tabular model, it answers other than in training, or it is to have a watermark and
                the secret or its reference rows are missing.
        """
        home = home or Home.from_env()
        bundle = load_bundle(name, home)
        if bundle.manifest["extra"].get("kind") != "tabular":
            raise BundleError(
                expected="a model of rows",
                found=f"{bundle.name_version}, of the family {bundle.manifest['family']}",
                next_command="see the routes of its family: /docs",
            )
        model = cls(bundle, home)
        golden.check(bundle, str(bundle.manifest["name"]), model.answer)
        return model

    @property
    def lookup(self) -> OnlineFeatures:
        """The lookup of the feature service that the model reads."""
        return self._features

    @property
    def service(self) -> Service:
        """The feature service that the model reads."""
        return self._features.service

    def predict(self, keys: Mapping[str, Sequence[Any]], request: Mapping[str, Any] | None = None) -> Predictions:
        """Look up the features of some rows and predict.

        Args:
            keys: join key → n values; a single value counts for all rows.
            request: request fields as in ``OnlineFeatures.get``.

        Raises:
            InputError: a join key of the model's feature service is not given, or lengths differ.
            ConsentError: rows are of people who have not consented to the purpose of the service.
            OnlineUnavailable: Redis does not answer.
        """
        rows = self._features.get(keys, request)
        require_consent(rows)
        inputs = self._layout.matrix({name: _column(rows, name) for name in self._layout.names})
        functions = rows.service.functions
        stored = [name for name in self._layout.names if name.partition("__")[0] not in functions]
        missing = [rows.missing[name] for name in stored]  # a function may give a number for whoever is unknown
        known = ~np.all(missing, axis=0) if missing else np.isfinite(inputs).any(axis=1)
        answers = self.answer(inputs)
        if self._mark is not None:
            answers = self._mark.apply(answers, inputs, self._kind)
        return Predictions(answers, self.bundle.name_version, self._kind, known, inputs)

    def answer(self, inputs: np.ndarray) -> np.ndarray:
        """Predict (n,) values from a feature matrix (n, d) float32."""
        outputs = self._session.run(None, {self._input: np.ascontiguousarray(inputs, np.float32)})
        return np.asarray(outputs[1][:, 1] if len(outputs) > 1 else outputs[0], np.float32).reshape(-1)


def _column(rows: OnlineRows, name: str) -> np.ndarray:
    """Return a feature as training has it: numbers as float64 with NaN for missing, texts with None."""
    values, missing = rows.columns[name], rows.missing[name]
    if values.dtype.kind == "M":
        values = values.astype(np.int64) // 1_000_000
    return np.where(missing, np.nan, values.astype(np.float64)) if values.dtype.kind in "iubf" else values
