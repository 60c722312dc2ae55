"""A bill of materials in the form of CycloneDX 1.6 (ECMA-424), as JSON.

It has no time and no random number: the same packages give the same bytes, so that an image or a bundle with one is
made the same again.
"""

import json
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from feature_repo.bill_of_materials.packages import Package
from feature_repo.version import version

_NAMESPACE = uuid.UUID("6a6e1fd8-52ab-5f5c-9a39-9a6e3c9e6d3b")
"""Of the serial numbers, which are digests of the content (RFC 9562, version 5)."""


def document(packages: Iterable[Package], name: str, its_version: str, *, kind: str = "application") -> str:
    """Returns the bill of materials of something.

    Args:
        packages: what it is made of, or was made with.
        name: its name, such as ``refrain`` or that of a model.
        its_version: its version.
        kind: ``application``, ``container`` or ``machine-learning-model``.

    >>> text = document([Package("numpy", "2.3.1", "BSD-3-Clause", True)], "refrain", "0.1.0")
    >>> json.loads(text)["components"][0]["purl"]
    'pkg:pypi/numpy@2.3.1'
    """
    components = [_component(package) for package in packages]
    subject = {"type": kind, "bom-ref": f"{name}@{its_version}", "name": name, "version": its_version}
    tool = {"type": "application", "name": "refrain", "version": version()}
    content: dict[str, Any] = {
        "metadata": {"tools": {"components": [tool]}, "component": subject},
        "components": components,
        "dependencies": [{"ref": subject["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]}],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(content, sort_keys=True))
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
    }
    return json.dumps(head | content, indent=1, ensure_ascii=False) + "\n"


def _component(package: Package) -> dict[str, Any]:
    purl = f"pkg:pypi/{package.name}@{quote(package.version, safe='')}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
    }
    if package.licence:
        is_expression = package.is_expression
        component["licenses"] = [
            {"expression": package.licence} if is_expression else {"license": {"name": package.licence}}
        ]
    if package.hashes:
        component["externalReferences"] = [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{package.name}/{quote(package.version, safe='')}/",
                "comment": "one of the files with these digests",
                "hashes": [{"alg": "SHA-256", "content": one} for one in package.hashes],
            }
        ]
    return component
