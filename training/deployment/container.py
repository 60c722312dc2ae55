"""A folder that a container image is built from: code, lock file, champions and the manifest that serving reads.

The image holds models and contract and nothing of anybody's data; features come from the Redis that
``REFRAIN_REDIS`` names.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.errors import StoreError
from feature_repo.home import REPOSITORY, Home
from training.bundle import BACKGROUND, SAMPLE
from training.validation.evidence import EVIDENCE

PACKAGES = ("feature_repo", "transforms", "inference")
DOCKERFILE = """\
FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home refrain
WORKDIR /app
COPY pyproject.toml README.md ./
COPY feature_repo feature_repo
COPY transforms transforms
COPY inference inference
RUN pip install --no-cache-dir '.[inference]'
COPY --chown=10001 home /srv/refrain
USER 10001
ENV REFRAIN_HOME=/srv/refrain REFRAIN_TENANT={tenant}
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')"]
CMD ["python", "-m", "inference", "serve", "--host", "0.0.0.0", "--port", "8000"]
"""


@dataclass(frozen=True)
class Container:
    """Attributes:
    folder: to write; what was there is replaced.
    """

    folder: Path

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Write the folder, whole or not at all.

        Raises:
            StoreError: nothing is promoted or applied.
        """
        build_context(home, champions, self.folder)
        return f"docker build -t refrain '{self.folder}'"


def build_context(home: Home, champions: dict[str, str], folder: Path) -> None:
    """Everything that an image needs."""
    if not champions or not home.manifest.is_file():
        raise StoreError(
            expected="promoted models and an applied contract",
            found=f"{len(champions)} promoted, {'a' if home.manifest.is_file() else 'no'} manifest",
            next_command="python -m feature_repo apply && python -m training run recommendation && "
            "python -m training promote recommendation",
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, partial / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy2(REPOSITORY / name, partial / name)
    inside = Home(partial / "home", home.tenant)
    inside.root.mkdir()
    shutil.copy2(home.manifest, inside.manifest)
    for name, aliases in champions.items():
        version = str(json.loads(aliases)["champion"])
        target = inside.bundles(name)
        shutil.copytree(home.bundles(name) / version, target / version)
        _without_people(target / version)
        (target / ALIASES).write_text(aliases)
    (partial / "Dockerfile").write_text(DOCKERFILE.format(tenant=home.tenant))
    (partial / ".dockerignore").write_text("**/__pycache__\n")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _without_people(folder: Path) -> None:
    """Take out of a bundle what serving does not read and is of listeners: rows of the test, and what came of each."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in (EVIDENCE, BACKGROUND, SAMPLE):
        if manifest["files"].pop(name, None) is not None:
            (folder / name).unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
