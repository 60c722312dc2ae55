"""What operators of a serving process watch."""
