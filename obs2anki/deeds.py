"""What Anki holds of a vault, and what is to be done so that it follows the vault.

    with place.session() as anki:                                 # one of the destinations
        holding = anki.read(plan.namespace)                       # HeldNote(guid, fields, cards)
        changes, found = reconcile.changes(plan, holding, ...)    # Add, Change; nothing written
        anki.apply(changes, plan)                                 # all of it, or nothing

The values here are what passes between these three. A destination knows how Anki is reached and
nothing of what ought to change; `reconcile` decides that, and touches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NewType, Protocol

from msgspec import structs

from obs2anki.data import (
    Card,
    DeckName,
    Guid,
    Media,
    Note,
    Notetype,
    Plan,
    Planned,
    Scheduling,
    Value,
    VaultPath,
)

NoteId = NewType("NoteId", int)
"""Anki's number of a note in one collection."""

CardId = NewType("CardId", int)
"""Anki's number of a card in one collection."""

ORPHAN_TAG = "obs2anki::orphan"
"""What a note is tagged with once its flashcard has left the vault."""

# ---------------------------------------------------------------- what Anki holds


class HeldCard(Value, frozen=True):
    """A card as Anki has it."""

    id: CardId
    ordinal: int
    """In the notetype as obs2anki brings it; of templates that the user added, it goes on."""
    deck: DeckName
    """Its own deck, also while it is in a filtered one."""
    filtered: bool = False
    """Whether it is in a filtered deck now."""
    cramming: bool = False
    """Whether that deck, which reschedules nothing, is to ask it again at some moment.

    Anki's suspending and unsuspending would leave that moment as its due day or position, which
    Anki's own check then finds fault with.
    """
    suspended: bool = False
    answered: bool = False
    """Whether the review log knows it."""
    scheduling: Scheduling | None = None
    """None where a destination does not tell; only `--reschedule` asks for it."""


class HeldNote(Value, frozen=True):
    """A note of one of our notetypes as Anki has it, edits made there included."""

    id: NoteId
    guid: Guid | None
    """None where a destination does not tell it: then the field Id says whose note it is."""
    notetype: Notetype
    fields: Mapping[str, str]
    """By name; the user may have added fields, in any order."""
    tags: tuple[str, ...]
    cards: tuple[HeldCard, ...]
    """By ordinal."""
    lacks: frozenset[int] = frozenset()
    """Ordinals that the note cannot have: the user has removed the template."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What Anki holds that matters for a vault."""

    notes: tuple[HeldNote, ...] = ()
    """Notes of our notetypes whose field Vault is the vault's namespace, oldest first."""
    decks: frozenset[DeckName] = frozenset()
    """Every deck that can have cards of its own."""
    filtered: frozenset[DeckName] = frozenset()
    """Every filtered deck."""
    media: frozenset[str] = frozenset()
    """Names of the files in Anki's media folder; at least those of the plan that are there."""
    taken: frozenset[Guid] = frozenset()
    """GUIDs of all other notes, as far as a destination tells them."""
    rollover: int | None = None
    """The hour at which this Anki's next day starts, if it is known."""
    longest: Mapping[DeckName, int] = field(default_factory=dict)
    """The maximum interval of each deck's options, days; only `--deck-options` asks for it."""


# ---------------------------------------------------------------- what is to be done


class Prefer(StrEnum):
    """Whose text stays where both sides were edited."""

    VAULT = "vault"
    ANKI = "anki"


class Verb(StrEnum):
    """What is done to a note; one note may get several."""

    ADD = "add"
    UPDATE = "update"
    MOVE = "move"
    SUSPEND = "suspend"
    WAKE = "wake"
    RESCHEDULE = "reschedule"
    CONFLICT = "conflict"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a flashcard stands; of one that has left, where it stood."""

    path: VaultPath
    line: int | None
    """None once it has left."""
    question: str


@dataclass(frozen=True, slots=True)
class Add:
    """A note that Anki does not have, with the scheduling of its cards."""

    place: Place
    note: Note
    """Its deck is named as in Anki, where the user may have renamed it."""

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """What is done."""
        return (Verb.ADD,)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that was edited in the vault and in Anki."""

    field: str
    vault: str
    anki: str


@dataclass(frozen=True, slots=True)
class Move:
    """Cards that change their deck; the deck may have to be made."""

    cards: tuple[CardId, ...]
    deck: DeckName


@dataclass(frozen=True, slots=True)
class Change:
    """All that is to be done to one note that Anki has; what is empty stays as it is.

    Cards, fields, tags and decks that are not named here are not touched. The order is that
    below: the fields are there before new cards ask them.
    """

    place: Place
    held: HeldNote
    fields: Mapping[str, str]
    """New texts by name; State is among them whenever anything else changes."""
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    """As Anki spells them."""
    siblings: tuple[Card, ...] = ()
    """Cards that the new text asks and Anki does not have, with their scheduling."""
    sibling_note: Note | None = None
    """The whole note with the cards of `siblings` alone, for `package`."""
    move: Move | None = None
    suspend: tuple[CardId, ...] = ()
    wake: tuple[CardId, ...] = ()
    """Cards to suspend no longer."""
    reschedule: tuple[tuple[CardId, Scheduling], ...] = ()
    """Cards never answered in Anki that get the vault's scheduling once more."""
    conflicts: tuple[Conflict, ...] = ()
    """Nothing is done about these; `fields` leaves them alone."""

    @property
    def verbs(self) -> tuple[Verb, ...]:
        """What is done, as the user sees it; bookkeeping alone is nothing."""
        learnt = [name for name in self.fields if name not in BOOKKEEPING]
        done = {
            Verb.CONFLICT: self.conflicts,
            Verb.WAKE: self.wake,
            Verb.UPDATE: learnt or self.siblings or self._own_tags,
            Verb.MOVE: self.move,
            Verb.SUSPEND: self.suspend,
            Verb.RESCHEDULE: self.reschedule,
        }
        return tuple(verb for verb, parts in done.items() if parts) or (Verb.UNCHANGED,)

    @property
    def _own_tags(self) -> list[str]:
        return [tag for tag in (*self.add_tags, *self.remove_tags) if tag != ORPHAN_TAG]

    @property
    def writes(self) -> bool:
        """Whether Anki has to be written for it: not for a conflict alone."""
        return bool(
            self.fields
            or self.add_tags
            or self.remove_tags
            or self.siblings
            or self.move
            or self.suspend
            or self.wake
            or self.reschedule
        )


BOOKKEEPING = frozenset(("Id", "Vault", "State"))
"""Fields that no card shows."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A maximum interval for the cards of a deck.

    Options that decks of others use as well are not changed: the deck gets a copy of them.
    """

    deck: DeckName
    days: int


@dataclass(frozen=True, slots=True)
class Changes:
    """All that is to be done, in vault order, then what has left the vault."""

    added: tuple[Add, ...] = ()
    changed: tuple[Change, ...] = ()
    unchanged: tuple[Planned, ...] = ()
    media: tuple[Media, ...] = ()
    """Files that Anki's media folder lacks and cards need."""
    removed: tuple[Removal, ...] = ()
    """Only `prune` has them."""
    limits: tuple[Limit, ...] = ()
    """Only `--deck-options` has them."""

    @property
    def writes(self) -> bool:
        """Whether there is anything to write; if not, nothing is opened for writing."""
        return bool(self.added or self.media or self.removed or self.limits) or any(
            change.writes for change in self.changed
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """An orphan that is to be deleted, with its cards."""

    place: Place
    held: HeldNote


def package(changes: Changes, plan: Plan, rollover: int) -> Plan:
    """The plan of a package that brings the new notes, and the new cards of old ones, but no media.

    `rollover` is the hour of the Anki that will import it: with that one no due date shifts.
    An importer that is told to update notes always, and notetypes never, does with it what
    `changes` says of `added`, `siblings` and their notes' fields.
    """
    notes = [add.note for add in changes.added]
    notes += [change.sibling_note for change in changes.changed if change.sibling_note is not None]
    planned_of = {one.guid: one for one in plan.planned}
    return replace(
        plan,
        planned=tuple(structs.replace(planned_of[note.guid], note=note) for note in notes),
        media=(),
        rollover=rollover,
    )


# ---------------------------------------------------------------- who does it


@dataclass(frozen=True, slots=True)
class Applied:
    """What a destination tells when it is done."""

    backup: str = ""
    """Where a backup was made."""
    refused: tuple[tuple[Place, str], ...] = ()
    """What Anki would not do, and why; the next run tries it again."""


class Anki(Protocol):
    """An Anki that is open to be read and, once, to be written.

    A destination is a context manager that yields one and holds Anki's lock, if it has one, in
    between: what was read is still true when it is written.
    """

    def read(self, namespace: str) -> Holding:
        """What Anki holds. Raises Obs2ankiError, with a remedy, where it cannot be read."""
        ...

    def apply(self, changes: Changes, plan: Plan) -> Applied:
        """Do all of `changes`; `plan` is what they were made from.

        Called only if `changes.writes`. Media first, so that no card waits for its picture.
        Raises Obs2ankiError; then Anki is as it was or, where it cannot be written in one step,
        in a state from which the next run finishes the job with nothing doubled: State is
        written together with, or after, what it stands for.
        """
        ...
