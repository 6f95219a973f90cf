"""What a fragment names in its vault, as HTML: links into Obsidian, and media for Anki.

    ![[cell.png|300]]   ->   <img src="cell-3f2a91c07b5e.png" width="300">
    [[cell#Nucleus]]    ->   <a href="obsidian://open?vault=...">cell &gt; Nucleus</a>

Only addresses with a scheme that is known to be harmless are kept; scripts and `data:` go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from html import escape
from itertools import product
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

from obs2anki import diagnostics
from obs2anki.data import Diagnostic, Media, Source, Value, VaultPath
from obs2anki.media import FILMS, IMAGES, MEGABYTE, SOUNDS, Library, extension
from obs2anki.render.atoms import TOKEN, Atom, attribute, inert, without_control
from obs2anki.render.passages import outline

SCHEMES = frozenset(
    [
        "http",
        "https",
        "ftp",
        "ftps",
        "mailto",
        "tel",
        "sms",
        "geo",
        "magnet",
        "news",
        "irc",
        "ircs",
        "xmpp",
        "doi",
        "obsidian",
        "zotero",
        "evernote",
        "onenote",
        "things",
        "omnifocus",
        "marginnote3app",
        "marginnote4app",
    ]
)
"""What an external link may begin with; whatever else has a scheme is shown as text."""

REFUSED = frozenset(["data", "blob", "javascript", "vbscript"])
"""What no medium may be named by: it holds a file or a program, or means nothing elsewhere."""

_WEB = ("http", "https")
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0]")  # as browsers do when they read a scheme
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# What Obsidian plays in place, and an image cannot.
_NO_IMAGE = re.compile(
    r"//(?:www\.|m\.)?(?:youtube\.com|youtu\.be|vimeo\.com|twitter\.com|x\.com)/"
)
_SIZE = re.compile(r"([0-9]{1,5})(?:x([0-9]{1,5}))?")
_HEIGHT = re.compile(r"[#&]height=[0-9]*")  # of the frame in which Obsidian shows a PDF
_PACKED = IMAGES | SOUNDS
"""Extensions of files that go into Anki; other files are links."""
_MOST_PLACED = 100
"""With more findings than this in one side, they are told at its first line."""
_BEFORE = ("[[", "(", "<", '"', "")
"""What stands before the target of a link or an embed, the surest first: the same words may
stand above it as plain text, or as a tag."""


class Place(Value, frozen=True):
    """What a fragment's rendering depends on besides its text."""

    path: VaultPath
    line: int
    vault: str
    """The vault's name for links into Obsidian; "" = none, Obsidian takes the last one."""
    rtl: bool = False
    end_line: int = 0
    """Where what holds the fragment ends; a finding stands between `line` and here."""


class Lookup(NamedTuple):
    """A question to the library, and its answer: what `target` names in the document `source`."""

    target: str
    source: VaultPath
    found: VaultPath | None


class Named:
    """What a fragment names, embedded documents included, and what is to be said about it."""

    __slots__ = ("diagnostics", "documents", "lookups", "media", "online")

    def __init__(self) -> None:
        self.media: dict[str, Media] = {}
        self.online: dict[str, None] = {}
        """Addresses of media that stay where they are."""
        self.lookups: dict[Lookup, None] = {}
        self.documents: dict[VaultPath, None] = {}
        """Documents that were looked into."""
        self.diagnostics: dict[Diagnostic, None] = {}


class Embedder(Protocol):
    """What shows a document within another."""

    def shown(self, links: Links, target: Target, written: str, title: str) -> str:
        """HTML of the passage that `target` names, and the document of `links` as `written`."""
        ...

    def afford(self, size: int) -> bool:
        """Whether so many characters more may be shown; if so, they count as shown."""
        ...


class Target(NamedTuple):
    """A file of the vault, and the `#heading`, `#^block` or `#page=3` in it."""

    path: VaultPath
    subpath: str = ""


@lru_cache(maxsize=8192)  # every note has a Source, and documents link to the same few
def obsidian_url(vault: str, path: str, subpath: str = "") -> str:
    """The address that opens a file of the vault in Obsidian, at `#heading` or `#^block`.

    Obsidian's own scheme: every value percent-encoded, `.md` left out.
    """
    file = path.removesuffix(".md") + subpath
    named = f"vault={quoted(vault)}&" if vault else ""
    return f"obsidian://open?{named}file={quoted(file)}"


def quoted(text: str) -> str:
    """A value of an address, percent-encoded."""
    return quote(text, safe="", errors="replace")


class Links:
    """What one fragment names: answers HTML, and keeps the media and findings on the way."""

    __slots__ = ("embedder", "library", "named", "place")

    def __init__(
        self,
        place: Place,
        library: Library | None,
        embedder: Embedder | None = None,
        named: Named | None = None,
    ) -> None:
        """Without a library a link is its text alone; without an embedder an embed is a link."""
        self.place = place
        self.library = library
        self.embedder = embedder
        self.named = Named() if named is None else named

    def at(self, place: Place, embedder: Embedder | None) -> Links:
        """The same for a fragment that stands elsewhere; what is found comes together here."""
        return Links(place, self.library, embedder, self.named)

    def wikilink(self, inner: str, embed: bool) -> Atom:
        """`[[inner]]`, or `![[inner]]` if `embed`; tokens of deletions stay in a link's text."""
        path, subpath, alias, label, source = _read(inner)
        if embed:
            source = "!" + source
        if self.library is None:
            return Atom(label, source)
        if embed:
            in_link = None if extension(path.strip()) in _PACKED else label
            return Atom(partial(self._embed, path.strip(), subpath, alias), source, in_link)
        file = self._linked(path) if path else self.place.path
        return Atom(_anchor(self.place.vault, file or path, subpath, label), source, label)

    def _embed(self, path: str, subpath: str, alias: str) -> str:
        file = self._file(path) if path else self.place.path
        if isinstance(file, Missing):
            return file.html
        alt, width, height = _alt_and_size(alias)
        attributes = {"alt": alt, "width": width, "height": height}
        return self._shown(Target(file, subpath), path + subpath, attributes)

    def footnote(self, name: str) -> str | None:
        """What the document says in a footnote, wherever it stands in it."""
        text = self.library.text(self.place.path) if self.library is not None else None
        if text is None:
            return None
        self.named.documents[self.place.path] = None
        says = outline(Source(self.place.path, text)).footnotes.get(name.lower())
        if says is None or (self.embedder is not None and not self.embedder.afford(len(says))):
            return None
        return without_control(says)

    def href(self, url: str) -> str | None:
        """Where a Markdown link leads; None if it may lead nowhere."""
        address = _IGNORED_IN_URLS.sub("", url)
        if scheme := _SCHEME.match(address):
            return url.strip() if scheme[1].lower() in SCHEMES else None
        if address.startswith("//"):
            return "https:" + address
        path, mark, subpath = url.strip().partition("#")
        if self.library is None or not (path or subpath):
            return None
        file = self._linked(path) if path else self.place.path
        if file is None and self.library.leaves_vault(path, self.place.path):
            return None
        return obsidian_url(self.place.vault, file or unquote(path), mark + unquote(subpath))

    def image(self, attributes: dict[str, str], in_link: bool = False) -> str:
        """An `<img>`, or whatever else its `src` turns out to be; `in_link` it leads nowhere."""
        alt, width, height = _alt_and_size(attributes.get("alt", ""))
        if self.library is None:
            return _label(alt)
        shown = attributes | {"alt": alt}
        several = shown.pop("srcset", "")
        if width and "width" not in attributes:
            shown |= {"width": width, "height": height}
        source = self.source(attributes.get("src") or _first_of(several))
        match source:
            case Missing():
                return source.html
            case Target(path, subpath):
                written = unquote(attributes.get("src", "")) or path + subpath
                if in_link and extension(path) not in _PACKED:
                    return _label(alt or _of_target(written))
                return self._shown(source, written, shown)
            case Online(url):
                return _online(url, shown, in_link)
            case name:
                return _of_file(name, shown)

    def source(self, url: str) -> Online | str | Target | Missing:
        """What the `src` of a medium stands for; text is the name of one that is packed."""
        address = _IGNORED_IN_URLS.sub("", url)
        scheme = _SCHEME.match(address)
        if address.startswith("//"):
            return self._remote("https:" + address)
        if scheme and scheme[1].lower() in _WEB and address[scheme.end() :].strip("/\\"):
            return self._remote(_with_slashes(url.strip()))
        path, mark, subpath = url.strip().partition("#")
        if not (path or subpath):
            self.found("O601", url, "An image or sound without an address")
            return Missing("not shown", "no address")
        if scheme and scheme[1].lower() in REFUSED:
            self.found("O604", scheme[0], scheme[1].lower() + ":")
            return Missing("not shown", scheme[1].lower() + ":")
        found = self._file(path) if path else self.place.path
        return found if isinstance(found, Missing) else Target(found, mark + unquote(subpath))

    def playable(self, url: str) -> str | Missing:
        """What stands in the `src` of a player for the `src` that its author wrote."""
        match found := self.source(url):
            case Target(path, _) if extension(path) in _PACKED:
                return self._packed(path, url)
            case Target(path, _):
                return Missing("not shown", path)
            case Online(address):
                return address
        return found

    def _packed(self, path: VaultPath, written: str) -> str | Missing:
        """The name in Anki of a file of the vault, which is packed from now on.

        `written` is how the document names it.
        """
        assert self.library is not None
        try:
            media = self.library.media(path)
        except OSError:
            return self._missing("O611", "not shown", path, written=written)
        limit = self.library.max_size
        if media.size > limit * MEGABYTE:
            size = f"{media.size / MEGABYTE:.1f}"
            return self._missing("O603", "too large", path, size, limit, written=written)
        self.named.media[media.name] = media
        return media.name

    def _remote(self, url: str) -> Online | str:
        """A medium elsewhere, or its name in Anki if it was fetched."""
        fetched = self.library.fetched(url) if self.library is not None else None
        match fetched:
            case Media():
                self.named.media[fetched.name] = fetched
                return fetched.name
            case str():
                self.found("O610", url, without_control(url), fetched)
        if self.library is not None and not _NO_IMAGE.search(url):
            self.named.online[url] = None
        return Online(url)

    def _shown(self, target: Target, written: str, attributes: dict[str, str]) -> str:
        """A file of the vault: an image, a sound or film, a document, or a link to anything else.

        `written` is how the document names it.
        """
        kind = extension(target.path)
        if kind in _PACKED:
            name = self._packed(target.path, written.partition("#")[0])
            return name.html if isinstance(name, Missing) else _of_file(name, attributes)
        title = attributes.get("alt", "")
        if kind == "md" and self.embedder is not None and not _is_drawing(target.path):
            return self.embedder.shown(self, target, written, title)
        if kind == "pdf":
            written, subpath = (_HEIGHT.sub("", text) for text in (written, target.subpath))
            target = Target(target.path, subpath)
        return self.link(target, title or _of_target(written))

    def link(self, target: Target, text: str) -> str:
        """A link that opens a file in Obsidian."""
        return _anchor(self.place.vault, target.path, target.subpath, _label(text))

    def _resolved(self, path: str) -> VaultPath | None:
        """What a path names, and a note that it was asked."""
        assert self.library is not None
        found = self.library.resolve(path, self.place.path)
        self.named.lookups[Lookup(path, self.place.path, found)] = None
        return found

    def _linked(self, path: str) -> VaultPath | None:
        """The file that a link leads to; a dead link is a finding."""
        assert self.library is not None
        file = self._resolved(path)
        if file is None and not self.library.leaves_vault(path, self.place.path):
            self.found("O605", path, _decoded(path))
        return file

    def _file(self, path: str) -> VaultPath | Missing:
        if self.library is None:
            return Missing("missing", path)
        file = self._resolved(path)
        if file is not None:
            return file
        if self.library.leaves_vault(path, self.place.path):
            return self._missing("O602", "outside the vault", _decoded(path), written=path)
        return self._missing("O601", "missing", _decoded(path), written=path)

    def _missing(self, code: str, why: str, name: str, *details: object, written: str) -> Missing:
        self.found(code, written, name, *details)
        return Missing(why, name)

    def found(self, code: str, written: str, *details: object) -> None:
        """Note a finding about what is `written` in the fragment; each is told once."""
        line, column = self._where(written)
        finding = diagnostics.at(code, self.place.path, line, *details, column=column)
        self.named.diagnostics[finding] = None

    def _where(self, written: str) -> tuple[int, int]:
        """Line and column of a text of the fragment; its first line if it does not stand there."""
        place = self.place
        if self.library is None or len(self.named.diagnostics) >= _MOST_PLACED:
            return place.line, 1
        text = self.library.text(place.path)
        lines = [] if text is None else outline(Source(place.path, text)).lines
        plain = unquote(written)
        spellings = (written,) if plain == written else (written, plain)
        for before, spelling in product(_BEFORE, filter(None, spellings)):
            for number in range(place.line, min(place.end_line, len(lines)) + 1):
                if (at := lines[number - 1].find(before + spelling)) >= 0:
                    return number, at + len(before) + 1
        return place.line, 1


@dataclass(frozen=True, slots=True)
class Missing:
    """What cannot be shown, and why."""

    why: str
    name: str
    link: str = ""
    """HTML that leads to it, if there is any."""

    @property
    def html(self) -> str:
        """What the card shows in its place."""
        return f'<span class="missing">({self.why}: {self.link or _label(self.name)})</span>'


@dataclass(frozen=True, slots=True)
class Online:
    """The address of a medium that stays where it is."""

    url: str


def _of_file(name: str, attributes: dict[str, str]) -> str:
    """A packed file on a card."""
    if extension(name) in SOUNDS:
        return f"[sound:{escape(name, quote=False)}]"
    return tag("img", attributes | {"src": name})


def _online(url: str, attributes: dict[str, str], in_link: bool) -> str:
    """A medium that the card fetches itself, or a link to what it cannot show."""
    if _NO_IMAGE.search(url):
        text = _label(attributes.get("alt") or url)
        return text if in_link else f'<a href="{attribute(url)}">{text}</a>'
    kind = _extension_of(url)
    if kind in SOUNDS:
        player = "video" if kind in FILMS else "audio"
        sizes = {key: attributes.get(key, "") for key in ("width", "height")}
        return f"{tag(player, {'src': url} | sizes)[:-1]} controls></{player}>"
    return tag("img", attributes | {"src": url})


def tag(name: str, attributes: dict[str, str]) -> str:
    """An opening tag, empty attributes left out and those that matter most first."""
    return _tag(name, *attributes.items())


@lru_cache(maxsize=1024)  # an image stands on the front, on the back, and on the next card too
def _tag(name: str, *attributes: tuple[str, str]) -> str:
    rank = {"src": 0, "alt": 1}
    ordered = sorted(attributes, key=lambda pair: rank.get(pair[0], len(rank)))
    written = (f' {key}="{attribute(value)}"' for key, value in ordered if value)
    return f"<{name}{''.join(written)}>"


@lru_cache(maxsize=8192)  # documents link to the same few
def _anchor(vault: str, path: str, subpath: str, label: str) -> str:
    """A link that opens a file of the vault in Obsidian, around HTML."""
    return f'<a href="{attribute(obsidian_url(vault, path, subpath))}">{label}</a>'


class _Wikilink(NamedTuple):
    """What stands between `[[` and `]]`."""

    path: str
    subpath: str
    alias: str
    """Without the tokens of deletions."""
    label: str
    """HTML that shows it, in which they stay."""
    source: str


@lru_cache(maxsize=8192)
def _read(inner: str) -> _Wikilink:
    inner = inner.replace("\\|", "|")
    plain = TOKEN.sub("", inner)
    shown, _, label = inner.partition("|")
    target, _, alias = plain.partition("|")
    path, mark, subpath = target.strip().partition("#")
    label = _label(label.strip() or _of_target(shown.strip()))
    return _Wikilink(path, mark + subpath, alias, label, f"[[{plain}]]")


@lru_cache(maxsize=1024)
def _extension_of(url: str) -> str:
    try:
        return extension(unquote(urlsplit(url).path))
    except ValueError:  # brackets that hold no address
        return ""


def _with_slashes(url: str) -> str:
    """A web address as browsers read it: without `//` Anki would look for a file of that name."""
    scheme, _, rest = url.partition(":")
    return url if rest.startswith("//") else scheme + "://" + rest.lstrip("/\\")


def _is_drawing(path: str) -> bool:
    """Whether a document holds a drawing: what it says is for a program."""
    return path.lower().endswith(".excalidraw.md")


def _first_of(srcset: str) -> str:
    """The first address of a `srcset`, `cell.png 2x, big.png 3x`."""
    addresses = srcset.split(maxsplit=1)
    return addresses[0].rstrip(",") if addresses else ""


def _decoded(path: str) -> str:
    """A path as a person reads it: `%20` is a space, and `%00` nothing at all."""
    return without_control(unquote(path))


def _label(text: str) -> str:
    return inert(escape(text, quote=False))


def _of_target(target: str) -> str:
    """A link's target as Obsidian shows it: `a#b` as `a > b`."""
    return target.removeprefix("#").replace("#", " > ")


def _alt_and_size(text: str) -> tuple[str, str, str]:
    """`A cell|300x200` as description, width and height; each may be empty."""
    alt, _, last = text.rpartition("|")
    if size := _SIZE.fullmatch(last.strip()):
        return alt.strip(), size[1], size[2] or ""
    return text.strip(), "", ""
