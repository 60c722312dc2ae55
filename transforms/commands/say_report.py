"""What an import did, in lines."""

from typing import TYPE_CHECKING

from feature_repo import clock
from feature_repo.command_line import say
from feature_repo.home import Home

if TYPE_CHECKING:
    from transforms.raw.report import Report

PASSED_OVER_LINES = 20
"""How many of the files that an importer did not read are named."""


def say_report(report: "Report") -> None:
    """Prints the counts of each raw table, why rows were refused or left out, and which files were passed over."""
    for name, counts in report.tables.items():
        say(
            f"{name:12}{counts.read:>10,} read  {counts.added:>10,} added  {counts.duplicates:>8,} duplicates  "
            f"{counts.known:>10,} stored before  {counts.quarantined:>6,} quarantined"
            + (f"  {counts.corrected:,} corrected" if counts.corrected else "")
        )
        if counts.conflicts:
            say(
                f"{'':12}{counts.conflicts:>10,} duplicates have other values than the row that they repeat; "
                "does the key of the events lack a column?"
            )
        for why, count in sorted(counts.reasons.items()):
            say(f"{'':12}{count:>10,} quarantined: {why}")
        for kind, count in sorted(counts.left_out.items()):
            say(f"{'':12}{count:>10,} left out: {kind}")
        for why, count in sorted(counts.marked.items()):
            say(f"{'':12}{count:>10,} stored and marked: {why}; whose: refrain plausibility {name}")
    if report.passed_over:
        say(f"{len(report.passed_over):,} files passed over:")
    for item in report.passed_over[:PASSED_OVER_LINES]:
        say(f"{'':12}{item.name}: {item.why}")
    if len(report.passed_over) > PASSED_OVER_LINES:
        say(f"{'':12}and {len(report.passed_over) - PASSED_OVER_LINES:,} more")
    rows = sum(counts.read for counts in report.tables.values())
    say(f"{rows:,} rows in {report.seconds:.1f} s → {Home.from_env().root / 'raw'}")
    if hint := clock.hint(Home.from_env()):
        say(hint)
