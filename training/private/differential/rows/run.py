"""``refrain model private NAME``: a differentially private version of a model of rows, paid for, kept and registered.

The release is paid for in the ledger before noise is drawn, and kept: a rerun with the same rows, ε, δ and learner
returns it, and costs nothing. Nothing of people's rows is in the bundle: golden and background rows are drawn at random
within the published ranges, and figures of a test, samples of the training set, its digest and its size are left out.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import numpy as np

from feature_repo import clock
from feature_repo.bundle import BACKGROUND, GOLDEN
from feature_repo.command_line import Progress, silent
from feature_repo.contract import contract_of
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.purposes import TRAINING
from training.background import background
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets.tabular import TabularSet
from training.estimators.shapley import sampled
from training.golden import golden
from training.models.find import models
from training.models.lightgbm_onnx import OnnxBooster
from training.models.served import ONNX
from training.models.tabular import TabularModel
from training.private.differential.data_digest import data_digest
from training.private.differential.ledger import Ledger, people_of
from training.private.differential.releases import Releases
from training.private.differential.result import PrivateResult
from training.private.differential.rows.fit import LearnerName, PrivateRows, RowsRelease
from training.private.differential.rows.own_features import check_people, own_features
from training.private.differential.rows.person_rows import choose_rows
from training.private.differential.statement import FILE as STATEMENT
from training.private.differential.statement import PrivacyStatement
from training.registry import register
from transforms.pure.tabular.layout import Column, Layout

GOLDEN_ROWS, BACKGROUND_ROWS, MISSING = 32, 60, 0.1
"""Random rows that the answers are checked with, that explain them, and the share of missing values in them."""
NOT_PROTECTED = (
    "the first and the last day of all data, by which a model may lay out its rows, and that the model exists.",
    "the bounds and texts that the declarations name as known, and tables without anybody's key, such as tracks.",
    "rows that a declaration makes of several people: `rows` must make a person's rows of that person's data.",
    "a person's own features, which are used as they are for that person's own answers.",
    "what many people have in common: the model is made to learn that, with or without any one of them.",
    "other versions that are trained without privacy, and other releases: what they cost together is in the ledger.",
)


@dataclass(frozen=True)
class _Parts:
    """What a bundle is made of; rows of people are not.

    Attributes:
        model: the declaration, without what was left out.
        layout: encoding of the features.
        release: the release.
        statement: what is guaranteed.
        settings: learner, ε and δ.
        fingerprint: of the feature service.
        cutoff: end of the data, ISO 8601.
        left_out: view or feature → why.
    """

    model: TabularModel
    layout: Layout
    release: RowsRelease
    statement: PrivacyStatement
    settings: PrivateRows
    fingerprint: str
    cutoff: str
    left_out: Mapping[str, str]


def run_private_rows(
    home: Home,
    name: str,
    epsilon: float,
    delta: float = 1e-6,
    learner: LearnerName = "linear",
    *,
    progress: Progress = silent,
) -> PrivateResult:
    """Publishes a private model of rows and registers it. See the module's docstring.

    Args:
        home: the data folder.
        name: name of the model.
        epsilon: ε of the release.
        delta: δ of the release.
        learner: ``linear``, or ``network`` (extra ``deep``).
        progress: callback for the progress of each stage.

    Raises:
        InputError: there is no such model of rows of people with a yes or no, ε, δ or learner are none, or there are
            no rows.
        BudgetSpent: the budget of the service's purpose does not have so much.
        StoreError: features are not built or not applied.
    """
    settings, clock_of_stages = PrivateRows(epsilon, delta, learner), Clock(progress, 3)
    model = rows_model(home, name)
    contract = contract_of(home)
    own = own_features(contract, model)
    purpose = contract.services[model.service].tags.get("purpose") or TRAINING
    statement = settings.statement(people_of(Ledger.open(home).entries(), purpose), purpose, f"chances of {name}")
    model = model.leaving_out(tuple(own.left_out))
    cutoff = clock.now().astimezone(UTC).isoformat()
    rows = _pull(home, model)
    layout, unknown = layout_of(rows, model)
    bounds = {**own.bounds, **_declared(model, layout)}
    inputs = layout.matrix(rows.features)
    clock_of_stages.lap("rows")
    request = f"private {name} {data_digest(home, _release_parts(inputs, rows, layout, bounds, settings))}"
    releases = Releases.open(home)
    is_new = releases.kept(request) is None
    content = releases.once(
        request,
        lambda: settings.release(inputs, rows.labels, rows.clusters, layout.outputs, bounds).to_bytes(),
        purpose=purpose,
        rho=settings.rho,
        what=statement.what,
    )
    clock_of_stages.lap("release")
    release, left_out = RowsRelease.from_bytes(content), {**own.left_out, **unknown}
    parts = _Parts(model, layout, release, statement, settings, str(rows.pulled["fingerprint"]), cutoff, left_out)
    version = _register(home, parts)
    clock_of_stages.lap("registration")
    notes = (f"{len(layout.outputs)} columns", *(f"without {each}: {reason}" for each, reason in left_out.items()))
    return PrivateResult(name, version, statement, "rows", notes, is_new, clock_of_stages.seconds)


def rows_model(home: Home, name: str) -> TabularModel:
    """Returns the declaration of a model of rows of people that says yes or no.

    Raises:
        InputError: the model is none.
    """
    declared = models(home)
    model = declared.get(name)
    if not isinstance(model, TabularModel):
        fitting = [each for each, one in declared.items() if isinstance(one, TabularModel) and one.kind == "binary"]
        raise InputError(
            expected=f"a model that has a private version: recommendation, {', '.join(fitting)}",
            found=repr(name) if model is None else f"{name}, a model of {model.family}",
            next_command="refrain model list --all",
        )
    check_people(contract_of(home), model)
    if model.kind != "binary":
        raise InputError(
            expected="a model of rows that says yes or no; the noise of numbers needs bounds of what they may be",
            found=f"{name}, a model of numbers",
            next_command="declare kind='binary' with a yes or no of interest, such as number > 10",
        )
    return model


def layout_of(rows: TabularSet, model: TabularModel) -> tuple[Layout, dict[str, str]]:
    """Returns the encoding of the features by types and declared texts alone, and feature → why it is left out."""
    columns, unknown = list[Column](), dict[str, str]()
    for name, values in rows.features.items():
        known = model.bounds.get(name, ())
        texts = tuple(str(one) for one in known if isinstance(one, str))
        if values.ndim != 1:
            continue
        if values.dtype != object:
            columns.append(Column(name))
        elif texts:
            columns.append(Column(name, texts))
        else:
            unknown[name] = "its texts are those of people: name the known ones in bounds= of the model"
    return Layout(tuple(columns)), unknown


def _pull(home: Home, model: TabularModel) -> TabularSet:
    """Pulls a few rows of each person.

    Raises:
        InputError: there are none.
    """
    rows = choose_rows(model.rows(home), model.cluster)
    if rows.is_empty():
        raise InputError(
            expected=f"labelled rows of {model.name} with a {model.cluster}",
            found="none",
            next_command="refrain import FORMAT PATH  (events over more days)",
        )
    return model.pull_rows(home, rows)


def _declared(model: TabularModel, layout: Layout) -> dict[str, tuple[float, float]]:
    """Returns output column → bounds, of declared numbers and of the columns of texts."""
    bounds: dict[str, tuple[float, float]] = {}
    for column in layout.columns:
        known = model.bounds.get(column.name)
        if column.kinds:
            bounds |= dict.fromkeys(column.outputs, (0.0, 1.0))
        elif known is not None:
            low, high = (float(one) for one in known)
            bounds[column.name] = (low, high)
    return bounds


def _release_parts(
    inputs: np.ndarray, rows: TabularSet, layout: Layout, bounds: Mapping[str, object], settings: PrivateRows
) -> Iterator[bytes]:
    """Yields all that a release is made of."""
    about = [settings.epsilon, settings.delta, settings.learner, layout.as_json(), sorted(bounds.items())]
    yield json.dumps([*about, rows.clusters.tolist()]).encode()
    yield inputs.tobytes()
    yield rows.labels.astype("<f8").tobytes()


def _register(home: Home, parts: _Parts) -> int:
    """Registers the bundle; returns its version."""
    settings = parts.settings
    return register(
        home,
        parts.model.name,
        parameters={"learner": settings.learner, "epsilon": settings.epsilon, "delta": settings.delta, "private": True},
        metrics={},
        write=_writer(parts),
        gates=parts.model.gates,
    )


def _files(parts: _Parts) -> dict[str, bytes]:
    """Packs the files of a bundle, from the release alone."""
    scales, rng = parts.release.scales, np.random.default_rng(parts.model.seed)
    places = rng.uniform(-1, 1, (GOLDEN_ROWS + BACKGROUND_ROWS, len(scales)))
    rows = np.column_stack([scale.values(places[:, column]) for column, scale in enumerate(scales)]).astype(np.float32)
    model = OnnxBooster(parts.release.onnx)
    inputs, explained = rows[:GOLDEN_ROWS], rows[GOLDEN_ROWS:]
    inputs = np.where(rng.random(inputs.shape) < MISSING, np.float32(np.nan), inputs)
    return {
        ONNX: parts.release.onnx,
        GOLDEN: golden({parts.model.name: (inputs, model.predict(inputs))}),
        BACKGROUND: background(explained, sampled(model.predict, parts.model.kind, explained, explained)),
        STATEMENT: parts.statement.to_bytes(),
    }


def _writer(parts: _Parts) -> Callable[[Path, int], BundleManifest]:
    """Returns a function that writes the bundle of a version into a folder."""
    files, model, settings = _files(parts), parts.model, parts.settings

    def write(folder: Path, version: int) -> BundleManifest:
        return write_bundle(
            folder,
            {**files, "README.md": _model_card(parts, version).encode()},
            {
                "name": model.name,
                "version": version,
                "family": model.family,
                "feature_service": model.service,
                "fingerprint": parts.fingerprint,
                "inputs": [(name, "float64") for name in parts.layout.names],
                "outputs": [("chance", "float32")],
                "metrics": {},
                "training_set": "",
                "cutoff": parts.cutoff,
                "extra": {
                    "kind": "tabular",
                    "answer": model.kind,
                    "learner": f"private_{settings.learner}",
                    "parameters": {"epsilon": settings.epsilon, "delta": settings.delta},
                    "layout": parts.layout.as_json(),
                    "columns": parts.layout.outputs,
                    "horizon_seconds": None if model.horizon is None else model.horizon.total_seconds(),
                    "without": list(model.without),
                    "lists": [],
                    "seed": model.seed,
                    "augment": 0.0,
                    "privacy": parts.statement.to_dict(),
                },
            },
        )

    return write


def _model_card(parts: _Parts, version: int) -> str:
    left_out = [f"- {name}: {reason}" for name, reason in parts.left_out.items()]
    return "\n".join(
        [
            f"# {parts.model.name} {version}",
            "",
            f"{parts.model.about} Differentially private, by {parts.settings.learner}.",
            "",
            parts.statement.text(),
            "",
            "No figure of a test is kept: it would tell of the people of the test. What moves the answers is measured "
            "on random rows within the published ranges.",
            "",
            *(["Left out:", "", *left_out, ""] if left_out else []),
            "Not protected:",
            "",
            *(f"- {sentence}" for sentence in NOT_PROTECTED),
            "",
        ]
    )
