"""Series of measurements in the formats of monitoring systems, one format per module.

A format is a ``MetricFormat``: how it is recognized, and a function that reads a member into ``Readings``: long points
(entity, metric, time, value), what is missing, and what could not be read. ``refrain anomalies`` scores them;
``refrain import metrics`` stores those whose meaning is that of a column of ``host_metrics``.
"""
