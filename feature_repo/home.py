"""Paths of the data folder, which holds all data; delete it to start afresh.

``REFRAIN_HOME`` names the folder; by default it is that of the project (``feature_repo.project``), else ``data`` beside
this package in a working copy of Refrain, else the user's data folder. ``REFRAIN_TENANT`` names the tenant whose tables
are read and written (default: ``default``).
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from feature_repo import layout
from feature_repo.errors import HomeError
from feature_repo.project import NAME, PROJECT, Project, find_folder

REPOSITORY = Path(__file__).resolve().parent.parent
"""Folder of the packages: a working copy of Refrain, or the site-packages of an installed one."""


def is_working_copy(folder: Path) -> bool:
    """Whether a folder has Refrain's own ``pyproject.toml``; other packages leave theirs in site-packages."""
    try:
        return '\nname = "refrain"\n' in (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


IS_WORKING_COPY = is_working_copy(REPOSITORY)
"""Whether the packages lie in a working copy of Refrain; otherwise they are installed."""


def _default_root() -> Path:
    if IS_WORKING_COPY:
        return REPOSITORY / "data"
    import platformdirs

    return Path(platformdirs.user_data_dir("refrain"))


DEFAULT_ROOT = _default_root()
"""The data folder without a project and without ``REFRAIN_HOME``."""

PATHS = (PROJECT, "REFRAIN_HOME", "REFRAIN_REDIS_PASSWORD_FILE", "REFRAIN_OIDC_KEYS")
"""Environment variables that hold a path."""

_FILES_OF_REDIS = re.compile(r"((?:unix_socket_path|ssl_ca_certs|ssl_certfile|ssl_keyfile)=)(?!/)([^,\s]+)")


def settle_paths() -> None:
    """Makes the paths in environment variables absolute.

    Relative paths refer to the working directory at the start of this process, also in its child processes.
    """
    for name in PATHS:
        text = os.environ.get(name)
        if text and "://" not in text and not os.path.isabs(text):  # noqa: PTH117
            os.environ[name] = str(Path(text).expanduser().absolute())
    redis = os.environ.get("REFRAIN_REDIS")
    if redis:
        os.environ["REFRAIN_REDIS"] = _FILES_OF_REDIS.sub(lambda match: f"{match[1]}{Path(match[2]).absolute()}", redis)


@dataclass(frozen=True)
class Home:
    """Paths inside the data folder. No other code in Refrain builds data paths.

    Attributes:
        root: the data folder.
        tenant: the tenant whose tables are read and written.
        project_folder: folder of the project whose definitions apply; None for the bundled ones.

    >>> Home(Path("/srv/refrain")).raw("plays").as_posix()
    '/srv/refrain/raw/plays/tenant=default'

    >>> home = Home(Path("/srv/refrain"))
    >>> [path.relative_to(home.root).parts[0] for path in (home.features("v"), home.tiles("v"), home.quarantine("v"))]
    ['features', 'tiles', 'quarantine']
    >>> [path.relative_to(home.root).parts[0] for path in (home.bundles("m"), home.lookups("s"), home.audits("s"))]
    ['models', 'lookups', 'audits']
    >>> Home.from_env().ensure()                                                    # doctest: +SKIP
    """

    root: Path
    tenant: str = "default"
    project_folder: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())
        if self.project_folder is not None:
            object.__setattr__(self, "project_folder", self.project_folder.absolute())

    @classmethod
    def from_env(cls, *, check_layout: bool = True) -> "Home":
        """Reads ``REFRAIN_HOME``, ``REFRAIN_TENANT`` and ``REFRAIN_PROJECT``; see ``settle_paths``.

        Args:
            check_layout: whether to check the layout of the folder; only for what works with every layout.

        Raises:
            HomeError: the tenant's name is not valid in a path and in the name of a Feast project, or the folder has
                another layout.
            InputError: the project is not valid.
        """
        tenant = os.environ.get("REFRAIN_TENANT", "default")
        if not re.fullmatch(NAME, tenant):
            raise HomeError(
                expected="REFRAIN_TENANT of lower-case letters, digits and _, starting with a letter",
                found=repr(tenant),
                next_command="export REFRAIN_TENANT=default",
            )
        settle_paths()
        folder = find_folder()
        root = os.environ.get("REFRAIN_HOME") or Project.load(folder).data_folder or DEFAULT_ROOT
        home = cls(Path(root), tenant, folder)
        if check_layout:
            home.check_layout()
        return home

    def check_layout(self) -> None:
        """Checks that this Refrain reads the folder's layout; brings an older one up to date where that is quick.

        Raises:
            HomeError: the folder is of a newer Refrain, or has to be upgraded first.

        >>> Home(Path("/srv/refrain")).check_layout()             # doctest: +SKIP
        """
        layout.check(self)

    def raw(self, table: str) -> Path:
        """Returns the folder of a raw table; event tables have ``date=…`` folders."""
        return self.root / "raw" / table / f"tenant={self.tenant}"

    def features(self, view: str) -> Path:
        """Returns the folder of a view's feature table, with ``date=…`` folders."""
        return self.root / "features" / view / f"tenant={self.tenant}"

    def tiles(self, view: str) -> Path:
        """Returns the folder of the tiles of a windowed view."""
        return self.root / "tiles" / view / f"tenant={self.tenant}"

    def quarantine(self, table: str) -> Path:
        """Returns the folder of the quarantine of a raw table: invalid rows with their reasons."""
        return self.root / "quarantine" / table / f"tenant={self.tenant}"

    def cursors(self, table: str) -> Path:
        """Returns the folder with how far queries of databases were imported into a raw table.

        >>> Home(Path("/srv/refrain")).cursors("orders").as_posix()
        '/srv/refrain/cursors/orders/tenant=default'
        """
        return self.root / "cursors" / table / f"tenant={self.tenant}"

    def bundles(self, model: str) -> Path:
        """Returns the folder of a model's bundles, with one folder per version."""
        return self.root / "models" / f"tenant={self.tenant}" / model

    @property
    def project(self) -> str:
        """Name of the Feast project; it is part of every online key."""
        return f"{Project.load(self.project_folder).name}_{self.tenant}"

    @property
    def profile(self) -> str:
        """Name of the profile of engines: ``REFRAIN_PROFILE`` if set, else the project's; empty for the default."""
        named = os.environ.get("REFRAIN_PROFILE")
        return Project.load(self.project_folder).profile if named is None else named

    @property
    def registry(self) -> Path:
        """SQLite file of the Feast registry."""
        return self.root / "registry.db"

    @property
    def manifest(self) -> Path:
        """File of the manifest, which serving reads instead of the registry."""
        return self.root / f"manifest-{self.tenant}.json"

    @property
    def lineage(self) -> Path:
        """File of the lineage that follows from the definitions."""
        return self.root / f"lineage-{self.tenant}.json"

    @property
    def version_file(self) -> Path:
        """File with the layout of the folder, and the version of the Refrain that wrote last."""
        return self.root / layout.FILE

    @property
    def redis(self) -> Path:
        """Folder of the embedded Redis: socket, log, append-only file."""
        return self.root / "redis"

    @property
    def mlflow(self) -> Path:
        """Folder of MLflow's database and artifacts."""
        return self.root / "mlflow"

    def lookups(self, service: str) -> Path:
        """Returns the folder of the logged online lookups of a feature service, with ``date=…`` folders."""
        return self.root / "lookups" / f"tenant={self.tenant}" / service

    @property
    def impressions(self) -> Path:
        """Folder of shown recommendations, with ``date=…`` folders."""
        return self.root / "impressions" / f"tenant={self.tenant}"

    @property
    def keys(self) -> Path:
        """File with the digests of API keys."""
        return self.root / "security" / f"keys-{self.tenant}.json"

    @property
    def forgotten(self) -> Path:
        """File with the digests of people who asked to be forgotten."""
        return self.root / "security" / f"forgotten-{self.tenant}.json"

    @property
    def watermark_secret(self) -> Path:
        """File with the secret of the owner's marks in answers."""
        return self.root / "security" / f"watermark-{self.tenant}.key"

    @property
    def restricted(self) -> Path:
        """File with the ids of people whose data are stored, but not used."""
        return self.root / "security" / f"restricted-{self.tenant}.json"

    @property
    def encryption_keys(self) -> Path:
        """File with the data keys of encryption, each wrapped; see ``feature_repo.encryption``."""
        return self.root / "security" / f"encryption-{self.tenant}.json"

    @property
    def pseudonyms(self) -> Path:
        """File with the secret key of pseudonyms, which mask values of features."""
        return self.root / "security" / f"pseudonyms-{self.tenant}.key"

    @property
    def break_glass(self) -> Path:
        """Folder of break-glass grants, one file each."""
        return self.root / "security" / f"break_glass-{self.tenant}"

    @property
    def joined_rounds(self) -> Path:
        """Folder of the rounds of secure aggregation that silos of this folder joined, one folder a silo."""
        return self.root / "security" / f"joined_rounds-{self.tenant}"

    @property
    def erasures(self) -> Path:
        """Folder of the certificates of erasures, and of one that is not finished."""
        return self.root / "erasures" / f"tenant={self.tenant}"

    @property
    def retention(self) -> Path:
        """Folder with the moments up to which rows were removed because of their age, and of a run not finished."""
        return self.root / "retention" / f"tenant={self.tenant}"

    @property
    def privacy(self) -> Path:
        """Folder of the ledger of privacy budgets, and of the noisy answers that were paid for."""
        return self.root / "privacy" / f"tenant={self.tenant}"

    @property
    def privacy_mark(self) -> Path:
        """File that says how far the ledger of privacy budgets was, so that an older copy of it is noticed."""
        return self.root / "security" / f"privacy-{self.tenant}.json"

    @property
    def sessions(self) -> Path:
        """Folder of the console's sessions, one file each."""
        return self.root / "sessions" / f"tenant={self.tenant}"

    @property
    def encryption_contexts(self) -> Path:
        """Folder of the public keys by which vectors are scored that stay encrypted, one file each, for an hour."""
        return self.root / "encryption_contexts" / f"tenant={self.tenant}"

    @property
    def audit_log(self) -> Path:
        """Folder of the audit log, with ``date=…`` folders."""
        return self.root / "audit_log" / f"tenant={self.tenant}"

    @property
    def predictions(self) -> Path:
        """Folder of logged predictions, with ``route=…/date=…`` folders."""
        return self.root / "predictions" / f"tenant={self.tenant}"

    @property
    def exposures(self) -> Path:
        """Folder of exposures to the variants of experiments, with ``date=…`` folders."""
        return self.root / "exposures" / f"tenant={self.tenant}"

    @property
    def experiments(self) -> Path:
        """File of the declarations of experiments."""
        return self.root / f"experiments-{self.tenant}.json"

    @property
    def reports(self) -> Path:
        """Folder of the reports of monitoring and experiments."""
        return self.root / "reports" / f"tenant={self.tenant}"

    def audits(self, service: str) -> Path:
        """Returns the folder of the reports on the skew of a feature service."""
        return self.root / "audits" / f"tenant={self.tenant}" / service

    @property
    def pipeline(self) -> Path:
        """Folder of the records of the model lifecycle: stages, decisions, deployments, searches."""
        return self.root / "pipeline" / f"tenant={self.tenant}"

    @property
    def training_sets(self) -> Path:
        """Folder of saved training sets."""
        return self.root / "training_sets" / f"tenant={self.tenant}"

    def ensure(self) -> "Home":
        """Creates the folder, for its owner alone, and checks that it is writable and has the current layout.

        The modes of a folder that exists are left as they are; ``refrain doctor`` says if others can read it.

        Raises:
            HomeError: the folder cannot be created or written, or has another layout.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise HomeError(
                expected="a data folder that can be written",
                found=f"{self.root}: {error.strerror or error}",
                next_command="export REFRAIN_HOME=/a/folder/of/yours  (then run the same command again)",
            ) from error
        self.check_layout()
        layout.stamp(self)
        return self
