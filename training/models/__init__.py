"""Models by family, one algorithm per file."""
