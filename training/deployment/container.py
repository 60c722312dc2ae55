"""The build context of a container image: code, lock file, champions and the manifest that serving reads.

The image has models and manifest and no data of listeners; features come from the Redis in ``REFRAIN_REDIS``.
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
    """A container image.

    Attributes:
        folder: folder to write; an existing one is replaced.
    """

    folder: Path

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Writes the folder atomically.

        Raises:
            StoreError: no model is promoted, or no definitions are applied.
        """
        build_context(home, champions, self.folder)
        return f"docker build -t refrain '{self.folder}'"


def build_context(home: Home, champions: dict[str, str], folder: Path) -> None:
    """Writes everything that the image needs."""
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
    image_home = Home(partial / "home", home.tenant)
    image_home.ensure()
    shutil.copy2(home.manifest, image_home.manifest)
    for name, aliases in champions.items():
        version = str(json.loads(aliases)["champion"])
        bundles = image_home.bundles(name)
        shutil.copytree(home.bundles(name) / version, bundles / version)
        _remove_listener_data(bundles / version)
        (bundles / ALIASES).write_text(aliases)
    (partial / "Dockerfile").write_text(DOCKERFILE.format(tenant=home.tenant))
    (partial / ".dockerignore").write_text("**/__pycache__\n")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _remove_listener_data(folder: Path) -> None:
    """Removes from a bundle the files about listeners that serving does not read: test rows and their evidence."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in (EVIDENCE, BACKGROUND, SAMPLE):
        if manifest["files"].pop(name, None) is not None:
            (folder / name).unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
