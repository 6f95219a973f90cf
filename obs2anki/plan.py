"""From documents to all that a destination needs.

    plan.make(vault, settings, library, clock) -> Plan(planned, media, skipped, left behind, ...)

The stages follow one another as they are told here: select, extract, place in decks, assign
GUIDs, render, schedule, check, remember. None of them reads a file or a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, tzinfo
from pathlib import PurePosixPath
from typing import TypeVar

from obs2anki import (
    check,
    cloze,
    decks,
    diagnostics,
    extract,
    identity,
    markdown,
    render,
    review,
    schedule,
)
from obs2anki.data import (
    NEW,
    Card,
    DeckName,
    Diagnostic,
    Document,
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
    VaultPath,
)
from obs2anki.media import Library
from obs2anki.notetypes import FIELDS
from obs2anki.settings import Settings

FIRST_SEEN = 1577836800
"""2020-01-01, seconds since the epoch: `created` of every note, and `mod` of one that is new.

Constant, so that two exports of one vault are the same bytes and no import overwrites anything.
"""

EMPTY = "(empty)"
"""What an empty side shows, so that Anki's Empty Cards never offers to delete the card."""

CAUSES = {
    "no-tag": "no flashcard tag",
    "unreadable-tags": "tags written so that the plugin cannot read them",
    "ignored": "in an ignored folder or with an ignored tag",
    "root": "in the vault's root, while folders are decks",
    "no-separator": "no separator matches",
    "orphan": "no flashcard directly above the review",
    "comment": "swallowed by an HTML comment",
    "rule": "left out by a deck rule",
    "no-card": "no card in its clozes",
}
"""Why a review, or a document, is left behind."""


_IN_TOML = "write in obs2anki.toml:\n"

REMEDIES = {
    "no-tag": f"To take every document that holds a review, {_IN_TOML}[select]\nreviewed = true",
    "unreadable-tags": (f"Write the tags as a YAML list, or {_IN_TOML}[select]\nreviewed = true"),
    "ignored": (
        f"To read it after all, {_IN_TOML}[grammar]\nfolders_to_ignore = []\ntags_to_ignore = []"
    ),
    "root": f"To use tags as decks, {_IN_TOML}[grammar]\nfolders_as_decks = false",
    "no-separator": f"Name your separator: {_IN_TOML}[grammar]\nsingle_line = {{separator}}",
    "orphan": "Put the comment directly below its flashcard",
    "comment": f'To read it after all, {_IN_TOML}[grammar]\nmend = ["html-comments"]',
    "rule": "A rule of [[decks.rules]] with skip = true leaves it out",
}
"""What brings them in: a line of obs2anki.toml where one does."""


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

    def hidden(self, entries: Sequence[Entry]) -> frozenset[Guid]:
        """GUIDs of what may still stand in a document or a folder that could not be read."""
        unreadable = {skipped.path for skipped in self.unreadable}
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


@dataclass(slots=True)
class _Gathered:
    """What the documents have yielded so far."""

    placed: list[tuple[Flashcard, DeckName]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    left_behind: list[LeftBehind] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def leave_behind(self, items: Iterable[LeftBehind]) -> None:
        """Note reviews that are not exported; for orphans the finding is there already."""
        for item in items:
            self.left_behind.append(item)
            if item.cause not in ("orphan", "no-separator"):
                why, remedy = CAUSES[item.cause], REMEDIES[item.cause].replace("\n", " ")
                self.diagnostics.append(
                    diagnostics.at("O406", item.path, item.line, item.reviews, why, remedy)
                )


def make(
    vault: Vault,
    settings: Settings,
    library: Library,
    clock: Clock,
    entries: Sequence[Entry] = (),
    found: Sequence[Diagnostic] = (),
    step: Callable[[Iterable[Source]], Iterable[Source]] = lambda sources: sources,
) -> Plan:
    """Plan the whole vault.

    `entries` are what the ledger remembers, `found` are findings of whoever read the vault, and
    `step` may watch the documents go by.
    """
    gathered = _Gathered(diagnostics=[*found, *_unusable_patterns(settings)])
    for source in step(vault.sources):
        _gather(source, settings, vault.name, gathered)
    for source in vault.ignored:
        _skip(source, "ignored", gathered)
    gathered.skipped += vault.unreadable

    flashcards = [flashcard for flashcard, _ in gathered.placed]
    hidden = vault.hidden(entries)
    unseen = [entry for entry in entries if entry.guid in hidden]
    seen = [entry for entry in entries if entry.guid not in hidden]
    assigned, unsure = identity.assign(flashcards, settings.namespace, seen, unseen)
    desk = _Desk(settings, library, clock, vault.name)
    planned = tuple(
        desk.planned(flashcard, deck, one)
        for (flashcard, deck), one in zip(gathered.placed, assigned, strict=True)
    )
    gathered.diagnostics += (*unsure, *desk.diagnostics, *check.flashcards(flashcards, settings))
    ledger = identity.remembered(flashcards, assigned, desk.fates, seen, clock.today, unseen)
    before = {entry.guid for entry in entries if entry.gone is None}
    return Plan(
        vault_name=vault.name,
        namespace=settings.namespace,
        rollover=settings.scheduling.rollover,
        revlog=settings.scheduling.revlog,
        planned=planned,
        media=tuple(desk.media[name] for name in sorted(desk.media)),
        online=tuple(sorted(desk.online)),
        skipped=_in_order(gathered.skipped, vault),
        left_behind=_in_order(gathered.left_behind, vault),
        diagnostics=_in_order(check.heeded(gathered.diagnostics, settings.check), vault),
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


def _in_order(items: list[_Item], vault: Vault) -> tuple[_Item, ...]:
    """By document in vault order, then by line; what is about no document comes first."""
    documents = (*vault.sources, *vault.ignored)
    order = {source.path: index for index, source in enumerate(documents)}
    return tuple(
        sorted(items, key=lambda i: (order.get(i.path, -1), i.path, getattr(i, "line", 0)))
    )


# ---------------------------------------------------------------- select, extract, place


def _gather(source: Source, settings: Settings, vault: str, gathered: _Gathered) -> None:
    document, problems = markdown.parse(source)
    cause = _left_out(document, source, settings)
    if cause is not None:
        _skip(source, cause, gathered)
        if cause == "unreadable-tags" and extract.flashcards(document, settings.grammar).flashcards:
            unread = check.unreadable_tag(source, document, settings.grammar)
            gathered.diagnostics += problems or unread
        return
    extraction = extract.flashcards(document, settings.grammar)
    placed, more = decks.place(document, extraction.flashcards, settings, vault)
    gathered.diagnostics += (*problems, *extraction.diagnostics, *more)
    gathered.placed += ((p.flashcard, p.deck) for p in placed if not p.left_out)
    gathered.leave_behind(_of_flashcards(placed))
    # Where nothing is a flashcard, it is the separator rather than the place of the review.
    found_any = bool(extraction.flashcards)
    gathered.leave_behind(
        item if found_any or item.cause != "orphan" else replace(item, cause="no-separator")
        for item in extraction.left_behind
    )
    if all(p.left_out for p in placed):
        reason = CAUSES[placed[0].left_out] if placed else "no flashcard in it"
        gathered.skipped.append(Skipped(source.path, reason))


def _left_out(document: Document, source: Source, settings: Settings) -> str | None:
    """Why the plugin does not read a document: a key of CAUSES; None = it does."""
    if not settings.plugin:
        return None
    if decks.is_ignored(document, settings.grammar):
        return "ignored"
    if decks.has_topic(document, settings.grammar):
        return None
    if settings.select.reviewed and extract.reviews_in(source.text):
        return None
    if settings.grammar.folders_as_decks:
        return "root"
    meant = decks.mentions_flashcard_tag(source.text, settings.grammar)
    return "unreadable-tags" if meant else "no-tag"


def _skip(source: Source, cause: str, gathered: _Gathered) -> None:
    """Leave a whole document out, and count its reviews."""
    gathered.skipped.append(Skipped(source.path, CAUSES[cause]))
    if review.OPENER in source.text:
        gathered.leave_behind(
            LeftBehind(source.path, number, cause, count)
            for number, line in enumerate(source.text.split("\n"), 1)
            if review.OPENER in line and (count := extract.reviews_in(line))
        )


def _of_flashcards(placed: Iterable[decks.Placed]) -> Iterator[LeftBehind]:
    for p in placed:
        count = sum(r is not None for r in p.flashcard.reviews)
        if p.left_out and count:
            yield LeftBehind(p.flashcard.path, p.flashcard.end_line, p.left_out, count)


# ---------------------------------------------------------------- render and schedule


@dataclass(slots=True)
class _Desk:
    """Where flashcards become notes; what comes up on the way is collected beside them."""

    settings: Settings
    library: Library
    clock: Clock
    vault: str
    position: int = 0
    media: dict[str, Media] = field(default_factory=dict)
    online: set[str] = field(default_factory=set)
    fates: list[identity.Fate] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def planned(self, flashcard: Flashcard, deck: DeckName, assigned: identity.Assigned) -> Planned:
        """Everything about one flashcard; a cloze that asks nothing gets no note."""
        guid, entry = assigned.guid, assigned.entry
        patterns, _ = cloze.compile_patterns(self.settings.grammar.cloze_patterns)
        kept = identity.keep(flashcard, entry, patterns)
        if flashcard.cloze is None:
            notetype = Notetype.BASIC
            sides, media = self._basic(flashcard)
            packed = frozenset(kept.places)
        else:
            notetype = Notetype.CLOZE
            sides, media, packed = self._cloze(flashcard, kept)
        places = tuple(place if place in packed else -1 for place in kept.places)
        seen = self.clock.now if entry is None else entry.seen
        if not packed:
            mod = FIRST_SEEN if entry is None else entry.mod
            content = "" if entry is None else entry.content
            self.fates.append(identity.Fate(deck, content, mod, seen, kept.remembered))
            return Planned(flashcard, guid, deck, None, places)
        self.position += 1
        fields = sides | self._surroundings(flashcard, guid)
        content = self._content(fields, flashcard, media)
        mod = FIRST_SEEN
        if entry is not None:
            # Above the ledger's, even if a clock was wrong: Anki takes only what is newer.
            same = entry.content == content
            mod = entry.mod if same else max(self.clock.now, entry.mod + 1)
        self.fates.append(identity.Fate(deck, content, mod, seen, kept.remembered))
        fields["State"] = _state(fields, flashcard.tags, deck)
        note = Note(
            guid=guid,
            notetype=notetype,
            fields=tuple(fields.get(name, "") for name in FIELDS[notetype]),
            deck=deck,
            tags=flashcard.tags,
            cards=tuple(
                Card(place, self._scheduling(flashcard, card))
                for place, card in sorted(zip(places, range(len(places)), strict=True))
                if place >= 0
            ),
            position=self.position,
            media=tuple(m.name for m in media),
            mod=mod,
            created=FIRST_SEEN,
            path=flashcard.path,
            line=flashcard.line,
        )
        self.media |= {m.name: m for m in media}
        return Planned(flashcard, guid, deck, note, places)

    def _basic(self, flashcard: Flashcard) -> tuple[dict[str, str], tuple[Media, ...]]:
        place = self._place(flashcard)
        html: list[str] = []
        media: list[Media] = []
        for side in flashcard.shown:
            rendered, found = render.side(side, place, self.library, self.settings.obsidian)
            html.append(rendered.html or EMPTY)
            media += rendered.media
            self.online.update(rendered.online)
            self.diagnostics += found
        reverse = "1" if flashcard.type.reversed else ""
        return {"Front": html[0], "Back": html[1], "Reverse": reverse}, tuple(media)

    def _cloze(
        self, flashcard: Flashcard, kept: identity.Ordinals
    ) -> tuple[dict[str, str], tuple[Media, ...], frozenset[int]]:
        """Fields, media, and the ordinals that the text yields: Anki needs a card for each."""
        assert flashcard.cloze is not None
        marked = cloze.marked(flashcard.shown[0], flashcard.cloze, kept.places)
        rendered, found = render.cloze(
            marked, self._place(flashcard), self.library, self.settings.obsidian
        )
        self.online.update(rendered.online)
        self.diagnostics += found
        packed = frozenset(number - 1 for number in cloze.numbers(rendered.html))
        for card, place in enumerate(kept.places):
            if place not in packed:
                self.diagnostics.append(
                    diagnostics.at("O501", flashcard.path, flashcard.line, card + 1)
                )
        return {"Text": rendered.html}, rendered.media, packed

    def _content(
        self, fields: dict[str, str], flashcard: Flashcard, media: tuple[Media, ...]
    ) -> str:
        """Digest of what is learnt: sides, Context, Source, tags and media.

        The vault's name in links is none of it, so that another name changes no note.
        """
        named = render.named(self._place(flashcard).vault)
        texts = [f"{name}={text.replace(named, '')}" for name, text in sorted(fields.items())]
        learnt = [text for text in texts if not text.startswith(("Id=", "Vault="))]
        names = sorted(m.name for m in media)
        return identity.digest(*learnt, "\x1e", *flashcard.tags, "\x1e", *names)

    def _place(self, flashcard: Flashcard) -> render.Place:
        name = self.settings.cards.vault
        rtl = flashcard.rtl
        return render.Place(
            path=flashcard.path,
            line=flashcard.own_line or flashcard.line,
            vault=self.vault if name is None else name,
            rtl=self.settings.obsidian.right_to_left if rtl is None else rtl,
            end_line=flashcard.end_line,
        )

    def _surroundings(self, flashcard: Flashcard, guid: Guid) -> dict[str, str]:
        cards = self.settings.cards
        title = PurePosixPath(flashcard.path).stem
        return {
            "Context": render.context(title, _headings(flashcard)) if cards.context else "",
            "Source": render.source_link(self._place(flashcard), flashcard.anchor)
            if cards.source
            else "",
            "Id": identity.note_id(guid),
            "Vault": self.settings.namespace,
        }

    def _scheduling(self, flashcard: Flashcard, ordinal: int) -> Scheduling:
        known = flashcard.review(ordinal) if self.settings.scheduling.enabled else None
        if known is None:
            return NEW
        scheduling, clamped = schedule.of(known, self.clock.today, self.clock.zone)
        self.diagnostics += (
            diagnostics.at("O405", flashcard.path, flashcard.end_line, what) for what in clamped
        )
        return scheduling


def _headings(flashcard: Flashcard) -> tuple[str, ...]:
    """The headings above the question, without one that is the question itself."""
    own = {
        markdown.normalised(line.lstrip("# \t"))
        for side in flashcard.shown
        for line in side.split("\n")
        if line.lstrip().startswith("#")
    }
    if not own:
        return flashcard.context
    return tuple(
        heading
        for heading in flashcard.context
        if not any(mine and markdown.normalised(heading).startswith(mine) for mine in own)
    )


def _state(fields: dict[str, str], tags: tuple[str, ...], deck: DeckName) -> str:
    """Digests of fields, tags and deck: what obs2anki wrote last, for a later comparison."""
    content = (text for _, text in sorted(fields.items()))
    return " ".join((identity.digest(*content), identity.digest(*tags), identity.digest(deck)))
