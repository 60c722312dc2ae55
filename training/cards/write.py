"""The documents of a registered version, each in its form."""

import json
from typing import Literal

from feature_repo.errors import BundleError
from feature_repo.home import Home
from training.card import CARD
from training.cards import annex_iv, markdown
from training.cards.facts import facts_of

Form = Literal["html", "md", "json", "annex-iv"]


def write(home: Home, model: str, version: int, form: Form) -> str:
    """Returns a document of a version as text.

    Args:
        home: the data folder.
        model: name of the model.
        version: a registered version, whose folder exists.
        form: ``html``, the page; ``md``, a card of the Hugging Face hub; ``json``, all facts; ``annex-iv``, the
            technical documentation.

    Raises:
        BundleError: the bundle is damaged, or is older than its page.
    """
    path = home.bundles(model) / str(version) / CARD
    try:
        if form == "html":
            return path.read_text()
        facts = facts_of(home, model, version)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            expected=f"the records of {model}:{version} in {path.parent}",
            found=f"{type(error).__name__}: {error}",
            next_command=f"refrain model run {model} --again",
        ) from error
    if form == "json":
        return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    return markdown.card(facts) if form == "md" else annex_iv.document(facts)
