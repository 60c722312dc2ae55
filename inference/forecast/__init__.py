"""Forecasts that the promoted forecasters wrote back as features, looked up online."""
