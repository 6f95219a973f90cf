"""What a fragment names in its vault, as HTML: links into Obsidian, and media for Anki.

    ![[cell.png|300]]   ->   <img src="cell-3f2a91c07b5e.png" width="300">
    [[cell#Nucleus]]    ->   <a href="obsidian://open?vault=...">cell &gt; Nucleus</a>

Only addresses with a scheme that is known to be harmless are kept; scripts and `data:` go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from html import escape
from urllib.parse import quote, unquote

from obs2anki import diagnostics
from obs2anki.data import Diagnostic, Media, VaultPath
from obs2anki.media import IMAGES, MEGABYTE, SOUNDS, Library, extension
from obs2anki.render.atoms import TOKEN, Atom, attribute, inert, without_control

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

_IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0]")  # as browsers do when they read a scheme
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# What Obsidian plays in place, and an image cannot.
_NO_IMAGE = re.compile(
    r"//(?:www\.|m\.)?(?:youtube\.com|youtu\.be|vimeo\.com|twitter\.com|x\.com)/"
)
_SIZE = re.compile(r"([0-9]{1,5})(?:x([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """What a fragment's rendering depends on besides its text."""

    path: VaultPath
    line: int
    vault: str
    """The vault's name for links into Obsidian; "" = none, Obsidian takes the last one."""
    rtl: bool = False


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

    def __init__(self, place: Place, library: Library | None) -> None:
        """Without a library a link is its text alone."""
        self.place = place
        self.library = library
        self.media: dict[str, Media] = {}
        self.diagnostics: list[Diagnostic] = []

    def wikilink(self, inner: str, embed: bool) -> Atom:
        """`[[inner]]`, or `![[inner]]` if `embed`; tokens of deletions stay in a link's text."""
        inner = inner.replace("\\|", "|")
        source = ("![[" if embed else "[[") + TOKEN.sub("", inner) + "]]"
        shown, _, alias = inner.partition("|")
        path, mark, subpath = TOKEN.sub("", shown).strip().partition("#")
        label = _label(alias.strip() or _of_target(shown.strip()))
        if self.library is None:
            return Atom(label, source)
        if embed:
            return Atom(partial(self._embed, path.strip(), mark + subpath, alias), source)
        file = self._linked(path)
        url = obsidian_url(self.place.vault, file or path, mark + subpath)
        return Atom(f'<a href="{attribute(url)}">{label}</a>', source, in_link=label)

    def _embed(self, path: str, subpath: str, alias: str) -> str:
        alt, width, height = _alt_and_size(TOKEN.sub("", alias))
        file = self._file(path) if path else self.place.path
        if isinstance(file, Missing):
            return file.html
        if extension(file) in IMAGES or extension(file) in SOUNDS:
            return self._shown(file, {"alt": alt, "width": width, "height": height})
        url = obsidian_url(self.place.vault, file, subpath)
        return f'<a href="{attribute(url)}">{_label(alt or _of_target(path + subpath))}</a>'

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
        if self.library.leaves_vault(path, self.place.path):
            return None
        file = self._linked(path)
        return obsidian_url(self.place.vault, file or unquote(path), mark + unquote(subpath))

    def image(self, attributes: dict[str, str]) -> str:
        """An `<img>`, or whatever else its `src` turns out to be."""
        alt, width, height = _alt_and_size(attributes.get("alt", ""))
        shown = attributes | {"alt": alt}
        several = shown.pop("srcset", "")
        if width and "width" not in attributes:
            shown |= {"width": width, "height": height}
        source = self.source(attributes.get("src") or _first_of(several))
        if isinstance(source, Missing):
            return source.html
        if isinstance(source, str):
            if _NO_IMAGE.search(source):
                return f'<a href="{attribute(source)}">{_label(alt or source)}</a>'
            return tag("img", shown | {"src": source})
        return self._shown(source.path, shown)

    def source(self, url: str) -> Remote | InVault | Missing:
        """What the `src` of a medium stands for."""
        address = _IGNORED_IN_URLS.sub("", url)
        if address.startswith("//"):
            return "https:" + address
        scheme = _SCHEME.match(address)
        if scheme and scheme[1].lower() in ("http", "https"):
            return url.strip()
        path = url.strip().partition("#")[0]
        if not path:
            self._found("O601", "An image or sound without an address")
            return Missing("not shown", "no address")
        if scheme and scheme[1].lower() in REFUSED:
            return self._missing("O604", "not shown", scheme[1].lower() + ":")
        found = self._file(path)
        return found if isinstance(found, Missing) else InVault(found)

    def packed(self, path: VaultPath) -> str | Missing:
        """The name in Anki of a file of the vault, which is packed from now on."""
        assert self.library is not None
        try:
            media = self.library.media(path)
        except OSError:
            return self._missing("O601", "missing", path)
        limit = self.library.max_size
        if media.size > limit * MEGABYTE:
            size = f"{media.size / MEGABYTE:.1f}"
            return self._missing("O603", "too large", path, size, limit)
        self.media[media.name] = media
        return media.name

    def _shown(self, path: VaultPath, attributes: dict[str, str]) -> str:
        """A file of the vault: an image, a sound or film, or a link to anything else."""
        kind = extension(path)
        if kind not in IMAGES and kind not in SOUNDS:
            url = obsidian_url(self.place.vault, path)
            return f'<a href="{attribute(url)}">{_label(attributes.get("alt") or path)}</a>'
        name = self.packed(path)
        if isinstance(name, Missing):
            return name.html
        if kind in SOUNDS:
            return f"[sound:{escape(name, quote=False)}]"
        return tag("img", attributes | {"src": name})

    def _file(self, path: str) -> VaultPath | Missing:
        if self.library is None:
            return Missing("missing", path)
        file = self.library.resolve(path, self.place.path)
        if file is not None:
            return file
        if self.library.leaves_vault(path, self.place.path):
            return self._missing("O602", "outside the vault", _decoded(path))
        return self._missing("O601", "missing", _decoded(path))

    def _linked(self, path: str) -> VaultPath | None:
        """The file that a link leads to: the document itself where it names none."""
        assert self.library is not None
        file = self.library.resolve(path, self.place.path) if path else self.place.path
        if file is None:
            self._found("O605", _decoded(path))
        return file

    def _missing(self, code: str, why: str, name: str, *details: object) -> Missing:
        self._found(code, name, *details)
        return Missing(why, name)

    def _found(self, code: str, *details: object) -> None:
        finding = diagnostics.at(code, self.place.path, self.place.line, *details)
        if finding not in self.diagnostics:
            self.diagnostics.append(finding)


@dataclass(frozen=True, slots=True)
class Missing:
    """A medium that cannot be shown, and why."""

    why: str
    name: str

    @property
    def html(self) -> str:
        """What the card shows in its place."""
        return f'<span class="missing">({self.why}: {_label(self.name)})</span>'


@dataclass(frozen=True, slots=True)
class InVault:
    """A medium that lies in the vault."""

    path: VaultPath


Remote = str
"""The address of a medium that stays where it is."""


def tag(name: str, attributes: dict[str, str]) -> str:
    """An opening tag, empty attributes left out and those that matter most first."""
    first = [key for key in ("src", "alt") if key in attributes]
    rest = [key for key in attributes if key not in first]
    written = (f' {key}="{attribute(attributes[key])}"' for key in first + rest if attributes[key])
    return f"<{name}{''.join(written)}>"


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
