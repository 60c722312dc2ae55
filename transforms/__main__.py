"""The commands of data: import, simulate or stream raw events, build feature tables."""

from feature_repo.command_line import command_line, progress, say
from feature_repo.home import Home
from transforms.commands import imports, simulations, streams

app = command_line(
    "Raw events to feature tables. Order of work: import or simulate, then build, then feast materialize."
)
imports.install(app)
simulations.install(app)


@app.command()
def build() -> None:
    """Bring all feature tables up to date with the raw tables and the stream; recomputes only the days that changed.

    Example: refrain build
    """
    from transforms.batch.build import build as run

    streams.store_accepted()
    with progress("build") as report_progress:
        reports = run(Home.from_env(), progress=report_progress)
    for name, report in reports.items():
        span = f"{min(report.rebuilt)} … {max(report.rebuilt)}" if len(report.rebuilt) > 1 else ""
        say(
            f"{name:22}{report.rows:>10,} rows  {len(report.rebuilt):>4} of {report.days} files rebuilt  "
            f"{report.seconds:6.1f} s  {span}".rstrip()
        )


streams.install(app)


if __name__ == "__main__":
    app()
