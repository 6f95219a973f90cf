"""Every value that travels through obs2anki, in the order in which one becomes the next.

    Source(path, text) -> Document -> Flashcard -> Note -> Plan -> Delivery

All are frozen: a stage returns new values and changes none that it was given.
Lines and columns are 1-based; a *document* is a Markdown file, a *note* is always Anki's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NewType

import msgspec


class Value(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value that is made by the 100,000, or kept as bytes for the next run.

    It takes a third of the time of a frozen dataclass to make, and can become MessagePack (a list
    of its fields, in their order) and be read from it at that speed. No value holds itself, so
    the collector of cycles need not look at them.
    """


VaultPath = NewType("VaultPath", str)
"""A path inside the vault: NFC, with `/`, relative to the vault's folder."""

Guid = NewType("Guid", str)
"""Anki's name for a note, for ever: an import finds the note again by it."""

DeckName = NewType("DeckName", str)
"""A deck in Anki's form, `a::b`."""


# ---------------------------------------------------------------- what the vault holds


@dataclass(frozen=True, slots=True)
class Source:
    """A Markdown file as read: its path and its decoded text."""

    path: VaultPath
    text: str


class Heading(Value, frozen=True):
    """A heading of a document, as Obsidian's metadata cache lists it."""

    level: int
    text: str
    line: int


class Tag(Value, frozen=True):
    """A tag written in a document's text; `name` has no `#`, nested parts are joined by `/`."""

    name: str
    line: int


FrontmatterValue = str | tuple[str, ...] | None
"""A frontmatter value as text: a scalar as written, a list of scalars, or nothing."""


@dataclass(frozen=True, slots=True)
class Document:
    """A Markdown file, understood as far as the plugin asks Obsidian about it."""

    path: VaultPath
    lines: tuple[str, ...]
    """The text by lines, those of the frontmatter blank, so that line numbers keep."""
    frontmatter: Mapping[str, FrontmatterValue]
    content_line: int
    """The first line after the frontmatter as the plugin delimits it; 1 where there is none."""
    headings: tuple[Heading, ...]
    tags: tuple[Tag, ...]
    """Tags in the text, by line; those of the frontmatter are not among them."""
    frontmatter_tags: tuple[str, ...]
    """Tags of the frontmatter as Obsidian reads them."""
    topic_tags: tuple[str, ...]
    """Tags of the frontmatter as the plugin reads them when it looks for decks."""
    rtl: bool | None
    """Whether the frontmatter says `direction: rtl`; None = it says nothing."""


# ---------------------------------------------------------------- what is to be learnt


class FlashcardType(StrEnum):
    """The plugin's five types, by the plugin's names."""

    SINGLE_LINE_BASIC = "single-line-basic"
    SINGLE_LINE_REVERSED = "single-line-reversed"
    MULTI_LINE_BASIC = "multi-line-basic"
    MULTI_LINE_REVERSED = "multi-line-reversed"
    CLOZE = "cloze"

    @property
    def reversed(self) -> bool:
        """Whether the flashcard is asked in both directions."""
        return self in _REVERSED


_REVERSED = (FlashcardType.SINGLE_LINE_REVERSED, FlashcardType.MULTI_LINE_REVERSED)


class Sm2Review(Value, frozen=True, tag=2):
    """A review by the plugin's SM-2: next due day, interval in days, ease in percent."""

    due: date
    interval: int
    ease: int


class FsrsReview(Value, frozen=True, tag=6):
    """A review by the plugin's FSRS. A datetime without a zone is local to the user."""

    due: datetime
    interval: float
    """Scheduled days; 0 while learning within a day."""
    stability: float
    """Days."""
    difficulty: float
    """1 to 10."""
    state: int
    """0 new, 1 learning, 2 review, 3 relearning (ts-fsrs)."""
    reps: int
    lapses: int
    last_review: datetime | None


Review = Sm2Review | FsrsReview


class ClozeKind(StrEnum):
    """How a cloze flashcard numbers its deletions (clozecraft 0.4.0)."""

    SIMPLE = "simple"
    NUMBERED = "numbered"
    OVERLAPPING = "overlapping"


class Deletion(Value, frozen=True):
    """One deletion of a cloze flashcard.

    `raw` is the text that it replaces, marks included. `asked` and `hidden` are the ordinals
    (0-based) of the plugin's cards on which it is asked, or hidden on both sides.
    """

    raw: str
    answer: str
    hint: str | None
    asked: tuple[int, ...]
    hidden: tuple[int, ...] = ()
    start: int = 0
    """Where `raw` was found in the flashcard's text."""


class Cloze(Value, frozen=True):
    """The deletions of a cloze flashcard, in the order in which the plugin replaces them."""

    kind: ClozeKind
    deletions: tuple[Deletion, ...]
    cards: int
    """How many cards the plugin makes of it, those that ask nothing included; at most 500."""


class Flashcard(Value, frozen=True):
    """What a document's author wrote to be learnt: one flashcard, which becomes one note."""

    type: FlashcardType
    path: VaultPath
    line: int
    end_line: int
    written: tuple[str, ...]
    """`sides`, where these are not `shown`; else empty, for both are kept in every cache."""
    shown: tuple[str, ...]
    """The sides as they are learnt: no tags at the edges, no block id, no trace of a comment.

    Unlike `sides` they are the same whether there is a review or not.
    """
    cloze: Cloze | None
    block_id: str | None
    """As the plugin sees it: not, where a leading tag and a review hide it from it."""
    anchor: str | None
    """The block id that a link can name."""
    context: tuple[str, ...]
    """The headings above it, outermost first."""
    leading_tag: str | None
    """The tag that opens it and so names its deck (`a/b`), whether Obsidian knows it or not."""
    topics: tuple[str, ...]
    """The plugin's decks for it (`a/b`); empty without plugin settings."""
    tags: tuple[str, ...]
    """Obsidian's tags that are its own, without `#`, sorted."""
    reviews: tuple[Review | None, ...]
    """By the plugin's order of cards; None = never reviewed; may be shorter than the cards."""
    rtl: bool | None = None
    own_line: int = 0
    """Where its text begins: `line` is the plugin's, which may be that of the flashcard above."""

    @property
    def sides(self) -> tuple[str, ...]:
        """Front and back as the plugin has them, not trimmed; a cloze has one, marks included."""
        return self.written or self.shown

    @property
    def card_count(self) -> int:
        """How many cards the plugin makes of it."""
        if self.cloze is not None:
            return self.cloze.cards
        return 2 if self.type.reversed else 1

    def review(self, ordinal: int) -> Review | None:
        """The review of the plugin's card `ordinal` (0-based), if it has one."""
        return self.reviews[ordinal] if ordinal < len(self.reviews) else None


class Skipped(Value, frozen=True):
    """A document that gave no flashcard, and why."""

    path: VaultPath
    reason: str


# ---------------------------------------------------------------- what Anki gets


class CardState(StrEnum):
    """Anki's card types."""

    NEW = "new"
    LEARNING = "learning"
    REVIEW = "review"
    RELEARNING = "relearning"


class Scheduling(Value, frozen=True):
    """What a review says, in Anki's terms and within Anki's limits."""

    state: CardState
    due: date | None = None
    """The day on which the card falls due; None for a new card."""
    due_at: int | None = None
    """Seconds since the epoch: when a card that is in learning falls due."""
    interval: int = 0
    """Days, 1 to 36,500; 0 for a new card or one in learning."""
    factor: int = 0
    """Ease in permille, 1300 to 9999; 0 for a new card."""
    reps: int = 0
    lapses: int = 0
    last_review: int | None = None
    """Seconds since the epoch (`lrt` in Anki's card data)."""
    stability: float | None = None
    """FSRS memory, days; only from FSRS reviews."""
    difficulty: float | None = None


NEW = Scheduling(CardState.NEW)


class Notetype(StrEnum):
    """Anki's notetypes that obs2anki writes."""

    BASIC = "obs2anki"
    CLOZE = "obs2anki cloze"


class Card(Value, frozen=True):
    """A card of an Anki note: its ordinal in the notetype, and its scheduling."""

    ordinal: int
    scheduling: Scheduling = NEW


class Note(Value, frozen=True):
    """An Anki note, complete but for the numbers that only a destination knows."""

    guid: Guid
    notetype: Notetype
    fields: tuple[str, ...]
    """By the order of `notetypes.FIELDS[notetype]`, as Anki stores them (`ankitext.clean`)."""
    deck: DeckName
    tags: tuple[str, ...]
    cards: tuple[Card, ...]
    position: int
    """1..n in vault order: the place of the note's new cards in the queue."""
    media: tuple[str, ...]
    """Names of the media that the fields refer to."""
    mod: int
    """Seconds since the epoch: when the note's content last changed."""
    created: int
    """Seconds since the epoch: from there on a package numbers its notes and cards."""
    path: VaultPath
    line: int


class Media(Value, frozen=True):
    """A file that goes into Anki's media folder."""

    name: str
    """The name in Anki: `<stem>-<hash>.<ext>`."""
    file: Path
    """Where it lies now; it is streamed from there."""
    size: int
    """Bytes."""


# ---------------------------------------------------------------- what is remembered


LAST_INSTANT = 253402300799
"""The end of the year 9999: beyond it a clock, or somebody, was wrong."""

LAST_ORDINAL = 499
"""Anki knows cloze numbers 1 to 500."""

Instant = Annotated[int, msgspec.Meta(ge=0, le=LAST_INSTANT)]
"""Seconds since the epoch."""


class Ordinal(Value, frozen=True):
    """An ordinal (0-based) of a cloze note, and what its card asked last.

    It is never given to another deletion, so it stays when its deletion has left.
    """

    ordinal: Annotated[int, msgspec.Meta(ge=0, le=LAST_ORDINAL)]
    digest: str
    """Of the answers that the card asks for."""
    gone: bool | Literal[1] = False
    """Whether no deletion has it any more, for which the ledger's file has a 1."""


class Entry(Value, frozen=True, array_like=False, forbid_unknown_fields=True, omit_defaults=True):
    """What the ledger remembers of a flashcard: enough to know it again after an edit.

    These are, in their order, the names and the values of a line of the ledger's file, but for
    one name.
    """

    guid: Annotated[Guid, msgspec.Meta(min_length=1)]
    type: FlashcardType
    path: VaultPath
    deck: DeckName
    tags: tuple[str, ...]
    block_id: str | None
    question: str
    """Normalised, at most 200 characters."""
    answer: str
    digest: tuple[str, str]
    """Of the whole question, and of the whole answer."""
    context_digest: str = msgspec.field(name="context")
    """Of the headings above it."""
    after: Guid | None
    """The flashcard before it in its document."""
    reviews: tuple[str, ...]
    """As of the last change of its content, a text for each card; empty = never reviewed."""
    content: str
    """Digest of fields, tags and media; empty if it never became a note."""
    mod: Instant
    """When its content last changed."""
    seen: Instant
    """When it was first seen."""
    ordinals: tuple[Ordinal, ...] = ()
    """Of a cloze note, those of deletions that have left included."""
    gone: date | None = None
    """The day on which it was found to have left the vault."""

    @property
    def question_digest(self) -> str:
        """Of the whole question."""
        return self.digest[0]

    @property
    def answer_digest(self) -> str:
        """Of the whole answer."""
        return self.digest[1]


# ---------------------------------------------------------------- what is to be said


class Severity(StrEnum):
    """How bad a finding is; `info` never changes an exit code."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Diagnostic(Value, frozen=True, order=True):
    """One finding: where, what, and what to do about it."""

    path: VaultPath
    line: int
    column: int
    code: str
    severity: Severity
    message: str
    hint: str = ""


class Planned(Value, frozen=True):
    """A flashcard with all that was decided about it; `note` is None if it cannot be packed."""

    flashcard: Flashcard
    guid: Guid
    deck: DeckName
    note: Note | None
    ordinals: tuple[int, ...] = ()
    """By the plugin's order of cards: the ordinal in Anki; -1 = Anki gets no such card."""


class LeftBehind(Value, frozen=True):
    """A review that the plugin keeps in the vault and that is not exported, and why."""

    path: VaultPath
    line: int
    cause: str
    """A key of `yields.CAUSES`."""
    reviews: int = 1
    separator: str | None = None
    """What looks like a separator in the line above, though none in force stands there."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """Notes that changed only because their document, or its folder, has another name."""

    old: str
    new: str
    notes: int


@dataclass(frozen=True)
class Plan:
    """All that a destination needs, and all that the user should be told."""

    vault_name: str
    namespace: str
    rollover: int
    """The hour at which Anki's next day starts."""
    revlog: bool
    """Whether one made-up review log row is written for each reviewed card."""
    planned: tuple[Planned, ...]
    """Every flashcard of the vault, in vault order."""
    media: tuple[Media, ...]
    skipped: tuple[Skipped, ...]
    left_behind: tuple[LeftBehind, ...]
    diagnostics: tuple[Diagnostic, ...]
    ledger: tuple[Entry, ...] = ()
    """What is to be remembered once this is delivered, by GUID."""
    left: tuple[Entry, ...] = ()
    """What was in the vault at the last run and is no more."""
    online: tuple[str, ...] = ()
    """Addresses of the media that cards show from the web, sorted."""
    renamed: tuple[Renamed, ...] = ()
    """Renamings that alone changed notes, the one that changed most first."""

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """The notes to deliver, in vault order."""
        return tuple(p.note for p in self.planned if p.note is not None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a destination did with a plan."""

    added: int = 0
    changed: int = 0
    gone: int = 0
    unchanged: int = 0
    written: bool = False
    """False where the destination already held the plan."""
    size: int = 0
    """Bytes of what the destination holds now, where that can be said."""
    new_guids: frozenset[Guid] = frozenset()
    """Notes that the destination had not been given before."""
    newer: int = 0
    """Those of the changed notes whose time of change is later: Anki's import updates no other."""
    digest: str = field(default="", compare=False)
    """SHA-256 of the file that was written or found to hold it; empty = that is not known."""
