"""One round: read the vault, plan, deliver.

    Request(vault, output, options) -> Round(settings, plan, deck, ...) -> Outcome(..., delivery)

The clock is read once, here, and so are the machine's time zone and `SOURCE_DATE_EPOCH`. What is
done with a round is a deed: `export` writes the deck, `preview` and `compare` write nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from obs2anki import diagnostics, harvest, ledger, plan, settings, settled, vault
from obs2anki.cache import Cache
from obs2anki.clock import reading, zone_of
from obs2anki.data import Delivery, Diagnostic, Plan, Severity, VaultPath
from obs2anki.destinations.contents import Filled
from obs2anki.harvest import Step
from obs2anki.ledger import Ledger
from obs2anki.request import Request, deck_of, place_of_ledger
from obs2anki.settings import Settings
from obs2anki.yields import Yield

__all__ = [
    "Deed",
    "Outcome",
    "Request",
    "Round",
    "Step",
    "Verdict",
    "announce",
    "compare",
    "export",
    "prepare",
    "preview",
    "read",
    "rehearse",
    "remember",
    "run",
    "settings_of",
    "strictly",
]


@dataclass(slots=True)
class Memory:
    """What one round leaves to the next in the same process; nothing of it is needed."""

    seen: vault.Seen | None = None
    """What a look at the vault has shown a moment ago."""
    documents: harvest.Memory = field(default_factory=harvest.Memory)
    ledger: ledger.Memory = field(default_factory=ledger.Memory)
    decisions: plan.Memory = field(default_factory=plan.Memory)
    settled: settled.Memory = field(default_factory=settled.Memory)
    """What of these is kept in the cache."""
    filled: Filled = field(default_factory=Filled)
    """What the deck was filled with."""


@dataclass(frozen=True, slots=True)
class Round:
    """A vault that was read and planned; nothing is delivered yet."""

    root: Path
    settings: Settings
    plan: Plan
    deck: Path
    """Where the deck goes, relative to the working folder or absolute."""
    zone: tzinfo
    """In which instants become days."""
    today: date
    """The day that Anki is in, which begins at the rollover hour."""
    known: Ledger | None = None
    """The ledger as it was before this run."""
    ledger: Path | None = None
    """Where the ledger is kept; None = this run does without."""
    stateless: bool = False
    """Whether the user wants it so."""
    cache: Cache | None = None
    """What is kept for the next run."""
    memory: Memory = field(default_factory=Memory, compare=False)
    """What is kept for the next round, and for the next run."""

    @property
    def remembers(self) -> bool:
        """Whether there was a ledger before this run."""
        return self.known is not None


class Verdict(StrEnum):
    """How a round ended."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """The deck held the plan already, and was not touched."""
    PREVIEWED = "previewed"
    UP_TO_DATE = "up-to-date"
    OUT_OF_DATE = "out-of-date"
    EMPTY = "empty"
    """The vault yields nothing; a deck that is there stays as it is."""
    REFUSED = "refused"
    """There are findings, and the user wants none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A round and how it ended; `delivery` is None where none was thought of."""

    round: Round
    verdict: Verdict
    delivery: Delivery | None = None
    remembered: bool = False
    """Whether the ledger was written."""

    @property
    def wrote(self) -> bool:
        """Whether a file is not what it was before."""
        return self.verdict is Verdict.WRITTEN or self.remembered


Deed = Callable[[Round], Outcome]


def prepare(
    request: Request,
    step: Step = lambda documents: documents,
    memory: Memory | None = None,
) -> Round:
    """Read and plan the vault of `request`; `step` may watch the documents go by.

    `memory` is that of the last round of this process. Raises Obs2ankiError where the vault, its
    settings or its ledger cannot be read.
    """
    memory = Memory() if memory is None else memory
    # A vault that takes no ledger may hold one all the same.
    return _prepared(
        request,
        lambda file: None if request.stateless else ledger.read(file, memory.ledger),
        step,
        memory,
    )


def rehearse(request: Request, known: Ledger) -> Round:
    """The round that `prepare` would make if `known` were the vault's ledger."""
    return _prepared(request, lambda _: known, lambda documents: documents, Memory())


def _prepared(
    request: Request, remembered: Callable[[Path], Ledger | None], step: Step, memory: Memory
) -> Round:
    now = reading(os.environ)
    in_force, contents, found = read(request, seen=memory.seen)
    zone = zone_of(in_force)
    place = place_of_ledger(request.vault, in_force)
    known = remembered(place)
    file = place if not request.stateless and ledger.is_writable(place) else None
    name, in_force = _as_before(contents.name, in_force, known)
    clock = plan.Clock.at(now, zone)
    entries = known.entries if known is not None else ()

    def planned_from(
        reader: harvest.Reader, yielded: tuple[Yield, ...], decisions: plan.Memory | None
    ) -> Plan:
        harvested = plan.Harvest(name, yielded, contents.unread, contents.closed)
        return plan.of(harvested, in_force, reader.library, clock, entries, found, decisions)

    reader = harvest.Reader(contents, in_force, name)
    store = Cache.of(request.cache, request.vault) if request.cache is not None else None
    yielded = harvest.gathered(reader, step, store, memory.documents)
    if store is not None and known is not None and known.content and not memory.settled.mark:
        mark = settled.mark(in_force, name, known.content)
        memory.decisions.kept = memory.settled.recall(store, memory.documents, mark)
    planned = planned_from(reader, yielded, memory.decisions)
    if in_force.media.download and planned.online:  # only a plan knows what its cards show
        planned = planned_from(*_with_fetched(reader, yielded, planned.online), None)
    rollover = timedelta(hours=in_force.scheduling.rollover)
    return Round(
        root=contents.root,
        settings=in_force,
        plan=planned,
        deck=deck_of(request, in_force, contents.name),
        zone=zone,
        today=(now.astimezone(zone) - rollover).date(),
        ledger=file,
        known=known,
        stateless=request.stateless,
        cache=store,
        memory=memory,
    )


def _as_before(name: str, in_force: Settings, known: Ledger | None) -> tuple[str, Settings]:
    """The vault's name, and the settings with the namespace, of the first export.

    Every copy of the vault goes by these.
    """
    if known is None:
        return name, in_force
    if known.namespace and not in_force.decided("namespace"):
        in_force = replace(in_force, namespace=known.namespace)
    return known.vault or name, in_force


def _with_fetched(
    reader: harvest.Reader, yielded: tuple[Yield, ...], online: Sequence[str]
) -> tuple[harvest.Reader, tuple[Yield, ...]]:
    """Who reads the vault with media from the web, and what it yields so."""
    from obs2anki import downloads

    fetched = downloads.fetch(online, reader.in_force.media.max_size)
    reader = harvest.Reader(reader.contents, reader.in_force, reader.name, fetched)
    again = reader.yielded([one.path for one in yielded if one.online])
    by_path = {one.path: one for one in again}
    return reader, tuple(by_path.get(one.path, one) for one in yielded)


_Done = TypeVar("_Done")


def run(
    request: Request,
    deed: Callable[[Round], _Done],
    step: Step = lambda documents: documents,
    patience: float | None = None,
    memory: Memory | None = None,
) -> _Done:
    """Prepare a round and do `deed` with it, while no other run is at the same ledger.

    `patience` is how many seconds to wait for the other one; None = as usual. `memory` is that
    of the last round of this process. Raises what `prepare` and the deed raise, and
    Obs2ankiError where the wait is over.
    """
    if request.stateless:
        return deed(prepare(request, step, memory))
    in_force, _ = vault.find_settings(request.vault, request.options)
    with ledger.locked(place_of_ledger(request.vault, in_force), patience):
        return deed(prepare(request, step, memory))


def settings_of(request: Request) -> tuple[Settings, list[Diagnostic]]:
    """The settings in force for a vault, those that its reviews prove included.

    Raises Obs2ankiError where the vault or its settings cannot be read.
    """
    in_force, _, found = read(request)
    return in_force, found


def read(
    request: Request,
    wanted: Callable[[VaultPath], bool] = lambda _: False,
    seen: vault.Seen | None = None,
) -> tuple[Settings, vault.Contents, list[Diagnostic]]:
    """The settings in force, the vault with the texts that are `wanted`, and what is found so far.

    What was `seen` a moment ago need not be looked for again. Raises Obs2ankiError where the vault
    or its settings cannot be read.
    """
    in_force, found = vault.find_settings(request.vault, request.options)
    contents = vault.read(request.vault, in_force, wanted, seen)
    in_force, proved = settings.proved_separators(in_force, vault.reviewed(contents, in_force))
    second = [] if request.stateless else _second_ledgers(request.vault, in_force)
    return in_force, contents, [*found, *second, *contents.diagnostics, *proved]


def _second_ledgers(root: Path, in_force: Settings) -> list[Diagnostic]:
    place = place_of_ledger(root, in_force)
    return [
        diagnostics.at(
            "O110", VaultPath(place.with_name(name).relative_to(root).as_posix()), 1, place.name
        )
        for name in ledger.conflict_copies(place)
    ]


# ---------------------------------------------------------------- deeds


def export(round_: Round) -> Outcome:
    """Write the deck, unless there is nothing to write or the deck holds it already.

    Raises Obs2ankiError where it cannot be written; then a deck that was there is as it was.
    """
    from obs2anki.destinations.package import Package  # it takes a while to load

    if not round_.plan.notes:
        return Outcome(round_, Verdict.EMPTY)
    announced = announce(round_)
    try:
        package = Package(round_.deck, round_.cache, round_.memory.filled)
        delivery = package.deliver(round_.plan)
    except Exception:
        if announced and round_.ledger is not None:
            ledger.withdraw(round_.ledger, round_.known)
        raise
    # Only now: a ledger must never know of what was not delivered.
    remembered = remember(round_, announced)
    verdict = Verdict.WRITTEN if delivery.written else Verdict.UNCHANGED
    return Outcome(round_, verdict, delivery, remembered)


def announce(round_: Round) -> bytes | None:
    """Leave word of what `remember` will save, for the case that it is never reached.

    Else a flashcard that was delivered, and is reworded before the next run, would be a new one.
    Answers a digest of what the ledger will hold; None = nothing changes in it, or there is none.
    """
    now = _as_ledger(round_)
    if round_.ledger is None or now == round_.known:
        return None
    return ledger.announce(round_.ledger, now, round_.root)


def remember(round_: Round, announced: bytes | None = None) -> bool:
    """Save the ledger of a round that was delivered; says whether it had to be written.

    `announced` is what `announce` has answered.
    """
    if round_.ledger is None:
        return False
    now, known = _as_ledger(round_), round_.known
    same = known is not None and now == known and known.tidy
    if known is not None and same:
        content = known.content
    else:
        kept = round_.memory.ledger
        content = ledger.save(round_.ledger, now, round_.root, kept, announced)
    _keep_settled(round_, content)
    return not same


def _keep_settled(round_: Round, content: bytes) -> None:
    """Keep what was decided for the next run, which begins with a ledger of this `content`."""
    memory, plan_ = round_.memory, round_.plan
    # What is shown of the web is decided anew each time.
    if round_.cache is not None and content and not round_.settings.media.download:
        mark = settled.mark(round_.settings, plan_.vault_name, content)
        decided = {path: part.kept for path, part in memory.decisions.parts.items()}
        memory.settled.keep(round_.cache, memory.documents, decided, mark)


def _as_ledger(round_: Round) -> Ledger:
    return Ledger(round_.plan.namespace, round_.plan.vault_name, round_.plan.ledger)


def preview(round_: Round) -> Outcome:
    """Say what `export` would do, and write nothing. Raises what `export` raises."""
    from obs2anki.destinations.package import Package  # it takes a while to load

    if not round_.plan.notes:
        return Outcome(round_, Verdict.EMPTY)
    return Outcome(
        round_, Verdict.PREVIEWED, Package(round_.deck, round_.cache).compare(round_.plan)
    )


def compare(round_: Round) -> Outcome:
    """Say whether the deck is up to date, and write nothing. Raises what `export` raises."""
    from obs2anki.destinations.package import Package  # it takes a while to load

    if not round_.plan.notes:
        return Outcome(round_, Verdict.EMPTY)
    # Without a ledger nobody knows when a note changed, so that time does not count.
    package = Package(round_.deck, round_.cache)
    delivery = package.compare(round_.plan, ignore_mod=not round_.remembers)
    verdict = Verdict.OUT_OF_DATE if delivery.written else Verdict.UP_TO_DATE
    return Outcome(round_, verdict, delivery)


def strictly(deed: Deed) -> Deed:
    """The deed for those who want no finding: with a warning or an error nothing is done."""

    def strict(round_: Round) -> Outcome:
        found = any(d.severity is not Severity.INFO for d in round_.plan.diagnostics)
        return Outcome(round_, Verdict.REFUSED) if found else deed(round_)

    return strict
