"""The promoted models of texts, for batch and serving alike."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_repo.bundle import ALIASES, Bundle, open_bundle
from feature_repo.errors import BundleError
from feature_repo.home import Home
from transforms.pure.text.analysis import EMBEDDER, EMOTION, SENTIMENT, TextModels, models_from
from transforms.pure.text.encoder import predictor

NAMES = (SENTIMENT, EMOTION, EMBEDDER)


@dataclass(frozen=True)
class ServedModels:
    """Models, and which they are.

    Attributes:
        models: ready to be used.
        versions: name → such as ``sentiment_model:3``.
        digest: of all their files; that of nothing where none is promoted.
        known: microseconds since 1970; the newest that any of them was fitted to, 0 without models.
    """

    models: TextModels
    versions: Mapping[str, str]
    digest: str
    known: int


def served_models(home: Home, names: Mapping[str, str] | None = None, *, only: Sequence[str] = NAMES) -> ServedModels:
    """Load what is promoted; what is not is left out.

    Args:
        home: the data folder.
        names: registered name → which version, such as ``{"sentiment_model": "sentiment_model:2"}``; the champion
            of those left out.
        only: registered names to look for.

    Raises:
        BundleError: a bundle is damaged, or one that is named is not there.
    """
    found: dict[str, Bundle] = {}
    for name in only:
        asked = (names or {}).get(name, name)
        try:
            found[name] = open_bundle(asked, home)
        except BundleError:
            if asked != name or (home.bundles(name) / ALIASES).is_file():
                raise
    models = models_from({name: (bundle.manifest, bundle.read) for name, bundle in found.items()}, predictor)
    digest = hashlib.sha256(" ".join(bundle.digest for bundle in found.values()).encode()).hexdigest()
    known = [datetime.fromisoformat(bundle.manifest["cutoff"]).timestamp() for bundle in found.values()]
    versions = {name: bundle.name_version for name, bundle in found.items()}
    return ServedModels(models, versions, digest, round(max(known, default=0) * 1e6))
