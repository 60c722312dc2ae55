"""Programs that measure us and the alternatives in one run, each ending with one line of JSON."""
