"""SeasonalNaive of statsforecast, series by series."""

from _series import run
from statsforecast.models import SeasonalNaive

REQUIREMENTS = ["statsforecast", "polars"]

run(SeasonalNaive(season_length=168))
