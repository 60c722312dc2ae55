"""``refrain theft``: who asks systematically, and where a table of answers comes from."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from feature_repo.command_line import command_line, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json

app = command_line("Theft of models: who asks systematically, and where a table of answers comes from.")


@app.command()
def report(as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False) -> None:
    """Show all alarms about owners of keys, oldest first, and who is flagged at the moment.

    Example: refrain theft report
    """
    from inference.security.audit import acts
    from inference.security.theft.counts import QuestionCounts

    home = Home.from_env()
    flags = QuestionCounts.open(home).flags()
    alarms = sorted((act for act in acts(home) if act.get("act") == "model theft"), key=lambda act: str(act.get("at")))
    for alarm in alarms:
        is_flagged = (alarm.get("name"), alarm.get("model")) in flags
        if as_json:
            say(to_json({**alarm, "flagged": is_flagged}))
            continue
        state = "flagged" if is_flagged else "over"
        say(
            f"{str(alarm.get('at'))[:19]}  {alarm.get('name')!s:24.24}{alarm.get('model')!s:24.24}{state:10}"
            f"{alarm.get('reason')}"
        )
    if not alarms and not as_json:
        say("no alarm")


@app.command()
def release(owner: Annotated[str, typer.Argument(help="name of the owner, as 'theft report' shows it")]) -> None:
    """End the flags of an owner and begin their statistics anew; servers let them in at once.

    Example: refrain theft release "web player"
    """
    from inference.security.audit import AuditLog
    from inference.security.theft.counts import QuestionCounts

    home = Home.from_env()
    removed = QuestionCounts.open(home).release(owner)
    audit = AuditLog(home)
    audit.put("model theft released", name=owner)
    audit.flush()
    say(f"{owner}: {removed} flags and statistics removed")


@app.command()
def source(
    file: Annotated[Path, typer.Argument(help="CSV with a key and an answer in each line")],
    model: Annotated[str, typer.Option(help="the model that its answers are of")],
) -> None:
    """Find whose answers a table has, by the canaries in it.

    Example: refrain theft source leaked.csv --model churn_model
    """
    from inference.security.audit import acts
    from inference.security.keys import KeyRing
    from inference.security.theft.canaries import Canaries

    home = Home.from_env()
    answers = _read_answers(file)
    owners = [key.name for key in KeyRing(home).all()]
    owners += [str(act["name"]) for act in acts(home) if act.get("act") == "model theft"]  # also subjects of tokens
    sources = Canaries(home).find_source(model, answers, [*owners, "anonymous"])
    if not sources[0].canaries:
        say("the table has no canary: nothing can be said")
        return
    for one in sources[:10]:
        say(f"{one.owner:24.24}{one.matches:6} of {one.canaries} canaries, p {one.p_value:.2g}")


def _read_answers(file: Path) -> dict[str, float]:
    answers: dict[str, float] = {}
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            for number, line in enumerate(csv.reader(lines), 1):
                try:
                    answers[line[0]] = float(line[1])
                except (ValueError, IndexError) as error:
                    if number > 1 and line:  # the first line may have names
                        raise InputError(
                            expected="lines of a key and a number",
                            found=f"line {number}: {','.join(line)[:80]}",
                            next_command=f"correct {file}",
                        ) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            expected="a CSV file", found=f"{file}: {error}", next_command="refrain theft source --help"
        ) from error
    return answers
