"""DynamicOptimizedTheta of statsforecast, series by series."""

from _series import run
from statsforecast.models import DynamicOptimizedTheta

REQUIREMENTS = ["statsforecast", "polars"]

run(DynamicOptimizedTheta(season_length=24))
