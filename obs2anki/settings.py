"""What is in force for a run, and where each value came from.

Later wins: the built-in defaults; the plugin's data.json; obs2anki.toml in the vault's root;
the command line. This module is handed texts and values; `vault` reads the files.

    data.json       {"settings": {"singleLineCardSeparator": ";;", "flashcardTags": ["#cards"]}}
    obs2anki.toml   [grammar]
                    single_line = ";;"

Each of them becomes a layer of overrides, and `merge` lays the layers over the defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard, TypeVar, cast

from obs2anki import diagnostics
from obs2anki.data import Diagnostic, FlashcardType, Source
from obs2anki.diagnostics import Obs2ankiError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Part = TypeVar("Part", bound=DataclassInstance)


@dataclass(frozen=True, slots=True)
class Grammar:
    """How the plugin is told to read a document (its 1.15.4, src/data/settings.ts)."""

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
    """Prefixes or globs of paths. An empty entry is a prefix of every path, as in the plugin."""
    folders_as_decks: bool = False
    mend: frozenset[str] = frozenset()
    """What the plugin gets wrong and the user wants right: of `MENDABLE`."""
    more_inline: tuple[tuple[str, FlashcardType], ...] = ()
    """Separators in force besides the first two, because reviews prove them."""

    @property
    def inline(self) -> tuple[tuple[str, FlashcardType], ...]:
        """The single-line separators in force, in the order in which the plugin tries them."""
        separators = (
            (self.single_line, FlashcardType.SINGLE_LINE_BASIC),
            (self.single_line_reversed, FlashcardType.SINGLE_LINE_REVERSED),
            *self.more_inline,
        )
        # The plugin sorts by JavaScript's length, longest first; the sort is stable.
        ordered = sorted(separators, key=lambda pair: -len(pair[0].encode("utf-16-le")))
        return tuple((separator, type_) for separator, type_ in ordered if separator)


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
    """Prefixes or globs of paths that are left out."""


@dataclass(frozen=True, slots=True)
class Cards:
    """The `[cards]` table: what a note shows besides its sides."""

    context: bool = True
    """The document's title and the headings above the question (`showContextInCards`)."""
    source: bool = True
    """A link that opens the document in Obsidian."""
    vault: str | None = None
    """The vault's name in links; None = the folder's at the first export, "" = none.

    Without a name Obsidian opens the last vault.
    """


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
    download: bool = False
    """Whether media of the web are fetched and packed."""


@dataclass(frozen=True, slots=True)
class Sync:
    """The `[sync]` table."""

    user: str | None = None
    """Who syncs with a server: on AnkiWeb, the address of the account."""
    server: str | None = None
    """The address of the server, with `/` at its end; None = AnkiWeb."""


@dataclass(frozen=True, slots=True)
class IgnoreIn:
    """An entry of `[check.ignore_in]`: findings that are not told of some documents."""

    paths: str
    """The beginning of paths, or a glob."""
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """The `[check]` table: findings that the user does not want to be told."""

    ignore: tuple[str, ...] = ()
    """Codes."""
    ignore_in: tuple[IgnoreIn, ...] = ()


@dataclass(frozen=True, slots=True)
class Obsidian:
    """What Obsidian's own settings, `.obsidian/app.json` above all, say about documents."""

    strict_line_breaks: bool = False
    """False = a single newline is a line break."""
    attachment_folder: str = "/"
    """`attachmentFolderPath`: "/" the root, "./x" beside the document, else in the vault."""
    right_to_left: bool = False
    """`rightToLeft`: how documents run that do not say it themselves."""
    templates: tuple[str, ...] = ()
    """Folders of templates, as Obsidian's own plugin and Templater are told."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is in force."""

    grammar: Grammar = field(default_factory=Grammar)
    plugin: bool = True
    """Whether the plugin's settings are there; without them every document is read."""
    maximum_interval: int | None = None
    """Days, the plugin's `maximumInterval`, if it has one."""
    algorithm: str | None = None
    """The plugin's `algorithm`, "SM-2-OSR" or "FSRS", if it says so."""
    output: str | None = None
    ledger: str = ".obs2anki/ledger.jsonl"
    namespace: str = "obs2anki"
    select: Select = field(default_factory=Select)
    decks: Decks = field(default_factory=Decks)
    cards: Cards = field(default_factory=Cards)
    scheduling: Schedule = field(default_factory=Schedule)
    media: MediaSettings = field(default_factory=MediaSettings)
    check: Check = field(default_factory=Check)
    sync: Sync = field(default_factory=Sync)
    obsidian: Obsidian = field(default_factory=Obsidian)
    origin: tuple[tuple[str, str], ...] = ()
    """Where each value that is not a built-in default came from: (key, file or option)."""

    def decided(self, key: str) -> bool:
        """Whether `key` (`grammar.single_line`) was set by a file or an option."""
        return any(name == key for name, _ in self.origin)


WITH_PLUGIN = Settings()
"""The defaults where the plugin is installed: its own, with no data.json at all."""

WITHOUT_PLUGIN = Settings(
    grammar=Grammar(
        single_line=";;",
        single_line_reversed=";;;",
        cloze_patterns=(),
        flashcard_tags=(),
        folders_to_ignore=(),
    ),
    plugin=False,
)
"""The defaults where it is not: every document is read, tagged or not."""

Value = (
    str
    | int
    | bool
    | None
    | tuple[str, ...]
    | frozenset[str]
    | tuple[DeckRule, ...]
    | tuple[IgnoreIn, ...]
)
"""A setting's value, as the dataclasses above hold it."""


@dataclass(frozen=True, slots=True)
class Override:
    """A value that replaces an earlier one: its key (`grammar.single_line`), and who says so."""

    key: str
    value: Value
    origin: str


Layer = tuple[Override, ...]


# ---------------------------------------------------------------- what is wrong with a file


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a settings file from being used: where, what, and what to do."""

    origin: str
    """The file, relative to the vault, or the option."""
    line: int | None
    sentence: str
    remedy: str

    def __str__(self) -> str:
        place = self.origin if self.line is None else f"{self.origin}:{self.line}"
        return f"{place}: {self.sentence} {self.remedy}"


class SettingsError(Obs2ankiError):
    """Settings that cannot be used; every problem of a file is told at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


KeyPath = tuple[str | int, ...]
"""The way to a value in a file: `("decks", "rules", 0, "tag")`."""


class Unfit(Exception):
    """A value that a key cannot have; the text says what it can have.

    `where` leads from the key to the part that is wrong, e.g. `(0, "tag")`.
    """

    def __init__(self, expected: str, where: KeyPath = ()) -> None:
        super().__init__(expected)
        self.where = where


# ---------------------------------------------------------------- from a file's value to ours


def _flag(value: object) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise Unfit("true or false")


def _is_text(value: object) -> TypeGuard[str]:
    r"""Whether a value is text; JSON can write half a character, `"\ud83d"`, which is none."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _text(value: object) -> str:
    """Any text."""
    if _is_text(value):
        return value
    raise Unfit("text in quotes")


def _one_line(value: object) -> str:
    """Text without line breaks: a separator or marker stands in one line."""
    if _is_text(value) and not re.search(r"[\r\n]", value):
        return value
    raise Unfit("text in quotes, on one line")


def _name(value: object) -> str:
    """Text that is not empty."""
    if _is_text(value) and value.strip():
        return value.strip()
    raise Unfit("text in quotes that is not empty")


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if isinstance(value, list) and all(map(_is_text, value)):
        return tuple(value)
    raise Unfit("a list of texts in quotes")


def _names(value: object) -> tuple[str, ...]:
    """A list of texts none of which is empty."""
    if isinstance(value, list) and all(_is_text(item) and item.strip() for item in value):
        return tuple(value)
    raise Unfit("a list of texts in quotes, none of them empty")


def _paths(value: object) -> tuple[str, ...]:
    """A list of paths and globs from the vault's root."""
    return tuple(map(_from_root, _names(value)))


def _from_root(path: str) -> str:
    """A path as the vault writes it; people begin it with `/` or `./` as well."""
    return _ROOT.sub("", path) or path


_ROOT = re.compile(r"^(?:\.?/)+")


def _hash_tags(value: object) -> tuple[str, ...]:
    """A list of tags; ours may be written without `#`."""
    return tuple(tag if tag.startswith("#") else f"#{tag}" for tag in _names(value))


def _mendings(value: object) -> frozenset[str]:
    """A list of what is to be mended."""
    wanted = frozenset(_texts(value)) if isinstance(value, list) else None
    if wanted is None or not wanted <= MENDABLE:
        raise Unfit("a list of " + " and ".join(f'"{one}"' for one in sorted(MENDABLE)))
    return wanted


def _codes(value: object) -> tuple[str, ...]:
    """A list of findings' codes."""
    if not isinstance(value, list) or not all(map(_is_text, value)):
        raise Unfit("a list of codes of findings")
    for number, code in enumerate(value):
        if code not in diagnostics.RULES:
            near = _nearest(code.upper(), diagnostics.RULES)
            nearest = f"; {near} is nearest" if near else ", such as O401"
            raise Unfit(f"codes of findings, and {_literal(code)} is none{nearest}", (number,))
    return tuple(value)


def _codes_by_path(value: object) -> tuple[IgnoreIn, ...]:
    """The table `[check.ignore_in]`."""
    if not isinstance(value, dict):
        raise Unfit('a table of "path" = ["code", ...]')
    return tuple(_codes_in(paths, codes) for paths, codes in value.items())


def _codes_in(paths: str, codes: object) -> IgnoreIn:
    """One line of that table."""
    try:
        return IgnoreIn(_from_root(_name(paths)), _codes(codes))
    except Unfit as unfit:
        raise Unfit(str(unfit), (paths, *unfit.where)) from None


def _whole(low: int, high: int | None) -> Callable[[object], int]:
    """A reader of whole numbers from `low` to `high`."""
    bounds = f"from {low} to {high}" if high is not None else f"of {low} or more"

    def read(value: object) -> int:
        number = value if isinstance(value, int) and not isinstance(value, bool) else low - 1
        if low <= number and (high is None or number <= high):
            return number
        raise Unfit(f"a whole number {bounds}")

    return read


def _days(value: object) -> int:
    """A number of days as JSON may hold it, `36525` or `36525.0`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _whole(1, None)(value)


def _zone(value: object) -> str:
    """The name of a time zone that this machine knows."""
    import zoneinfo

    try:
        # An empty name, "Europe" (a folder) and "../x" fail in ways of their own.
        zoneinfo.ZoneInfo(_name(value))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = _nearest(str(value), zoneinfo.available_timezones())
        raise Unfit(f'the name of a time zone, such as "{near or "Europe/Paris"}"') from None
    return _name(value)


def _server(value: object) -> str:
    """The address of a sync server, without a password; with `/` at its end."""
    from urllib.parse import urlsplit

    if isinstance(value, str) and value.isprintable():
        address = value.strip()
        with suppress(ValueError):
            parts = urlsplit(address)
            plain = not (parts.query or parts.fragment or "@" in parts.netloc or " " in address)
            # A port that is no number is only found out when it is asked for.
            if parts.scheme in ("http", "https") and parts.hostname and plain and parts.port != 0:
                return f"{address.rstrip('/')}/"
    raise Unfit('the address of a sync server, such as "https://anki.example.org"')


def _inner_path(value: object) -> str:
    """A relative path that stays below the folder it starts from; with `/`."""
    if isinstance(value, str):
        path = value.strip().replace("\\", "/")
        parts = path.split("/")
        rooted = path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path)
        if path.isprintable() and parts[-1] not in ("", ".") and ".." not in parts and not rooted:
            return path
    raise Unfit("a relative path of a file, without ..")


def _ledger_path(value: object) -> str:
    """An inner path for the ledger: no file of Obsidian's, and none that is anything else."""
    path = _inner_path(value)
    if not path.endswith(".jsonl") or path.split("/")[0] == ".obsidian":
        raise Unfit("a relative path of a .jsonl file, outside of .obsidian")
    return path


def _folder(value: object) -> str:
    r"""Obsidian's `attachmentFolderPath`: `/`, `./`, `./img`, `img`; may be written with `\`."""
    path = _text(value).replace("\\", "/").strip()
    beside = path == "." or path.startswith("./")
    inner = "/".join(part for part in path.split("/") if part not in ("", "."))
    return f"./{inner}" if beside else inner or "/"


def _rules(value: object) -> tuple[DeckRule, ...]:
    """The tables of `[[decks.rules]]`."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unfit("tables, each headed [[decks.rules]]")
    return tuple(_rule(number, table) for number, table in enumerate(value))


_RULE_KEYS: Mapping[str, Callable[[object], str | bool]] = {
    "tag": _name,
    "folder": _name,
    "deck": _name,
    "skip": _flag,
}


def _rule(number: int, table: Mapping[str, object]) -> DeckRule:
    """One table of `[[decks.rules]]`: a tag or a folder, and a deck or `skip = true`."""
    for key, value in table.items():
        if key not in _RULE_KEYS:
            known = ", ".join(_RULE_KEYS)
            near = f'; "{found}" is nearest' if (found := _nearest(key, _RULE_KEYS)) else ""
            raise Unfit(f"one of the keys {known}{near}", (number, key))
        try:
            _RULE_KEYS[key](value)
        except Unfit as unfit:
            raise Unfit(str(unfit), (number, key)) from None
    if ("tag" in table) == ("folder" in table):
        raise Unfit("either a tag or a folder in each rule", (number,))
    if ("deck" in table) == bool(table.get("skip")):
        raise Unfit("either a deck or skip = true in each rule", (number,))
    tag, folder_, deck = (cast("str | None", table.get(key)) for key in ("tag", "folder", "deck"))
    return DeckRule(
        tag=tag.strip().removeprefix("#") if tag else None,
        folder=_from_root(folder_.strip()).strip("/") if folder_ else None,
        deck=deck.strip() if deck else None,
        skip=bool(table.get("skip")),
    )


# ---------------------------------------------------------------- every key, once


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: where it lives in `Settings`, and what may set it. None = that file may not."""

    name: str
    toml: Callable[[object], Value] | None = None
    """Reads it from obs2anki.toml or an option."""
    plugin: tuple[str, ...] = ()
    """Its names in the plugin's data.json, today's first; then what older versions wrote."""
    json: Callable[[object], Value] | None = None
    """Reads it from the plugin's data.json or Obsidian's app.json."""
    app: str = ""
    """Its name in Obsidian's app.json."""


# Older spellings: the single-line separators until 1.8 (2022), the tag until May 2021.
KEYS = (
    Key("plugin"),
    Key("output", _inner_path),
    Key("ledger", _ledger_path),
    Key("namespace", _name),
    Key(
        "grammar.single_line",
        _one_line,
        ("singleLineCardSeparator", "singlelineCardSeparator"),
        _text,
    ),
    Key(
        "grammar.single_line_reversed",
        _one_line,
        ("singleLineReversedCardSeparator", "singlelineReversedCardSeparator"),
        _text,
    ),
    Key("grammar.multi_line", _one_line, ("multilineCardSeparator",), _text),
    Key("grammar.multi_line_reversed", _one_line, ("multilineReversedCardSeparator",), _text),
    Key("grammar.end_marker", _one_line, ("multilineCardEndMarker",), _text),
    Key("grammar.cloze_patterns", _names, ("clozePatterns",), _texts),
    Key("grammar.flashcard_tags", _hash_tags, ("flashcardTags",), _texts),
    Key("grammar.tags_to_ignore", _hash_tags, ("flashcardTagsToIgnore",), _texts),
    Key("grammar.folders_to_ignore", _paths, ("noteFoldersToIgnore",), _texts),
    Key("grammar.folders_as_decks", _flag, ("convertFoldersToDecks",), _flag),
    Key("grammar.mend", _mendings),
    Key("grammar.more_inline"),
    Key("select.reviewed", _flag),
    Key("select.ignore", _paths),
    Key("decks.keys", _names),
    Key("decks.root", _text),
    Key("decks.strip", _names),
    Key("decks.depth", _whole(0, 11)),
    Key("decks.rules", _rules),
    Key("cards.context", _flag, ("showContextInCards",), _flag),
    Key("cards.source", _flag),
    Key("cards.vault", _text),
    Key("scheduling.enabled", _flag),
    Key("scheduling.revlog", _flag),
    Key("scheduling.rollover", _whole(0, 23)),
    Key("scheduling.timezone", _zone),
    Key("media.max_size", _whole(1, None)),
    Key("media.download", _flag),
    Key("check.ignore", _codes),
    Key("check.ignore_in", _codes_by_path),
    Key("sync.user", _name),
    Key("sync.server", _server),
    Key("maximum_interval", None, ("maximumInterval",), _days),
    Key("algorithm", None, ("algorithm",), _text),
    Key("obsidian.strict_line_breaks", None, (), _flag, "strictLineBreaks"),
    Key("obsidian.attachment_folder", None, (), _folder, "attachmentFolderPath"),
    Key("obsidian.right_to_left", None, (), _flag, "rightToLeft"),
    Key("obsidian.templates"),
)

_OURS = {key.name: key.toml for key in KEYS if key.toml is not None}
_TABLES = tuple(dict.fromkeys(key.partition(".")[0] for key in _OURS if "." in key))

# What the three toggles meant before there were cloze patterns (upgradeSettings, 1.15.4).
_CLOZE_TOGGLES = (
    ("convertHighlightsToClozes", "==[123;;]answer[;;hint]=="),
    ("convertBoldTextToClozes", "**[123;;]answer[;;hint]**"),
    ("convertCurlyBracketsToClozes", "{{[123;;]answer[;;hint]}}"),
)


# ---------------------------------------------------------------- the plugin's data.json


def from_plugin(data_json: str, origin: str) -> Layer:
    """What the plugin's data.json sets; `origin` is its path, for messages.

    As plugin 1.15.4 loads it: no `settings` leaves all defaults, a key that is missing leaves
    its own, and without `clozePatterns` the old toggles say what is a cloze, none of them
    nothing. A null counts as missing. Unlike today's plugin, older spellings still count.
    Keys that we do not know are the plugin's business.

    Raises:
        SettingsError: it is no JSON, or a value that we need has another type than the plugin's.
    """
    data = _json_object(data_json, origin)
    settings = data.get("settings")
    if settings is None:
        return ()
    if not isinstance(settings, dict):
        raise SettingsError(
            [_ill_typed("settings", settings, Unfit("an object"), data_json, origin)]
        )
    layer: list[Override] = []
    problems: list[Problem] = []
    for key in KEYS:
        spelling = next((one for one in key.plugin if settings.get(one) is not None), None)
        if spelling is None or key.json is None:
            continue
        try:
            layer.append(Override(key.name, key.json(settings[spelling]), origin))
        except Unfit as unfit:
            problems.append(_ill_typed(spelling, settings[spelling], unfit, data_json, origin))
    layer += _legacy_tag(settings, origin)
    if settings.get("clozePatterns") is None:
        patterns = tuple(pattern for toggle, pattern in _CLOZE_TOGGLES if settings.get(toggle))
        layer.append(Override("grammar.cloze_patterns", patterns, origin))
    if problems:
        raise SettingsError(problems)
    return tuple(layer)


def _legacy_tag(settings: Mapping[str, object], origin: str) -> list[Override]:
    """The one tag that the plugin knew before it had decks."""
    tag = settings.get("flashcardsTag")
    if isinstance(tag, str) and settings.get("flashcardTags") is None:
        return [Override("grammar.flashcard_tags", (tag,), origin)]
    return []


def template_folder(content: str, origin: str) -> str | None:
    """The folder of templates that Obsidian's own plugin, or Templater, is told; None = none.

        {"folder": "Templates"}        {"templates_folder": "Templates", ...}

    Raises:
        SettingsError: it is no JSON.
    """
    data = _json_object(content, origin)
    folder = data.get("folder") or data.get("templates_folder")
    inner = _folder(folder) if _is_text(folder) else "/"
    return inner if inner != "/" else None


def from_app(app_json: str, origin: str) -> Layer:
    """What Obsidian's app.json sets; a value of another type than Obsidian's is passed over.

    Raises:
        SettingsError: it is no JSON.
    """
    data = _json_object(app_json, origin)
    layer: list[Override] = []
    for key in KEYS:
        if key.app and key.json is not None and key.app in data:
            try:
                layer.append(Override(key.name, key.json(data[key.app]), origin))
            except Unfit:
                continue  # Obsidian falls back to its default as well
    return tuple(layer)


def _json_object(content: str, origin: str) -> Mapping[str, object]:
    """The object that a JSON file holds; `null`, as of an emptied file, is an empty one.

    Raises:
        SettingsError: there is none.
    """
    remedy = "Mend it, or open the vault in Obsidian and save the settings again."
    line, reason = 1, "it is no JSON object"
    try:
        data = json.loads(content.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        line, reason = error.lineno, f"it is no valid JSON ({error.msg})"
    except (RecursionError, ValueError):
        reason = "it holds more brackets or digits than JSON of settings can"
    else:
        if data is None or isinstance(data, dict):
            return data or {}
    raise SettingsError([Problem(origin, line, f"This file cannot be used: {reason}.", remedy)])


def _ill_typed(key: str, value: object, unfit: Unfit, content: str, origin: str) -> Problem:
    """A value in a JSON file that is not what its key asks for."""
    found = re.search(rf'"{re.escape(key)}"\s*:', content)
    line = content.count("\n", 0, found.start()) + 1 if found else None
    shown = _shortened(json.dumps(value))
    sentence = f"{key} needs {unfit}, not {shown}."
    return Problem(origin, line, sentence, "Set it again in the plugin's settings in Obsidian.")


# ---------------------------------------------------------------- obs2anki.toml


def from_toml(content: str, origin: str) -> Layer:
    """What obs2anki.toml sets; `origin` is its path, for messages.

    Raises:
        SettingsError: it is no TOML, or a key is unknown or has a value that it cannot have;
            all such keys are named, each with its line and, if unknown, the nearest one.
    """
    content = content.removeprefix("\ufeff")
    document = _toml_table(content, origin)
    lines = _key_lines(content)
    layer: list[Override] = []
    problems: list[Problem] = []
    for key, value in _flattened(document):
        path = tuple(key.split(".")) if key in _OURS else tuple(key.split(".", 1))
        reader = _OURS.get(key)
        if reader is None:
            problems.append(_unknown(key, origin, _line_of(path, lines)))
            continue
        try:
            layer.append(Override(key, reader(value), origin))
        except Unfit as unfit:
            line = _line_of((*path, *unfit.where), lines)
            problems.append(_misfit(key, value, unfit, origin, line))
    if problems:
        raise SettingsError(problems)
    return tuple(layer)


def from_options(options: Iterable[tuple[str, object, str]]) -> Layer:
    """What the command line sets: (key, value, option), e.g. `scheduling.rollover, 5, --rollover`.

    Raises:
        SettingsError: a value is none that the key can have.
    """
    layer: list[Override] = []
    problems: list[Problem] = []
    for key, value, option in options:
        try:
            layer.append(Override(key, _OURS[key](value), option))
        except Unfit as unfit:
            sentence = f"{_shortened(_literal(value))} is not {unfit}."
            remedy = f"See the command's --help for {option}."
            problems.append(Problem(option, None, sentence, remedy))
    if problems:
        raise SettingsError(problems)
    return tuple(layer)


def _toml_table(content: str, origin: str) -> Mapping[str, object]:
    """The table that a TOML file holds."""
    import tomllib  # few vaults have such a file

    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
        line = int(found[1]) if found else content.count("\n") + 1
        reason = re.sub(r" \(at [^()]*\)$", "", str(error))
    except (RecursionError, ValueError):
        line, reason = 1, "it holds more brackets or digits than settings can"
    sentence = f"This file is no valid TOML: {reason}."
    raise SettingsError([Problem(origin, line, sentence, _toml_remedy(content, line, reason))])


def _toml_remedy(content: str, line: int, reason: str) -> str:
    """What to do about a line that is no TOML; the commonest slips are met by name."""
    written = content.split("\n")[line - 1].strip()
    header = _HEADER.match(written)
    if header and _ASSIGNMENT.match(written, header.end()):
        lines = (header[0].strip(), _shortened(written[header.end() :].strip()))
        return "\n    ".join(("Write the table's name on a line of its own:", *lines))
    if header and reason.startswith("Cannot declare"):
        return f"Write these keys below the first {header[0].strip()}, and leave out this one."
    return "Mend that line; texts stand in quotes, lists in [brackets]."


def _flattened(document: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    """The keys of a document, those of our tables with the table's name before a dot."""
    for key, value in document.items():
        if key in _TABLES and isinstance(value, dict):
            yield from ((f"{key}.{inner}", content) for inner, content in value.items())
        else:
            yield key, value


def _unknown(key: str, origin: str, line: int | None) -> Problem:
    """A key that does not belong into our file, with the one that was probably meant."""
    table, _, last = key.rpartition(".")
    if key in _TABLES:
        sentence = f"[{key}] is a table, but is written as a single value."
        return Problem(origin, line, sentence, f"Write [{key}] on a line, its keys below it.")
    if any(f"{ours.name}.".startswith(f"{key}.") for ours in KEYS):
        sentence = f"There is no setting {_shown(key)} in this file."
        remedy = "Leave it out: the plugin, Obsidian or the vault itself decides on that."
        return Problem(origin, line, sentence, remedy)
    by_plugin = (ours.name for ours in KEYS if last in ours.plugin and ours.toml)
    elsewhere = (ours for ours in _OURS if ours.rpartition(".")[2] == last)
    siblings = {ours.rpartition(".")[2]: ours for ours in _OURS if ours.rpartition(".")[0] == table}
    if not table:
        siblings |= {one: one for one in _TABLES}
    meant = next(by_plugin, None) or next(elsewhere, None) or siblings.get(_nearest(last, siblings))
    known = ", ".join(_shown(ours) if not table else short for short, ours in siblings.items())
    remedy = f"Did you mean {_shown(meant)}?" if meant else f"Known here are: {known}."
    return Problem(origin, line, f"There is no setting {_shown(key)}.", remedy)


def _misfit(key: str, value: object, unfit: Unfit, origin: str, line: int | None) -> Problem:
    """A key of ours with a value that it cannot have."""
    inner = [str(step) for step in unfit.where if isinstance(step, str)]
    shown = " ".join([_shown(key), *inner])
    found = "" if unfit.where else f", not {_shortened(_literal(value))}"
    return Problem(origin, line, f"{shown} needs {unfit}{found}.", "Mend that line.")


def _shown(key: str) -> str:
    """A key as it is written in obs2anki.toml: `[decks] root`."""
    table, _, last = key.rpartition(".")
    if key in _TABLES:
        return f"[{key}]"
    return f"[{table}] {last}" if table else last


def _nearest(word: str, words: Iterable[str]) -> str:
    """The one of `words` that looks most like `word`; empty if none does."""
    import difflib

    found = difflib.get_close_matches(word[:80], tuple(words), n=1, cutoff=0.6)
    return found[0] if found else ""


_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?")
_ASSIGNMENT = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")


def _key_lines(content: str) -> dict[KeyPath, int]:
    """The line of each key and table of a TOML text, by path: `("decks", "rules", 0, "tag")`.

    tomllib tells no lines. What stands in a multi-line text may add paths that are no keys;
    nobody asks for those.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(content.split("\n"), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                lines.setdefault(table, number)
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault((*table, *_parts(assignment[1])), number)
    return lines


def _parts(dotted: str) -> KeyPath:
    """The parts of a dotted TOML key, without quotes."""
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of a path, or of the innermost thing around it that has one."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


# ---------------------------------------------------------------- what is in force


def merge(base: Settings, *layers: Layer) -> Settings:
    """`base` with the layers laid over it; of two layers that set a key the later wins.

    `Settings.origin` of the result names the last who set each key.
    """
    latest = {override.key: override for layer in layers for override in layer}
    settings = base
    for override in latest.values():
        settings = _with(settings, override.key, override.value)
    before = tuple(pair for pair in base.origin if pair[0] not in latest)
    ours = tuple((override.key, override.origin) for override in latest.values())
    order = {key.name: place for place, key in enumerate(KEYS)}
    origin = tuple(sorted((*before, *ours), key=lambda pair: order[pair[0]]))
    return replace(settings, origin=origin)


def _with(settings: Settings, key: str, value: Value) -> Settings:
    """The settings with one key set."""
    part, _, last = key.rpartition(".")
    if not part:
        return _replaced(settings, last, value)
    return _replaced(settings, part, _replaced(getattr(settings, part), last, value))


def _replaced(part: Part, attribute: str, value: object) -> Part:
    """The dataclass with one attribute set; a reader in KEYS vouches for the value's type."""
    return replace(part, **{attribute: value})


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Every setting in force: its key, its value as TOML writes it, and who set it.

    What nobody set comes from "default"; what has no value, such as an output, reads `(none)`.
    """
    origins = dict(settings.origin)
    described = []
    for key in KEYS:
        value: object = settings
        for step in key.name.split("."):
            value = getattr(value, step)
        described.append((key.name, _literal(value), origins.get(key.name, "default")))
    return described


def _literal(value: object) -> str:
    """A value as TOML writes it."""
    if value is None:
        return "(none)"
    if isinstance(value, DeckRule):
        given = {one: getattr(value, one) for one in _RULE_KEYS if getattr(value, one)}
        return "{ " + ", ".join(f"{one} = {_literal(it)}" for one, it in given.items()) + " }"
    if isinstance(value, IgnoreIn):
        return f"{{ {_literal(value.paths)} = {_literal(value.codes)} }}"
    if isinstance(value, frozenset):
        return _literal(sorted(value))
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def _shortened(literal: str) -> str:
    """A value short enough to be quoted in a message."""
    return literal if len(literal) <= 60 else literal[:59] + "…"


# ---------------------------------------------------------------- separators proved by reviews

# What people separate sides with, the likeliest first, of one family the longer first.
_CANDIDATES = tuple(
    (mark * times, type_)
    for mark in (":", ";", "：", "；", ">", "|")
    for times, type_ in (
        (3, FlashcardType.SINGLE_LINE_REVERSED),
        (2, FlashcardType.SINGLE_LINE_BASIC),
    )
)

_KEY_OF = {
    FlashcardType.SINGLE_LINE_BASIC: "grammar.single_line",
    FlashcardType.SINGLE_LINE_REVERSED: "grammar.single_line_reversed",
}


def proved_separators(
    settings: Settings, sources: Iterable[Source]
) -> tuple[Settings, list[Diagnostic]]:
    """The settings with the separators in force that reviews prove, and an O103 for each.

    Without the plugin's settings nothing says which separators its author used; but a common
    one in a line that is directly followed by an SR comment was one, unless a separator in
    force already accounts for the comment. Nothing is proved against the plugin's settings
    or obs2anki.toml. `sources` are in vault order; those without a review are passed over.
    """
    if settings.plugin:
        return settings, []
    first: dict[tuple[str, FlashcardType], Diagnostic] = {}
    for source in sources:
        if "<!--SR:" not in source.text:
            continue
        for number, separator, type_ in _proofs(source.text, settings.grammar):
            key = _KEY_OF[type_]
            if (separator, type_) not in first and not settings.decided(key):
                shown = (separator, key.rpartition(".")[2], _literal(separator))
                first[separator, type_] = diagnostics.at("O103", source.path, number, *shown)
    if not first:
        return settings, []
    more = tuple(pair for pair in _CANDIDATES if pair in first)
    grammar = replace(settings.grammar, more_inline=more)
    origin = (*settings.origin, ("grammar.more_inline", "proved by reviews"))
    return replace(settings, grammar=grammar, origin=origin), list(first.values())


def _proofs(content: str, grammar: Grammar) -> Iterable[tuple[int, str, FlashcardType]]:
    """The lines of a document that prove a separator: the line's number, the separator."""
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    inline = grammar.inline
    multi_line = {grammar.multi_line, grammar.multi_line_reversed} - {""}
    accounted = False  # a multi-line separator above, in the same block
    for number, line in enumerate(lines, start=1):
        trimmed = line.strip()
        accounted = bool(trimmed) and (accounted or trimmed in multi_line)
        follows = number < len(lines) and lines[number].startswith(_REVIEW_BELOW)
        card, comment, _ = line.partition("<!--SR:")
        if accounted or line.startswith("<!--") or not (comment or follows):
            continue
        if not any(_stands(separator, card) for separator, _ in inline):
            proved = next((pair for pair in _CANDIDATES if _proves(pair[0], card)), None)
            if proved is not None:
                yield number, *proved


# The two forms of a review on the line below; the plugin knows both at column 0 only.
_REVIEW_BELOW = ("<!--SR:", "> [!sr|card-metadata]")


def _proves(separator: str, line: str) -> bool:
    """Whether a separator has a question before it: a quote within a quote begins with >>, too."""
    return _stands(separator, line) and bool(line.partition(separator)[0].strip("> \t"))


def _stands(separator: str, line: str) -> bool:
    """Whether the plugin would see a separator in a line: not where its first one is in code."""
    before, found, after = line.partition(separator)
    in_code = before.count("`") % 2 == 1 and after.count("`") % 2 == 1
    return bool(found) and not in_code
