"""Tabular models: a feature service, a label per row, and a learner.

The file of such a model declares its rows and labels (``rows``), and after what time a label is known (``horizon``).
The engine pulls the features as of each row and checks the training set. It fits to the older rows and tests on the
last rows, beside baselines. It then fits the served model to all rows, and registers it with its evidence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.bundle import BACKGROUND, GOLDEN
from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.background import background
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets.sample import LOOKED_AT, Sample, drawn
from training.datasets.tabular import TabularSet
from training.estimators import LEARNERS, Fitted
from training.estimators import learner as find_learner
from training.estimators.base import Kind
from training.fairness.people import groups_of
from training.fairness.settings import settings_of
from training.golden import golden
from training.models.base import Fresh, Model
from training.models.result import TrainedResult, table
from training.models.served import NATIVE, ONNX, ServedTabular
from training.models.tabular_evidence import FitLabels, linear_is_better, measure
from training.models.tabular_problem import TabularProblem, losses
from training.registry import register
from training.validation import training_data
from training.validation.cross_validation import Fold, forward, grouped, last
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure.tabular.layout import Layout

EXPLAINED, SAMPLED_EXPLAINED = 1_000, 60
"""Maximum number of explained rows; fewer if contributions are sampled, or of deep trees."""
RECENT = 2_000
"""Maximum number of rows after a cutoff that are monitored; the newest count."""
QUICK = ("lightgbm", "xgboost", "linear")
"""Learners whose contributions are exact and quick; those of forests are exact, and those of networks sampled."""


@dataclass(frozen=True, kw_only=True)
class TabularModel(Model):
    """The declaration of a tabular model.

    Attributes:
        rows: function that reads all labelled rows: keys of the service, ``event_timestamp``, ``label``, columns of
            cluster and segments, and optionally ``label_timestamp``: when what the label says happened.
        kind: kind of the label: ``binary`` for 0 and 1, ``number`` for any number.
        cluster: column of the entity whose rows belong together, such as the listener.
        horizon: time from a row until its label is known; None if labels do not depend on time, so that the test is
            split by cluster instead.
        learner: name of the learner, one of ``training.estimators``.
        parameters: parameters of the learner that differ from its defaults.
        segments: columns whose values are the segments of the test.
        searched: learners that a search tries.
        without: features, or whole views, that the model does not read.
        movable: features, or whole views, that a person can change by what they do, for attacks
            (``training.robustness``); all if empty.
        most_rows: maximum number of rows; a random sample if there are more.
        test: share of the rows in the test; these are the last ones.
        folds: number of past periods for the losses of a search.
        seed: random seed of samples and learners.
        augment: standard deviations of the noise on a second copy of each training row; 0 for no copies.
        bounds: ``view__feature`` → its least and largest value, or the values of a text, as anybody knows them without
            the data; for private versions (``training.private.differential.rows``).

    >>> def rows(home: Home) -> pl.DataFrame:
    ...     return pl.read_parquet(home.root / "labels.parquet")  # user_id, event_timestamp, label
    >>> model = TabularModel(
    ...     name="leaving", family="behavior", about="Who leaves.", services=("churn_v1",), raw=("orders",), rows=rows,
    ...     kind="binary", cluster="customer_id", horizon=timedelta(days=14),
    ... )
    >>> model.choice({"learner": "linear"})[0], model.narrowed(learners=["forest"]).searched
    ('linear', ('forest',))
    >>> model.leaving_out("customer_orders").without, model.refuse({}, {})
    (('customer_orders',), None)
    >>> home = Home.from_env()                                                              # doctest: +SKIP
    >>> labelled, newest = model.pull(home), model.pull_rows(home, rows(home).tail(9))      # doctest: +SKIP
    >>> train, test = model.split(labelled)                                                 # doctest: +SKIP
    >>> folds = model.periods(labelled.take(train))                                         # doctest: +SKIP
    >>> layout = Layout.fit(labelled.features)                                              # doctest: +SKIP
    >>> fitted = model.fit(labelled, layout, *model.choice(None))                           # doctest: +SKIP
    >>> model.run(home).version, model.fresh(home, 1), model.problem(home)                  # doctest: +SKIP
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
    movable: tuple[str, ...] = ()
    most_rows: int = 60_000
    test: float = 0.2
    folds: int = 3
    seed: int = 0
    augment: float = 0.0
    bounds: Mapping[str, tuple[float, float] | tuple[str, ...]] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """The feature service that the model reads."""
        return self.services[0]

    @property
    def metric(self) -> str:
        """Name of the metric per row; lower is better."""
        return "log_loss" if self.kind == "binary" else "absolute_error"

    def pull(self, home: Home) -> TabularSet:
        """Pull all rows with their features and check them.

        Raises:
            InputError: the rows are unfit for training, by ``training.validation.training_data``.
            StoreError: the features are not built or not applied.
        """
        pulled = self.pull_rows(home, self.rows(home), most=self.most_rows)
        now = int(datetime.now(UTC).timestamp() * 1e6)
        training_data.refuse(self.name, pulled.labels, pulled.times, now, self.kind)
        training_data.refuse_empty(self.name, pulled.features)
        return pulled

    def pull_rows(self, home: Home, rows: pl.DataFrame, most: int | None = None) -> TabularSet:
        """Pull the features of rows, without any checks; people are divided by the groups that are declared, too."""
        pulled = TabularSet.pull(
            home,
            self.service,
            rows,
            cluster=self.cluster,
            segments=self.segments,
            without=self.without,
            most=most,
            seed=self.seed,
        )
        columns = settings_of(home, self.name).groups
        groups = groups_of(home, columns, self.cluster, pulled.clusters, pulled.times)
        return replace(pulled, segments={**groups, **pulled.segments})

    def split(self, rows: TabularSet) -> Fold:
        """Return the positions of the training rows and of the test rows, which are the last ones.

        Raises:
            InputError: too few labels, or labels of one value only, are known before the test.
        """
        if self.horizon is None:
            train, test = next(grouped(rows.clusters, round(1 / self.test), seed=self.seed))
        else:
            train, test = last(rows.times, _microseconds(self.horizon), self.test)
        if len(train) < training_data.FEWEST or len(np.unique(rows.labels[train])) < 2:
            raise InputError(
                expected=f"rows of {self.name} with a label known before the test, the last {self.test:.0%} of them",
                found=f"{len(train):,} rows with {len(np.unique(rows.labels[train]))} different labels",
                next_command="refrain import FORMAT PATH  (events over more days)",
            )
        return train, test

    def periods(self, rows: TabularSet) -> list[Fold]:
        """Return the folds within rows for the losses of a search."""
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
        """Return the model without some features or views; a text has their names, separated by commas."""
        left_out = names.split(",") if isinstance(names, str) else names
        return replace(self, without=tuple(dict.fromkeys((*self.without, *left_out))))

    def fit(self, rows: TabularSet, layout: Layout, learner: str, parameters: Mapping[str, Any]) -> Fitted:
        """Fit a learner to rows, and to noisy copies of them if ``augment`` is set."""
        inputs, labels = layout.matrix(rows.features), rows.labels
        if self.augment > 0:
            inputs, labels = with_noise(inputs, labels, self.augment, self.seed)
        return find_learner(learner).fit(inputs, labels, self.kind, parameters, self.seed)

    def fresh(self, home: Home, version: int) -> Fresh:
        """Return features and losses of a version on the newest labelled rows after its cutoff."""
        served = ServedTabular.load(home, f"{self.name}:{version}")
        all_rows = self.rows(home)
        new_rows = all_rows.filter(all_rows["event_timestamp"] > datetime.fromisoformat(served.cutoff)).sort(
            "event_timestamp"
        )
        if new_rows.is_empty():
            return Fresh({})
        recent = self.leaving_out(served.extra["without"]).pull_rows(home, new_rows.tail(RECENT))
        values = losses(self.kind, served.predict(recent), recent.labels)
        return Fresh({self.service: recent.features}, values, recent.clusters)

    @property
    def searchable(self) -> bool:
        """Whether the model has parameters to search: always, its learners and their parameters."""
        return True

    def narrowed(self, *, learners: Sequence[str] = (), without: Sequence[str] | str = ()) -> "TabularModel":
        """Return the model with a selection of learners to search, and without some features or views.

        Raises:
            InputError: a learner does not exist.
        """
        for learner in learners:
            find_learner(learner)
        return replace(self.leaving_out(without), searched=tuple(learners) or self.searched)

    def problem(self, home: Home, *, progress: Progress = silent) -> TabularProblem:
        """Pull the rows once, and return them as the search problem.

        Raises:
            InputError: the rows are unfit for training.
        """
        rows = self.pull(home)
        train_positions, test_positions = self.split(rows)
        train = rows.take(train_positions)
        layout = Layout.fit(train.features)
        return TabularProblem(
            self.kind,
            layout.matrix(rows.features),
            tuple(layout.outputs),
            rows.labels,
            rows.clusters,
            train_positions,
            test_positions,
            tuple(self.periods(train)),
            self.searched,
            self.choice(None),
            self.without,
            self.seed,
        )

    def choice(self, parameters: Mapping[str, Any] | None) -> tuple[str, dict[str, Any]]:
        """Return the learner and all its parameters for a run.

        Raises:
            InputError: the learner or a parameter does not exist.
        """
        chosen = dict(parameters or {})
        learner = str(chosen.pop("learner", self.learner))
        estimator = find_learner(learner)
        own_parameters = dict(self.parameters) if learner == self.learner else {}
        self.refuse(chosen, estimator.defaults)
        return learner, {**estimator.defaults, **own_parameters, **chosen}

    def run(
        self, home: Home, *, parameters: Mapping[str, Any] | None = None, progress: Progress = silent
    ) -> "TrainedResult":
        """Train, measure and register; see the module's docstring.

        Raises:
            InputError: the rows are unfit for training.
            StoreError: the features are not built or not applied.
        """
        if parameters and "without" in parameters:
            other_parameters = {name: value for name, value in parameters.items() if name != "without"}
            return self.leaving_out(parameters["without"]).run(home, parameters=other_parameters, progress=progress)
        if parameters and "augment" in parameters:
            other_parameters = {name: value for name, value in parameters.items() if name != "augment"}
            self.refuse({"augment": parameters["augment"]}, {"augment": 0.0})
            augmented = replace(self, augment=float(parameters["augment"]))
            return augmented.run(home, parameters=other_parameters, progress=progress)
        clock = Clock(progress, 4)
        learner, learner_parameters = self.choice(parameters)
        rows = self.pull(home)
        train_positions, test_positions = self.split(rows)
        train, test = rows.take(train_positions), rows.take(test_positions)
        clock.lap("training set")
        layout, note = Layout.fit(train.features), ""
        if not parameters and learner != "linear":
            plain = self.choice({"learner": "linear"})
            fits = self._fitting(layout, learner, learner_parameters), self._fitting(layout, *plain)
            if linear_is_better(self.kind, train, layout, self.periods(train), *fits):
                note = f" A linear model was better than {learner} on the last of the rows to learn from, and serves."
                learner, learner_parameters = plain
        fitted = self.fit(train, layout, learner, learner_parameters)
        clock.lap("fit")
        evidence, metrics = self._measure(train, test, layout, fitted, learner, learner_parameters)
        clock.lap("test")
        served_model = self.fit(rows, layout, learner, learner_parameters)
        files = self._files(served_model, fitted, rows, test, layout, learner)
        later = "later ones" if self.horizon is not None else f"of other {self.cluster}s"
        about = (
            f"{self.about} {len(train):,} rows to learn from, {len(test):,} {later} asked about, by {learner}; what "
            f"serves was fitted to all {len(rows):,}.{note}{_note(rows.lists)}"
        )
        version = self._register(home, rows, files, about, layout, learner, learner_parameters, evidence, metrics)
        clock.lap("registration")
        return TrainedResult(self.name, version, about, metrics, clock.seconds)

    def _fitting(self, layout: Layout, learner: str, parameters: Mapping[str, Any]) -> FitLabels:
        """Return a function that fits a learner to rows and labels of them."""
        return lambda rows, labels: self.fit(replace(rows, labels=labels), layout, learner, parameters)

    def _sample(self, rows: TabularSet, layout: Layout) -> Sample:
        """Return a sample of the training set, for its validation."""
        positions = drawn(len(rows), LOOKED_AT, self.seed)
        features = {name: rows.features[name][positions] for name in layout.names}
        drawn_rows = rows.take(positions)
        return Sample(
            rows.pulled,
            features,
            drawn_rows.labels,
            self.kind,
            chosen=True,
            times=drawn_rows.times,
            label_times=drawn_rows.label_times,
            horizon=None if self.horizon is None else _microseconds(self.horizon),
        )

    def _measure(
        self,
        train: TabularSet,
        test: TabularSet,
        layout: Layout,
        fitted: Fitted,
        learner: str,
        learner_parameters: Mapping[str, Any],
    ) -> tuple[Evidence, dict[str, dict[str, float]]]:
        """Return the evidence of the test by row, and the figures of the model and its baselines."""
        fit_linear = None if learner == "linear" else self._fitting(layout, "linear", {})
        fit_model = self._fitting(layout, learner, learner_parameters)
        evidence, figures = measure(self.kind, train, test, layout, fitted, fit_model, fit_linear, seed=self.seed)
        return evidence, {self.name if method == MODEL_KEY else method: values for method, values in figures.items()}

    def _files(
        self, served_model: Fitted, fitted: Fitted, rows: TabularSet, test: TabularSet, layout: Layout, learner: str
    ) -> dict[str, bytes]:
        inputs = layout.matrix(test.features)
        rng = np.random.default_rng(self.seed)
        explained_rows = np.sort(rng.permutation(len(test))[: EXPLAINED if learner in QUICK else SAMPLED_EXPLAINED])
        native = getattr(served_model, "native", None)
        return {
            ONNX: served_model.to_onnx(),
            GOLDEN: golden({self.name: (inputs, served_model.predict(inputs))}),
            BACKGROUND: background(inputs[explained_rows], fitted.contributions(inputs[explained_rows])),
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
        learner_parameters: Mapping[str, Any],
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
                    "metrics": {method: dict(figures) for method, figures in metrics.items()},
                    "training_set": rows.pulled["digest"],
                    "cutoff": cutoff,
                    "extra": {
                        "kind": "tabular",
                        "answer": self.kind,
                        "learner": learner,
                        "parameters": dict(learner_parameters),
                        "layout": layout.as_json(),
                        "columns": layout.outputs,
                        "rows": len(rows),
                        "horizon_seconds": None if self.horizon is None else self.horizon.total_seconds(),
                        "without": list(self.without),
                        "lists": list(rows.lists),
                        "seed": self.seed,
                        "augment": self.augment,
                    },
                },
            )

        logged_metrics = {
            f"test_{name}_{method}": value for method, figures in metrics.items() for name, value in figures.items()
        }
        return register(
            home,
            self.name,
            parameters={"learner": learner, **learner_parameters, "rows": len(rows), "seed": self.seed},
            metrics={name: value for name, value in logged_metrics.items() if np.isfinite(value)},
            write=write,
            evidence=evidence,
            gates=self.gates,
            training_sets=[self._sample(rows, layout)],
        )


def with_noise(inputs: np.ndarray, labels: np.ndarray, deviations: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows with a noisy copy of each behind them, and the labels of both; missing values stay missing.

    Args:
        inputs: (n, d) rows.
        labels: (n,) labels.
        deviations: standard deviation of the noise, in that of each column.
        seed: random seed.
    """
    filled = np.where(np.isnan(inputs).all(axis=0), 0.0, inputs)
    noise = np.random.default_rng(seed).normal(size=inputs.shape) * np.nanstd(filled, axis=0) * deviations
    return np.concatenate([inputs, inputs + noise]).astype(np.float32), np.concatenate([labels, labels])


def _note(lists: Sequence[str]) -> str:
    """Return the report's note on list features that were left out."""
    return f" A model of rows takes no lists; left out: {', '.join(lists)}." if lists else ""


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
