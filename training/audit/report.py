"""An audit as one self-contained HTML page, and as a table of text."""

import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from feature_repo.version import version
from training.audit.replay import Audit, FeatureSkew
from transforms.pure import svg

MOST_PICTURES = 24

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; width: 100% } th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap }
th:first-child, td:first-child, td:last-child { text-align: left } td:last-child { white-space: normal }
tr:nth-child(even) { background: #f4f4f2 } .bad { color: #b00020; font-weight: 600 } .wide { overflow-x: auto }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem } svg { width: 100% }
"""


def lines(audit: Audit) -> Iterator[str]:
    """Yields lines for a terminal: the service, then every feature, the most different first."""
    reference = f"training set {audit.trained_on}" if audit.trained_on else "its own replay"
    yield (
        f"{audit.service}: {audit.rows:,} rows served {audit.first:%Y-%m-%d %H:%M} … {audit.last:%Y-%m-%d %H:%M} UTC; "
        f"distributions beside {reference}"
    )
    yield f"{'feature':44}{'different':>11}{'mean by':>11}{'PSI':>8}{'KS':>7}  why"
    for feature in _ordered(audit):
        yield (
            f"{feature.name:44}{feature.share:>11.3%}{_number(feature.mean_difference):>11}{_number(feature.psi):>8}"
            f"{_number(feature.ks):>7}  {_causes(feature)}"
        ).rstrip()


def write(audit: Audit, home: Home, failures: list[str], path: Path | None = None) -> Path:
    """Writes the page, and the figures as JSON beside it; returns the page's path."""
    path = path or home.audits(audit.service) / f"{audit.last:%Y%m%dT%H%M%S}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(audit, failures))
    figures = [
        {name: value for name, value in asdict(feature).items() if name not in ("trained", "served")}
        for feature in audit.features
    ]
    document = {
        "refrain": version(),
        "service": audit.service,
        "rows": audit.rows,
        "failures": failures,
        "features": figures,
    }
    path.with_suffix(".json").write_text(to_json(document, indent=1) + "\n")
    return path


def _page(audit: Audit, failures: list[str]) -> str:
    heading = f"Skew of {svg.escape(audit.service)}"
    failure_items = "".join(f"<li class=bad>{svg.escape(failure)}</li>" for failure in failures)
    verdict = failure_items or "<li>Nothing is above a limit.</li>"
    headings = ("feature", "rows that differ", "share", "mean by", "at most by", "PSI", "KS", "why")
    period = f"{audit.first:%Y-%m-%d %H:%M:%S} to {audit.last:%Y-%m-%d %H:%M:%S} UTC"
    reference = f"the training set {svg.escape(audit.trained_on)}" if audit.trained_on else "the replay itself"
    rows = "".join(map(_row, _ordered(audit)))
    histograms = "".join(
        f"<figure>{_histogram(skew)}</figure>" for skew in _ordered(audit)[:MOST_PICTURES] if skew.served is not None
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<meta name=generator content='Refrain {version()}'>"
        f"<title>{heading}</title><style>{_STYLE}</style><h1>{heading}</h1>"
        f"<p>{audit.rows:,} rows that were served from {period}, looked up again as a training set has them. "
        f"Distributions beside {reference}.</p><ul>{verdict}</ul>"
        f"<div class=wide><table><tr>{''.join(f'<th>{heading}' for heading in headings)}</tr>{rows}</table></div>"
        "<h2>What models were trained on, and what was served</h2>"
        f"<div class=pictures>{histograms}</div></html>\n"
    )


def _row(feature: FeatureSkew) -> str:
    style = " class=bad" if feature.different else ""
    cells = (
        f"{feature.different:,}",
        f"{feature.share:.3%}",
        *map(_number, (feature.mean_difference, feature.largest_difference, feature.psi, feature.ks)),
        svg.escape(_causes(feature)),
    )
    return f"<tr><td{style}>{svg.escape(feature.name)}{''.join(f'<td>{cell}' for cell in cells)}</tr>"


def _ordered(audit: Audit) -> list[FeatureSkew]:
    return sorted(audit.features, key=lambda feature: (-feature.share, -(feature.psi or 0), feature.name))


def _causes(feature: FeatureSkew) -> str:
    return ", ".join(
        f"{cause} ({count:,})" for cause, count in sorted(feature.causes.items(), key=lambda pair: -pair[1])
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _histogram(feature: FeatureSkew) -> str:
    """Draws shares of both samples over the same bins, as SVG."""
    from matplotlib.figure import Figure

    assert feature.trained is not None
    assert feature.served is not None
    samples = [values[~np.isnan(values)] for values in (feature.trained, feature.served)]
    figure = Figure(figsize=(3.2, 2.0), layout="tight")
    axes = figure.subplots()
    all_values = np.concatenate(samples)
    if len(all_values):
        low, high = np.quantile(all_values, [0.005, 0.995])
        bins = np.linspace(low, high if high > low else low + 1, 31)
        for values, colour, label in zip(samples, ("#9aa5b1", "#c2410c"), ("trained", "served"), strict=True):
            counts = np.histogram(np.clip(values, bins[0], bins[-1]), bins)[0] / max(len(values), 1)
            axes.stairs(counts, bins, color=colour, label=label, fill=colour == "#9aa5b1")
        axes.legend(fontsize=6, frameon=False)
    axes.set_title(feature.name, fontsize=7)
    axes.tick_params(labelsize=6)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]
