"""The raw tables, one schema per module. A new module adds a new table."""
