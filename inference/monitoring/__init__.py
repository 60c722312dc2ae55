"""Monitoring of serving processes: logs, drift and freshness."""
