"""What is to be done in Anki so that it follows the vault, and what is the user's own there.

    changes(plan, holding, known) -> Changes(added, changed, unchanged, media), diagnostics

The field State of a note says what obs2anki wrote last, on any machine: digests of the fields,
of the tags and of the deck. Where the vault's are still these, whatever is different in Anki is
the user's and stays. Where the vault's differ, what the user left alone follows the vault; what
both changed is a conflict. Of the tags only those that obs2anki wrote are touched; a card is
moved only from where obs2anki put it, under whatever name the user gave to that deck. What has
left the vault is suspended and tagged; State remembers which cards that were:

    1f0c29ab6d51 97d170e1550e 5feceb66ffc8 orphan:0,1
"""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from msgspec import structs

from obs2anki import diagnostics, identity
from obs2anki.ankitext import clean_fields, clean_tag, deck_key
from obs2anki.data import (
    CardState,
    DeckName,
    Diagnostic,
    Entry,
    Guid,
    Note,
    Notetype,
    Plan,
    Planned,
    Scheduling,
    VaultPath,
)
from obs2anki.deeds import (
    ORPHAN_TAG,
    Add,
    CardId,
    Change,
    Changes,
    Conflict,
    HeldCard,
    HeldNote,
    Holding,
    Limit,
    Move,
    Place,
    Prefer,
    Removal,
)
from obs2anki.destinations.field_text import plain
from obs2anki.notetypes import FIELDS
from obs2anki.schedule import LONGEST_INTERVAL

WRITTEN: Mapping[Notetype, tuple[str, ...]] = {
    Notetype.BASIC: ("Back", "Context", "Front", "Id", "Reverse", "Source", "Vault"),
    Notetype.CLOZE: ("Context", "Id", "Source", "Text", "Vault"),
}
"""The fields that obs2anki fills, as State's first digest has them; others are the user's."""

ASKED: Mapping[Notetype, tuple[str, ...]] = {
    Notetype.BASIC: ("Reverse",),
    Notetype.CLOZE: ("Text",),
}
"""The fields that decide which cards a note has."""

CARDS: Mapping[Notetype, int] = {Notetype.BASIC: 2, Notetype.CLOZE: 500}
"""How many cards a note may have of ours; others come from templates that the user added."""

MOST_TAGS = 12
"""Of how many tags all choices are tried, to find those that a digest stands for."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants beyond what is always done."""

    prefer: Prefer | None = None
    """Whose text stays where both sides were edited; None = Anki's, until that is decided."""
    reschedule: bool = False
    """Whether cards never answered in Anki get the vault's scheduling once more."""
    longest: int | None = None
    """Days: the maximum interval for every deck with cards of the vault; None = as it is."""


NOTHING_MORE = Wishes()


def changes(
    plan: Plan, holding: Holding, known: Sequence[Entry] = (), wishes: Wishes = NOTHING_MORE
) -> tuple[Changes, list[Diagnostic]]:
    """All that is to be done in Anki for `plan`; nothing where it follows the vault already.

    `known` is the ledger as it was before this run: it tells tags and decks by name, of which
    State knows digests only.
    """
    desk = _Desk(plan, wishes, _HeldNotes(holding), _Decks(plan, holding, known), _by_guid(known))
    lacking = {item.name: item for item in plan.media if item.name not in holding.media}
    needed: set[str] = set()
    added: list[Add] = []
    changed: list[Change] = []
    unchanged: list[Planned] = []
    for planned in plan.planned:
        note = planned.note
        if note is None:
            continue
        held = desk.notes.of(note.guid)
        change = None
        if note.guid in holding.taken or (held is not None and held.notetype != note.notetype):
            desk.diagnostics.append(diagnostics.at("O902", *_at(note)))
            continue
        if held is None:
            added.append(desk.add(note))
        elif (change := desk.change(note, held)) is not None:
            changed.append(change)
        else:
            unchanged.append(planned)
        if lacking:
            needed.update(_shown(note, held, change))
    changed += desk.orphans()
    media = tuple(item for name, item in lacking.items() if name in needed)
    limits = tuple(_limits(desk, holding, added, changed))
    made = Changes(tuple(added), tuple(changed), tuple(unchanged), media, limits=limits)
    return made, desk.diagnostics


def _limits(
    desk: _Desk, holding: Holding, added: Sequence[Add], changed: Sequence[Change]
) -> Iterator[Limit]:
    """Decks in which cards of the vault are, or will be, with another maximum interval."""
    if desk.wishes.longest is None:
        return
    days = min(max(desk.wishes.longest, 1), LONGEST_INTERVAL)
    guids = {planned.guid for planned in desk.plan.planned if planned.note is not None}
    held = (desk.notes.of(guid) for guid in guids)
    decks = {card.deck for note in held if note is not None for card in note.cards}
    decks |= {add.note.deck for add in added}
    decks |= {change.move.deck for change in changed if change.move is not None}
    for deck in sorted(decks):
        if holding.longest.get(deck) != days:
            yield Limit(deck, days)


def _shown(note: Note, held: HeldNote | None, change: Change | None) -> Iterator[str]:
    """The media of a note that its fields in Anki will name: the user may have taken one out."""
    fields: Iterable[str] = note.fields
    if held is not None:
        fields = (dict(held.fields) | dict(change.fields if change is not None else {})).values()
    text = "".join(fields)
    for name in note.media:
        if html.escape(name, quote=False) in text or name in text:
            yield name


def orphans(plan: Plan, holding: Holding) -> tuple[Removal, ...]:
    """The notes of this vault in Anki whose flashcards have left it, for `prune`.

    Only the ledger tells that: a note that it does not know may be another vault's.
    """
    notes = _HeldNotes(holding)
    return tuple(
        Removal(Place(entry.path, None, entry.question), held)
        for entry in plan.ledger
        if entry.gone is not None and (held := notes.of(entry.guid)) is not None
    )


def _by_guid(entries: Iterable[Entry]) -> dict[Guid, Entry]:
    return {entry.guid: entry for entry in entries}


def _at(note: Note) -> tuple[VaultPath, int]:
    return note.path, note.line


# ---------------------------------------------------------------- State


@dataclass(frozen=True, slots=True)
class State:
    """The field State: what obs2anki wrote last."""

    fields: str
    tags: str
    deck: str
    orphan: bool = False
    """Whether its flashcard had left the vault."""
    asleep: frozenset[int] = frozenset()
    """Ordinals of the cards that obs2anki suspended."""

    def __str__(self) -> str:
        digests = f"{self.fields} {self.tags} {self.deck}"
        if not self.orphan and not self.asleep:
            return digests
        mark = "orphan" if self.orphan else "asleep"
        return f"{digests} {mark}:{','.join(map(str, sorted(self.asleep)))}"


def state(text: str) -> State:
    """What a field State says; digests of nothing where it says nothing."""
    first, second, third, mark, *_ = [*text.split(), "", "", "", ""]
    name, _, ordinals = mark.partition(":")
    asleep = frozenset(int(o) for o in ordinals.split(",") if o.isascii() and o.isdigit())
    return State(first, second, third, name == "orphan", asleep)


# ---------------------------------------------------------------- whose note


class _HeldNotes:
    """The notes that Anki holds, by GUID or by the field Id that stands for it."""

    def __init__(self, holding: Holding) -> None:
        self._by_guid: dict[Guid, HeldNote] = {}
        self._by_id: dict[str, HeldNote] = {}
        for note in holding.notes:
            # Of copies the oldest is the one that was written; they stand first.
            if note.guid is not None:
                self._by_guid.setdefault(note.guid, note)
            else:
                self._by_id.setdefault(note.fields.get("Id", ""), note)

    def of(self, guid: Guid) -> HeldNote | None:
        """The note of a GUID, if Anki has it."""
        found = self._by_guid.get(guid)
        return found or (self._by_id.get(identity.note_id(guid)) if self._by_id else None)


# ---------------------------------------------------------------- decks as the user named them


class _Decks:
    """Which deck of Anki's is which deck of the vault's."""

    def __init__(self, plan: Plan, holding: Holding, known: Sequence[Entry]) -> None:
        self._there = {deck_key(name): name for name in (*holding.decks, *holding.filtered)}
        self._filtered = frozenset(map(deck_key, holding.filtered))
        self._names: dict[str, DeckName] = {}
        for name in (
            *holding.decks,
            *dict.fromkeys(entry.deck for entry in known),
            *dict.fromkeys(planned.deck for planned in plan.planned),
        ):
            self._names[identity.digest(name)] = name
        self._cards: defaultdict[str, Counter[DeckName]] = defaultdict(Counter)
        for note in holding.notes:
            digest = note.fields.get("State", "").split(" ", 3)[2:3]
            if digest:
                self._cards[digest[0]].update(card.deck for card in note.cards)
        self._found: dict[str, DeckName | None] = {}

    def home(self, digest: str) -> DeckName | None:
        """Where cards are that obs2anki put into the deck of `digest`; None = nobody can tell."""
        if digest not in self._found:
            self._found[digest] = self._home(digest)
        return self._found[digest]

    def _home(self, digest: str) -> DeckName | None:
        name = self._names.get(digest)
        if name is not None and deck_key(name) in self._there:
            return self._there[deck_key(name)]
        cards = self._cards[digest]
        for deck, count in cards.most_common(1):
            # A deck that is no more, most of whose cards are together: it was renamed.
            if 2 * count > cards.total():
                return deck
        return None

    def follow(self, name: DeckName) -> DeckName:
        """Anki's name for a deck of the vault's; its own name where Anki has none."""
        there = self._there.get(deck_key(name))
        if there is not None:
            return there
        return self.home(identity.digest(name)) or self._below(name) or name

    def _below(self, name: DeckName) -> DeckName | None:
        """The name of a new deck in one that was renamed with all that was in it."""
        parts = name.split("::")
        for depth in range(len(parts) - 1, 0, -1):
            above = parts[:depth]
            if deck_key(DeckName("::".join(above))) in self._there:
                return None
            for digest, known in self._names.items():
                renamed = _renamed(known.split("::"), above, self.home(digest) or known)
                if renamed is not None:
                    return DeckName("::".join((*renamed, *parts[depth:])))
        return None

    def is_filtered(self, name: DeckName) -> bool:
        """Whether it is a deck that can have no cards of its own."""
        return deck_key(name) in self._filtered


def _renamed(known: Sequence[str], above: Sequence[str], now: DeckName) -> Sequence[str] | None:
    """What became of the deck `above`, as a deck in it tells that was `known` and is `now`."""
    tail = known[len(above) :]
    parts = now.split("::")
    if list(known[: len(above)]) != list(above) or known == parts:
        return None
    kept = len(parts) - len(tail)
    return parts[:kept] if kept > 0 and parts[kept:] == list(tail) else None


# ---------------------------------------------------------------- one note


@dataclass(frozen=True, slots=True)
class _Merged:
    """The fields of a note once the vault and Anki are brought together."""

    new: Mapping[str, str]
    """What is to be written."""
    digest: str
    """For State: what the vault's text was that is settled now."""
    conflicts: tuple[Conflict, ...] = ()


@dataclass(slots=True)
class _Desk:
    """Where notes of the vault are compared with Anki's."""

    plan: Plan
    wishes: Wishes
    notes: _HeldNotes
    decks: _Decks
    known: Mapping[Guid, Entry]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    questions: Mapping[Guid, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.questions = {entry.guid: entry.question for entry in self.plan.ledger}

    def place(self, note: Note) -> Place:
        """Where the flashcard of a note stands."""
        return Place(note.path, note.line, self.questions.get(note.guid, ""))

    def add(self, note: Note) -> Add:
        """A note that Anki does not have."""
        deck = self.decks.follow(note.deck)
        own = structs.replace(note, deck=deck)
        return Add(self.place(note), own)

    def change(self, note: Note, held: HeldNote) -> Change | None:
        """What is to be done to a note that Anki has; None = nothing."""
        as_written = held.fields.get("State") == note.fields[_STATE[note.notetype]]
        if as_written and _is_whole(note, held) and not self.wishes.reschedule:
            return None
        change = self._compared(note, held)
        return change if change.writes or change.conflicts else None

    def _compared(self, note: Note, held: HeldNote) -> Change:
        before = state(held.fields.get("State", ""))
        own = dict(zip(FIELDS[note.notetype], clean_fields(note.fields), strict=True))
        after = state(own["State"])
        merged = self._merged(note, held, own, before, after)
        add_tags, remove_tags = self._tags(note, held, before, after)
        move, deck = self._move(note, held, before, after)
        now = dict(held.fields) | dict(merged.new)
        asks = all(now.get(name, "") == own[name] for name in ASKED[note.notetype])
        there = held.lacks.union(card.ordinal for card in held.cards)
        siblings = tuple(card for card in note.cards if asks and card.ordinal not in there)
        suspend, wake, asleep = _awake(note, held, before, asks)
        settled = State(merged.digest, after.tags, deck, False, asleep)
        fields = dict(merged.new)
        if str(settled) != held.fields.get("State", ""):
            fields["State"] = str(settled)
        if before.orphan and ORPHAN_TAG in held.tags:
            remove_tags = (*remove_tags, ORPHAN_TAG)
        change = Change(
            place=self.place(note),
            held=held,
            fields=fields,
            add_tags=add_tags,
            remove_tags=remove_tags,
            siblings=siblings,
            move=move,
            suspend=suspend,
            wake=wake,
            reschedule=tuple(self._renewed(note, held)),
            conflicts=merged.conflicts,
        )
        if siblings:
            change = replace(change, sibling_note=self._with_siblings(note, change))
        if merged.conflicts:
            names = ", ".join(conflict.field for conflict in merged.conflicts)
            self.diagnostics.append(diagnostics.at("O901", *_at(note), names))
        return change

    # ------------------------------------------------------------ fields

    def _merged(
        self, note: Note, held: HeldNote, own: Mapping[str, str], before: State, after: State
    ) -> _Merged:
        """Each field from the side that changed it; all of them Anki's where that is unknown."""
        if before.fields == after.fields:
            return _Merged({}, after.fields)
        names = WRITTEN[note.notetype]
        vault = {name: own[name] for name in names}
        anki = {name: held.fields.get(name, "") for name in names}
        differing = [name for name in names if vault[name] != anki[name]]
        base = _base(vault, anki, differing, before.fields)
        if base is not None:
            taken = [name for name in differing if base[name] == anki[name]]
            return _Merged({name: vault[name] for name in taken}, after.fields)
        if self.wishes.prefer is Prefer.VAULT:
            return _Merged({name: vault[name] for name in differing}, after.fields)
        # Where both say the same in other HTML, there is nothing to decide.
        said = [name for name in differing if plain(vault[name]) != plain(anki[name])]
        if self.wishes.prefer is Prefer.ANKI or not said:
            return _Merged({}, after.fields)
        conflicts = tuple(Conflict(name, vault[name], anki[name]) for name in said)
        return _Merged({}, before.fields, conflicts)

    # ------------------------------------------------------------ tags

    def _tags(
        self, note: Note, held: HeldNote, before: State, after: State
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Tags to add and to remove: only what the vault added or removed since."""
        if before.tags == after.tags:
            return (), ()
        there = {tag.casefold(): tag for tag in held.tags}
        own = {key.casefold(): key for tag in note.tags if (key := clean_tag(tag))}
        entry = self.known.get(note.guid)
        remembered = entry.tags if entry is not None else ()
        written = _written_tags(remembered, note.tags, held.tags, before.tags)
        add = [own[key] for key in own if key not in there and key not in written]
        gone = [there[key] for key in there if key in written and key not in own]
        return tuple(add), tuple(gone)

    # ------------------------------------------------------------ decks

    def _move(
        self, note: Note, held: HeldNote, before: State, after: State
    ) -> tuple[Move | None, str]:
        """The cards that change their deck, and for State where they are supposed to be."""
        if before.deck == after.deck:
            return None, after.deck
        target = self.decks.follow(note.deck)
        home = self.decks.home(before.deck)
        left = [card for card in held.cards if home is not None and _same(card.deck, home)]
        moved = [card for card in left if not _same(card.deck, target)]
        if self.decks.is_filtered(target) or any(card.filtered for card in moved):
            return None, before.deck  # once it is back in its own deck
        ids = tuple(card.id for card in moved)
        return (Move(ids, target) if ids else None), after.deck

    # ------------------------------------------------------------ cards

    def _with_siblings(self, note: Note, change: Change) -> Note:
        """The whole note as it will be, with its new cards alone."""
        fields = dict(change.held.fields) | dict(change.fields)
        removed = set(change.remove_tags)
        tags = (*(tag for tag in change.held.tags if tag not in removed), *change.add_tags)
        return structs.replace(
            note,
            fields=tuple(fields.get(name, "") for name in FIELDS[note.notetype]),
            tags=tags,
            deck=self.decks.follow(note.deck),
            cards=change.siblings,
        )

    def _renewed(self, note: Note, held: HeldNote) -> Iterator[tuple[CardId, Scheduling]]:
        """Cards never answered in Anki for which the vault has a review that says otherwise."""
        if not self.wishes.reschedule:
            return
        wanted = {card.ordinal: card.scheduling for card in note.cards}
        for card in held.cards:
            new = wanted.get(card.ordinal)
            if new is None or new.state is CardState.NEW or card.answered or card.filtered:
                continue
            if card.scheduling is None or _said(card.scheduling) != _said(new):
                yield card.id, new

    # ------------------------------------------------------------ what has left

    def orphans(self) -> Iterator[Change]:
        """What has left the vault since it was written, to be suspended and tagged."""
        for entry in self.plan.ledger:
            if entry.gone is None:
                continue
            held = self.notes.of(entry.guid)
            if held is None:
                continue
            before = state(held.fields.get("State", ""))
            if before.orphan:
                continue
            awake = [card for card in held.cards if not card.suspended]
            if any(card.cramming for card in awake):
                continue  # once it is back in its own deck
            asleep = before.asleep | {card.ordinal for card in awake}
            yield Change(
                place=Place(entry.path, None, entry.question),
                held=held,
                fields={"State": str(replace(before, orphan=True, asleep=asleep))},
                add_tags=() if ORPHAN_TAG in held.tags else (ORPHAN_TAG,),
                suspend=tuple(card.id for card in awake),
            )


def _is_whole(note: Note, held: HeldNote) -> bool:
    """Whether Anki has the cards of a note: all that it can have, and no other of ours."""
    wanted = [card.ordinal for card in note.cards if card.ordinal not in held.lacks]
    return wanted == [c.ordinal for c in held.cards if c.ordinal < CARDS[note.notetype]]


_STATE = {notetype: names.index("State") for notetype, names in FIELDS.items()}


def _same(one: DeckName, other: DeckName) -> bool:
    return deck_key(one) == deck_key(other)


def _said(scheduling: Scheduling) -> tuple[object, ...]:
    """What of a scheduling is compared: the rest Anki works out, or rounds."""
    known = scheduling
    due = known.due if known.due_at is None else known.due_at
    return known.state, due, known.interval, known.factor, known.reps, known.lapses


def _base(
    vault: Mapping[str, str], anki: Mapping[str, str], differing: Sequence[str], digest: str
) -> Mapping[str, str] | None:
    """The text that both sides began with, where each field was changed by one of them alone.

    It is the choice, field by field, of one of the two texts that has the digest in State.
    """
    for sides in product((anki, vault), repeat=len(differing)):
        base = dict(anki) | {name: side[name] for name, side in zip(differing, sides, strict=True)}
        if identity.digest(*(base[name] for name in sorted(base))) == digest:
            return base
    return None if differing else vault


def _written_tags(
    remembered: tuple[str, ...], vault: tuple[str, ...], anki: tuple[str, ...], digest: str
) -> frozenset[str]:
    """The tags that obs2anki wrote last, folded; none where nothing tells which these were.

    They are what the ledger remembers, or some of those that are there: the ones that have the
    digest in State.
    """
    if identity.digest(*remembered) == digest:
        return frozenset(clean_tag(tag).casefold() for tag in remembered)
    some = sorted({*vault, *anki})
    if len(some) <= MOST_TAGS:
        for chosen in product((False, True), repeat=len(some)):
            tags = [tag for tag, taken in zip(some, chosen, strict=True) if taken]
            if identity.digest(*tags) == digest:
                return frozenset(clean_tag(tag).casefold() for tag in tags)
    return frozenset()


def _awake(
    note: Note, held: HeldNote, before: State, asks: bool
) -> tuple[tuple[CardId, ...], tuple[CardId, ...], frozenset[int]]:
    """Cards to suspend since nothing asks them, cards to wake, and what then is asleep by us.

    What the user has woken in the meantime, or suspended before, stays as it is.
    """
    wanted = {card.ordinal for card in note.cards}
    own = [card for card in held.cards if card.ordinal < CARDS[note.notetype]]
    lapsed = [card for card in own if asks and card.ordinal not in wanted]
    # What is asked again in a filtered deck waits until it is back in its own.
    calm = [card for card in held.cards if not card.cramming]
    suspend = [
        c for c in calm if c in lapsed and not c.suspended and c.ordinal not in before.asleep
    ]
    back = [c for c in calm if c.ordinal in before.asleep and c not in lapsed]
    wake = [card for card in back if card.suspended]
    asleep = (before.asleep - {c.ordinal for c in back}) | {c.ordinal for c in suspend}
    return _ids(suspend), _ids(wake), asleep


def _ids(cards: Iterable[HeldCard]) -> tuple[CardId, ...]:
    return tuple(card.id for card in cards)
