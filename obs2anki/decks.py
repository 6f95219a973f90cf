"""Which decks a flashcard is in, which of them is its home in Anki, and which tags it carries.

    ---
    deck: Languages::Norwegian        a deck key: home of the whole document
    ---
    #flashcards/verbs #flashcards/b1  a tag line: the plugin's decks for what follows
    #flashcards/nouns hus;; house     a leading tag: the plugin's deck for this one

The plugin's part is src/note/note-question-parser.ts, version 1.15.4.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, groupby, islice
from typing import NamedTuple

from msgspec import structs

from obs2anki import diagnostics
from obs2anki.ankitext import DEEPEST_DECK
from obs2anki.data import DeckName, Diagnostic, Document, Flashcard, Value
from obs2anki.settings import DeckRule, Grammar, Settings


class Placed(Value, frozen=True):
    """A flashcard with its topics and tags, and its home, or why it is left out."""

    flashcard: Flashcard
    deck: DeckName
    left_out: str = ""
    """Empty; `unreadable-tags` where the plugin finds no deck; `rule`; `no-card`."""


# ---------------------------------------------------------------- selection, by the plugin


def is_flashcard_tag(tag: str, grammar: Grammar) -> bool:
    """Whether a tag (without #) is a flashcard tag or nested below one; case matters."""
    return _listed("#" + tag, grammar.flashcard_tags)


def is_ignored(document: Document, grammar: Grammar) -> bool:
    """Whether any tag of the document is one of those that keep it out (flashcardTagsToIgnore)."""
    listed = grammar.tags_to_ignore
    return bool(listed) and any(_listed("#" + tag, listed) for tag in _all_tags(document))


def has_topic(document: Document, grammar: Grammar) -> bool:
    """Whether the plugin reads the document at all (OsrCore.processFile).

    With folders as decks it must lie in a folder. Otherwise one of its tags must be a flashcard
    tag, compared part by part, empty parts left out.
    """
    if grammar.folders_as_decks:
        return "/" in document.path
    return any(_selects(tag, grammar.flashcard_tags) for tag in _all_tags(document))


@lru_cache(maxsize=1024)  # many documents have the same tags
def _selects(tag: str, flashcard_tags: tuple[str, ...]) -> bool:
    parts = _parts(tag)
    wanted = (_parts(entry[1:]) for entry in flashcard_tags if entry[:1] == "#")
    return any(want and parts[: len(want)] == want for want in wanted)


def mentions_flashcard_tag(text: str, grammar: Grammar) -> bool:
    """Whether a flashcard tag stands in the frontmatter, or anywhere with #, in any spelling.

    Asked of a document that the plugin does not read: its author may have meant it to be read.
    """
    folded = text.casefold()
    head = _head(folded.lstrip())
    names = [tag[1:].casefold() for tag in grammar.flashcard_tags if len(tag) > 1]
    return any(name in head or "#" + name in folded for name in names)


def _head(text: str) -> str:
    """What may be meant for a frontmatter; one that is never closed ends with its paragraph."""
    if not text.startswith("---"):
        return ""
    closing = text.find("\n---", 3)
    return text[:closing] if closing >= 0 else re.split(r"\n[ \t]*\r?\n", text, maxsplit=1)[0]


def _all_tags(document: Document) -> Iterable[str]:
    yield from document.frontmatter_tags
    yield from (tag.name for tag in document.tags)


@lru_cache(maxsize=1024)  # many documents have the same tags
def _listed(tag: str, listed: tuple[str, ...]) -> bool:
    return any(tag == entry or tag.startswith(entry + "/") for entry in listed)


def _parts(tag: str) -> list[str]:
    return [part for part in tag.split("/") if part]


def _path(tag: str) -> str:
    return "/".join(_parts(tag))


# ---------------------------------------------------------------- placing


def place(
    document: Document, flashcards: Sequence[Flashcard], settings: Settings, vault: str
) -> tuple[list[Placed], list[Diagnostic]]:
    """Give each flashcard of a document its topics, tags and home deck.

    `vault` is the vault's name, the home of what has no other. A flashcard for which the plugin
    finds no deck is left out with a finding, as the plugin drops it, unless the settings take
    every reviewed document.
    """
    lines = _TagLines(document, flashcards, settings.grammar)
    filings: dict[_Around, _Filing] = {}
    placed: list[Placed] = []
    found: list[Diagnostic] = []
    for flashcard in flashcards:
        if flashcard.cloze is not None and not flashcard.cloze.cards:
            placed.append(Placed(flashcard, DeckName(""), "no-card"))
            continue
        around = lines.around(flashcard)
        filing = filings.get(around)
        if filing is None:
            filing = filings[around] = _filing(document, around, lines, settings, vault)
        if filing.left_out == "unreadable-tags":
            found.append(diagnostics.at("O303", document.path, flashcard.line))
        elif filing.depth > DEEPEST_DECK:
            details = (filing.depth, filing.deck)
            found.append(diagnostics.at("O701", document.path, flashcard.line, *details))
        settled = structs.replace(flashcard, topics=filing.topics, tags=filing.tags)
        placed.append(Placed(settled, filing.deck, filing.left_out))
    return placed, found


_Around = tuple[str | None, int, int, int, int]
"""What a flashcard's deck and tags depend on besides its document.

Its leading tag, the last line above it with a flashcard tag, that with any tag, and from where
to where its own lines with tags stand among all of them.
"""


class _Filing(NamedTuple):
    """Where all flashcards of a document go that have the same around them."""

    topics: tuple[str, ...]
    tags: tuple[str, ...]
    deck: DeckName
    depth: int = 0
    """The depth that was asked for."""
    left_out: str = ""


def _filing(
    document: Document, around: _Around, lines: _TagLines, settings: Settings, vault: str
) -> _Filing:
    topics = _topics(document, around, lines, settings.grammar) if settings.plugin else ()
    if not topics and settings.plugin and not settings.select.reviewed:
        return _Filing((), (), DeckName(""), left_out="unreadable-tags")
    tags = _tags(document, around, lines, settings)
    deck = _home(document, around, lines, settings, topics, tags)
    if deck is None:
        return _Filing(topics, tags, DeckName(""), left_out="rule")
    name, depth = finished(deck or vault, settings)
    return _Filing(topics, tags, DeckName(name), depth)


class _TagLines:
    """The tags of a document's text by line, apart from those inside flashcards."""

    def __init__(
        self, document: Document, flashcards: Sequence[Flashcard], grammar: Grammar
    ) -> None:
        self.by_line: dict[int, tuple[str, ...]] = {}
        self.outside: list[int] = []
        self.topics: dict[int, tuple[str, ...]] = {}
        """The plugin's decks by those of `outside` that hold a flashcard tag."""
        if document.tags:
            self._read(document, flashcards, grammar)
        self.numbers = list(self.by_line)
        self.topic_lines = list(self.topics)
        self.fallback = _fallback(document, grammar)
        """The plugin's decks for what has no tag above it."""

    def _read(self, document: Document, flashcards: Sequence[Flashcard], grammar: Grammar) -> None:
        spans = sorted((f.line, f.end_line) for f in flashcards)
        starts = [start for start, _ in spans]
        reach = 0
        ends = [reach := max(reach, end) for _, end in spans]
        for line, group in groupby(document.tags, key=lambda tag: tag.line):
            names = self.by_line[line] = tuple(tag.name for tag in group)
            at = bisect_right(starts, line)
            if at == 0 or ends[at - 1] < line:
                self.outside.append(line)
                topics = _topics_of(names, grammar.flashcard_tags)
                # The plugin's frontmatter may end further down than Obsidian's.
                if topics and line >= document.content_line:
                    self.topics[line] = topics

    def around(self, flashcard: Flashcard) -> _Around:
        """Which of the lines have a say in a flashcard's deck and tags; line 0 = none has."""
        if not self.numbers:
            return flashcard.leading_tag, 0, 0, 0, 0
        return (
            flashcard.leading_tag,
            _last_before(flashcard.line, self.topic_lines),
            _last_before(flashcard.line, self.outside),
            bisect_left(self.numbers, flashcard.own_line),
            bisect_right(self.numbers, flashcard.end_line),
        )


def _last_before(line: int, lines: Sequence[int]) -> int:
    at = bisect_left(lines, line)
    return lines[at - 1] if at else 0


def _topics(
    document: Document, around: _Around, lines: _TagLines, grammar: Grammar
) -> tuple[str, ...]:
    """The plugin's decks for a flashcard; empty = it drops the flashcard."""
    leading_tag, topic_line, *_ = around
    if grammar.folders_as_decks:
        return (document.path.rpartition("/")[0],)
    if leading_tag is not None:
        return (leading_tag,)
    return lines.topics[topic_line] if topic_line else lines.fallback


def _fallback(document: Document, grammar: Grammar) -> tuple[str, ...]:
    """The decks of a flashcard with no tag above it."""
    listed = _topics_of(document.topic_tags, grammar.flashcard_tags)
    # Only a frontmatter that the plugin itself delimits gives its tags as a list.
    if listed and document.content_line > 1:
        return listed
    inline = (tag.name for tag in document.tags if is_flashcard_tag(tag.name, grammar))
    return listed[:1] or tuple(_path(tag) for tag in islice(inline, 1))


@lru_cache(maxsize=1024)  # many documents have the same tags
def _topics_of(tags: tuple[str, ...], flashcard_tags: tuple[str, ...]) -> tuple[str, ...]:
    """The plugin's decks that tags name: those among them that are flashcard tags."""
    listed = (tag for tag in tags if _listed("#" + tag, flashcard_tags))
    return tuple(dict.fromkeys(map(_path, listed)))


def _tags(
    document: Document, around: _Around, lines: _TagLines, settings: Settings
) -> tuple[str, ...]:
    """Obsidian's tags that are the flashcard's own, in Anki's form, sorted."""
    _, topic_line, tag_line, first, last = around
    above = lines.by_line.get(topic_line if settings.plugin else tag_line, ())
    own = [tag for line in lines.numbers[first:last] for tag in lines.by_line[line]]
    return _in_ankis_form(frozenset((*document.frontmatter_tags, *above, *own)))


@lru_cache(maxsize=1024)  # many flashcards have the same tags
def _in_ankis_form(tags: frozenset[str]) -> tuple[str, ...]:
    """Tags as Anki writes them, sorted."""
    return tuple(sorted({"::".join(_parts(tag)) for tag in tags} - {""}))


# ---------------------------------------------------------------- home


def _key_deck(document: Document, settings: Settings) -> str | None:
    """The deck that a frontmatter key names; empty, null and templated values name none."""
    for key in settings.decks.keys:
        value = document.frontmatter.get(key)
        text = value[0] if isinstance(value, tuple) and value else value
        if isinstance(text, str) and text.strip() and "{{" not in text and "<%" not in text:
            return text.replace("::", "/").strip("/ ").replace("/", "::") or None
    return None


def _home(
    document: Document,
    around: _Around,
    lines: _TagLines,
    settings: Settings,
    topics: tuple[str, ...],
    tags: tuple[str, ...],
) -> str | None:
    """The home deck before root, strip and depth; "" = the vault's own, None = left out."""
    rule, tail = _rule(document, tags, settings.decks.rules)
    if rule is not None and rule.skip:
        return None
    key_deck = _key_deck(document, settings)
    if key_deck is not None:
        return key_deck
    if rule is not None and rule.deck:
        return "::".join((rule.deck, *tail))
    if settings.plugin and topics:
        return _special_deck(topics, settings.grammar.flashcard_tags)
    leading_tag, _, tag_line, *_ = around
    written = chain(
        filter(None, (leading_tag,)),
        lines.by_line.get(tag_line, ()),
        document.frontmatter_tags,
        (tag.name for tag in document.tags),
    )
    return "::".join(_parts(next(written, "")))


def _rule(
    document: Document, tags: Sequence[str], rules: Sequence[DeckRule]
) -> tuple[DeckRule | None, list[str]]:
    """The first rule that matches, and the nested tag's parts beyond the rule's."""
    for rule in rules:
        if rule.tag is not None:
            wanted = _parts(rule.tag.replace("::", "/"))
            for tag in tags:
                parts = tag.split("::")
                if parts[: len(wanted)] == wanted:
                    return rule, parts[len(wanted) :]
        if rule.folder is not None and _in_folder(document.path, rule.folder):
            return rule, []
    return None, []


@lru_cache(maxsize=4096)
def _in_folder(path: str, pattern: str) -> bool:
    """Whether the document lies in, or anywhere below, a folder that the glob matches."""
    from obs2anki import globs

    parents = path.split("/")[:-1]
    folders = ["/".join(parents[: i + 1]) for i in range(len(parents))]
    # What is below a folder is in it anyway, so `Drafts/**` is that folder, too.
    wanted = pattern.strip("/").removesuffix("/**")
    # In a list of ignored folders these turn a pattern round, or make it a comment.
    if wanted.startswith(("!", "#")):
        wanted = f"\\{wanted}"
    return any(globs.matches(folder, wanted) for folder in folders)


@lru_cache(maxsize=1024)  # many flashcards have the same topics
def _special_deck(topics: tuple[str, ...], flashcard_tags: tuple[str, ...]) -> str:
    """Of several decks the one whose flashcard tag stands last in the settings, then the first.

    People add the special tag after the general one.
    """

    def rank(topic: str) -> int:
        entries = (i for i, entry in enumerate(flashcard_tags) if _listed("#" + topic, (entry,)))
        return max(entries, default=-1)

    return "::".join(_parts(max(topics, key=rank)))


def finished(deck: str, settings: Settings) -> tuple[str, int]:
    """Apply strip, depth and root; returns Anki's name of the deck, and the depth asked for."""
    return _finished(deck, settings.decks.strip, settings.decks.depth, settings.decks.root)


@lru_cache(maxsize=1024)  # many documents go to one deck
def _finished(deck: str, strips: tuple[str, ...], depth: int, above: str) -> tuple[str, int]:
    for entry in (strip.replace("/", "::") for strip in strips):
        if deck == entry or deck.startswith(entry + "::"):
            deck = deck[len(entry) :].removeprefix("::") or deck
            break
    parts = [part.strip() for part in deck.split("::")]
    parts = [part for part in parts if part]
    if depth:
        parts = parts[:depth]
    root = [part.strip() for part in above.replace("/", "::").split("::")]
    parts = [part for part in root if part] + parts
    name = "::".join(parts[:DEEPEST_DECK])
    # Anki's own deck cannot be told from an import's: ours are never named like it.
    if name.casefold() == "default":
        name += " deck"
    return name, len(parts)
