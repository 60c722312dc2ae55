"""Feast views, by hand where a table is what somebody told us, by declaration where it is windowed
(``feature_repo/windowed/``); what is computed per request lies in ``feature_repo/on_demand/``.
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
"""Every view that has a table, by name."""
