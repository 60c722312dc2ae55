"""Feast views. Windowed views are derived from ``feature_repo/windowed/``; the others are declared here. On-demand
features are in ``feature_repo/on_demand/``.
"""

from feast import FeatureView

from feature_repo.discovery import definitions
from feature_repo.views.forecast import FORECAST_VIEWS
from feature_repo.views.windowed import WINDOWED_VIEWS

FEATURE_TABLES: dict[str, FeatureView] = {
    **WINDOWED_VIEWS,
    **FORECAST_VIEWS,
    **definitions(__name__, FeatureView),
}
"""All views with a feature table, by name."""
