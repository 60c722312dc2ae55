"""The raw tables, one schema a module. A new module is a new table."""
