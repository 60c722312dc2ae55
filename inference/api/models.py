"""``GET /v1/models``, and the hot swap of promoted models while the process serves."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from inference.api import errors
from inference.api.schemas.models import ModelsResponse, ServedModel
from inference.swap import Live, Swap, Watcher


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
        return live

    def _count_swap(self, serves: str, swap: Swap) -> None:
        self._swap_counter.labels(serves, "taken" if swap.accepted else "refused").inc()


def install(app: FastAPI, champions: Champions) -> None:
    """Add the route."""

    @app.get("/v1/models", responses=errors.RESPONSES, tags=["operation"], operation_id="list_models")
    def models() -> ModelsResponse:
        """Lists the models that serve, with their versions and the outcome of promotions.

        A model is loaded on first use.
        """
        return ModelsResponse(models=served(champions))


def served(champions: Champions) -> list[ServedModel]:
    """List all serving objects by name."""
    return [_to_response(serves, live) for serves, live in sorted(champions.lives.items())]


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
