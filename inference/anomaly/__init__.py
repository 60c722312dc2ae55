"""What is unusual: observations to scores, alarms with their causes, and incidents; who is told, and once."""
