"""The contests, one a file, found by their type."""
