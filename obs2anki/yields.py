r"""What one document yields: its flashcards, placed and rendered, and what is to be said of it.

    Source("biology/cells.md", "#flashcards\n\nWhat holds a cell together?::The cell wall")
    ->  Yield(made=(Made(flashcard, "flashcards", Sides(("What holds ...", "The cell wall"))),))

Nothing here looks at another document, at the ledger or at the clock. So documents can be worked
at in any order and in several processes, and what one yielded holds until it changes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from msgspec import structs

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
)
from obs2anki.ankitext import clean
from obs2anki.data import (
    DeckName,
    Diagnostic,
    Document,
    Flashcard,
    Guid,
    LeftBehind,
    Media,
    Skipped,
    Source,
    Value,
    VaultPath,
)
from obs2anki.media import Library
from obs2anki.settings import Settings

EMPTY = "(empty)"
"""What an empty side shows, so that Anki's Empty Cards never offers to delete the card."""

CAUSES = {
    "no-tag": "no flashcard tag",
    "unreadable-tags": "tags written so that the plugin cannot read them",
    "ignored": "in an ignored folder or with an ignored tag",
    "select": "left out by [select] ignore",
    "root": "in the vault's root, while folders are decks",
    "no-separator": "no separator matches",
    "no-cloze": "no cloze pattern is in force",
    "orphan": "no flashcard directly above the review",
    "comment": "swallowed by an HTML comment",
    "code": "in a code block, as the plugin reads it",
    "frontmatter": "in the frontmatter, as the plugin reads it",
    "rule": "left out by a deck rule",
    "no-card": "no card in its clozes",
}
"""Why a review, or a document, is left behind."""

_IN_TOML = "write in obs2anki.toml:\n"

REMEDIES = {
    "no-tag": f"To take every document that holds a review, {_IN_TOML}[select]\nreviewed = true",
    "unreadable-tags": (
        "Write the tags as a YAML list, each in the upper and lower case of the settings, or "
        f"{_IN_TOML}[select]\nreviewed = true"
    ),
    "ignored": (
        f"To read it after all, {_IN_TOML}[grammar]\nfolders_to_ignore = []\ntags_to_ignore = []"
    ),
    "select": "The list ignore below [select] in obs2anki.toml leaves it out",
    "root": f"To use tags as decks, {_IN_TOML}[grammar]\nfolders_as_decks = false",
    "no-separator": f"Name your separator: {_IN_TOML}[grammar]\nsingle_line = {{separator}}",
    "no-cloze": (
        f"If highlights are your clozes, {_IN_TOML}[grammar]\n"
        'cloze_patterns = ["==[123;;]answer[;;hint]=="]'
    ),
    "orphan": "Put the comment directly below its flashcard",
    "comment": f'To read it after all, {_IN_TOML}[grammar]\nmend = ["html-comments"]',
    "code": (
        "Mend the fences above: each at the very beginning of a line, and words only behind "
        "those that open"
    ),
    "frontmatter": (
        "If the line --- that begins the document is to begin no frontmatter, put an empty line "
        "above it"
    ),
    "rule": "A rule of [[decks.rules]] with skip = true leaves it out",
    "no-card": "Number its clozes from 1",
}
"""What brings them in: a line of obs2anki.toml where one does."""


class Sides(Value, frozen=True):
    """What a flashcard shows, as HTML that Anki stores as it is, and what belongs to that."""

    html: tuple[str, ...]
    """Front and back, or the one text of a cloze."""
    media: tuple[Media, ...] = ()
    online: tuple[str, ...] = ()
    """Addresses of media from the web."""
    diagnostics: tuple[Diagnostic, ...] = ()


class Frame(Value, frozen=True):
    """What a card shows around a flashcard, to say where it stands: many have the same."""

    context: str
    """The Context field."""
    source: str
    """The Source field."""


class Label(Value, frozen=True):
    """What a note says of itself."""

    guid: Guid
    id: str
    """The Id field."""
    state: str
    """The State field: what obs2anki wrote last, for a later comparison."""


class Made(Value, frozen=True):
    """A flashcard with all that can be said of it without the ledger."""

    flashcard: Flashcard
    deck: DeckName
    key: identity.Key
    places: tuple[int, ...]
    """By the plugin's order of cards: the ordinal that each has in a note that is new."""
    sides: Sides
    """A cloze's are those with these ordinals."""
    frame: int
    """The place of its frame among those of its document."""
    content: str
    """Digest of what is learnt."""
    label: Label
    """That of a note that is new, if no other flashcard has its question."""


class Yield(Value, frozen=True):
    """What a document yields."""

    path: VaultPath
    made: tuple[Made, ...] = ()
    skipped: Skipped | None = None
    left_behind: tuple[LeftBehind, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    """Findings about how it is written; those of a flashcard's sides are with them."""
    lookups: tuple[render.Lookup, ...] = ()
    """What the library was asked. With the same answers, `documents` and media it yields this."""
    documents: tuple[VaultPath, ...] = ()
    """Documents that were looked into for what it embeds."""
    readable: bool = True
    """Whether it could be read at all."""
    frames: tuple[Frame, ...] = ()
    """Of its flashcards, each once."""

    @property
    def online(self) -> bool:
        """Whether a card shows a medium from the web."""
        return any(one.sides.online for one in self.made)


def of(source: Source, settings: Settings, library: Library, vault: str) -> Yield:
    """All that a document yields; `vault` is the vault's name, in links and as a deck."""
    return of_each((source,), settings, library, vault)[0]


def of_each(
    sources: Sequence[Source], settings: Settings, library: Library, vault: str
) -> list[Yield]:
    """All that each of some documents yields, as `of` has it.

    Each step is taken with all of them before the next step begins: as long as a processor finds
    the code of a step in its caches, it needs a quarter less time than for all steps in turn.
    """
    read = [_Read(source, *markdown.parse(source)) for source in sources]
    causes = [_left_out(one.document, one.source, settings) for one in read]
    both = list(zip(read, causes, strict=True))
    taken = iter(_taken([one for one, cause in both if cause is None], settings, library, vault))
    return [next(taken) if cause is None else _nothing(one, cause, settings) for one, cause in both]


class _Read(NamedTuple):
    """A document as it was read, and what is to be said of that."""

    source: Source
    document: Document
    problems: list[Diagnostic]


def _nothing(read: _Read, cause: str, settings: Settings) -> Yield:
    """What a document yields that is left out for a cause."""
    nothing = left_out(read.source, cause)
    meant = cause == "unreadable-tags" and extract.flashcards(read.document, settings.grammar)
    if not meant or not meant.flashcards:
        return nothing
    unread = read.problems or check.unreadable_tag(read.source, read.document, settings.grammar)
    said = (*nothing.diagnostics, *unread, *check.unresolved_merges(read.source))
    return structs.replace(nothing, diagnostics=said)


def _taken(
    read: Sequence[_Read], settings: Settings, library: Library, vault: str
) -> Iterator[Yield]:
    """What each document yields that is not left out."""
    cut = [extract.flashcards(one.document, settings.grammar) for one in read]
    placed = [
        decks.place(one.document, its.flashcards, settings, vault)
        for one, its in zip(read, cut, strict=True)
    ]
    benches = [Bench(settings, library, vault) for _ in read]
    wanted = [
        (bench, one.flashcard, one.deck)
        for bench, (of_it, _) in zip(benches, placed, strict=True)
        for one in of_it
        if not one.left_out
    ]
    made = iter(_made(wanted))
    for one, its, (of_it, found), bench in zip(read, cut, placed, benches, strict=True):
        own = tuple(islice(made, sum([not p.left_out for p in of_it])))
        left_behind = (
            *_in_frontmatter(one.source, one.document),
            *_of_flashcards(of_it),
            *_left_behind(its),
        )
        checked = (
            *check.flashcards([each.flashcard for each in own]),
            *check.unresolved_merges(one.source),
        )
        yield Yield(
            one.source.path,
            own,
            _skipped(one.source.path, of_it),
            left_behind,
            (*one.problems, *its.diagnostics, *found, *_told(left_behind), *checked),
            tuple(bench.lookups),
            tuple(bench.documents),
            frames=tuple(bench.frames),
        )


def _in_frontmatter(source: Source, document: Document) -> Iterator[LeftBehind]:
    """The reviews that the plugin does not see, for it takes what they stand in for frontmatter."""
    first = source.text.find(review.OPENER)
    above = document.content_line - 1
    # Most documents have a frontmatter, and hardly any a review in it.
    if first >= 0 and source.text.count("\n", 0, first) < above:
        yield from _reviews_in(source.path, markdown.split(source.text)[:above], "frontmatter")


def _reviews_in(path: VaultPath, lines: Iterable[str], cause: str) -> Iterator[LeftBehind]:
    """The reviews in lines that are left behind, the first being line 1."""
    for number, line in enumerate(lines, 1):
        if review.OPENER in line and (count := extract.reviews_in(line)):
            yield LeftBehind(path, number, cause, count)


def _left_behind(cut: extract.Extraction) -> Iterator[LeftBehind]:
    """The reviews that no flashcard took."""
    # Where nothing is a flashcard, it is the separator rather than the place of the review.
    for item in cut.left_behind:
        no_separator = item.cause == "orphan" and not cut.flashcards
        yield structs.replace(item, cause="no-separator") if no_separator else item


def _skipped(path: VaultPath, placed: Sequence[decks.Placed]) -> Skipped | None:
    """Why a document gives no flashcard, if it does not."""
    if not all(one.left_out for one in placed):
        return None
    return Skipped(path, CAUSES[placed[0].left_out] if placed else "no flashcard in it")


def left_out(source: Source, cause: str) -> Yield:
    """What a document yields that is left out for a cause: its reviews are counted."""
    left_behind: tuple[LeftBehind, ...] = ()
    if review.OPENER in source.text:
        left_behind = tuple(_reviews_in(source.path, markdown.split(source.text), cause))
    skipped = Skipped(source.path, CAUSES[cause])
    return Yield(source.path, (), skipped, left_behind, tuple(_told(left_behind)))


def ignored(source: Source, settings: Settings) -> Yield:
    """What a document yields that is ignored for its path.

    Where only our own list ignores it, the plugin's lists are not to blame: to empty them would
    bring nothing in.
    """
    from obs2anki import globs  # few vaults have such lists

    by_plugin = globs.ignored_by(source.path, settings.grammar.folders_to_ignore)
    ours = not by_plugin and globs.ignored_by(source.path, settings.select.ignore)
    return left_out(source, "select" if ours else "ignored")


def unread(path: VaultPath, said: Sequence[Diagnostic]) -> Yield:
    """What a document yields that cannot be read; the first of `said` says why."""
    return Yield(path, (), Skipped(path, said[0].message), (), tuple(said), readable=False)


# ---------------------------------------------------------------- select


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


def _told(items: Iterable[LeftBehind]) -> Iterator[Diagnostic]:
    """A finding for reviews that are not exported; for orphans it is there already."""
    for item in items:
        if item.cause not in ("orphan", "no-separator"):
            why, remedy = CAUSES[item.cause], REMEDIES[item.cause]
            if item.cause == "no-cloze":  # an orphan, but not one to delete
                told = diagnostics.at("O401", item.path, item.line, why)
            else:
                told = diagnostics.at("O406", item.path, item.line, item.reviews, why, remedy)
            yield structs.replace(told, hint=remedy)  # TOML to be pasted, line by line


def _of_flashcards(placed: Iterable[decks.Placed]) -> Iterator[LeftBehind]:
    for p in placed:
        if p.left_out and (count := sum(r is not None for r in p.flashcard.reviews)):
            yield LeftBehind(p.flashcard.path, p.flashcard.end_line, p.left_out, count)


# ---------------------------------------------------------------- render


_Wanted = tuple["Bench", Flashcard, DeckName]
"""A flashcard that is to be rendered at the bench of its document, and its deck."""


def _made(wanted: Sequence[_Wanted]) -> list[Made]:
    """Flashcards, rendered as new notes would show them; all of them go through each step."""
    places = [identity.new_places(one) for _, one, _ in wanted]
    frames = [bench.frame(one) for bench, one, _ in wanted]
    sides = [bench.sides(one, its) for (bench, one, _), its in zip(wanted, places, strict=True)]
    keys = [identity.key(one) for _, one, _ in wanted]
    contents = [
        content(one, shown, frame, bench.vault_in_links)
        for (bench, one, _), shown, frame in zip(wanted, sides, frames, strict=True)
    ]
    guids = [
        identity.guid_for(bench.settings.namespace, key.question)
        for (bench, _, _), key in zip(wanted, keys, strict=True)
    ]
    labels = [
        label(one, deck, shown, frame, guid, bench.settings.namespace)
        for (bench, one, deck), shown, frame, guid in zip(wanted, sides, frames, guids, strict=True)
    ]
    return [
        Made(one, deck, key, its, shown, bench.place_of(frame), digest, named)
        for (bench, one, deck), key, its, shown, frame, digest, named in zip(
            wanted, keys, places, sides, frames, contents, labels, strict=True
        )
    ]


@dataclass(slots=True)
class Bench:
    """Where flashcards are rendered; what many of a document have in common is made once."""

    settings: Settings
    library: Library
    vault: str
    lookups: dict[render.Lookup, None] = field(default_factory=dict)
    documents: dict[VaultPath, None] = field(default_factory=dict)
    contexts: dict[tuple[VaultPath, tuple[str, ...]], str] = field(default_factory=dict)
    sources: dict[tuple[VaultPath, str | None], str] = field(default_factory=dict)
    frames: dict[Frame, int] = field(default_factory=dict)
    """With their places, in the order in which they were needed."""

    def sides(self, flashcard: Flashcard, places: tuple[int, ...]) -> Sides:
        """What a flashcard shows; a cloze, if its cards have these ordinals."""
        return self._basic(flashcard) if flashcard.cloze is None else self.cloze(flashcard, places)

    def cloze(self, flashcard: Flashcard, places: tuple[int, ...]) -> Sides:
        """The text of a cloze whose cards have these ordinals; -1 = none."""
        assert flashcard.cloze is not None
        marked = cloze.marked(flashcard.shown[0], flashcard.cloze, places)
        rendered, found = render.cloze(
            marked, self.place(flashcard), self.library, self.settings.obsidian
        )
        self._note(rendered)
        return Sides((clean(rendered.html),), rendered.media, rendered.online, tuple(found))

    def _basic(self, flashcard: Flashcard) -> Sides:
        obsidian, rtl = self.settings.obsidian, self._is_rtl(flashcard)
        html: list[str] = []
        media: tuple[Media, ...] = ()
        online: tuple[str, ...] = ()
        said: list[Diagnostic] = []
        for side in flashcard.shown:
            shown = None if rtl else render.simple(side, obsidian.strict_line_breaks)
            if shown is None:
                rendered, found = render.side(side, self.place(flashcard), self.library, obsidian)
                self._note(rendered)
                shown = clean(rendered.html)
                media += rendered.media
                online += rendered.online
                said += found
            html.append(shown or EMPTY)
        return Sides(tuple(html), media, online, tuple(said))

    def _note(self, rendered: render.Rendered) -> None:
        """Keep in mind what of the vault went into it."""
        if rendered.lookups:
            self.lookups.update(dict.fromkeys(rendered.lookups))
        if rendered.documents:
            self.documents.update(dict.fromkeys(rendered.documents))

    @property
    def vault_in_links(self) -> str:
        """The vault's name in links."""
        name = self.settings.cards.vault
        return self.vault if name is None else name

    def _is_rtl(self, flashcard: Flashcard) -> bool:
        rtl = flashcard.rtl
        return self.settings.obsidian.right_to_left if rtl is None else rtl

    def place(self, flashcard: Flashcard) -> render.Place:
        """What rendering depends on besides the text."""
        return render.Place(
            flashcard.path,
            flashcard.own_line or flashcard.line,
            self.vault_in_links,
            self._is_rtl(flashcard),
            flashcard.end_line,
        )

    def frame(self, flashcard: Flashcard) -> Frame:
        """What its cards show around it."""
        wishes = self.settings.cards
        return Frame(
            self._context(flashcard) if wishes.context else "",
            self._source(flashcard) if wishes.source else "",
        )

    def place_of(self, frame: Frame) -> int:
        """The place of a frame among those of the document."""
        return self.frames.setdefault(frame, len(self.frames))

    def _context(self, flashcard: Flashcard) -> str:
        path, headings = at = flashcard.path, _headings(flashcard)
        known = self.contexts.get(at)
        if known is None:
            title, _ = posixpath.splitext(posixpath.basename(path))
            known = self.contexts[at] = clean(render.context(title, headings))
        return known

    def _source(self, flashcard: Flashcard) -> str:
        at = flashcard.path, flashcard.anchor
        known = self.sources.get(at)
        if known is None:
            link = render.source_link(self.place(flashcard), flashcard.anchor)
            known = self.sources[at] = clean(link)
        return known


def _headings(flashcard: Flashcard) -> tuple[str, ...]:
    """The headings above the question, without one that is the question itself."""
    if "#" not in flashcard.shown[0] and "#" not in flashcard.shown[-1]:
        return flashcard.context
    own = {
        markdown.normalised(line.lstrip("# \t"))
        for side in flashcard.shown
        for line in side.split("\n")
        if line.lstrip().startswith("#")
    }
    return tuple(
        heading
        for heading in flashcard.context
        if not any(mine and markdown.normalised(heading).startswith(mine) for mine in own)
    )


def content(flashcard: Flashcard, sides: Sides, frame: Frame, vault: str) -> str:
    """Digest of what is learnt: sides, Context, Source, tags and media.

    The vault's name in links is none of it, so that another name changes no note.
    """
    learnt = [text.replace(_named(vault), "") for text in _learnt(flashcard, sides, frame)]
    names = sorted([m.name for m in sides.media]) if sides.media else ()
    return identity.digest(*learnt, "\x1e", *flashcard.tags, "\x1e", *names)


def _learnt(flashcard: Flashcard, sides: Sides, frame: Frame) -> tuple[str, ...]:
    """The fields as they are digested: by their names, which stand before them, after a mark.

    No name of a field and no mark is a part of the vault's name in links. Context stands apart:
    its characters are wide, which would make all others wide.
    """
    context, source = frame.context, frame.source
    if flashcard.cloze is not None:
        return f"Context={context}", f"Source={source}\x1fText={sides.html[0]}"
    front, back = sides.html
    rest = f"Front={front}\x1fReverse={reverse(flashcard)}\x1fSource={source}"
    return f"Back={back}", f"Context={context}", rest


def reverse(flashcard: Flashcard) -> str:
    """The Reverse field: whether Anki makes the second card."""
    return "1" if flashcard.type.reversed else ""


def label(
    flashcard: Flashcard, deck: DeckName, sides: Sides, frame: Frame, guid: Guid, namespace: str
) -> Label:
    """What a note says of itself; State holds digests of its fields, tags and deck."""
    context, source = frame.context, frame.source
    id_, vault = identity.note_id(guid), clean(namespace)
    # The fields by the alphabetical order of their names.
    if flashcard.cloze is not None:
        told = identity.digest(context, id_, source, sides.html[0], vault)
    else:
        front, back = sides.html
        told = identity.digest(back, context, front, id_, reverse(flashcard), source, vault)
    return Label(guid, id_, f"{told} {_digest(flashcard.tags)} {_digest((deck,))}")


@lru_cache(maxsize=4096)  # many notes have the same tags, or the same deck
def _digest(texts: tuple[str, ...]) -> str:
    return identity.digest(*texts)


@lru_cache
def _named(vault: str) -> str:
    """How the vault's name stands in links."""
    return render.named(vault)
