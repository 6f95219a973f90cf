"""The files of a vault that a link may name, and the names that they get in Anki.

    ![[Pasted image 20240412.png|300]]   in   biology/cell.md

names the file `attachments/Pasted image 20240412.png`, which becomes
`Pasted image 20240412-3f2a91c07b5e.png` in Anki's media folder. Nothing outside of the vault is
ever named: a link that leads out of it finds nothing.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

from obs2anki.data import Media, VaultPath
from obs2anki.settings import Obsidian

MEGABYTE = 1_000_000

IMAGES = frozenset(
    [
        "apng",
        "avif",
        "bmp",
        "gif",
        "ico",
        "jfif",
        "jpeg",
        "jpg",
        "png",
        "svg",
        "tif",
        "tiff",
        "webp",
    ]
)
FILMS = frozenset(["avi", "flv", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ogv", "webm"])
SOUNDS = FILMS | frozenset(
    [
        "3gp",
        "aac",
        "aif",
        "aiff",
        "flac",
        "m4a",
        "mp3",
        "oga",
        "ogg",
        "opus",
        "wav",
        "wma",
    ]
)
"""Audio and video: Anki plays both from `[sound:...]`."""

_NAME_BYTES = 120  # Anki cuts longer names (rslib media/files.rs), and then finds nothing
_HASH_DIGITS = 12
_TOLD = re.compile(rf"-([0-9a-f]{{{_HASH_DIGITS}}})(?:\.[^.]*)?")
# What Anki takes out of a name, and what would be read as something else where the name is
# written: `%` and `#` in an address, braces in a cloze.
_FORBIDDEN = re.compile(
    r'[\x00-\x1f\x7f-\x9f\[\]<>:"/?*^\\|%#{}\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]'
)
_ELSEWHERE = re.compile(r"(?i)(?:file|app|data|blob|javascript):|[a-z]:[\\/]|[a-z][a-z0-9+.-]*://")
_LEADING = frozenset(["", "/", "\\", "~", "."])
"""What a link begins with that may lead out of the vault; so may any that holds `:` or `..`."""


def is_named_for(medium: Media, digest: str) -> bool:
    """Whether a file of this SHA-256 (hex) may go by the name of `medium`.

    Who named it has read the file earlier, and another program may have been at it since.
    """
    told = _TOLD.search(medium.name, medium.name.rfind("-"))
    return told is None or digest.startswith(told[1])


@lru_cache(maxsize=8192)
def extension(path: str) -> str:
    """The extension of a path, in lower case and without its dot; empty if there is none."""
    return posixpath.splitext(path)[1][1:].lower()


class Library:
    """The files that links in the vault may name, and what each becomes in Anki."""

    def __init__(
        self,
        locate: Callable[[VaultPath], Path],
        files: Iterable[VaultPath],
        obsidian: Obsidian,
        max_size: int,
        digest: Callable[[Path], tuple[str, int]],
        text: Callable[[VaultPath], str | None] = lambda _: None,
        fetched: Mapping[str, Path | str] = MappingProxyType({}),
    ) -> None:
        """Take every visible file of the vault, documents too.

        `locate` says where a file lies on the disk, which may spell its name otherwise.
        `max_size` is in megabytes. `digest` answers a file's SHA-256 (hex) and size in bytes, or
        raises OSError; it is asked at most once for a file, and only when a rendered link needs
        it. A file that is too large may have an empty digest. `text` answers what a document
        says, None if it cannot be read. `fetched` has, by address, where a medium of the web lies
        now, or in words why it could not be fetched.
        """
        self.max_size = max_size
        self.text = text
        self._locate = locate
        self._attachments = obsidian.attachment_folder
        self._digest = digest
        self.files: frozenset[VaultPath] = frozenset(files)
        """Every visible file of the vault."""
        self._fetched = fetched
        self._packed: dict[VaultPath, Media] = {}
        self._packed_from_web: dict[str, Media] = {}
        self._resolved: dict[tuple[str, str], VaultPath | None] = {}
        """By the target and the document's folder."""
        self._spellings: dict[str, dict[str, str]] = {}
        """For an extension each spelling, by the stem without case."""

    @cached_property
    def _by_name(self) -> dict[str, list[VaultPath]]:
        """The files by their base name, ignoring case, each list in the order of paths."""
        found: defaultdict[str, list[VaultPath]] = defaultdict(list)
        for path in sorted(self.files):
            found[posixpath.basename(path).casefold()].append(path)
        return dict(found)

    @cached_property
    def _by_extension(self) -> dict[str, list[VaultPath]]:
        """The files by what a media name keeps of their extension, in the order of paths."""
        found: defaultdict[str, list[VaultPath]] = defaultdict(list)
        for path in sorted(self.files):
            found[_kept_extension(posixpath.splitext(path)[1]) or ""].append(path)
        return dict(found)

    def _spelling(self, stem: str, ext: str) -> str:
        """The one spelling of stems that differ only in case, so that media names never do."""
        spelled = self._spellings.get(ext)
        if spelled is None:
            spelled = self._spellings[ext] = {}
            for path in self._by_extension.get(ext, ()):
                other, _ = _stem_and_extension(path)
                spelled.setdefault(other.casefold(), other)
        return spelled.get(stem.casefold(), stem)

    def resolve(self, target: str, source: VaultPath) -> VaultPath | None:
        """The file that a link's `target`, without `#heading`, names in the document `source`.

        As Obsidian finds it: the exact path from the root; relative to the document; in the
        attachment folder; else the file of that name (or that end of a path) that is nearest:
        below the document's folder, then the shortest path. `.md` may be left out, case is
        ignored where nothing has the right one, percent-encoding is read. None: there is no such
        file in the vault.
        """
        key = (target, source.rpartition("/")[0])
        if key not in self._resolved:
            self._resolved[key] = self._resolve(target, source)
        return self._resolved[key]

    def _resolve(self, target: str, source: VaultPath) -> VaultPath | None:
        if self.leaves_vault(target, source):
            return None
        for spelling in _spelled(target):
            found = self._find(unicodedata.normalize("NFC", spelling).strip(), source)
            if found is not None:
                return found
        return None

    def leaves_vault(self, target: str, source: VaultPath) -> bool:
        """Whether `target` names a place outside of the vault, whatever may be there."""
        return any(self._leaves(spelling.strip(), source) for spelling in _spelled(target))

    def media(self, path: VaultPath) -> Media:
        """The file as Anki gets it; OSError if it cannot be read any more."""
        packed = self._packed.get(path)
        if packed is None:
            file = self._locate(path)
            digest, size = self._digest(file)
            packed = self._packed[path] = Media(self._name(path, digest), file, size)
        return packed

    def fetched(self, url: str) -> Media | str | None:
        """A medium of the web: as Anki gets it, why it cannot be had, or None: nobody asked."""
        file = self._fetched.get(url)
        if not isinstance(file, Path):
            return file
        if url not in self._packed_from_web:
            try:
                digest, size = self._digest(file)
            except OSError:
                return "the copy of it cannot be read"
            stem, _ = _stem_and_extension(unquote(url.partition("?")[0].partition("#")[0]))
            name = self._name(stem.casefold() + file.suffix, digest)
            self._packed_from_web[url] = Media(name, file, size)
        return self._packed_from_web[url]

    def _leaves(self, target: str, source: VaultPath) -> bool:
        if target[:1] not in _LEADING and ":" not in target and ".." not in target:
            return False
        if _ELSEWHERE.match(target) or target.startswith(("\\", "~/", "//")):
            return True
        if target.startswith("/"):  # the vault's root, for Obsidian; never the disk's
            return _normal(target[1:]) is None or self._exact(_normal(target[1:]) or "") is None
        return _normal(target) is None and _normal(_beside(source, target)) is None

    def _find(self, link: str, source: VaultPath) -> VaultPath | None:
        if not link or not self._may_be_named(link):
            return None
        beside = _normal(_beside(source, link))
        if link.startswith(("./", "../")):
            return self._exact(beside)
        if link.startswith("/"):
            return self._exact(_normal(link[1:]))
        plain = _normal(link)
        return (
            self._exact(plain)
            or self._exact(beside)
            or self._exact(self._attached(link, source))
            or self._nearest(plain, source)
        )

    def _may_be_named(self, link: str) -> bool:
        """Whether there may be a file that `link` names: a name alone is looked up at once."""
        if "/" in link or link in (".", ".."):
            return True
        name = link.casefold()
        return name in self._by_name or f"{name}.md" in self._by_name

    def _attached(self, link: str, source: VaultPath) -> str | None:
        folder = self._attachments
        if folder.startswith("./"):
            return _normal(_beside(source, f"{folder}/{link}"))
        return _normal(f"{folder.strip('/')}/{link}".lstrip("/"))

    def _exact(self, path: str | None) -> VaultPath | None:
        """The file of this very path, with or without `.md`, in another case if need be."""
        if not path:
            return None
        for spelling in (VaultPath(path), VaultPath(path + ".md")):
            if spelling in self.files:
                return spelling
        for folded in (path.casefold(), path.casefold() + ".md"):
            for candidate in self._by_name.get(posixpath.basename(folded), ()):
                if candidate.casefold() == folded:
                    return candidate
        return None

    def _nearest(self, link: str | None, source: VaultPath) -> VaultPath | None:
        """The file whose path ends with `link`: nearest to the document, then shortest."""
        if not link:
            return None
        folder = _beside(source, "")

        def distance(path: VaultPath, tail: str) -> tuple[bool, bool, int, str]:
            same_case = f"/{path}".endswith(f"/{tail}")
            return (not same_case, not path.startswith(folder), len(path), path)

        for tail in (link, link + ".md"):
            end = f"/{tail.casefold()}"
            named = self._by_name.get(posixpath.basename(tail).casefold(), ())
            found = [(distance(p, tail), p) for p in named if f"/{p.casefold()}".endswith(end)]
            if found:
                return min(found)[1]
        return None

    def _name(self, path: str, digest: str) -> str:
        """`<stem>-<hash>.<ext>` within Anki's limits (spec: NFC, 120 bytes, no odd characters)."""
        stem, ext = _stem_and_extension(path)
        stem = self._spelling(stem, ext)
        tail = f"-{digest[:_HASH_DIGITS]}" + (f".{ext}" if ext else "")
        room = _NAME_BYTES - len(tail.encode())
        return stem.encode()[:room].decode(errors="ignore").rstrip() + tail


def _spelled(target: str) -> tuple[str, ...]:
    """What a link may mean: as it is written, and without percent-encoding."""
    plain = unquote(target)
    return (target,) if plain == target else (target, plain)


def _stem_and_extension(path: str) -> tuple[str, str]:
    """What a media name keeps of a path: the cleaned stem and the extension in lower case."""
    name = posixpath.basename(path)
    stem, dotted = posixpath.splitext(name)
    ext = _kept_extension(dotted)
    if ext is None:
        return _trimmed(_clean(name)) or "media", ""
    return _trimmed(_clean(stem)) or "media", ext


@lru_cache(maxsize=1024)  # most files of a vault have one of a few
def _kept_extension(dotted: str) -> str | None:
    """What a media name keeps of `.png`; None = a sentence has a full stop in it, rather."""
    ext = _clean(dotted[1:].lower()).strip()
    return ext if len(ext.encode()) <= 16 else None


def _trimmed(stem: str) -> str:
    """A stem without white space and marks at its ends: Anki never clears away `_names`."""
    while (bare := stem.strip().strip("._-")) != stem:
        stem = bare
    return stem


def _clean(name: str) -> str:
    return unicodedata.normalize("NFC", _FORBIDDEN.sub("", unicodedata.normalize("NFC", name)))


def _beside(source: str, link: str) -> str:
    """`link` seen from the document's folder, as a path of the vault that is not yet normal."""
    folder = posixpath.dirname(source)
    return f"{folder}/{link}" if folder else link


def _normal(path: str) -> str | None:
    """The path without `.`, `..` and doubled slashes; None if it leads out of the vault."""
    normal = posixpath.normpath(path) if path else ""
    if normal.startswith(("/", "../")) or normal in ("..", "."):
        return None
    return normal
