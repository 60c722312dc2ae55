"""Refrain: features, models and answers of a project, under one name.

Everything is imported on first use, so that ``import refrain`` costs nothing and a serving process imports no more than
it needs.

>>> from refrain import Count, EventSource, WindowedTable, service
>>> orders = EventSource("orders", columns={"customer_id": "String", "cents": "Int64"}, key=("customer_id",))
>>> customer_orders = WindowedTable(
...     "customer_orders", "Orders of one customer", orders, ("customer_id",), ("7d",), {"orders": Count()}
... )
>>> churn_v1 = service("churn_v1", "Whether a customer leaves", "customer_orders", predicts="leaves")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from feature_repo.extras import explained
from feature_repo.version import version

if TYPE_CHECKING:
    from feature_repo.example import example as example
    from feature_repo.home import Home as Home
    from feature_repo.on_demand import OnDemand as OnDemand
    from feature_repo.service import service as service
    from feature_repo.windows import Count as Count
    from feature_repo.windows import CountIf as CountIf
    from feature_repo.windows import DecayedSum as DecayedSum
    from feature_repo.windows import Distinct as Distinct
    from feature_repo.windows import Enrich as Enrich
    from feature_repo.windows import EventSource as EventSource
    from feature_repo.windows import First as First
    from feature_repo.windows import Last as Last
    from feature_repo.windows import LastN as LastN
    from feature_repo.windows import Max as Max
    from feature_repo.windows import Mean as Mean
    from feature_repo.windows import Min as Min
    from feature_repo.windows import Previous as Previous
    from feature_repo.windows import Quantile as Quantile
    from feature_repo.windows import Rate as Rate
    from feature_repo.windows import Ratio as Ratio
    from feature_repo.windows import Slope as Slope
    from feature_repo.windows import Std as Std
    from feature_repo.windows import Sum as Sum
    from feature_repo.windows import TimeSinceLast as TimeSinceLast
    from feature_repo.windows import TopK as TopK
    from feature_repo.windows import WindowedTable as WindowedTable
    from feature_repo.windows import column as column
    from inference import AnomalyDetector as AnomalyDetector
    from inference import AudioAnalysisModel as AudioAnalysisModel
    from inference import RecommendationEngine as RecommendationEngine
    from inference import RowModel as RowModel
    from inference import TextAnalyzer as TextAnalyzer
    from inference.features import OnlineFeatures as OnlineFeatures
    from refrain.client import AsyncClient as AsyncClient
    from refrain.client import Client as Client
    from training.datasets import TrainingSet as TrainingSet
    from training.datasets import all_keys as all_keys
    from training.datasets import training_set as training_set
    from training.models.tabular import TabularModel as TabularModel
    from training.pipeline import MLPipeline as MLPipeline
    from transforms.raw.read import scan_events as scan_events

_LANGUAGE = (
    *("Count", "CountIf", "DecayedSum", "Distinct", "Enrich", "EventSource", "First", "Last", "LastN", "Max", "Mean"),
    *("Min", "Previous", "Quantile", "Rate", "Ratio", "Slope", "Std", "Sum", "TimeSinceLast", "TopK", "WindowedTable"),
    "column",
)
_MODULE_OF = {
    **dict.fromkeys(_LANGUAGE, "feature_repo.windows"),
    "example": "feature_repo.example",
    "Home": "feature_repo.home",
    "OnDemand": "feature_repo.on_demand",
    "service": "feature_repo.service",
    **dict.fromkeys(("TrainingSet", "all_keys", "training_set"), "training.datasets"),
    **dict.fromkeys(("AsyncClient", "Client"), "refrain.client"),
    "MLPipeline": "training.pipeline",
    "TabularModel": "training.models.tabular",
    "OnlineFeatures": "inference.features",
    "scan_events": "transforms.raw.read",
    **dict.fromkeys(
        ("AnomalyDetector", "AudioAnalysisModel", "RecommendationEngine", "RowModel", "TextAnalyzer"), "inference"
    ),
}
"""Public name → the module that has it."""

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - a list of texts


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version()
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with explained():
        return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
