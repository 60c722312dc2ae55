"""Loading of the champion text models, for batch and serving."""

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
    """Loaded models and their versions.

    Attributes:
        models: the models.
        versions: registered name → version, such as ``sentiment_model:3``.
        digest: digest of the files of all models; the digest of an empty text without models.
        known: newest training cutoff of the models in microseconds since 1970; 0 without models.
    """

    models: TextModels
    versions: Mapping[str, str]
    digest: str
    known: int


def served_models(home: Home, names: Mapping[str, str] | None = None, *, only: Sequence[str] = NAMES) -> ServedModels:
    """Load the champion versions of the text models; models without a champion are skipped.

    Args:
        home: the data folder.
        names: registered name → version to load instead of the champion, such as
            ``{"sentiment_model": "sentiment_model:2"}``.
        only: registered names of the models to load.

    Raises:
        BundleError: a bundle is damaged, or a version in ``names`` does not exist.
    """
    bundles: dict[str, Bundle] = {}
    for name in only:
        requested = (names or {}).get(name, name)
        try:
            bundles[name] = open_bundle(requested, home)
        except BundleError:
            if requested != name or (home.bundles(name) / ALIASES).is_file():
                raise
    models = models_from({name: (bundle.manifest, bundle.read) for name, bundle in bundles.items()}, predictor)
    digest = hashlib.sha256(" ".join(bundle.digest for bundle in bundles.values()).encode()).hexdigest()
    cutoffs = [datetime.fromisoformat(bundle.manifest["cutoff"]).timestamp() for bundle in bundles.values()]
    versions = {name: bundle.name_version for name, bundle in bundles.items()}
    return ServedModels(models, versions, digest, round(max(cutoffs, default=0) * 1e6))
