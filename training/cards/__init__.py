"""A model's documents for machines and authorities, all made of one collection of facts.

``facts.py`` gathers what is recorded of a version: its manifest, evidence, decision, lineage, reviews, promotions.
``markdown.py`` writes them as a card of the Hugging Face hub (YAML metadata with a model index, and a text), and
``annex_iv.py`` under the headings of the technical documentation of Regulation (EU) 2024/1689. What nobody recorded is
left out of the one, and marked in the other as to be written; nothing is made up. ``training.card`` draws the page.
"""

CARD_MARKDOWN = "model_card.md"
"""File of a bundle: its card as the Hugging Face hub reads it, where it is called ``README.md``."""
ANNEX_IV = "annex_iv.md"
"""File of a bundle: its technical documentation."""
