"""Models by family, one algorithm a file."""
