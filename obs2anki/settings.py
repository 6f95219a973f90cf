"""What is in force for a run, and where each value came from.

Later wins: the built-in defaults; the plugin's data.json; obs2anki.toml in the vault's root;
the command line. This module is handed texts and values; `vault` reads the files.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grammar:
    """How the plugin is told to read a document (spaced-repetition 1.15.4, src/data/settings.ts)."""

    single_line: str = "::"
    """Empty = disabled, like the next three."""
    single_line_reversed: str = ":::"
    multi_line: str = "?"
    multi_line_reversed: str = "??"
    end_marker: str = ""
    """Empty = a blank line ends a multi-line flashcard."""
    cloze_patterns: tuple[str, ...] = ("==[123;;]answer[;;hint]==",)
    flashcard_tags: tuple[str, ...] = ("#flashcards",)
    """With `#`; an entry without it never matches, as in the plugin."""
    tags_to_ignore: tuple[str, ...] = ()
    folders_to_ignore: tuple[str, ...] = ("**/*.excalidraw.md",)
    """Prefixes or globs of paths."""
    folders_as_decks: bool = False
    mend: frozenset[str] = frozenset()
    """What the plugin gets wrong and the user wants right: of `MENDABLE`."""


MENDABLE = frozenset({"html-comments", "callouts"})


@dataclass(frozen=True, slots=True)
class DeckRule:
    """A rule of `[[decks.rules]]`: where flashcards with a tag, or below a folder, go."""

    tag: str | None = None
    """Without `#`; nested tags match too and keep their tail."""
    folder: str | None = None
    """A glob of folder paths."""
    deck: str | None = None
    skip: bool = False
    """Leave such flashcards out."""


@dataclass(frozen=True, slots=True)
class Decks:
    """The `[decks]` table."""

    keys: tuple[str, ...] = ("deck", "anki-deck", "cards-deck")
    """Frontmatter keys that name the deck of a whole document."""
    rules: tuple[DeckRule, ...] = ()
    root: str = ""
    """A deck above all others, `a::b`; empty = none."""
    strip: tuple[str, ...] = ()
    """Leading deck parts to leave out, e.g. `flashcards`."""
    depth: int = 0
    """How many levels to keep; 0 = all."""


@dataclass(frozen=True, slots=True)
class Select:
    """The `[select]` table: which documents are read, beyond the plugin's own choice."""

    reviewed: bool = False
    """Also every document that holds a review."""
    ignore: tuple[str, ...] = ()
    """Globs of paths that are left out."""


@dataclass(frozen=True, slots=True)
class Cards:
    """The `[cards]` table: what a note shows besides its sides."""

    context: bool = True
    """The document's title and the headings above the question."""
    source: bool = True
    """A link that opens the document in Obsidian."""
    vault: str | None = None
    """The vault's name in links; None = the folder's name, "" = none (Obsidian opens the last vault)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The `[scheduling]` table."""

    enabled: bool = True
    """False = every card is exported as new."""
    revlog: bool = False
    rollover: int = 4
    """The hour, 0 to 23, at which Anki's next day starts ("next day starts at")."""
    timezone: str | None = None
    """IANA name; None = the machine's."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """The `[media]` table."""

    max_size: int = 100
    """Megabytes; larger files are not packed."""


@dataclass(frozen=True, slots=True)
class Obsidian:
    """What `.obsidian/app.json` says that changes how a document looks."""

    strict_line_breaks: bool = False
    """False = a single newline is a line break."""
    attachment_folder: str = "/"
    """`attachmentFolderPath`: "/" the root, "./x" beside the document, else a folder of the vault."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is in force."""

    grammar: Grammar = field(default_factory=Grammar)
    plugin: bool = True
    """Whether the plugin's settings are there; without them every document is read."""
    maximum_interval: int | None = None
    """Days, the plugin's `maximumInterval`, if it has one."""
    output: str | None = None
    ledger: str = ".obs2anki/ledger.jsonl"
    namespace: str = "obs2anki"
    select: Select = field(default_factory=Select)
    decks: Decks = field(default_factory=Decks)
    cards: Cards = field(default_factory=Cards)
    scheduling: Schedule = field(default_factory=Schedule)
    media: MediaSettings = field(default_factory=MediaSettings)
    obsidian: Obsidian = field(default_factory=Obsidian)
    origin: tuple[tuple[str, str], ...] = ()
    """Where each value that is not a built-in default came from: (key, file or option)."""
