"""Anomaly detection: scores observations, raises alarms with causes, groups them into incidents and sends notices."""
