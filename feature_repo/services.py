"""Feast's feature services, made of their declarations."""

from collections.abc import Mapping
from typing import Any

from feast import FeatureService

from feature_repo.errors import InputError
from feature_repo.service import ServiceDeclaration


def feature_service(declared: ServiceDeclaration, views: Mapping[str, Any], module: str) -> FeatureService:
    """Builds a feature service.

    Args:
        declared: its declaration.
        views: all feature views and on-demand views, by name.
        module: name of the module with the declaration, for messages.

    Raises:
        InputError: there is no such view, or it has no such feature.
    """
    projections = []
    for view, names in declared.projections():
        if view not in views:
            raise _unknown(declared.name, module, f"a view, one of {sorted(views)}", repr(view))
        features = [field.name for field in views[view].features]  # none: Feast infers them from the files
        for name in names:
            if features and name not in features:
                raise _unknown(declared.name, module, f"a feature of {view}, one of {features}", repr(name))
        projections.append(views[view][names] if names else views[view])
    tags = {"predicts": declared.predicts, "purpose": declared.purpose}
    given = {name: tag for name, tag in tags.items() if tag}
    return FeatureService(name=declared.name, description=declared.description, tags=given, features=projections)


def _unknown(service: str, module: str, expected: str, found: str) -> InputError:
    return InputError(
        expected=f"{expected}, in the service {service}",
        found=f"{found} in {module}",
        next_command=f"correct the service in {module}, then repeat the command",
    )
