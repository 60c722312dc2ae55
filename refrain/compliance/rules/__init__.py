"""The rules that every project has, one a file; they are found by their type."""
