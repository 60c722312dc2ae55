"""Files of a model bundle: sealed where encryption is on, and bound to model, version and name.

Sealed is all that is made of rows: weights, indexes, sums, test rows, samples. ``manifest.json``, the decision, the
lineage and the cards stay readable: they hold digests, figures and texts for people, and no rows. ``manifest.seal`` is
a seal of the digest of the manifest, which has the digests of all others, so that none of them can be changed either.

The place of a file is its model and version, not its path, so that the copy among MLflow's artifacts opens where the
registry fetches it from there. Serving opens files into memory; nothing plain is written.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from feature_repo.encryption import key_file
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.places import place_of
from feature_repo.encryption.sealed_file import MAGIC, Header, is_sealed, open_sealed, refusal, seal
from feature_repo.errors import EncryptionError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole

MANIFEST, SEAL = "manifest.json", "manifest.seal"
SCOPE = "bundles"
"""Scope of the data key of bundles."""
SIGNATURE = "signature.txt"
"""File with the signature of a bundle (``feature_repo.signing``)."""
_READABLE = (".md", ".html", ".svg", SEAL, SIGNATURE)
_READABLE_JSON = frozenset({MANIFEST, "decision.json", "lineage.json", "fairness.json"})


@dataclass(frozen=True)
class BundlePlace:
    """Which bundle a folder holds, and with which keys.

    Attributes:
        keys: the keys of its tenant; None where encryption was never on.
        name: tenant, model and version.
        is_on: whether new files are sealed.
        refuses_plain: whether plain files are refused, as all were sealed once.
    """

    keys: EncryptionKeys | None
    name: str
    is_on: bool
    refuses_plain: bool

    @classmethod
    def of(cls, folder: Path, home: Home | None = None) -> "BundlePlace":
        """The place of a bundle.

        Args:
            folder: its folder, with its manifest.
            home: the data folder, if the path does not say it.
        """
        if home is None:
            place = place_of(folder / MANIFEST)
            keys = None if place is None else place.keys
        else:
            keys = EncryptionKeys.for_reading(home)
        if keys is None:
            return _PLAIN
        about = json.loads((folder / MANIFEST).read_bytes())
        return cls._with(keys, about["name"], about["version"])

    @classmethod
    def at(cls, home: Home, name: str, version: str | int) -> "BundlePlace":
        """The place of a version of a model; nothing of it is read."""
        keys = EncryptionKeys.for_reading(home)
        return _PLAIN if keys is None else cls._with(keys, name, version)

    @classmethod
    def _with(cls, keys: EncryptionKeys, name: str, version: str | int) -> "BundlePlace":
        file = keys.file()
        is_on = file is None or file.is_on
        refuses_plain = is_on and file is not None and file.refuses_plain
        return cls(keys, f"{keys.home.tenant}:bundle/{name}/{version}", is_on, refuses_plain)

    def of_file(self, name: str) -> str:
        """The place of a file."""
        return f"{self.name}/{name}"


_PLAIN = BundlePlace(None, "", is_on=False, refuses_plain=False)


def read_file(folder: Path, name: str, home: Home | None = None, place: BundlePlace | None = None) -> bytes:
    """Reads a file of a bundle, opened if it is sealed.

    Args:
        folder: folder of the bundle.
        name: the file.
        home: the data folder, if the path does not say it, as that of an artifact of MLflow.
        place: the place of the bundle, if it is known; else its manifest says it.

    Raises:
        OSError: there is no such file.
        EncryptionError: it was changed, is of another bundle, or its key is not there.

    >>> read_file(Path("data/models/tenant=default/recommendation/3"), "hybrid.onnx")         # doctest: +SKIP
    """
    content = (folder / name).read_bytes()
    if not is_sealed(content):
        return content
    place = place or BundlePlace.of(folder, home)
    if place.keys is None:
        raise EncryptionError(
            expected=f"the key-encryption key of {folder}, as {name} is sealed",
            found="nothing that says where it is",
            next_command="export REFRAIN_ENCRYPTION_KEY=file:/the/key/of/this/folder",
        )
    return open_sealed(content, place.keys, place.of_file(name))


def check_manifest(folder: Path, names: list[str]) -> None:
    """Checks the manifest of a bundle where its files are sealed.

    Args:
        folder: its folder.
        names: the files that the manifest names.

    Raises:
        EncryptionError: the manifest was changed, or the bundle is plain where all were sealed once.
    """
    place = BundlePlace.of(folder)
    sealed = [name for name in names if not is_readable(name) and _is_sealed(folder / name)]
    has_seal = (folder / SEAL).is_file()
    if place.keys is None or not (sealed or has_seal):
        if place.refuses_plain and any(not is_readable(name) for name in names):
            raise refusal(place.name, "a plain bundle, where all were sealed once")
        return
    if not has_seal:
        raise refusal(place.name, f"{SEAL} is missing")
    digest = open_sealed((folder / SEAL).read_bytes(), place.keys, place.of_file(SEAL))
    if digest != hashlib.sha256((folder / MANIFEST).read_bytes()).digest():
        raise refusal(place.name, f"{MANIFEST} was changed")
    if folder.name.isdecimal() and not place.name.endswith(f"/{folder.name}"):
        raise refusal(place.name, f"it lies in the folder of version {folder.name}")


def seal_files(folder: Path, home: Home | None = None) -> int:
    """Seals the plain files of a bundle, and its manifest; those that are sealed stay. May be killed and repeated.

    Args:
        folder: its folder.
        home: the data folder, if the path does not say it.

    Returns:
        Number of files that were sealed.
    """
    place, count = BundlePlace.of(folder, home), 0
    if place.keys is None or not place.is_on:
        return 0
    for path in sorted(folder.iterdir()):
        if path.is_file() and not is_readable(path.name) and not path.name.startswith(".") and not _is_sealed(path):
            write_whole(path, seal(path.read_bytes(), place.keys.key(SCOPE), place.of_file(path.name)))
            count += 1
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).digest()
    write_whole(folder / SEAL, seal(digest, place.keys.key(SCOPE), place.of_file(SEAL)))
    return count


def write_file(folder: Path, name: str, content: bytes) -> None:
    """Writes a file of a bundle whose manifest is there; sealed where encryption is on."""
    place = None if is_readable(name) else BundlePlace.of(folder)
    if place is not None and place.keys is not None and place.is_on:
        content = seal(content, place.keys.key(SCOPE), place.of_file(name))
    (folder / name).write_bytes(content)


def open_files(folder: Path, home: Home | None = None) -> int:
    """Makes the files of a bundle plain; returns their number. May be killed and repeated."""
    names = [path.name for path in sorted(folder.iterdir()) if path.is_file() and _is_sealed(path)]
    for name in names:
        if name != SEAL:
            write_whole(folder / name, read_file(folder, name, home))
    (folder / SEAL).unlink(missing_ok=True)
    return len([name for name in names if name != SEAL])


def owner_of(folder: Path, home: Home) -> str:
    """The tenant of a copy among MLflow's artifacts, which the tenants of a data folder share.

    It is the tenant whose key sealed it; of a plain copy, the tenant whose folder has the version, as versions are
    counted over all tenants. A plain copy of a version that no folder has is taken for one of this tenant.

    Args:
        folder: folder of the copy, with its manifest.
        home: the data folder.
    """
    for path in sorted(folder.iterdir()):
        if _is_sealed(path):
            with path.open("rb") as handle:
                key = Header.read(handle, MAGIC, path.name).key_id
            for keys_path in sorted(home.encryption_keys.parent.glob("encryption-*.json")):
                keys = key_file.read(keys_path)
                if keys is not None and keys.by_id(key):
                    return keys.tenant
    about = json.loads((folder / MANIFEST).read_bytes())
    versions = (home.root / "models").glob(f"tenant=*/{about['name']}/{about['version']}")
    tenants = {version.parent.parent.name.removeprefix("tenant=") for version in versions}
    return home.tenant if home.tenant in tenants else min(tenants, default=home.tenant)


def is_readable(name: str) -> bool:
    """Whether a file of a bundle is never sealed.

    >>> is_readable("card.html"), is_readable("manifest.json"), is_readable("users.json"), is_readable("model.onnx")
    (True, True, False, False)
    """
    return name.endswith(_READABLE) or name in _READABLE_JSON


def _is_sealed(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            return is_sealed(handle.read(8))
    except FileNotFoundError:
        return False
