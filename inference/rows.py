"""Models of rows: keys of entities in, a chance or a number each out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError
from feature_repo.home import Home
from inference import golden
from inference.features import OnlineFeatures
from inference.models import load_bundle, onnx_session
from transforms.pure.tabular.layout import Layout


@dataclass(frozen=True)
class Answers:
    """Of one call.

    Attributes:
        values: (n,) chances of yes, or numbers.
        model: name and version, as in ``skip_model:3``.
        kind: ``binary`` for chances, ``number``.
        known: (n,) whether anything at all was known of the row.
    """

    values: np.ndarray
    model: str
    kind: Literal["binary", "number"]
    known: np.ndarray


class RowModel:
    """A promoted model of rows, with its features online. Safe to share between threads.

    >>> model = RowModel.load("churn_model")                       # doctest: +SKIP
    >>> model.predict({"user_id": ["u000007", "u000042"]}).values  # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle, home: Home) -> None:
        self.bundle = bundle
        self._layout = Layout.from_json(bundle.manifest["extra"]["layout"])
        self._session = onnx_session(bundle.read("model.onnx"))
        self._input = self._session.get_inputs()[0].name
        self._features = OnlineFeatures(bundle.manifest["feature_service"], home)

    @classmethod
    def load(cls, name: str, home: Home | None = None) -> "RowModel":
        """The champion, or a version such as ``churn_model:2``.

        Raises:
            BundleError: nothing is promoted, it is damaged or of other features than those online, it is no model of
                rows, or it answers other than in training.
        """
        home = home or Home.from_env()
        bundle = load_bundle(name, home)
        if bundle.manifest["extra"].get("kind") != "tabular":
            raise BundleError(
                expected="a model of rows, such as churn_model",
                found=f"{bundle.name_version}, of the family {bundle.manifest['family']}",
                next_command="see the routes of its family: /docs",
            )
        model = cls(bundle, home)
        golden.check(bundle, str(bundle.manifest["name"]), model.answer)
        return model

    def predict(self, keys: Mapping[str, Sequence[Any]], request: Mapping[str, Any] | None = None) -> Answers:
        """Look the rows up and answer.

        Args:
            keys: join key to n values; a single value counts for all rows.
            request: when and where it is asked, as ``OnlineFeatures.get`` takes it.

        Raises:
            InputError: a key of the model's feature service is not given, or lengths differ.
            OnlineUnavailable: Redis does not answer.
        """
        rows = self._features.get(keys, request)
        inputs = self._layout.matrix({name: rows.columns[name] for name in self._layout.names})
        manifest = self.bundle.manifest
        known = np.isfinite(inputs).any(axis=1)
        kind: Literal["binary", "number"] = manifest["extra"]["answer"]
        return Answers(self.answer(inputs), self.bundle.name_version, kind, known)

    def answer(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) of rows (n, d) float32."""
        found = self._session.run(None, {self._input: np.ascontiguousarray(inputs, np.float32)})
        return np.asarray(found[1][:, 1] if len(found) > 1 else found[0], np.float32).reshape(-1)
