"""The error of a bundle that fails a check."""

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError


def broken(bundle: Bundle, expected: str, found: str) -> BundleError:
    """Makes the error of a failed check; nothing is registered."""
    name = bundle.manifest.get("name", "?")
    return BundleError(
        expected=f"a bundle of {name} with {expected}", found=found, next_command=f"refrain model run {name}"
    )
