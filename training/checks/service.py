"""Checks that the feature service of a bundle is applied, as it was when the model was trained."""

from feature_repo.bundle import Bundle
from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.manifest import load_service


def service_is_applied(bundle: Bundle, home: Home) -> None:
    """Checks that the fingerprint is the same, and that every input named like a feature is one of the service."""
    name, service = str(bundle.manifest["name"]), str(bundle.manifest["feature_service"])
    if not service:
        return
    applied = load_service(home, service)
    if applied.fingerprint != bundle.manifest["fingerprint"]:
        raise BundleError(
            expected=f"{service} as it was when {name} was trained, {bundle.manifest['fingerprint']}",
            found=f"another one is applied, {applied.fingerprint}",
            next_command=f"refrain apply && refrain model run {name}",
        )
    unknown = [
        input_name
        for input_name, _ in bundle.manifest["inputs"]
        if "__" in input_name and input_name not in dict(applied.features)
    ]
    if unknown:
        raise BundleError(
            expected=f"inputs of {name} that are features of {service}",
            found=repr(unknown[0]),
            next_command=f"add it to {service}, then: refrain apply",
        )
