"""Which decks a flashcard is in, which of them is its home in Anki, and which tags it carries.

    ---
    deck: Languages::Norwegian        a deck key: home of the whole document
    ---
    #flashcards/verbs #flashcards/b1  a tag line: the plugin's decks for what follows
    #flashcards/nouns hus;; house     a leading tag: the plugin's deck for this one

The plugin's part is src/note/note-question-parser.ts, version 1.15.4.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, groupby, islice
from typing import NamedTuple

from obs2anki import diagnostics
from obs2anki.data import DeckName, Diagnostic, Document, Flashcard, Tag
from obs2anki.settings import DeckRule, Grammar, Settings

MAX_DEPTH = 11
"""Anki aborts an import that holds a deck nested deeper (26.09)."""


class Placed(NamedTuple):
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
    return any(_listed("#" + tag, grammar.tags_to_ignore) for tag in _all_tags(document))


def has_topic(document: Document, grammar: Grammar) -> bool:
    """Whether the plugin reads the document at all (OsrCore.processFile).

    With folders as decks it must lie in a folder. Otherwise one of its tags must be a flashcard
    tag, compared part by part, empty parts left out.
    """
    if grammar.folders_as_decks:
        return "/" in document.path
    wanted = [_parts(tag[1:]) for tag in grammar.flashcard_tags if len(tag) > 1 and tag[0] == "#"]
    return any(
        parts[: len(want)] == want
        for parts in map(_parts, _all_tags(document))
        for want in wanted
        if want
    )


def mentions_flashcard_tag(text: str, grammar: Grammar) -> bool:
    """Whether a flashcard tag stands in the frontmatter, or anywhere with #, in any spelling.

    Asked of a document that the plugin does not read: its author may have meant it to be read.
    """
    folded = text.casefold()
    head = folded[: max(folded.find("\n---", 3), 0)] if folded.startswith("---") else ""
    names = [tag[1:].casefold() for tag in grammar.flashcard_tags if len(tag) > 1]
    return any(name in head or "#" + name in folded for name in names)


def _all_tags(document: Document) -> Iterable[str]:
    yield from document.frontmatter_tags
    yield from (tag.name for tag in document.tags)


def _listed(tag: str, listed: Iterable[str]) -> bool:
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
    names: dict[str, tuple[str, int]] = {}
    needs_topic = settings.plugin and not settings.select.reviewed
    key_deck = _key_deck(document, settings)
    placed: list[Placed] = []
    found: list[Diagnostic] = []
    for flashcard in flashcards:
        if not flashcard.card_count:
            placed.append(Placed(flashcard, DeckName(""), "no-card"))
            continue
        topics = _topics(document, flashcard, lines, settings.grammar) if settings.plugin else ()
        if not topics and needs_topic:
            found.append(diagnostics.at("O303", document.path, flashcard.line))
            placed.append(Placed(flashcard, DeckName(""), "unreadable-tags"))
            continue
        tags = _tags(document, flashcard, lines, settings)
        settled = flashcard.filed(topics, tags)
        deck = _home(document, settled, lines, settings, key_deck)
        if deck is None:
            placed.append(Placed(settled, DeckName(""), "rule"))
            continue
        deck = deck or vault
        if deck not in names:
            names[deck] = finished(deck, settings)
        name, depth = names[deck]
        if depth > MAX_DEPTH:
            found.append(diagnostics.at("O701", document.path, flashcard.line, depth, name))
        placed.append(Placed(settled, DeckName(name)))
    return placed, found


class _TagLines:
    """The tags of a document's text by line, apart from those inside flashcards."""

    def __init__(
        self, document: Document, flashcards: Sequence[Flashcard], grammar: Grammar
    ) -> None:
        spans = sorted((f.line, f.end_line) for f in flashcards)
        starts = [start for start, _ in spans]
        reach = 0
        ends = [reach := max(reach, end) for _, end in spans]

        def outside(tag: Tag) -> bool:
            at = bisect_right(starts, tag.line)
            return at == 0 or ends[at - 1] < tag.line

        self.by_line = {
            line: tuple(tag.name for tag in tags)
            for line, tags in groupby(document.tags, key=lambda tag: tag.line)
        }
        self.numbers = list(self.by_line)
        self.outside = [
            line
            for line, tags in groupby(document.tags, key=lambda t: t.line)
            if outside(next(tags))
        ]
        self.topics = {
            line: _distinct(tags)
            for line in self.outside
            if (tags := [tag for tag in self.by_line[line] if is_flashcard_tag(tag, grammar)])
        }
        """The plugin's decks by those of `outside` that hold a flashcard tag."""
        self.topic_lines = list(self.topics)
        self.fallback = _fallback(document, grammar)
        """The plugin's decks for what has no tag above it."""

    def above(self, line: int) -> tuple[str, ...]:
        """The tags of the last line with tags above `line`, outside of flashcards."""
        at = bisect_left(self.outside, line)
        return self.by_line[self.outside[at - 1]] if at else ()

    def topic_line(self, line: int) -> int:
        """The last line above `line` that holds a flashcard tag; 0 if none does."""
        at = bisect_left(self.topic_lines, line)
        return self.topic_lines[at - 1] if at else 0


def _topics(
    document: Document, flashcard: Flashcard, lines: _TagLines, grammar: Grammar
) -> tuple[str, ...]:
    """The plugin's decks for a flashcard; empty = it drops the flashcard."""
    if grammar.folders_as_decks:
        return (document.path.rpartition("/")[0],)
    if flashcard.leading_tag is not None:
        return (flashcard.leading_tag,)
    at = lines.topic_line(flashcard.line)
    return lines.topics[at] if at else lines.fallback


def _fallback(document: Document, grammar: Grammar) -> tuple[str, ...]:
    """The decks of a flashcard with no tag above it."""
    listed = [tag for tag in document.topic_tags if is_flashcard_tag(tag, grammar)]
    # Only a frontmatter that the plugin itself delimits gives its tags as a list.
    if listed and document.content_line > 1:
        return _distinct(listed)
    inline = (tag.name for tag in document.tags if is_flashcard_tag(tag.name, grammar))
    return _distinct(listed[:1] or islice(inline, 1))


def _distinct(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_path, tags)))


def _tags(
    document: Document, flashcard: Flashcard, lines: _TagLines, settings: Settings
) -> tuple[str, ...]:
    """Obsidian's tags that are the flashcard's own, in Anki's form, sorted."""
    if settings.plugin:
        above = lines.by_line.get(lines.topic_line(flashcard.line), ())
    else:
        above = lines.above(flashcard.line)
    first = bisect_left(lines.numbers, flashcard.own_line)
    last = bisect_right(lines.numbers, flashcard.end_line)
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
    flashcard: Flashcard,
    lines: _TagLines,
    settings: Settings,
    key_deck: str | None,
) -> str | None:
    """The home deck before root, strip and depth; "" = the vault's own, None = left out."""
    rule, tail = _rule(document, flashcard, settings.decks.rules)
    if rule is not None and rule.skip:
        return None
    if key_deck is not None:
        return key_deck
    if rule is not None and rule.deck:
        return "::".join((rule.deck, *tail))
    if settings.plugin and flashcard.topics:
        return _special_deck(flashcard.topics, settings.grammar.flashcard_tags)
    written = chain(
        filter(None, (flashcard.leading_tag,)),
        lines.above(flashcard.line),
        document.frontmatter_tags,
        (tag.name for tag in document.tags),
    )
    return "::".join(_parts(next(written, "")))


def _rule(
    document: Document, flashcard: Flashcard, rules: Sequence[DeckRule]
) -> tuple[DeckRule | None, list[str]]:
    """The first rule that matches, and the nested tag's parts beyond the rule's."""
    for rule in rules:
        if rule.tag is not None:
            wanted = _parts(rule.tag.replace("::", "/"))
            for tag in flashcard.tags:
                parts = tag.split("::")
                if parts[: len(wanted)] == wanted:
                    return rule, parts[len(wanted) :]
        if rule.folder is not None and _in_folder(document.path, rule.folder):
            return rule, []
    return None, []


@lru_cache(maxsize=4096)
def _in_folder(path: str, pattern: str) -> bool:
    """Whether the document lies in, or anywhere below, a folder that the glob matches."""
    from wcmatch import glob

    parents = path.split("/")[:-1]
    folders = ["/".join(parents[: i + 1]) for i in range(len(parents))]
    return any(
        glob.globmatch(
            folder, pattern.strip("/"), flags=glob.GLOBSTAR | glob.BRACE | glob.FORCEUNIX
        )
        for folder in folders
    )


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
    for entry in (strip.replace("/", "::") for strip in settings.decks.strip):
        if deck == entry or deck.startswith(entry + "::"):
            deck = deck[len(entry) :].removeprefix("::") or deck
            break
    parts = [part.strip() for part in deck.split("::")]
    parts = [part for part in parts if part]
    if settings.decks.depth:
        parts = parts[: settings.decks.depth]
    root = [part.strip() for part in settings.decks.root.replace("/", "::").split("::")]
    parts = [part for part in root if part] + parts
    name = "::".join(parts[:MAX_DEPTH])
    # Anki's own deck cannot be told from an import's: ours are never named like it.
    if name.casefold() == "default":
        name += " deck"
    return name, len(parts)
