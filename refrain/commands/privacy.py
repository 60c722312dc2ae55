"""``refrain privacy``: what was published with differential privacy, and the budgets that pay for it."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.audit_lines import write_act
from feature_repo.command_line import progress, say
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.output.json_text import to_json
from refrain.commands.command import CommandGroup

if TYPE_CHECKING:
    from training.private.differential.budget import Budget, Cost
    from training.private.differential.ledger import Entry

Purpose = Annotated[str, typer.Argument(metavar="PURPOSE", help="a purpose, such as analytics; all for the sum of all")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line")]


def publish(
    views: Annotated[
        list[str] | None, typer.Argument(metavar="[VIEW]...", help="private counts [default: all]")
    ] = None,
    since: Annotated[str, typer.Option(help="first day, such as 2026-11-01 [default: after the newest]")] = "",
    as_json: AsJson = False,
) -> None:
    """Publish private counts of the days that are over: paid from the budget, drawn once, kept, written as features.

    A day that was published costs nothing and stays as it is, also after a build from nothing and after an erasure.

    Example: refrain privacy publish private_country_plays
    """
    from training.private.differential.publish import publish as run

    home, count = Home.from_env(), 0
    with progress("publish") as report:
        for release in run(home, views or [], since=_day(since), progress=report):
            count += 1
            if as_json:
                say(to_json({"view": release.view, "day": str(release.day), **release.statement.to_dict()}))
            else:
                say(f"{release.view}  {release.day}  {len(release.rows):,} keys  {release.statement.text()}")
    if not as_json:
        say(f"{count} published; next: refrain materialize" if count else "nothing was due")


def show(
    views: Annotated[
        list[str] | None, typer.Argument(metavar="[VIEW]...", help="private counts [default: all]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was published, with the guarantee that each number carries; without names also what else was paid for.

    Example: refrain privacy show private_country_plays
    """
    from training.private.differential.publish import counts_of, declarations, releases_of

    home = Home.from_env()
    names = list(declarations(home, views)) if views else list(counts_of(home))
    for name in names:
        releases = releases_of(home, name)
        if as_json:
            for one in releases:
                say(to_json({"view": name, "day": str(one.day), "keys": len(one.rows), **one.statement.to_dict()}))
            continue
        say(f"{name}: {len(releases)} days published")
        for release in releases:
            given, keys = release.statement, f"{len(release.rows):>7,} keys"
            say(f"  {release.day}  {keys}  ε {given.epsilon:.3g}  δ {given.delta:.3g}  ρ {given.rho:.3g}")
        for text in dict.fromkeys(release.statement.text() for release in releases):
            say(f"  {text}")
    if not views:
        count = _show_others(home, set(names), as_json)
        if not (names or count or as_json):
            say("nothing was published; next: refrain privacy publish --help")


def _show_others(home: Home, names: set[str], as_json: bool) -> int:
    """Shows releases that are of no private counts of the project, such as models; returns their number."""
    from training.private.differential import zcdp
    from training.private.differential.ledger import Ledger

    spends = [entry for entry in Ledger.open(home).entries() if entry["kind"] == "spend"]
    others = [entry for entry in spends if entry["request"].rpartition(" ")[0] not in names]
    for entry in others:
        facts = {name: entry[name] for name in ("what", "purpose", "rho", "failure", "request", "at")}
        facts |= {"epsilon": zcdp.epsilon(entry["rho"], 1e-6), "delta": 1e-6 + entry["failure"], "unit": "person"}
        if as_json:
            say(to_json(facts))
        else:
            say(f"{entry['what']}: ε {facts['epsilon']:.3g}  δ {facts['delta']:.3g}  ρ {entry['rho']:.3g} a person")
    return len(others)


def set_(
    purpose: Purpose,
    epsilon: Annotated[float, typer.Option(help="ε that all releases of a period guarantee together")],
    delta: Annotated[float, typer.Option(help="δ, below one by the number of people")],
    period: Annotated[str, typer.Option(help="month, or lifetime")] = "month",
    people: Annotated[int, typer.Option(min=0, help="number of people that δ must be below one by")] = 0,
) -> None:
    """Set the privacy budget of a purpose, from now on. What was spent stays spent; who sets it is written down.

    Example: refrain privacy budget set analytics --epsilon 1 --delta 1e-6 --people 50000
    """
    from training.private.differential.budget import Budget
    from training.private.differential.ledger import Ledger

    home = Home.from_env().ensure()
    budget = Budget(purpose, period, epsilon, delta, people)
    write_act(home, "privacy budget set", purpose=purpose, budget=f"ε {epsilon:g}, δ {delta:g} for a {period}")
    Ledger.open(home).set(budget)
    say(f"{purpose}: ε {epsilon:g}, δ {delta:g} for a {period}, ρ = {float(budget.most.rho):.4g}")


def show_budgets(as_json: AsJson = False) -> None:
    """Show the budgets, what of each is spent, and what a person has lost by all that was ever published.

    Example: refrain privacy budget show
    """
    from training.private.differential import zcdp
    from training.private.differential.budget import Cost, cost_of
    from training.private.differential.ledger import Ledger, budgets_of

    ledger = Ledger.open(Home.from_env())
    entries = ledger.entries()
    month, spends = ledger.month(entries), [entry for entry in entries if entry["kind"] == "spend"]
    budgets = budgets_of(entries)
    for budget in budgets:
        facts = _facts(budget, budget.spent(spends, month), month)
        if as_json:
            say(to_json(facts))
            continue
        say(
            f"{budget.purpose:18}{facts['period']:10}ε {facts['epsilon_spent']:.3g} of {budget.epsilon:g} spent, "
            f"δ {budget.delta:g}; ρ {facts['rho_left']:.4g} of {facts['rho']:.4g} left"
        )
    total = sum((cost_of(entry) for entry in spends), Cost())
    delta = min((budget.delta / 2 for budget in budgets), default=1e-6)
    epsilon, whole = zcdp.epsilon(float(total.rho), delta), delta + float(total.failure)
    if as_json:
        say(to_json({"purpose": None, "releases": len(spends), "epsilon": epsilon, "delta": whole}))
        return
    if not budgets:
        say("no budget is set, so that nothing is published; next: refrain privacy budget set --help")
    say(f"{len(spends):,} releases in all: ε {epsilon:.3g}, δ {whole:.3g} a person, over all purposes and months")


def log(as_json: AsJson = False) -> None:
    """Show every line of the ledger, oldest first, after it was checked: who set and spent what, and when.

    Example: refrain privacy budget log --json
    """
    from training.private.differential.ledger import Ledger

    entries = Ledger.open(Home.from_env()).entries()
    for entry in entries:
        say(to_json(entry) if as_json else f"{entry['number']:>5}  {entry['at'][:19]}  {_words(entry)}")
    if not as_json:
        say(f"{len(entries)} lines, each continues the one before it")


def _facts(budget: "Budget", spent: "Cost", month: str) -> dict[str, object]:
    """What is known of a budget, and of what is left of it."""
    return {
        "purpose": budget.purpose,
        "period": month if budget.period == "month" else budget.period,
        "epsilon": budget.epsilon,
        "delta": budget.delta,
        "people": budget.people,
        "epsilon_spent": budget.epsilon_of(spent),
        "rho": float(budget.most.rho),
        "rho_left": max(float(budget.most.rho - spent.rho), 0.0),
        "failure_left": max(float(budget.most.failure - spent.failure), 0.0),
    }


def _words(entry: "Entry") -> str:
    """A line of the ledger in words."""
    match entry["kind"]:
        case "budget":
            budget = f"ε {entry['epsilon']:g}, δ {entry['delta']:g} for a {entry['period']}"
            return f"{entry['by']} set {entry['purpose']}: {budget}"
        case "spend":
            return f"{entry['by']} spent ρ {entry['rho']:.4g} of {entry['purpose']}: {entry['what']}"
        case _:
            return f"kept the answer of {entry['request']}"


def _day(text: str) -> date | None:
    """A day of an option; None for an empty text."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError(
            expected="a day such as 2026-11-01", found=repr(text), next_command="refrain privacy publish --help"
        ) from error


set_.__name__, show_budgets.__name__ = "set", "show"
COMMANDS = CommandGroup(
    "privacy",
    "What is published with differential privacy, and the budgets that pay for it.",
    (publish, show),
    "Data",
    (CommandGroup("budget", "Budgets of privacy, and the ledger of what was spent.", (set_, show_budgets, log), ""),),
)
