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
from datetime import date, datetime, tzinfo
from itertools import islice
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
    Ordinal,
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
from obs2anki.yields import Frame, Label, Made, Yield

FIRST_SEEN = 1577836800
"""2020-01-01, seconds since the epoch: `mod` of a note that is new.

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


@dataclass(frozen=True, slots=True)
class Clock:
    """The one reading of the clock of a run: the day and the time zone of the user, and now."""

    today: date
    zone: tzinfo
    now: int = FIRST_SEEN
    """Seconds since the epoch."""

    @classmethod
    def at(cls, now: datetime, zone: tzinfo) -> Clock:
        """That of a reading, which has a time zone of its own."""
        return cls(now.astimezone(zone).date(), zone, int(now.timestamp()))


@dataclass(frozen=True, slots=True)
class Harvest:
    """What the documents of a vault have yielded."""

    vault: str
    """Its name."""
    yields: tuple[Yield, ...]
    """In vault order, then those of ignored documents."""
    unreadable: tuple[Skipped, ...] = ()
    """Documents that could not be read at all, and why."""
    closed: tuple[VaultPath, ...] = ()
    """Folders that could not be read."""

    def hidden(self, entries: Sequence[Entry]) -> frozenset[Guid]:
        """GUIDs of what may still stand in a document or a folder that could not be read.

        Some of the documents may prove unreadable only now. A name may be there twice, in two
        forms of Unicode: what was read under it hides nothing.
        """
        unreadable = {skipped.path for skipped in self.unreadable}
        unreadable |= {each.path for each in self.yields if not each.readable}
        folders = tuple(f"{folder}/" for folder in self.closed)
        if not unreadable and not folders:
            return frozenset()
        read = {each.path for each in self.yields if each.readable}
        return frozenset(
            entry.guid
            for entry in entries
            if entry.gone is None
            and entry.path not in read
            and (entry.path in unreadable or entry.path.startswith(folders))
        )


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
    taken = yields.of_each(vault.sources, settings, library, vault.name)
    ignored = (yields.ignored(source, settings) for source in vault.ignored)
    harvest = Harvest(vault.name, (*taken, *ignored), vault.unreadable, vault.closed)
    return of(harvest, settings, library, clock, entries, found)


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
    memory = Memory() if memory is None else memory
    desk = _Desk(settings, library, clock, harvest.vault, clean(settings.namespace))
    recalled = memory.recalled(harvest.yields, entries, desk)
    known = _known(harvest.yields, recalled)
    hidden = harvest.hidden(entries)
    unseen = [entry for entry in entries if entry.guid in hidden] if hidden else []
    seen = [entry for entry in entries if entry.guid not in hidden] if hidden else entries
    made = [one for each in harvest.yields for one in each.made]
    flashcards = [one.flashcard for one in made]
    assigned, unsure = identity.assign(
        flashcards,
        settings.namespace,
        seen,
        unseen,
        [one.key for one in made],
        [one.label.guid for one in made],
        known,
        clock.today,
    )
    parts, fates = _parts(harvest.yields, recalled, memory.parts, assigned, desk)
    open_ = [m.flashcard for each in harvest.yields if each.path not in recalled for m in each.made]
    ledger = identity.remembered(open_, assigned, fates, entries, clock.today, unseen, known)
    memory.keep(parts, ledger, desk)
    said = [
        *found,
        *_unusable_patterns(settings),
        *(finding for each in harvest.yields for finding in each.diagnostics),
        *unsure,
        *(finding for part in parts for finding in part.found),
        *check.templates(_counted(harvest.yields), settings),
        *check.conflict_copies(_counted(harvest.yields), library.files),
    ]
    media = {medium.name: medium for part in parts for medium in part.media}
    order = {each.path: place for place, each in enumerate(harvest.yields)}
    skipped = [each.skipped for each in harvest.yields if each.skipped is not None]
    return Plan(
        vault_name=harvest.vault,
        namespace=settings.namespace,
        rollover=settings.scheduling.rollover,
        revlog=settings.scheduling.revlog,
        planned=tuple([one for part in parts for one in part.planned]),
        media=tuple(media[name] for name in sorted(media)),
        online=tuple(sorted({address for part in parts for address in part.online})),
        skipped=_in_order([*skipped, *harvest.unreadable], order),
        left_behind=_in_order([x for each in harvest.yields for x in each.left_behind], order),
        diagnostics=_in_order(check.heeded(said, settings.check), order),
        ledger=ledger,
        left=_left(entries, ledger),
        renamed=_renamings(assigned, fates, open_),
    )


def _counted(of: Iterable[Yield]) -> Iterator[check.Counted]:
    """The documents that yield flashcards."""
    return ((one.path, len(one.made), one.made[0].flashcard.own_line) for one in of if one.made)


def _left(entries: Sequence[Entry], ledger: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries of flashcards that were there before and are gone now."""
    gone = {entry.guid: entry for entry in ledger if entry.gone is not None}
    if not gone:
        return ()
    were = {entry.guid for entry in entries if entry.gone is None and entry.guid in gone}
    return tuple(entry for guid, entry in gone.items() if guid in were)


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
        if entry.digest == one.key.texts:
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


class Kept(Value, frozen=True):
    """What was decided about a flashcard that has a note."""

    mod: int
    """Seconds since the epoch."""
    label: Label | None
    """None = that of a note that is new."""


class Part(Value, frozen=True):
    """What was decided about a document."""

    of: Yield
    first: int
    """The position of its first note."""
    planned: tuple[Planned, ...]
    media: tuple[Media, ...]
    online: tuple[str, ...]
    found: tuple[Diagnostic, ...]
    kept: tuple[Kept, ...]
    """What is to be kept of it. Empty = something may be decided otherwise the next time, even if
    neither document nor ledger changes."""

    @property
    def notes(self) -> int:
        """How many notes it has."""
        # All flashcards of a document that is settled have one.
        return len(self.kept) or sum([one.note is not None for one in self.planned])

    def moved(self, first: int) -> Part:
        """The same below other documents."""
        if first == self.first:
            return self
        planned: list[Planned] = []
        position = first
        for one in self.planned:
            if one.note is not None:
                note = structs.replace(one.note, position=position)
                one = structs.replace(one, note=note)
                position += 1
            planned.append(one)
        return structs.replace(self, first=first, planned=tuple(planned))


@dataclass(slots=True)
class Memory:
    """What is known of the last plan, by this process or by one before it."""

    parts: dict[VaultPath, Part] = field(default_factory=dict)
    """What was decided about documents that are settled."""
    entries: Sequence[Entry] = ()
    """The ledger that came of it."""
    circumstances: object = None
    """What else it was decided by."""
    kept: Mapping[VaultPath, tuple[Kept, ...]] = field(default_factory=dict)
    """What an earlier process has kept of settled documents, in place of all that."""

    def recalled(
        self, of: Sequence[Yield], entries: Sequence[Entry], desk: _Desk
    ) -> dict[VaultPath, tuple[Kept, ...]]:
        """What is decided already about documents that have yielded the same."""
        kept, self.kept = self.kept, {}
        if kept:
            self.parts = {}  # of a round that came before it, if any
            counts = ((each.path, len(each.made)) for each in of)
            return {
                path: kept[path] for path, count in counts if 0 < len(kept.get(path, ())) == count
            }
        parts, same = self.parts, self.entries is entries
        if not same or self.circumstances != desk.circumstances:
            return {}
        of_parts = ((each, parts.get(each.path)) for each in of)
        return {each.path: part.kept for each, part in of_parts if part and part.of is each}

    def keep(self, parts: Iterable[Part], ledger: Sequence[Entry], desk: _Desk) -> None:
        """Remember what was decided, for the next plan."""
        self.parts = {part.of.path: part for part in parts if part.kept}
        self.entries, self.circumstances = ledger, desk.circumstances


def _known(of: Sequence[Yield], recalled: Mapping[VaultPath, tuple[Kept, ...]]) -> identity.Known:
    """The flashcards about which nothing is to be decided."""
    indices: set[int] = set()
    start = 0
    for each in of:
        end = start + len(each.made)
        if each.path in recalled:
            indices.update(range(start, end))
        start = end
    return identity.Known(indices, recalled.keys())


def _parts(
    of: Sequence[Yield],
    recalled: Mapping[VaultPath, tuple[Kept, ...]],
    before: Mapping[VaultPath, Part],
    assigned: Iterable[identity.Assigned],
    desk: _Desk,
) -> tuple[list[Part], list[identity.Fate]]:
    """What is decided about each document, and what becomes of the flashcards of the others.

    `before` are the parts of then, of documents that were `recalled`, as far as they are at hand;
    `assigned` are the flashcards of all others.
    """
    parts: list[Part] = []
    fates: list[identity.Fate] = []
    position = 1
    rest = iter(assigned)
    for each in of:
        kept = recalled.get(each.path)
        if kept is None:
            part, new = desk.part(each, list(islice(rest, len(each.made))), position)
            fates += new
        elif each.path in before:
            part = before[each.path].moved(position)
        else:
            part = desk.again(each, kept, position)
        parts.append(part)
        position += part.notes
    return parts, fates


@dataclass(slots=True)
class _Desk:
    """Where flashcards become notes."""

    settings: Settings
    library: Library
    clock: Clock
    vault: str
    namespace: str
    """As Anki stores it."""

    @property
    def circumstances(self) -> object:
        """What else than documents and ledger decides."""
        return self.settings, self.clock.today, self.clock.zone, self.vault

    def again(self, of: Yield, kept: tuple[Kept, ...], first: int) -> Part:
        """What was decided about a document that is settled; its notes begin at `first`."""
        found: list[Diagnostic] = []
        planned: list[Planned] = []
        for position, (made, its) in enumerate(zip(of.made, kept, strict=True), first):
            sides, label = made.sides, its.label or made.label
            found += sides.diagnostics
            cards = self._cards(made.flashcard, made.places, found)
            frame = of.frames[made.frame]
            noted = self._noted(made, sides, frame, label, made.places, cards, position, its.mod)
            planned.append(noted)
        media = tuple([m for made in of.made for m in made.sides.media])
        online = tuple([a for made in of.made for a in made.sides.online])
        return Part(of, first, tuple(planned), media, online, tuple(found), kept)

    def part(
        self, of: Yield, assigned: Sequence[identity.Assigned], first: int
    ) -> tuple[Part, list[identity.Fate]]:
        """Everything about one document, and what becomes of its flashcards."""
        found: list[Diagnostic] = []
        planned: list[Planned] = []
        fates: list[identity.Fate] = []
        media: list[Media] = []
        online: list[str] = []
        position = first
        for made, its in zip(of.made, assigned, strict=True):
            frame = of.frames[made.frame]
            one, fate, sides = self._planned(made, frame, its, position, found)
            planned.append(one)
            fates.append(fate)
            online += sides.online
            if one.note is not None:
                media += sides.media
                position += 1
        kept = _kept(of, planned)
        part = Part(of, first, tuple(planned), tuple(media), tuple(online), tuple(found), kept)
        return part, fates

    def _planned(
        self,
        made: Made,
        frame: Frame,
        assigned: identity.Assigned,
        position: int,
        found: list[Diagnostic],
    ) -> tuple[Planned, identity.Fate, yields.Sides]:
        """Everything about one flashcard; a cloze that asks nothing gets no note."""
        flashcard, deck, guid, entry = made.flashcard, made.deck, assigned.guid, assigned.entry
        places, sides, content = made.places, made.sides, made.content
        ordinals: tuple[Ordinal, ...] = ()
        if flashcard.cloze is None:
            found += sides.diagnostics
        else:
            kept, sides, content = self._cloze(made, frame, entry)
            found += sides.diagnostics
            places = _packed(flashcard, kept.places, sides.html[0], found)
            ordinals = kept.remembered
        seen = self.clock.now if entry is None else entry.seen
        if max(places, default=-1) < 0:
            mod = FIRST_SEEN if entry is None else entry.mod
            content = "" if entry is None else entry.content
            fate = identity.Fate(deck, content, mod, seen, ordinals)
            return Planned(flashcard, guid, deck, None, places), fate, sides
        mod = FIRST_SEEN
        if entry is not None:
            # Above the ledger's, even if a clock was wrong: Anki takes only what is newer.
            same = entry.content == content
            mod = entry.mod if same else max(self.clock.now, entry.mod + 1)
        label = made.label
        if guid != label.guid or sides is not made.sides:
            label = yields.label(flashcard, deck, sides, frame, guid, self.settings.namespace)
        cards = self._cards(flashcard, places, found)
        fate = identity.Fate(deck, content, mod, seen, ordinals)
        return self._noted(made, sides, frame, label, places, cards, position, mod), fate, sides

    def _noted(
        self,
        made: Made,
        sides: yields.Sides,
        frame: Frame,
        label: Label,
        places: tuple[int, ...],
        cards: tuple[Card, ...],
        position: int,
        mod: int,
    ) -> Planned:
        """A flashcard with its note, whose fields are by the order of `notetypes.FIELDS`."""
        flashcard, guid, own = made.flashcard, label.guid, (label.id, self.namespace, label.state)
        fields: tuple[str, ...]
        if flashcard.cloze is None:
            notetype = Notetype.BASIC
            reverse = yields.reverse(flashcard)
            fields = *sides.html, frame.context, frame.source, reverse, "", *own, "", ""
        else:
            notetype = Notetype.CLOZE
            fields = sides.html[0], "", frame.context, frame.source, "", *own, "", ""
        note = Note(
            guid,
            notetype,
            fields,
            made.deck,
            flashcard.tags,
            cards,
            position,
            tuple([m.name for m in sides.media]) if sides.media else (),
            mod,
            identity.created(label.id),
            flashcard.path,
            flashcard.line,
        )
        return Planned(flashcard, guid, made.deck, note, places)

    def _cloze(
        self, made: Made, frame: Frame, entry: Entry | None
    ) -> tuple[identity.Ordinals, yields.Sides, str]:
        """The ordinals that the cards of a cloze keep, and what it says with these."""
        flashcard = made.flashcard
        if entry is not None and entry.ordinals and _says_the_same(made, entry):
            return identity.Ordinals(made.places, entry.ordinals), made.sides, made.content
        patterns, _ = cloze.compile_patterns(self.settings.grammar.cloze_patterns)
        kept = identity.keep(flashcard, entry, patterns)
        if kept.places == made.places:
            return kept, made.sides, made.content
        bench = yields.Bench(self.settings, self.library, self.vault)
        sides = bench.cloze(flashcard, kept.places)
        content = yields.content(flashcard, sides, frame, bench.vault_in_links)
        return kept, sides, content

    def _cards(
        self, flashcard: Flashcard, places: tuple[int, ...], found: list[Diagnostic]
    ) -> tuple[Card, ...]:
        if places == (0,):
            if not any(flashcard.reviews):
                return _ONE_NEW_CARD
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


_ONE_NEW_CARD = (Card(0, NEW),)


def _packed(
    flashcard: Flashcard, places: tuple[int, ...], html: str, found: list[Diagnostic]
) -> tuple[int, ...]:
    """The ordinals, -1 for those that the text does not yield: Anki needs a card for each."""
    packed = frozenset(number - 1 for number in cloze.numbers(html))
    silent = [card for card, place in enumerate(places, 1) if place not in packed]
    if silent:
        found.append(diagnostics.at("O501", flashcard.path, flashcard.line, _named(silent)))
    return tuple(place if place in packed else -1 for place in places)


def _named(numbers: Sequence[int]) -> str:
    """`card 2`, or `cards 1 to 364, 366`: some cards of a flashcard, in order, in a few words."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    said = [" to ".join(map(str, run)) for run in runs[:_RUNS]]
    more = ["…"] if len(runs) > _RUNS else []
    return f"card{'s' if len(numbers) > 1 else ''} {', '.join([*said, *more])}"


_RUNS = 5
"""Of cards, before the rest of them is left to the reader."""


def _kept(of: Yield, planned: Sequence[Planned]) -> tuple[Kept, ...]:
    """What is to be kept of what was decided about a document; nothing if it is not settled.

    `identity.settled` would find each flashcard again by its texts, and each shows and asks what
    it would if it were new.
    """
    if len({made.key.texts for made in of.made}) < len(of.made):
        return ()
    kept: list[Kept] = []
    for made, one in zip(of.made, planned, strict=True):
        note = one.note
        if note is None or -1 in one.ordinals or one.ordinals != made.places:
            return ()
        label = None
        if note.guid != made.label.guid:
            label = Label(note.guid, *_ID_AND_STATE[note.notetype](note.fields))
        kept.append(Kept(note.mod, label))
    return tuple(kept)


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


_ID_AND_STATE = {
    notetype: itemgetter(names.index("Id"), names.index("State"))
    for notetype, names in FIELDS.items()
}
