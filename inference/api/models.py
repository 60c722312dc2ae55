"""``GET /v1/models``, and the taking over of what is promoted while the process serves."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from inference.api import errors
from inference.api.schemas.models import ModelsResponse, ServedModel
from inference.swap import Live, Swap, Watcher


class Champions:
    """All that serves in one application, by what it answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lives: dict[str, Live[Any]] = {}
        self._taken = Counter(
            "refrain_swaps", "Promotions taken over, or not", ["serves", "outcome"], registry=registry
        )
        self.watcher = Watcher(self.lives, self._told)

    def add(self, serves: str, live: Live[Any]) -> Live[Any]:
        """One more."""
        self.lives[serves] = live
        return live

    def _told(self, serves: str, swap: Swap) -> None:
        self._taken.labels(serves, "taken" if swap.accepted else "refused").inc()


def install(app: FastAPI, champions: Champions) -> None:
    """Add the route."""

    @app.get("/v1/models", responses=errors.RESPONSES, tags=["operation"])
    def models() -> ModelsResponse:
        """What serves: versions, and what became of promotions. What nobody asked for yet is not loaded."""
        return ModelsResponse(models=served(champions))


def served(champions: Champions) -> list[ServedModel]:
    """All that serves, by name."""
    return [_told(serves, live) for serves, live in sorted(champions.lives.items())]


def _told(serves: str, live: Live[Any]) -> ServedModel:
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
    """Model → version of what serves."""
    told = getattr(loaded, "versions", None)
    if told is not None:
        return dict(told)
    bundle = getattr(loaded, "bundle", None)
    return {} if bundle is None else {bundle.manifest["name"]: bundle.name_version}
