"""From documents to all that a destination needs.

    plan.make(vault, settings, library, clock) -> Plan(planned, media, skipped, left behind, ...)

Each document yields its flashcards, selected, extracted, placed in decks and rendered (`yields`).
Then the vault is seen as a whole: assign GUIDs, schedule, check, remember. None of it reads a
file or a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import TypeVar

from msgspec import structs

from obs2anki import check, cloze, diagnostics, identity, schedule, yields
from obs2anki.ankitext import clean
from obs2anki.data import (
    NEW,
    Card,
    Diagnostic,
    Entry,
    Flashcard,
    Guid,
    LeftBehind,
    Media,
    Note,
    Notetype,
    Plan,
    Planned,
    Renamed,
    Scheduling,
    Skipped,
    Source,
    Value,
    VaultPath,
)
from obs2anki.media import Library
from obs2anki.notetypes import FIELDS
from obs2anki.settings import Settings
from obs2anki.yields import Made, Yield

FIRST_SEEN = 1577836800
"""2020-01-01, seconds since the epoch: `created` of every note, and `mod` of one that is new.

Constant, so that two exports of one vault are the same bytes and no import overwrites anything.
"""


@dataclass(frozen=True, slots=True)
class Vault:
    """What was read of a vault."""

    name: str
    sources: tuple[Source, ...]
    """The documents to read, in vault order."""
    ignored: tuple[Source, ...] = ()
    """Documents that the settings leave out; only their reviews are counted."""
    unreadable: tuple[Skipped, ...] = ()
    """Documents that could not be read at all, and why."""
    closed: tuple[VaultPath, ...] = ()
    """Folders that could not be read."""

    def hidden(self, entries: Sequence[Entry], more: Iterable[VaultPath]) -> frozenset[Guid]:
        """GUIDs of what may still stand in a document or a folder that could not be read.

        `more` are documents that proved unreadable later.
        """
        unreadable = {*more, *(skipped.path for skipped in self.unreadable)}
        folders = tuple(f"{folder}/" for folder in self.closed)
        if not unreadable and not folders:
            return frozenset()
        return frozenset(
            entry.guid
            for entry in entries
            if entry.gone is None and (entry.path in unreadable or entry.path.startswith(folders))
        )


@dataclass(frozen=True, slots=True)
class Clock:
    """The one reading of the clock of a run: the day and the time zone of the user, and now."""

    today: date
    zone: tzinfo
    now: int = FIRST_SEEN
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What the documents of a vault have yielded."""

    vault: Vault
    """Its `sources` may be left out: they are not looked at."""
    yields: tuple[Yield, ...]
    """In vault order, then those of ignored documents."""


def make(
    vault: Vault,
    settings: Settings,
    library: Library,
    clock: Clock,
    entries: Sequence[Entry] = (),
    found: Sequence[Diagnostic] = (),
) -> Plan:
    """Plan the whole vault, one document after the other.

    `entries` are what the ledger remembers, `found` are findings of whoever read the vault.
    """
    taken = (yields.of(source, settings, library, vault.name) for source in vault.sources)
    ignored = (yields.left_out(source, "ignored") for source in vault.ignored)
    return of(Harvest(vault, (*taken, *ignored)), settings, library, clock, entries, found)


def of(
    harvest: Harvest,
    settings: Settings,
    library: Library,
    clock: Clock,
    entries: Sequence[Entry] = (),
    found: Sequence[Diagnostic] = (),
    memory: Memory | None = None,
) -> Plan:
    """The plan of what the documents have yielded; `memory` is that of the last plan."""
    vault = harvest.vault
    made = [one for each in harvest.yields for one in each.made]
    flashcards = [one.flashcard for one in made]
    unread = (each.path for each in harvest.yields if not each.readable)
    hidden = vault.hidden(entries, unread)
    unseen = [entry for entry in entries if entry.guid in hidden]
    seen = [entry for entry in entries if entry.guid not in hidden]
    keys = [one.key for one in made]
    assigned, unsure = identity.assign(flashcards, settings.namespace, seen, unseen, keys)
    decided = memory.about(settings, clock, vault.name) if memory is not None else {}
    decisions: dict[Guid, Decision] | None = None if memory is None else {}
    desk = _Desk(settings, library, clock, vault.name, decided, decisions)
    planned = tuple([desk.planned(one, its) for one, its in zip(made, assigned, strict=True)])
    if memory is not None and decisions is not None:
        memory.decisions = decisions
    said = [
        *found,
        *_unusable_patterns(settings),
        *(finding for each in harvest.yields for finding in each.diagnostics),
        *unsure,
        *desk.diagnostics,
        *check.flashcards(flashcards, settings),
    ]
    ledger = identity.remembered(flashcards, assigned, desk.fates, seen, clock.today, unseen)
    before = {entry.guid for entry in entries if entry.gone is None}
    order = {each.path: place for place, each in enumerate(harvest.yields)}
    skipped = [each.skipped for each in harvest.yields if each.skipped is not None]
    return Plan(
        vault_name=vault.name,
        namespace=settings.namespace,
        rollover=settings.scheduling.rollover,
        revlog=settings.scheduling.revlog,
        planned=planned,
        media=tuple(desk.media[name] for name in sorted(desk.media)),
        online=tuple(sorted(desk.online)),
        skipped=_in_order([*skipped, *vault.unreadable], order),
        left_behind=_in_order([x for each in harvest.yields for x in each.left_behind], order),
        diagnostics=_in_order(check.heeded(said, settings.check), order),
        ledger=ledger,
        left=tuple(entry for entry in ledger if entry.gone and entry.guid in before),
        renamed=_renamings(assigned, desk.fates, flashcards),
    )


def _renamings(
    assigned: Sequence[identity.Assigned],
    fates: Sequence[identity.Fate],
    flashcards: Sequence[Flashcard],
) -> tuple[Renamed, ...]:
    """Where documents or folders were renamed, and how many notes changed for it."""
    moves: Counter[tuple[str, str]] = Counter()
    for one, fate, flashcard in zip(assigned, fates, flashcards, strict=True):
        entry = one.entry
        if entry is None or entry.path == flashcard.path or entry.content == fate.content:
            continue
        if (entry.question_digest, entry.answer_digest) == one.key.texts:
            moves[_parted(entry.path, flashcard.path)] += 1
    return tuple(Renamed(old, new, notes) for (old, new), notes in moves.most_common())


def _parted(old: str, new: str) -> tuple[str, str]:
    """Two paths without the end that they share: the folder, or the document, that was renamed."""
    before, after = old.split("/"), new.split("/")
    while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return "/".join(before), "/".join(after)


def _unusable_patterns(settings: Settings) -> Iterator[Diagnostic]:
    """The plugin would load nothing at all; here the other patterns stay in force."""
    origin = dict(settings.origin).get("grammar.cloze_patterns", "")
    _, bad = cloze.compile_patterns(settings.grammar.cloze_patterns)
    for pattern in bad:
        yield diagnostics.at("O104", VaultPath(origin), 1, pattern.pattern, pattern.reason)


_Item = TypeVar("_Item", Skipped, LeftBehind, Diagnostic)


def _in_order(items: list[_Item], order: Mapping[VaultPath, int]) -> tuple[_Item, ...]:
    """By document in vault order, then by line; what is about no document comes first."""
    return tuple(
        sorted(items, key=lambda i: (order.get(i.path, -1), i.path, getattr(i, "line", 0)))
    )


# ---------------------------------------------------------------- from flashcard to note


class Decision(Value, frozen=True):
    """What was decided about a flashcard, and of what."""

    made: Made
    entry: Entry | None
    planned: Planned
    fate: identity.Fate
    sides: yields.Sides
    found: tuple[Diagnostic, ...]

    def is_of(self, made: Made, entry: Entry | None) -> bool:
        """Whether it was decided of these very values."""
        return self.made is made and self.entry is entry

    @property
    def lasts(self) -> bool:
        """Whether the same will be decided of the same: no clock and no library was asked."""
        same = self.entry is not None and self.entry.mod == self.fate.mod
        return same and self.sides is self.made.sides


@dataclass(slots=True)
class Memory:
    """What the last plan of this process has decided."""

    circumstances: object = None
    """What else it was decided by."""
    decisions: dict[Guid, Decision] = field(default_factory=dict)

    def about(self, settings: Settings, clock: Clock, vault: str) -> Mapping[Guid, Decision]:
        """What was decided by these settings, on this day, in a vault of this name."""
        circumstances = settings, clock.today, clock.zone, vault
        if circumstances != self.circumstances:
            self.circumstances, self.decisions = circumstances, {}
        return self.decisions


@dataclass(slots=True)
class _Desk:
    """Where flashcards become notes; what comes up on the way is collected beside them."""

    settings: Settings
    library: Library
    clock: Clock
    vault: str
    before: Mapping[Guid, Decision]
    """What was decided in the last round."""
    decisions: dict[Guid, Decision] | None
    """What can be said again in the next one; None = there is no next one."""
    position: int = 0
    media: dict[str, Media] = field(default_factory=dict)
    online: set[str] = field(default_factory=set)
    fates: list[identity.Fate] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def planned(self, made: Made, assigned: identity.Assigned) -> Planned:
        """Everything about one flashcard; a cloze that asks nothing gets no note."""
        decision = self.before.get(assigned.guid)
        if decision is None or not decision.is_of(made, assigned.entry):
            decision = self._decision(made, assigned)
        if self.decisions is not None and decision.lasts:
            self.decisions[assigned.guid] = decision
        self.fates.append(decision.fate)
        self.diagnostics += decision.found
        self.online.update(decision.sides.online)
        planned = decision.planned
        if planned.note is None:
            return planned
        for medium in decision.sides.media:
            self.media[medium.name] = medium
        self.position += 1
        if planned.note.position == self.position:
            return planned
        note = structs.replace(planned.note, position=self.position)
        return structs.replace(planned, note=note)

    def _decision(self, made: Made, assigned: identity.Assigned) -> Decision:
        flashcard, deck, guid, entry = made.flashcard, made.deck, assigned.guid, assigned.entry
        kept, sides, content = self._settled(made, entry)
        found = list(sides.diagnostics)
        places = kept.places
        if flashcard.cloze is not None:
            places = _packed(flashcard, places, sides.html[0], found)
        seen = self.clock.now if entry is None else entry.seen
        if max(places, default=-1) < 0:
            mod = FIRST_SEEN if entry is None else entry.mod
            content = "" if entry is None else entry.content
            fate = identity.Fate(deck, content, mod, seen, kept.remembered)
            planned = Planned(flashcard, guid, deck, None, places)
            return Decision(made, entry, planned, fate, sides, tuple(found))
        mod = FIRST_SEEN
        if entry is not None:
            # Above the ledger's, even if a clock was wrong: Anki takes only what is newer.
            same = entry.content == content
            mod = entry.mod if same else max(self.clock.now, entry.mod + 1)
        notetype = Notetype.BASIC if flashcard.cloze is None else Notetype.CLOZE
        note = Note(
            guid,
            notetype,
            _fields(notetype, made, sides, guid, self.settings.namespace),
            deck,
            flashcard.tags,
            self._cards(flashcard, places, found),
            self.position + 1,
            tuple([m.name for m in sides.media]) if sides.media else (),
            mod,
            FIRST_SEEN,
            flashcard.path,
            flashcard.line,
        )
        fate = identity.Fate(deck, content, mod, seen, kept.remembered)
        planned = Planned(flashcard, guid, deck, note, places)
        return Decision(made, entry, planned, fate, sides, tuple(found))

    def _settled(
        self, made: Made, entry: Entry | None
    ) -> tuple[identity.Ordinals, yields.Sides, str]:
        """The ordinals that the cards keep, and what the flashcard says with these."""
        flashcard = made.flashcard
        if flashcard.cloze is None:
            return identity.Ordinals(made.places), made.sides, made.content
        if entry is not None and entry.ordinals and _says_the_same(made, entry):
            return identity.Ordinals(made.places, entry.ordinals), made.sides, made.content
        patterns, _ = cloze.compile_patterns(self.settings.grammar.cloze_patterns)
        kept = identity.keep(flashcard, entry, patterns)
        if kept.places == made.places:
            return kept, made.sides, made.content
        bench = yields.Bench(self.settings, self.library, self.vault)
        sides = bench.cloze(flashcard, kept.places)
        vault = bench.place(flashcard).vault
        return kept, sides, yields.content(flashcard, sides, made.context, made.source, vault)

    def _cards(
        self, flashcard: Flashcard, places: tuple[int, ...], found: list[Diagnostic]
    ) -> tuple[Card, ...]:
        if places == (0,):
            return (Card(0, self._scheduling(flashcard, 0, found)),)
        return tuple(
            [
                Card(place, self._scheduling(flashcard, card, found))
                for place, card in sorted(zip(places, range(len(places)), strict=True))
                if place >= 0
            ]
        )

    def _scheduling(
        self, flashcard: Flashcard, ordinal: int, found: list[Diagnostic]
    ) -> Scheduling:
        known = flashcard.review(ordinal) if self.settings.scheduling.enabled else None
        if known is None:
            return NEW
        scheduling, clamped = schedule.of(known, self.clock.today, self.clock.zone)
        for what in clamped:
            found.append(diagnostics.at("O405", flashcard.path, flashcard.end_line, what))
        return scheduling


def _packed(
    flashcard: Flashcard, places: tuple[int, ...], html: str, found: list[Diagnostic]
) -> tuple[int, ...]:
    """The ordinals, -1 for those that the text does not yield: Anki needs a card for each."""
    packed = frozenset(number - 1 for number in cloze.numbers(html))
    for card, place in enumerate(places):
        if place not in packed:
            found.append(diagnostics.at("O501", flashcard.path, flashcard.line, card + 1))
    return tuple(place if place in packed else -1 for place in places)


def _fields(
    notetype: Notetype, made: Made, sides: yields.Sides, guid: Guid, namespace: str
) -> tuple[str, ...]:
    """The fields of a note, by the order of its notetype."""
    flashcard = made.flashcard
    shown = yields.fields(flashcard, sides, made.context, made.source)
    values = {**_EMPTY[notetype], **shown}
    values["Id"] = identity.note_id(guid)
    values["Vault"] = clean(namespace)
    # What obs2anki wrote last, for a later comparison: digests of fields, tags and deck.
    told = identity.digest(*_TOLD[notetype](values))
    values["State"] = f"{told} {_digest(flashcard.tags)} {_digest((made.deck,))}"
    return tuple(values.values())


def _says_the_same(made: Made, entry: Entry) -> bool:
    """Whether a cloze shows what it showed, is written as it was, and its cards are in order.

    Other patterns, or the same in another order, number the same cards otherwise.
    """
    live = [ordinal.ordinal for ordinal in entry.ordinals if not ordinal.gone]
    return (
        entry.content == made.content
        and entry.answer_digest == made.key.answer_digest
        and live == [place for place in made.places if place >= 0]
    )


_EMPTY = {notetype: dict.fromkeys(names, "") for notetype, names in FIELDS.items()}


_TOLD = {
    Notetype.BASIC: itemgetter("Back", "Context", "Front", "Id", "Reverse", "Source", "Vault"),
    Notetype.CLOZE: itemgetter("Context", "Id", "Source", "Text", "Vault"),
}
"""The fields that State tells of, by their names in alphabetical order."""


@lru_cache(maxsize=4096)  # many notes have the same tags, or the same deck
def _digest(texts: tuple[str, ...]) -> str:
    return identity.digest(*texts)
