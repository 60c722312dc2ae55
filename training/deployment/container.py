"""The build context of a container image: code, requirements, champions and the manifest that serving reads.

The image has models and manifest and no data of listeners; features come from the Redis in ``REFRAIN_REDIS``. Code and
requirements are those of this process, from a working copy or from an installed package.
"""

import json
import shutil
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.errors import StoreError
from feature_repo.home import IS_WORKING_COPY, REPOSITORY, Home
from feature_repo.project import FILE, PROJECT, Project
from training.bundle import BACKGROUND, SAMPLE
from training.validation.evidence import EVIDENCE

PACKAGES = ("feature_repo", "transforms", "inference", "refrain")
"""The packages of a serving process; ``refrain`` has the names that the definitions of a project import."""
EXTRAS = ("inference", "sound", "encoder", "oidc")
"""The extras with which every route of a server answers."""
DOCKERFILE = """\
FROM python:{python}-slim
RUN useradd --system --uid 10001 --create-home refrain
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY feature_repo feature_repo
COPY transforms transforms
COPY inference inference
COPY refrain refrain
{project}COPY --chown=10001 home /srv/refrain
USER 10001
ENV REFRAIN_HOME=/srv/refrain REFRAIN_TENANT={tenant}
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')"]
CMD ["python", "-m", "inference", "serve", "--host", "0.0.0.0", "--port", "8000"]
"""
_COPY_PROJECT = f"""\
COPY project /srv/project
ENV {PROJECT}=/srv/project
"""
_IMAGE = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
"""What markers of requirements see in the image, wherever its folder is written."""


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
            next_command="refrain doctor  (it names the steps that are missing)",
        )
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, partial / package, ignore=ignored)
    (partial / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements()))
    if home.project_folder is not None:
        _copy_project(home.project_folder, partial / "project")
    image_home = Home(partial / "home", home.tenant)
    image_home.ensure()
    shutil.copy2(home.manifest, image_home.manifest)
    for name, aliases in champions.items():
        version = str(json.loads(aliases)["champion"])
        bundles = image_home.bundles(name)
        shutil.copytree(home.bundles(name) / version, bundles / version)
        _remove_listener_data(bundles / version)
        (bundles / ALIASES).write_text(aliases)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    project = "" if home.project_folder is None else _COPY_PROJECT
    (partial / "Dockerfile").write_text(DOCKERFILE.format(tenant=home.tenant, python=python, project=project))
    (partial / ".dockerignore").write_text("**/__pycache__\n")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def requirements(extras: Iterable[str] = EXTRAS) -> list[str]:
    """Returns what extras of Refrain need, sorted; in the version that is installed here, where one is.

    >>> [line for line in requirements(["oidc"]) if line.startswith("pyjwt")]  # doctest: +SKIP
    ['pyjwt[crypto]==2.10.1']
    """
    if IS_WORKING_COPY:
        declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        groups = [declared["dependencies"], *(declared["optional-dependencies"][extra] for extra in extras)]
        lines = [line for group in groups for line in group]
    else:
        lines = metadata.requires("refrain") or []
    parsed = [Requirement(line) for line in lines]
    needed = [one for one in parsed if _is_needed(one, ["", *extras])]
    return sorted({_pinned(one) for one in needed})


def _is_needed(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({**_IMAGE, "extra": extra}) for extra in extras)


def _pinned(requirement: Requirement) -> str:
    """Returns a requirement without its marker, with the version that is installed here if there is one that fits."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        version = ""
    specifier = f"=={version}" if version and requirement.specifier.contains(version) else str(requirement.specifier)
    return f"{requirement.name}{extras}{specifier}"


def _copy_project(source: Path, target: Path) -> None:
    """Copies the file of a project and the definitions that lie in its folder; models are not imported by serving."""
    target.mkdir(parents=True)
    shutil.copy2(source / FILE, target / FILE)
    for name in {package.partition(".")[0] for package in Project.load(source).definitions}:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        elif (source / f"{name}.py").is_file():
            shutil.copy2(source / f"{name}.py", target)


def _remove_listener_data(folder: Path) -> None:
    """Removes from a bundle the files about listeners that serving does not read: test rows and their evidence."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in (EVIDENCE, BACKGROUND, SAMPLE):
        if manifest["files"].pop(name, None) is not None:
            (folder / name).unlink()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
