"""The build context of a container image: code, its locked packages, champions and the manifest that serving reads.

The image has models and manifest and no data of listeners; features come from the Redis in ``REFRAIN_REDIS``. It runs
as a user of its own and writes to ``WRITTEN`` and ``/tmp`` only, so that its root file system may be read-only. Code is
that of this process, from a working copy or from an installed package; packages are those of ``LOCK``, by their hashes.
"""

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from feature_repo.bill_of_materials import FILE as BOM
from feature_repo.bill_of_materials.document import document
from feature_repo.bill_of_materials.packages import locked
from feature_repo.bundle import ALIASES, BACKGROUND, MANIFEST
from feature_repo.encryption.bundle_files import SEAL, is_readable, read_file
from feature_repo.errors import StoreError
from feature_repo.home import REPOSITORY, Home
from feature_repo.project import FILE, PROJECT, Project
from feature_repo.signing.bundles import sign_again, verify_bundle
from feature_repo.signing.manifests import read_signed_manifest, signature_file
from feature_repo.version import version
from training.bundle import SAMPLE
from training.validation.evidence import EVIDENCE

PACKAGES = ("feature_repo", "transforms", "inference", "refrain")
"""The packages of a serving process; ``refrain`` has the names that the definitions of a project import."""
EXTRAS = ("inference", "sound", "encoder", "oidc", "protection")
"""The extras with which every route of a server answers; what they need is locked in ``LOCK``."""
LOCK = Path(__file__).with_name("serving.lock")
"""Every package of the image in one version, with the hashes of its files; ``make lock`` writes it."""
USER = 10001
"""Number of the user that the image runs as, and of its group."""
WRITTEN = ("anomaly", "audit_log", "exposures", "impressions", "lookups", "predictions", "rights")
"""Folders of the data folder that a server writes to; all else in the image stays as it is."""
HOME = "/srv/refrain"
"""The data folder in the image."""
PORT = 8000
DOCKERFILE = """\
ARG BASE=python:{python}-slim
FROM ${{BASE}}
LABEL org.opencontainers.image.title="Refrain" org.opencontainers.image.version="{version}"
WORKDIR /app
COPY requirements.lock bom.json ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
{packages}
RUN python -m compileall -q .
{project}COPY home {home}
RUN mkdir -p {security} {written} && chown {user}:{user} {written}
VOLUME {volumes}
USER {user}:{user}
ENV REFRAIN_HOME={home} REFRAIN_TENANT={tenant} PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE {port}
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/live')"]
CMD ["python", "-m", "inference", "serve", "--host", "0.0.0.0", "--port", "{port}"]
"""
_COPY_PROJECT = f"""\
COPY project /srv/project
ENV {PROJECT}=/srv/project
"""


@dataclass(frozen=True)
class Container:
    """A container image.

    Attributes:
        folder: folder to write; an existing one is replaced.
        registry: where the image will be pushed to, such as ``registry.example.org/music``; empty for nowhere.
    """

    folder: Path
    registry: str = ""

    def deploy(self, home: Home, champions: dict[str, str]) -> str:
        """Writes the folder atomically.

        Raises:
            StoreError: no model is promoted, or no definitions are applied.
        """
        build_context(home, champions, self.folder)
        return build_command(self.folder, self.registry)


def build_command(folder: Path, registry: str) -> str:
    """Returns the command that builds the image of a context, and pushes it if there is a registry."""
    name = image_name(folder, registry)
    return f"docker build -t {name} '{folder}'" + (f" && docker push {name}" if registry else "")


def image_name(folder: Path, registry: str = "") -> str:
    """Returns registry, name and tag of the image of a context.

    The tag is a digest of every file: other code, packages, definitions or champions are another image, and the same
    context has the same name on every machine.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return f"{registry.rstrip('/')}/refrain:{digest.hexdigest()[:12]}".lstrip("/")


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
    shutil.copy2(LOCK, partial / "requirements.lock")
    (partial / BOM).write_text(document(locked(LOCK), "refrain", version(), kind="container"))
    metadata = partial / f"refrain-{version()}.dist-info" / "METADATA"  # the version, as an installed package says it
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: refrain\nVersion: {version()}\n")
    if home.project_folder is not None:
        _copy_project(home.project_folder, partial / "project")
    image_home = Home(partial / "home", home.tenant)
    image_home.ensure()
    image_home.manifest.write_bytes(read_signed_manifest(home))
    if signature_file(home).is_file():
        shutil.copy2(signature_file(home), signature_file(image_home))
    for name, aliases in champions.items():
        champion = str(json.loads(aliases)["champion"])
        bundles = image_home.bundles(name)
        shutil.copytree(home.bundles(name) / champion, bundles / champion)
        verify_bundle(bundles / champion, home, name, champion)  # before it is changed and signed as it is then
        for file in _sealed_files(bundles / champion):
            (bundles / champion / file).write_bytes(read_file(bundles / champion, file, home))
        _remove_listener_data(bundles / champion)
        sign_again(bundles / champion, home, name, int(champion))
        (bundles / ALIASES).write_text(aliases)
    (partial / "Dockerfile").write_text(_dockerfile(home, metadata.parent.name))
    (partial / ".dockerignore").write_text("**/__pycache__\n")
    _make_readable(partial)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _sealed_files(folder: Path) -> list[str]:
    """Names of the sealed files of a copied bundle; the image has no keys, and what protects it is the registry."""
    (folder / SEAL).unlink(missing_ok=True)
    return [path.name for path in sorted(folder.iterdir()) if not is_readable(path.name)]


def _dockerfile(home: Home, metadata: str) -> str:
    written = [f"{HOME}/{name}" for name in WRITTEN]
    return DOCKERFILE.format(
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        version=version(),
        # one COPY of several folders would copy what is in them
        packages="\n".join(f"COPY {name} {name}" for name in (*PACKAGES, metadata)),
        project="" if home.project_folder is None else _COPY_PROJECT,
        home=HOME,
        security=f"{HOME}/security",
        written=" ".join(written),
        volumes=json.dumps(written),
        user=USER,
        tenant=home.tenant,
        port=PORT,
    )


def _make_readable(folder: Path) -> None:
    """Lets the user of the image read what the owner of a data folder kept for themselves."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


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
