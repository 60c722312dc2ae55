"""Metrics, one file per kind of answer: rankings, forecasts, probabilities, classes, incidents."""

from training.evaluate.forecasts import ForecastMetrics, forecast_metrics, mase, mase_scale, owa, pinball, smape
from training.evaluate.incidents import IncidentMetrics, incident_metrics
from training.evaluate.probabilities import ProbabilityMetrics, probability_metrics
from training.evaluate.ranking import Catalogue, RankingMetrics, by_segment, ndcg, rank_all, ranking_metrics, recall

__all__ = [
    "Catalogue",
    "ForecastMetrics",
    "IncidentMetrics",
    "ProbabilityMetrics",
    "RankingMetrics",
    "by_segment",
    "forecast_metrics",
    "incident_metrics",
    "mase",
    "mase_scale",
    "ndcg",
    "owa",
    "pinball",
    "probability_metrics",
    "rank_all",
    "ranking_metrics",
    "recall",
    "smape",
]
