"""MSTL of statsforecast, series by series."""

from _series import run
from statsforecast.models import MSTL

REQUIREMENTS = ["statsforecast", "polars"]

run(MSTL(season_length=[24, 168]))
