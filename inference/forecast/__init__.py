"""Looks up forecasts online; the promoted forecasters wrote them back as features."""
