"""A model of rows: a feature service, a label, and whichever learner tells it best.

The file of such a model says what its rows and labels are (``rows``), and when a label is known (``horizon``). The
engine pulls the features as of each row, looks at the set, learns from the past and asks about the last rows, beside
baselines; fits what serves to all rows; and registers it with its evidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import GOLDEN
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.background import background
from training.bundle import BACKGROUND, BundleManifest, write_bundle
from training.clock import Clock
from training.datasets.sample import LOOKED_AT, Sample, drawn
from training.datasets.tabular import TabularSet
from training.estimators import LEARNERS, Fitted
from training.estimators import learner as find_learner
from training.estimators.base import Kind
from training.evaluate.probabilities import probability_metrics
from training.golden import golden
from training.models.base import Fresh, Model
from training.models.result import TrainedResult, table
from training.models.served import NATIVE, ONNX, ServedTabular
from training.models.tabular_problem import TabularProblem, losses
from training.registry import register
from training.validation import training_data
from training.validation.cross_validation import Fold, forward, grouped, last
from training.validation.evidence import OURS, Evidence
from transforms.pure.tabular.layout import Layout

SHOWN, SAMPLED_SHOWN = 1_000, 60
"""Rows that are explained; fewer where contributions are sampled."""
RECENT = 2_000
"""Rows since a cutoff that are asked about; the newest."""
EXACT = ("lightgbm", "xgboost", "linear")
"""Learners that tell their contributions without sampling."""


@dataclass(frozen=True, kw_only=True)
class TabularModel(Model):
    """One model of rows.

    Attributes:
        rows: keys of the service, ``event_timestamp``, ``label``, and what divides rows, of everything that happened.
        kind: of label: ``binary`` for 0 and 1, ``number`` for any.
        cluster: column of what belongs together, such as the listener.
        horizon: after a row's time, until its label is known; None where time says nothing of the label, so that
            clusters are told apart instead.
        learner: one of ``training.estimators``.
        parameters: of the learner, that differ from its defaults.
        segments: columns that the test is divided by.
        searched: learners that a search tries.
        without: features, or whole views, that the model does not eat.
        most_rows: drawn at random.
        test: share of the rows, the last.
        folds: periods of the past that a search asks about.
        seed: of draws and learners.
    """

    rows: Callable[[Home], pl.DataFrame]
    kind: Kind
    cluster: str
    horizon: timedelta | None
    learner: str = "lightgbm"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    searched: tuple[str, ...] = tuple(LEARNERS)
    without: tuple[str, ...] = ()
    most_rows: int = 60_000
    test: float = 0.2
    folds: int = 3
    seed: int = 0

    @property
    def service(self) -> str:
        """The one that it eats."""
        return self.services[0]

    @property
    def metric(self) -> str:
        """Of a row; lower is better."""
        return "log_loss" if self.kind == "binary" else "absolute_error"

    def pull(self, home: Home) -> TabularSet:
        """All rows with their features.

        Raises:
            InputError: there is nothing to learn from; ``training.validation.training_data`` says when.
            StoreError: features are not built or not applied.
        """
        pulled = self.pull_rows(home, self.rows(home), most=self.most_rows)
        now = int(datetime.now(UTC).timestamp() * 1e6)
        training_data.refuse(self.name, pulled.labels, pulled.times, now, self.kind)
        training_data.refuse_empty(self.name, pulled.features)
        return pulled

    def pull_rows(self, home: Home, rows: pl.DataFrame, most: int | None = None) -> TabularSet:
        """Some rows with their features, looked at by nobody."""
        return TabularSet.pull(
            home,
            self.service,
            rows,
            cluster=self.cluster,
            segments=self.segments,
            without=self.without,
            most=most,
            seed=self.seed,
        )

    def split(self, rows: TabularSet) -> Fold:
        """Places of what is learned from, and of the last rows, which the test asks about.

        Raises:
            InputError: nothing lies long enough before the test.
        """
        if self.horizon is None:
            learned, asked = next(grouped(rows.clusters, round(1 / self.test), seed=self.seed))
        else:
            learned, asked = last(rows.times, _microseconds(self.horizon), self.test)
        if len(learned) < training_data.FEWEST or len(np.unique(rows.labels[learned])) < 2:
            raise InputError(
                expected=f"rows of {self.name} whose label was known before the last {self.test:.0%} of them began",
                found=f"{len(learned):,}, {len(np.unique(rows.labels[learned]))} different labels",
                next_command="python -m transforms import FORMAT PATH  (events over more days)",
            )
        return learned, asked

    def periods(self, rows: TabularSet) -> list[Fold]:
        """Folds within rows that a search may look at."""
        if self.horizon is None:
            folds = grouped(rows.clusters, self.folds, seed=self.seed)
        else:
            folds = forward(rows.times, _microseconds(self.horizon), self.folds)
        return [
            fold
            for fold in folds
            if len(np.unique(rows.labels[fold[0]])) > 1 and len(np.unique(rows.labels[fold[1]])) > 1
        ]

    def leaving_out(self, names: Sequence[str] | str) -> "TabularModel":
        """The same without some features or views; a text has commas between them."""
        told = names.split(",") if isinstance(names, str) else names
        return replace(self, without=tuple(dict.fromkeys((*self.without, *told))))

    def fit(self, rows: TabularSet, layout: Layout, learner: str, parameters: Mapping[str, Any]) -> Fitted:
        """A learner on rows."""
        return find_learner(learner).fit(layout.matrix(rows.features), rows.labels, self.kind, parameters, self.seed)

    def fresh(self, home: Home, version: int) -> Fresh:
        """Its newest labelled rows after a version's cutoff, and how the version answers them."""
        served = ServedTabular.load(home, f"{self.name}:{version}")
        told = self.rows(home)
        came = told.filter(told["event_timestamp"] > datetime.fromisoformat(served.cutoff)).sort("event_timestamp")
        if came.is_empty():
            return Fresh({})
        recent = self.leaving_out(served.extra["without"]).pull_rows(home, came.tail(RECENT))
        values = losses(self.kind, served.predict(recent), recent.labels)
        return Fresh({self.service: recent.features}, values, recent.clusters)

    @property
    def searchable(self) -> bool:
        """Always: learners and their parameters."""
        return True

    def narrowed(self, *, learners: Sequence[str] = (), without: Sequence[str] | str = ()) -> "TabularModel":
        """The same with a choice of learners to search among, and without some features or views.

        Raises:
            InputError: there is no such learner.
        """
        for learner in learners:
            find_learner(learner)
        return replace(self.leaving_out(without), searched=tuple(learners) or self.searched)

    def problem(self, home: Home, *, progress: Progress = silent) -> TabularProblem:
        """Its rows, pulled once.

        Raises:
            InputError: nothing can be learned from the rows.
        """
        rows = self.pull(home)
        learned, asked = self.split(rows)
        train = rows.take(learned)
        layout = Layout.fit(train.features)
        return TabularProblem(
            self.kind,
            layout.matrix(rows.features),
            tuple(layout.outputs),
            rows.labels,
            rows.clusters,
            learned,
            asked,
            tuple(self.periods(train)),
            self.searched,
            self.choice(None),
            self.without,
            self.seed,
        )

    def choice(self, parameters: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
        """Learner and parameters of a run.

        Raises:
            InputError: there is no such learner or parameter.
        """
        told = dict(parameters or {})
        learner = str(told.pop("learner", self.learner))
        way = find_learner(learner)
        mine = dict(self.parameters) if learner == self.learner else {}
        self.refuse(told, way.defaults)
        return learner, {**way.defaults, **mine, **told}

    def run(
        self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> "TrainedResult":
        """Train, measure and register; see the module's docstring.

        Raises:
            InputError: nothing can be learned from the rows.
            StoreError: features are not built or not applied.
        """
        if parameters and "without" in parameters:
            rest = {name: value for name, value in parameters.items() if name != "without"}
            return self.leaving_out(parameters["without"]).run(home, parameters=rest, progress=progress)
        clock = Clock(progress, 4)
        learner, chosen = self.choice(parameters)
        rows = self.pull(home)
        learned, asked = self.split(rows)
        train, test = rows.take(learned), rows.take(asked)
        clock.lap("training set")
        layout = Layout.fit(train.features)
        fitted = self.fit(train, layout, learner, chosen)
        clock.lap("fit")
        evidence, metrics = self._measured(train, test, layout, fitted, learner)
        clock.lap("test")
        final = self.fit(rows, layout, learner, chosen)
        files = self._files(final, fitted, rows, test, layout, learner)
        later = "later ones" if self.horizon is not None else f"of other {self.cluster}s"
        about = (
            f"{self.about} {len(train):,} rows to learn from, {len(test):,} {later} asked about, by {learner}; what "
            f"serves was fitted to all {len(rows):,}.{_note(rows.lists)}"
        )
        version = self._register(home, rows, files, about, layout, learner, chosen, evidence, metrics)
        clock.lap("registration")
        return TrainedResult(self.name, version, about, metrics, clock.seconds)

    def _sample(self, rows: TabularSet, layout: Layout) -> Sample:
        """Of the training set, to be looked at."""
        places = drawn(len(rows), LOOKED_AT, self.seed)
        features = {name: rows.features[name][places] for name in layout.names}
        return Sample(rows.pulled, features, rows.labels[places], self.kind, chosen=True)

    def _measured(
        self, train: TabularSet, test: TabularSet, layout: Layout, fitted: Fitted, learner: str
    ) -> tuple[Evidence, dict[str, dict[str, float]]]:
        """The test by rows, and the figures of the model and its baselines."""
        inputs = layout.matrix(test.features)
        plain = float(train.labels.mean() if self.kind == "binary" else np.median(train.labels))
        answers = {OURS: fitted.predict(inputs), "constant": np.full(len(test), plain)}
        if learner != "linear":
            answers["linear"] = self.fit(train, layout, "linear", {}).predict(inputs)
        evidence = Evidence.of(
            self.metric,
            test.units,
            {who: losses(self.kind, told, test.labels) for who, told in answers.items()},
            clusters=test.clusters,
            segments=test.segments,
            outcome=test.labels if self.kind == "binary" else None,
            chance=answers[OURS] if self.kind == "binary" else None,
        )
        measure = _chances if self.kind == "binary" else _numbers
        return evidence, {
            self.name if who == OURS else who: measure(test.labels, told) for who, told in answers.items()
        }

    def _files(
        self, final: Fitted, fitted: Fitted, rows: TabularSet, test: TabularSet, layout: Layout, learner: str
    ) -> dict[str, bytes]:
        inputs = layout.matrix(test.features)
        rng = np.random.default_rng(self.seed)
        told = np.sort(rng.permutation(len(test))[: SHOWN if learner in EXACT else SAMPLED_SHOWN])
        native = getattr(final, "native", None)
        return {
            ONNX: final.to_onnx(),
            GOLDEN: golden({self.name: (inputs, final.predict(inputs))}),
            BACKGROUND: background(inputs[told], fitted.contributions(inputs[told])),
            **({NATIVE: native().encode()} if native else {}),
        }

    def _register(
        self,
        home: Home,
        rows: TabularSet,
        files: Mapping[str, bytes],
        about: str,
        layout: Layout,
        learner: str,
        chosen: Mapping[str, Any],
        evidence: Evidence,
        metrics: Mapping[str, Mapping[str, float]],
    ) -> int:
        cutoff = datetime.fromtimestamp(int(rows.times[-1]) / 1e6, UTC).isoformat()

        def write(folder: Path, version: int) -> BundleManifest:
            card = "\n".join([f"# {self.name} {version}", "", about, "", "```", *table(metrics), "```", ""])
            return write_bundle(
                folder,
                {**files, "README.md": card.encode()},
                {
                    "name": self.name,
                    "version": version,
                    "family": self.family,
                    "feature_service": self.service,
                    "fingerprint": rows.pulled["fingerprint"],
                    "inputs": [(name, "float64") for name in layout.names],
                    "outputs": [("chance" if self.kind == "binary" else "number", "float32")],
                    "metrics": {who: dict(told) for who, told in metrics.items()},
                    "training_set": rows.pulled["digest"],
                    "cutoff": cutoff,
                    "extra": {
                        "kind": "tabular",
                        "answer": self.kind,
                        "learner": learner,
                        "parameters": dict(chosen),
                        "layout": layout.as_json(),
                        "columns": layout.outputs,
                        "rows": len(rows),
                        "horizon_seconds": None if self.horizon is None else self.horizon.total_seconds(),
                        "without": list(self.without),
                        "lists": list(rows.lists),
                        "seed": self.seed,
                    },
                },
            )

        flat = {f"test_{name}_{who}": value for who, told in metrics.items() for name, value in told.items()}
        return register(
            home,
            self.name,
            parameters={"learner": learner, **chosen, "rows": len(rows), "seed": self.seed},
            metrics={name: value for name, value in flat.items() if np.isfinite(value)},
            write=write,
            evidence=evidence,
            gates=self.gates,
            training_sets=[self._sample(rows, layout)],
        )


def _note(lists: Sequence[str]) -> str:
    """What a report says of features that are lists."""
    return f" A model of rows takes no lists; left out: {', '.join(lists)}." if lists else ""


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _chances(labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    told = asdict(probability_metrics(labels, answers))
    return {name: float(told[name]) for name in ("log_loss", "roc_auc", "average_precision", "calibration_error")}


def _numbers(labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    error = answers - labels
    spread = float(((labels - labels.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r_squared": 1 - float((error**2).sum()) / spread if spread else float("nan"),
    }
