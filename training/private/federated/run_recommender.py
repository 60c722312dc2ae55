"""Runs of the recommender, as the commands start them: coordinator, silo, or all on one machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from feature_repo import clock
from feature_repo.command_line import Progress
from feature_repo.errors import InputError, RefrainError
from feature_repo.forgotten import erasures_done
from feature_repo.home import Home
from feature_repo.signing.private_key import load_private_key
from feature_repo.signing.trust import Trust
from training.datasets import Interactions
from training.exact.kept import KeptSums
from training.models.recommendation.bundle import NAME, iso
from training.models.recommendation.segments import segments_of_users
from training.private.federated.agreement import FEWEST, Agreement
from training.private.federated.channel import SiloChannel
from training.private.federated.check_recommender import STATISTICS
from training.private.federated.coordinator import SILO_PATIENCE
from training.private.federated.local_trial import trial
from training.private.federated.own_data import own_data
from training.private.federated.recommender import Registered, read_sums, register_recommender
from training.private.federated.rounds import RESULT as FILE_OF_RESULT
from training.private.federated.rounds import Rounds, RoundTotal
from training.private.federated.silo import Limits, take_part
from training.private.federated.step import AGREEMENT, RESULT, STOPPED
from training.private.federated.together import coordinate
from training.private.secure_aggregation.coordinator import Coordinator
from training.private.secure_aggregation.http_board import connect
from training.private.secure_aggregation.roster import Roster
from training.private.secure_aggregation.server import serving

HELD_OUT_DAYS = 7
"""Newest days of the folder that a trial does not count, so that it can be measured on them."""
AFTER_S = 60.0
"""Seconds that the coordinator of a served run waits until all silos have fetched the result, or why there is none."""


@dataclass(frozen=True)
class Settings:
    """Settings of a coordinator.

    Attributes:
        name: name of the run.
        before: µs since 1970 UTC; only earlier plays count. None for the start of today; of a trial, for
            the last week.
        threshold: fewest silos of a sum; 0 for what the roster recommends.
        least_listeners: fewest listeners of a track.
        deadline_s: seconds of each phase of a round.
        items: public track ids; None for the hashed union of the silos' own.
        segments: names of the segments.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        certificate: certificate in PEM, for HTTPS.
        certificate_key: its private key.
        is_behind_proxy: whether a proxy ends TLS.
    """

    name: str = NAME
    before: int | None = None
    threshold: int = 0
    least_listeners: int = 5
    deadline_s: float = 300.0
    items: list[str] | None = None
    segments: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    certificate: Path | None = None
    certificate_key: Path | None = None
    is_behind_proxy: bool = False

    def terms(self, roster: Roster, cutoff: int, segments: tuple[str, ...] = ()) -> Agreement:
        """The terms of a run with these silos."""
        items = None if self.items is None else sorted({line.strip() for line in self.items if line.strip()})
        return Agreement(
            self.name,
            cutoff=cutoff,
            statistics=STATISTICS,
            silos=len(roster.silos),
            threshold=self.threshold or max(roster.recommended_threshold, FEWEST),
            deadline_s=float(self.deadline_s),
            least_listeners=self.least_listeners,
            segments=self.segments or segments,
            parameters={} if items is None else {"items": items},
        )


@dataclass(frozen=True)
class Summary:
    """What came of a run, for a terminal.

    Attributes:
        terms: its terms.
        items: number of tracks of the catalogue.
        participation: step → silos in its sum, and those that dropped out.
        problems: silo or step → what went wrong.
        registered: the version that was registered here; None for none.
        kept: file of the sums; None at a silo.
    """

    terms: Agreement
    items: int
    participation: Mapping[str, RoundTotal]
    problems: Mapping[str, str]
    registered: Registered | None
    kept: Path | None = None

    def record(self) -> dict[str, object]:
        """The summary as one JSON object."""
        measured = self.registered.measured if self.registered else None
        return {
            "run": self.terms.run,
            "name": self.terms.name,
            "agreement": self.terms.digest(),
            "cutoff": iso(self.terms.cutoff),
            "items": self.items,
            "steps": {
                step: {"silos": list(total.silos), "dropped": list(total.dropped)}
                for step, total in self.participation.items()
            },
            "problems": dict(self.problems),
            "version": self.registered.version if self.registered else None,
            "tracks": self.registered.tracks if self.registered else None,
            "metrics": measured.flat() if measured else {},
            "sums": str(self.kept) if self.kept else None,
        }

    def lines(self) -> list[str]:
        """The summary as lines."""
        lines = [f"{self.terms.name}: {self.items:,} tracks, plays before {iso(self.terms.cutoff)[:16]}"]
        for step, total in self.participation.items():
            without = f", without {', '.join(total.dropped)}" if total.dropped else ""
            lines.append(f"{step:14}{len(total.silos):>4} silos{without}")
        lines += [f"{silo}: {problem}" for silo, problem in self.problems.items()]
        if self.registered is None:
            return [*lines, f"sums: {self.kept}"] if self.kept else lines
        measured = self.registered.measured
        if measured is None:
            lines.append("not measured: too few listeners of this folder have plays after the cutoff")
        else:
            lines.append(f"{f'{measured.listeners} listeners after the cutoff':34}{'NDCG@10':>9}{'± 95 %':>9}")
            lines += [
                f"  {name:32}{figures.ndcg_at_10:9.4f}{figures.ndcg_interval:9.4f}"
                for name, figures in measured.metrics.items()
            ]
        version = self.registered.version
        return [*lines, f"registered: {NAME} {version} (challenger). Next: refrain model promote {NAME}"]


def coordinate_local(home: Home, settings: Settings, silos: int, progress: Progress) -> Summary:
    """Divides the people of a folder into silos, runs all of them as processes, and registers a version here.

    Raises:
        InputError: a round went wrong each time.
        StoreError: there are no plays, or features are not built or not applied.
    """
    erasures, plays = erasures_done(home), Interactions.load(home)
    if not len(plays.time):
        raise InputError(
            expected="plays of listeners who may be learned from",
            found="none: nobody consents, or everybody is restricted",
            next_command="refrain person consent ID  (shows what a person consents to)",
        )
    newest = int(plays.time[-1]) + 1
    cutoff = newest - HELD_OUT_DAYS * 86_400_000_000 if settings.before is None else settings.before
    by_user = segments_of_users(home, plays, cutoff)
    segments = tuple(sorted({name for names in by_user.values() for name in names}))
    rounds = Rounds(home, f"{settings.name}-local")
    with rounds.alone(), trial(silos) as parties, serving(parties.coordinator) as url:
        rounds.clear()
        terms = rounds.agree(settings.terms(parties.coordinator.roster, cutoff, segments))
        parties.start(url)
        run, result = coordinate(terms, parties.coordinator, rounds, progress)
        problems = parties.wait(settings.deadline_s)
    return _registered(home, terms, result, run.participation, problems, rounds, erasures)


def coordinate_served(
    home: Home, settings: Settings, file: Path, progress: Progress, announce: Callable[[str], None]
) -> Summary:
    """Serves a run to the silos of a roster.

    Raises:
        InputError: the roster, the key or the address cannot be used, or a round went wrong each time.
    """
    roster = Roster.load(file, Trust.load(home))
    coordinator = Coordinator(roster, load_private_key())
    midnight = int(clock.now().timestamp()) // 86_400 * 86_400 * 1_000_000
    rounds = Rounds(home, settings.name)
    server = serving(
        coordinator,
        settings.host,
        settings.port,
        certificate=settings.certificate,
        key=settings.certificate_key,
        is_behind_proxy=settings.is_behind_proxy,
    )
    with rounds.alone(), server as url:
        begun = None if rounds.is_done else rounds.terms()
        default = midnight if begun is None else begun.cutoff  # of a run that goes on after a day
        terms = rounds.agree(settings.terms(roster, default if settings.before is None else settings.before))
        announce(url)
        try:
            run, result = coordinate(terms, coordinator, rounds, progress)
        except RefrainError:
            coordinator.wait_until_fetched(STOPPED, roster.silos, AFTER_S)
            raise
        late = coordinator.wait_until_fetched(RESULT, roster.silos, AFTER_S)
    problems = dict.fromkeys(late, "has not fetched the result; the same command shows it again")
    items = len(KeptSums.from_bytes(result).items)
    return Summary(terms, items, run.participation, problems, None, rounds.folder / FILE_OF_RESULT)


def join_run(
    home: Home,
    url: str,
    silo: str,
    file: Path,
    limits: Limits,
    part: tuple[int, int],
    register: bool,
    authorities: Path | None,
    patience_s: float,
    progress: Progress,
) -> Summary:
    """Takes part in a run with the listeners of a folder, and registers a version of the result.

    Raises:
        InputError: the terms are beyond the limits, or a message is damaged.
        StoreError: there are no plays, or features are not built or not applied.
    """
    identity, roster = load_private_key(), Roster.load(file, Trust.load(home))

    def channel_of(timeout_s: float) -> SiloChannel:
        return connect(
            url,
            silo,
            identity,
            roster,
            home,
            authorities=authorities,
            timeout_s=timeout_s,
            least_threshold=limits.least_silos,
        )

    announced = Agreement.from_bytes(channel_of(patience_s).fetch(AGREEMENT, patience_s))
    limits.check(announced)
    channel = channel_of(SILO_PATIENCE * announced.deadline_s)
    outcome = take_part(own_data(home, announced.cutoff, part), channel, home, silo, limits, progress)
    kept = read_sums(outcome.result)
    registered = None
    if register:
        registered = register_recommender(home, outcome.result, outcome.agreement, outcome.silos, outcome.erasures)
    return Summary(outcome.agreement, len(kept.items), {}, outcome.missed, registered)


def _registered(
    home: Home,
    terms: Agreement,
    result: bytes,
    participation: Mapping[str, RoundTotal],
    problems: Mapping[str, str],
    rounds: Rounds,
    erasures: int,
) -> Summary:
    silos = max((len(total.silos) for step, total in participation.items() if step.endswith("sums")), default=0)
    registered = register_recommender(home, result, terms, silos, erasures)
    items = len(KeptSums.from_bytes(result).items)
    return Summary(terms, items, participation, problems, registered, rounds.folder / FILE_OF_RESULT)
