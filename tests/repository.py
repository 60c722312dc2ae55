"""What the repository holds: its packages and its pages."""

from feature_repo.home import REPOSITORY

PACKAGES = ("feature_repo", "transforms", "training", "inference", "refrain")
PAGES = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *sorted(str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs").rglob("*.md")),
]
"""Markdown pages, relative to the repository."""
