"""Prometheus counters whose series exist from the start."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter


def labelled_counter(
    registry: CollectorRegistry, name: str, about: str, label: str, values: Iterable[object]
) -> Counter:
    """Make a counter of one label, with a series at 0 for each known value.

    ``rate`` and ``increase`` compare two samples of a series. If the series began with the first event, that event
    would be missed, and an alert on it would never fire.

    Args:
        registry: where the counter is registered.
        name: name of the metric, without ``_total``.
        about: its description.
        label: name of the label.
        values: values of the label that are known; others may follow.

    >>> registry = CollectorRegistry()
    >>> counter = labelled_counter(registry, "swaps", "Promotions", "outcome", ["taken", "refused"])
    >>> registry.get_sample_value("swaps_total", {"outcome": "refused"})
    0.0
    """
    counter = Counter(name, about, [label], registry=registry)
    for value in values:
        counter.labels(value)
    return counter
