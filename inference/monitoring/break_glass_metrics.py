"""Break-glass as metrics, read from the data folder when they are scraped: of all servers and commands."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from feature_repo.access.break_glass import BreakGlass
from feature_repo.errors import RefrainError
from feature_repo.home import Home


class BreakGlassCollector:
    """Counts the break-glasses of a data folder.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._grants = BreakGlass(home)

    def collect(self) -> Iterator[Metric]:
        """Yield the number of all, of those that last, and of those to review; nothing if a file is damaged."""
        try:
            grants = self._grants.all()
        except RefrainError:
            return
        active = [self._grants.is_active(grant) for grant in grants]
        to_review = sum(not lasts and not grant.reviewer for lasts, grant in zip(active, grants, strict=True))
        yield CounterMetricFamily("refrain_break_glass", "Break-glasses ever started", value=len(grants))
        yield GaugeMetricFamily("refrain_break_glass_active", "Break-glasses that last", value=sum(active))
        yield GaugeMetricFamily("refrain_break_glass_to_review", "Break-glasses over, not reviewed", value=to_review)
