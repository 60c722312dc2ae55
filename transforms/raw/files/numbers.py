"""Numbers of a column of texts: decimal commas, separators of thousands, per cent and units."""

import re
from dataclasses import dataclass

import polars as pl

UNITS: dict[str, tuple[str, float]] = {
    **{
        f"{prefix}{unit}": ("bytes", 1_000.0**power)
        for power, prefix in enumerate(("", "k", "M", "G", "T", "P"))
        for unit in ("B",)
    },
    **{f"{prefix}iB": ("bytes", 1_024.0**power) for power, prefix in enumerate(("K", "M", "G", "T", "P"), 1)},
    "KB": ("bytes", 1_000.0),
    "bytes": ("bytes", 1.0),
    "ns": ("seconds", 1e-9),
    "µs": ("seconds", 1e-6),
    "us": ("seconds", 1e-6),
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "sec": ("seconds", 1.0),
    "min": ("seconds", 60.0),
    "mins": ("seconds", 60.0),
    "h": ("seconds", 3_600.0),
    "hour": ("seconds", 3_600.0),
    "hours": ("seconds", 3_600.0),
    "day": ("seconds", 86_400.0),
    "days": ("seconds", 86_400.0),
    "%": ("ratio", 0.01),
    "K": ("", 1e3),
    "Mil": ("", 1e6),
    "Bil": ("", 1e9),
}
"""Unit → what it measures, and how much one is: in bytes, seconds or as a ratio. ``K``, ``Mil``: as Grafana writes."""

_NUMBER = r"^([+-]?[0-9.,'’ \u00a0\u202f]*[0-9][.,]?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-zµμ%]*)(?:/s)?$"
_SPACES = r"['’ \u00a0\u202f]"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: (rows,) floats in the measure's base unit; null for a missing or refused number.
        measure: ``bytes``, ``seconds``, ``ratio`` (1 for 100 %) or empty.
        decimal: the character between a number and its fraction.
        refused: number of the row → reason.
    """

    values: pl.Series
    measure: str
    decimal: str
    refused: dict[int, str]


def read_numbers(values: pl.Series, decimal: str = ".") -> Numbers:
    """The numbers of a column, which is read as a whole: one mark is the decimal one in all of it.

    Args:
        values: (rows,) numbers, or texts with or without units.
        decimal: which mark is the decimal one if the column does not show it: ``Table.decimal``.

    >>> read_numbers(pl.Series(["1.234,5", "2,25"])).values.to_list()
    [1234.5, 2.25]
    >>> numbers = read_numbers(pl.Series(["12 %", "7.5%"]))
    >>> numbers.values.to_list(), numbers.measure
    ([0.12, 0.075], 'ratio')
    """
    if values.dtype.is_numeric():
        floats = values.cast(pl.Float64)
        return Numbers(floats.set(~floats.is_finite(), None), "", ".", {})
    texts = values.cast(pl.String, strict=False).str.strip_chars()
    texts = texts.set(texts.is_in(["", "-", "NaN", "nan", "null", "NULL", "None", "NA", "N/A"]), None)
    parts = texts.str.extract_groups(_NUMBER).struct.unnest().get_columns()
    digits, units = parts[0].str.replace_all(_SPACES, ""), parts[1].replace({"μs": "µs"})
    mark = _decimal(digits.drop_nulls(), decimal)
    thousands = "," if mark == "." else "."
    grouped = rf"^[+-]?[0-9]{{1,3}}(\{thousands}[0-9]{{3}})*(\{mark}[0-9]*)?(?:[eE][+-]?[0-9]+)?$"
    plain = rf"^[+-]?[0-9]*(\{mark}[0-9]*)?(?:[eE][+-]?[0-9]+)?$"
    is_number = digits.str.contains(grouped) | digits.str.contains(plain)
    floats = (
        digits.str.replace_all(thousands, "", literal=True)
        .str.replace(mark, ".", literal=True)
        .cast(pl.Float64, strict=False)
    )
    measures = units.replace_strict(
        {unit: kind for unit, (kind, _) in UNITS.items()}, default=None, return_dtype=pl.String
    )
    measures = measures.set((units == "").fill_null(False), "")
    factors = units.replace_strict(
        {unit: one for unit, (_, one) in UNITS.items()}, default=1.0, return_dtype=pl.Float64
    )
    counts = measures.filter(measures.is_not_null() & is_number.fill_null(False)).value_counts(sort=True)
    measure = str(counts[0, 0]) if counts.height else ""
    fits = (is_number & (measures == measure)).fill_null(False) & floats.is_finite().fill_null(False)
    result = (floats * factors).set(~fits, None).alias(values.name)
    wrong = texts.is_not_null() & result.is_null()
    reasons = {
        int(row): "no number"
        if measures[row] is None or not is_number[row]
        else f"a number without {measure or 'unit'}"
        for row in wrong.arg_true()
    }
    return Numbers(result, measure, mark, reasons)


def _decimal(digits: pl.Series, default: str) -> str:
    """The decimal mark that the column shows: the later one of two in a number, or one that does not part thousands."""
    evidence = {".": 0, ",": 0}
    for mark, other in ((".", ","), (",", ".")):
        escaped = re.escape(mark)
        both = digits.str.contains(rf"\{other}[0-9]*{escaped}[0-9]*(?:[eE]|$)") & ~digits.str.contains(
            rf"{escaped}.*{escaped}"
        )
        alone = ~digits.str.contains(other, literal=True) & (
            digits.str.contains(rf"^[+-]?[0-9]*{escaped}(?:[0-9]{{0,2}}|[0-9]{{4,}})(?:[eE].*)?$")
            | digits.str.contains(rf"^[+-]?(?:0|[0-9]{{4,}})?{escaped}[0-9]{{3}}(?:[eE].*)?$")
        )
        twice = digits.str.contains(rf"{escaped}.*{escaped}")
        evidence[mark] += int((both | alone).sum())
        evidence[other] += int(twice.sum())
    if evidence["."] == evidence[","]:
        return default
    return max(evidence, key=lambda mark: evidence[mark])
