"""The documents of a registered version, each in its form."""

from typing import Literal

from feature_repo.errors import BundleError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from training.card import CARD, GATES
from training.cards import annex_iv, markdown
from training.cards.facts import Facts, facts_of
from training.cards.provider import words_of
from training.private.leaks.leak import from_json as leaks_from_json
from training.private.leaks.report import HEADS, LIMIT, table_rows
from training.robustness.curve import from_json
from training.robustness.page import section
from transforms.pure import svg

Form = Literal["html", "md", "json", "annex-iv"]


def write(home: Home, model: str, version: int, form: Form) -> str:
    """Returns a document of a version as text.

    Args:
        home: the data folder.
        model: name of the model.
        version: a registered version, whose folder exists.
        form: ``html``, the page with its owner and reviews; ``md``, a card of the Hugging Face hub; ``json``, all
            facts; ``annex-iv``, the technical documentation.

    Raises:
        BundleError: the bundle is damaged, or was registered before there was a page.
        InputError: what the provider wrote is invalid.
    """
    path = home.bundles(model) / str(version) / CARD
    try:
        facts = facts_of(home, model, version)
        page = path.read_text() if form == "html" else ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            expected=f"the records of {model}:{version} in {path.parent}",
            found=f"{type(error).__name__}: {error}",
            next_command=f"refrain model run {model} --again",
        ) from error
    if form == "html":
        return page.replace(GATES, _robustness(facts) + _leaks(facts) + _people(facts) + GATES, 1)
    if form == "json":
        return to_json(facts, indent=1) + "\n"
    return markdown.card(facts) if form == "md" else annex_iv.document(facts, words_of(home, model))


def _robustness(facts: Facts) -> str:
    """Charts of the attacks that were measured, as a part of the page; empty without any."""
    curves = from_json(facts["robustness"])
    return f"<h2>Robustness</h2>{section(curves)}" if curves else ""


def _leaks(facts: Facts) -> str:
    """Figures of attacks on people as a part of the page; empty without any."""
    figures = leaks_from_json(facts["leaks"])
    if figures:
        return f"<h2>Leaks</h2><p>{svg.escape(LIMIT)}</p>{svg.table(HEADS, table_rows(figures))}"
    return f"<h2>Leaks</h2><p>{svg.escape(markdown.not_measured(facts))}</p>" if facts.get("privacy") else ""


def _people(facts: Facts) -> str:
    """Owner and reviews as a part of the page; empty without any."""
    rows = [("owner", facts["owner"], "")] if facts["owner"] else []
    rows += [(f"reviewed {one['at'][:10]}", one["by"], one["note"]) for one in facts["reviews"]]
    return "<h2>Who stands for it</h2>" + svg.table(["what", "who", "note"], rows) if rows else ""
