"""``GET /v1/models``, and the hot swap of promoted models while the process serves."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.bundle import promoted_models
from feature_repo.home import Home
from feature_repo.project import Project
from inference.api import errors
from inference.api.schemas.models import ModelsResponse, ServedModel
from inference.swap import Live, Swap, Watcher

PREDICTIONS = "predictions: "
"""Prefix of what a model of rows serves."""


class Champions:
    """All serving objects of one application, by the kind of request that they answer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lives: dict[str, Live[Any]] = {}
        self._swap_counter = Counter(
            "refrain_swaps", "Promotions taken over, or not", ["serves", "outcome"], registry=registry
        )
        self.watcher = Watcher(self.lives, self._count_swap)

    def add(self, serves: str, live: Live[Any]) -> Live[Any]:
        """Register a serving object, so that promotions are followed."""
        self.lives[serves] = live
        for outcome in ("taken", "refused"):  # series at 0, so that the first refusal is an increase
            self._swap_counter.labels(serves, outcome)
        return live

    def _count_swap(self, serves: str, swap: Swap) -> None:
        self._swap_counter.labels(serves, "taken" if swap.accepted else "refused").inc()


def install(app: FastAPI, champions: Champions, home: Home) -> None:
    """Add the route."""

    @app.get("/v1/models", responses=errors.RESPONSES, tags=["operation"], operation_id="list_models")
    def models() -> ModelsResponse:
        """Lists the models that serve, with their versions and the outcome of promotions.

        A model is loaded on first use, by each process for itself: of several, one that was not asked yet says so. A
        project without music has its promoted models only.
        """
        return ModelsResponse(models=served(champions, home))


def served(champions: Champions, home: Home) -> list[ServedModel]:
    """List all serving objects by name, and the promoted models of rows; of a project without music, what is promoted.

    Args:
        champions: the serving objects.
        home: the data folder.
    """
    has_music = Project.load(home.project_folder).has_music
    listed = [
        _to_response(serves, live)
        for serves, live in champions.lives.items()
        if has_music or live.loaded is not None or live.is_promoted
    ]
    known = {one.serves for one in listed}
    for name, version in promoted_models(home, "tabular").items():
        if f"{PREDICTIONS}{name}" not in known:
            listed.append(_not_loaded(f"{PREDICTIONS}{name}", {name: f"{name}:{version}"}))
    return sorted(listed, key=lambda one: one.serves)


def _not_loaded(serves: str, versions: dict[str, str]) -> ServedModel:
    return ServedModel(serves=serves, loaded=False, versions=versions, swapped_at=None, refused=None)


def _to_response(serves: str, live: Live[Any]) -> ServedModel:
    loaded, swaps = live.loaded, live.swaps
    last = swaps[-1] if swaps else None
    return ServedModel(
        serves=serves,
        loaded=loaded is not None,
        versions=dict(versions(loaded)),
        swapped_at=next((swap.at for swap in reversed(swaps) if swap.accepted), None),
        refused=None if last is None or last.accepted else last.reason,
    )


def versions(loaded: Any) -> Mapping[str, str]:
    """Return model → version for a serving object."""
    by_model = getattr(loaded, "versions", None)
    if by_model is not None:
        return dict(by_model)
    bundle = getattr(loaded, "bundle", None)
    return {} if bundle is None else {bundle.manifest["name"]: bundle.name_version}
