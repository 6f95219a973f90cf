"""The vault on the disk: its settings, its documents, the names of all its files.

    vault/.obsidian/plugins/obsidian-spaced-repetition/data.json    the plugin's settings
    vault/obs2anki.toml                                             ours
    vault/learning/Deep Learning.md                                 a document
    vault/.trash/old.md                                             invisible, as in Obsidian

Everything here only reads, and reads nothing outside of the vault.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import stat
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from obs2anki import diagnostics, settings
from obs2anki.data import Diagnostic, Skipped, Source, VaultPath
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.settings import Layer, Override, Problem, Settings, SettingsError

PLUGIN = ".obsidian/plugins/obsidian-spaced-repetition"
FORK = ".obsidian/plugins/obsidian-spaced-repetition-recall"
APP = ".obsidian/app.json"
TEMPLATES = (".obsidian/templates.json", ".obsidian/plugins/templater-obsidian/data.json")
OURS = "obs2anki.toml"

SCHEDULE_DATA = "schedule-data.sr.md"
"""Where the plugin means to keep reviews one day (1.15.4, src/data/data-store/README.md)."""

SETTLED = 2_000_000_000
"""Nanoseconds after which another change of a file shows in its stamp: FAT counts by 2 seconds."""

SETTLED_SOON = 50_000_000
"""The same where a file system counts in fractions of a second."""

LASTS = 1.0
"""Seconds for which nobody looks again: others may be waited for after a look."""

ABOVE, BELOW, FOLDERS = 5, 3, 1_000
"""How far the plugin's settings are looked for: levels up, levels down, folders in all."""


@dataclass(frozen=True, slots=True)
class File:
    """A visible file of a vault."""

    path: VaultPath
    disk: str
    """Its path below the root as the disk spells it."""
    document: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """All visible files of a vault, as they were at one moment."""

    files: tuple[File, ...]
    stamps: Mapping[str, str]
    """What a change of each would change, by its path as the disk spells it."""
    when: float
    """Seconds of the clock that never goes back."""
    besides: Mapping[Path, str]
    """Marks of files that were left out, from before that: who has written them since may have
    seen more."""

    def holds(self) -> bool:
        """Whether nobody needs to look again."""
        soon = time.monotonic() - self.when <= LASTS
        return soon and all(_mark(file) == then for file, then in self.besides.items())


def _mark(file: Path) -> str:
    """What every replacement of a file changes; empty if there is none."""
    try:
        told = file.stat()
    except (OSError, ValueError):
        return ""
    return f"{told.st_mtime_ns} {told.st_size} {told.st_ino}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a vault holds, in vault order."""

    root: Path
    name: str
    """The folder's name: the vault's, in Obsidian."""
    sources: tuple[Source, ...]
    """The documents that could be read and are not ignored."""
    ignored: tuple[Source, ...]
    """The documents that `folders_to_ignore` or `[select] ignore` leaves out."""
    unread: tuple[Skipped, ...]
    """The documents that could not be taken, and why."""
    files: tuple[VaultPath, ...]
    """Every visible file, documents included."""
    diagnostics: tuple[Diagnostic, ...]
    documents: tuple[VaultPath, ...] = ()
    """Every document that there is to read."""
    spelt: Mapping[VaultPath, str] = field(default_factory=dict)
    """How the disk spells the paths that are not NFC there, as this run's locale has it."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    """What the stamps were a moment ago, by the paths as the disk spells them."""

    @property
    def closed(self) -> tuple[VaultPath, ...]:
        """The folders that could not be read."""
        return tuple(found.path for found in self.diagnostics if found.code == "O105")

    def file(self, path: VaultPath) -> Path:
        """Where a file of the vault lies on the disk."""
        return self.root / self.spelt.get(path, path)

    def stamp(self, path: VaultPath) -> str:
        """What a change of a file would change (`stamp`): from now, or from before it is read."""
        disk = self.spelt.get(path, path)
        return self.stamps.get(disk) or stamp(f"{self.root}/{disk}")

    def source(self, path: VaultPath) -> tuple[Source | None, list[Diagnostic]]:
        """A document, or None if it cannot be read, and what is to be said of reading it."""
        disk = self.spelt.get(path, path)
        return _source(self.root, File(path, disk, document=True))

    def text(self, path: VaultPath) -> str | None:
        """What a document says; None if it cannot be read, for which there is a finding."""
        source, _ = self.source(path)
        return None if source is None else source.text


# ---------------------------------------------------------------- which folder, which settings


def root_of(path: Path) -> Path:
    """The vault that a document or folder belongs to.

    That is the nearest folder from there upwards that holds `.obsidian`, `obs2anki.toml` or
    `.obs2anki`; if none does, the document's own folder, or the folder itself.
    """
    own = path.resolve() if path.is_dir() else path.parent.resolve()
    marks = (".obsidian", OURS, ".obs2anki")
    vaults = (at for at in (own, *own.parents) if any(_is_there(at / mark) for mark in marks))
    return next(vaults, own)


def find_settings(root: Path, options: Layer = ()) -> tuple[Settings, list[Diagnostic]]:
    """What is in force in the vault `root`: defaults, the plugin's settings, ours, options.

    Raises:
        SettingsError: a settings file cannot be read or used; all that is wrong is told.
        Obs2ankiError: `root` is no folder that can be read.
    """
    _assert_vault(root)
    found: list[Diagnostic] = []
    problems: list[Problem] = []
    layers: list[Layer] = []
    here: Layer
    data_json = _data_json(root)
    for relative, reader in ((data_json, settings.from_plugin), (OURS, settings.from_toml)):
        try:
            layers.append(_layer(root, relative, reader))
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    app, said = _app_layer(root)
    base, here = settings.WITHOUT_PLUGIN, ()
    if data_json:
        base = settings.WITH_PLUGIN
        here = (Override("plugin", True, data_json.rpartition("/")[0]),)
    in_force = settings.merge(base, here, app, _templates_layer(root), *layers, options)
    if data_json and data_json.startswith(f"{FORK}/"):
        found.append(diagnostics.at("O102", VaultPath(data_json), 1))
    if not data_json and not any(key.startswith("grammar.") for key, _ in in_force.origin):
        found += _settings_elsewhere(root)
    return in_force, found + said


def _assert_vault(root: Path) -> None:
    """Raise an Obs2ankiError if there is no folder `root`, or none that can be read."""
    try:
        with os.scandir(root):
            return
    except FileNotFoundError:
        sentence = f"There is no folder {root}."
        remedy = "Check the path of the vault: the folder that you open in Obsidian."
    except NotADirectoryError:
        sentence = f"{root} is a file, not a vault."
        remedy = f"Name the folder that you open in Obsidian, such as {root_of(root)}"
    except OSError as error:
        sentence = f"The vault {root} cannot be read: {_reason(error)}."
        remedy = "Give yourself the right to read it, then try again."
    raise Obs2ankiError(f"{sentence} {remedy}")


def _data_json(root: Path) -> str | None:
    """The data.json that counts, there or not; None without the plugin and its fork."""
    own, fork = f"{PLUGIN}/data.json", f"{FORK}/data.json"
    try:
        if _exists(root / own):
            return own
        if _exists(root / fork):
            return fork
        return own if _exists(root / PLUGIN) else None
    except OSError:
        return own  # reading it will tell what is wrong


def _layer(root: Path, relative: str | None, reader: Callable[[str, str], Layer]) -> Layer:
    """What a settings file sets; nothing if it is not there."""
    if relative is None:
        return ()
    content = _settings_text(root, relative)
    return () if content is None else reader(content, relative)


def _app_layer(root: Path) -> tuple[Layer, list[Diagnostic]]:
    """What Obsidian's app.json sets: never worth stopping for."""
    try:
        return _layer(root, APP, settings.from_app), []
    except SettingsError as error:
        problem = error.problems[0]
        return (), [diagnostics.at("O107", VaultPath(APP), problem.line or 1, problem.sentence)]


def _templates_layer(root: Path) -> Layer:
    """Where templates lie. Only a finding depends on it: a file without use is passed over."""
    folders: dict[str, str] = {}
    for relative in TEMPLATES:
        try:
            content = _settings_text(root, relative)
            folder = settings.template_folder(content, relative) if content is not None else None
        except SettingsError:
            continue
        if folder is not None:
            folders.setdefault(folder, relative)
    origin = ", ".join(folders.values())
    return (Override("obsidian.templates", tuple(folders), origin),) if folders else ()


def _settings_text(root: Path, relative: str) -> str | None:
    """The text of a settings file; None if there is none.

    Raises:
        SettingsError: it is there, but cannot be read, or lies outside of the vault.
    """
    path = root / relative
    line, remedy = None, "Mend it: other settings would make other cards."
    try:
        if not _exists(path):
            return None
        if not path.resolve().is_relative_to(root.resolve()):
            remedy = "Copy the file into the vault: nothing outside of it is read."
            raise OSError("it is a symbolic link that leads out of the vault")
        data = _bytes(path)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, reason = data.count(b"\n", 0, error.start) + 1, "it is not UTF-8"
    except (OSError, RuntimeError) as error:
        reason = _reason(error)
    sentence = f"This file cannot be read: {reason}."
    raise SettingsError([Problem(relative, line, sentence, remedy)])


def _settings_elsewhere(root: Path) -> list[Diagnostic]:
    """A warning if not this folder, but one above or below it has the plugin's settings."""
    above = (folder for folder in root.resolve().parents[:ABOVE] if _has_plugin(folder))
    below = (folder for folder in _folders_below(root) if _has_plugin(folder))
    other = next(below, None) or next(above, None)
    if other is None:
        return []
    return [diagnostics.at("O101", VaultPath("."), 1, shlex.quote(str(other)))]


def _has_plugin(folder: Path) -> bool:
    """Whether a folder is a vault with the plugin's settings, or its fork's."""
    return _is_there(folder / PLUGIN) or _is_there(folder / FORK)


def _folders_below(root: Path) -> Iterator[Path]:
    """The nearest folders below, level by level."""
    level, count = [root], 0
    for _ in range(BELOW):
        below: list[Path] = []
        for folder in level:
            count += 1
            if count > FOLDERS:
                return
            try:
                with os.scandir(folder) as entries:
                    names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            except OSError:
                continue  # `read` tells which folders it cannot read
            visible = (name for name in names if not name.startswith("."))
            below += [folder / name for name in sorted(visible, key=order)]
        yield from below
        level = below


def _exists(path: Path) -> bool:
    """Whether there is something, be it a link that leads nowhere.

    Raises:
        OSError: one may not look. (From Python 3.14 on `Path.exists` would say no.)
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _is_there(path: Path) -> bool:
    """Whether there is something, as far as one may look."""
    try:
        return _exists(path)
    except OSError:
        return False


# ---------------------------------------------------------------- its files and documents


def read(
    root: Path,
    in_force: Settings,
    wanted: Callable[[VaultPath], bool] = lambda _: True,
    seen: Seen | None = None,
) -> Contents:
    """All that a vault holds: the texts of the documents that are wanted, the names of all files.

    What cannot be read is a diagnostic, and the rest goes on. What was `seen` a moment ago need
    not be looked for again.

    Raises:
        Obs2ankiError: `root` cannot be read, or keeps its reviews in a file of their own.
    """
    _assert_vault(root)
    listing = _Listing(root)
    if seen is not None and not seen.holds():
        seen = None
    found, said = listing.everything() if seen is None else (_in_order(seen.files), [])
    _refuse_schedule_data(found)
    documents = [file for file in found if file.document]
    if not documents and not said:
        said.append(diagnostics.at("O109", VaultPath("."), 1))
    taken: list[Source] = []
    ignored: list[Source] = []
    unread = listing.unread
    for file in documents:
        if not wanted(file.path):
            continue
        source, complaints = _source(root, file)
        said += complaints
        if source is None:
            unread.append(Skipped(file.path, complaints[0].message))
        elif is_ignored(file.path, in_force):
            ignored.append(source)
        else:
            taken.append(source)
    return Contents(
        root=root,
        name=name_of(root),
        sources=tuple(taken),
        ignored=tuple(ignored),
        unread=tuple(sorted(unread, key=lambda one: (order(one.path), one.path))),
        files=tuple(file.path for file in found),
        diagnostics=tuple(said),
        documents=tuple(file.path for file in documents),
        spelt={file.path: file.disk for file in found if file.path != file.disk},
        stamps={} if seen is None else seen.stamps,
    )


def reviewed(contents: Contents, in_force: Settings) -> Iterator[Source]:
    """The documents that hold a review, in vault order, whatever was wanted of the vault.

    Each is read only now; what cannot be read is passed over. They are asked for separators
    (`settings.proved_separators`), so with the plugin's settings there is nothing to read.
    """
    taken = {source.path: source for source in contents.sources}
    for path in contents.files if not in_force.plugin else ():
        if not is_document(path) or is_ignored(path, in_force):
            continue
        source = taken.get(path)
        if source is None:
            disk = contents.spelt.get(path, path)
            source = _with_review(contents.root, File(path, disk, document=True))
        if source is not None:
            yield source


def _with_review(root: Path, file: File) -> Source | None:
    """A document that holds a review; others are not even decoded."""
    try:
        data = _bytes(f"{root}/{file.disk}")
    except OSError:
        return None
    return _source(root, file)[0] if b"<!--SR:" in data else None


def digest(file: Path, most: int | None = None) -> tuple[str, int]:
    """A file's SHA-256, as hex digits, and its size in bytes; read in pieces.

    A file of more than `most` bytes is not read, and has no digest.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if most is not None and size > most:
            return "", size
        return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()


def stamp(file: str | Path) -> str:
    """What a file's change would change, without reading it; empty = it proves nothing.

    A file that was changed a moment ago may change once more within one tick of its clock.
    """
    try:
        told = os.stat(file)  # noqa: PTH116  # 10,000 times
    except (OSError, ValueError):
        return ""
    changed = max(told.st_mtime_ns, told.st_ctime_ns)
    in_fractions = told.st_mtime_ns % 10**9 or told.st_ctime_ns % 10**9
    if time.time_ns() - changed < (min(SETTLED, SETTLED_SOON) if in_fractions else SETTLED):
        return ""
    return f"{told.st_mtime_ns} {told.st_ctime_ns} {told.st_size} {told.st_ino}"


def look(root: Path, besides: Iterable[Path]) -> Seen | None:
    """The visible files and their stamps, without reading one.

    `besides` are files whose stamps are left out. None where it cannot be told: a file was
    changed a moment ago, a folder cannot be read, or there are symbolic links.
    """
    when, before = time.monotonic(), {file: _mark(file) for file in besides}
    listing = _Listing(root)
    listing.walk("", None)
    if listing.links or listing.said or listing.unread:
        return None
    above = os.path.join(os.path.realpath(root), "")  # noqa: PTH118  # it ends in a separator
    out = {os.path.realpath(file).removeprefix(above).replace(os.sep, "/") for file in before}
    stamps: dict[str, str] = {}
    for file in listing.files:
        if file.disk in out:
            continue
        mark = stamp(f"{root}/{file.disk}")
        if not mark:
            return None
        stamps[file.disk] = mark
    return Seen(tuple(listing.files), stamps, when, before)


def marks(seen: Seen) -> str:
    """What a change of any file that was seen would change."""
    stamps = seen.stamps
    told = (
        f"{file.disk}\0{stamps[file.disk]}" if file.disk in stamps else file.path
        for file in seen.files
    )
    return "\n".join(sorted(told))


def name_of(root: Path) -> str:
    """The vault's name, as Obsidian takes it from its folder."""
    name = os.fsencode(root.resolve().name).decode(errors="replace")
    return unicodedata.normalize("NFC", name) or "vault"


def is_ignored(path: VaultPath, in_force: Settings) -> bool:
    """Whether the plugin's list or ours leaves a document out."""
    patterns = (*in_force.grammar.folders_to_ignore, *in_force.select.ignore)
    if not patterns:
        return False
    from obs2anki import globs

    return globs.ignored_by(path, patterns)


def _refuse_schedule_data(found: Iterable[File]) -> None:
    """Raise an Obs2ankiError if the reviews are not in the documents."""
    for file in found:
        if file.path.rpartition("/")[2].casefold() == SCHEDULE_DATA:
            raise Obs2ankiError(
                f"This vault keeps its reviews in {file.path}, which this version cannot read; "
                "exporting would make every card new. "
                "Let the plugin store them in the documents again, then remove that file."
            )


def _source(root: Path, file: File) -> tuple[Source | None, list[Diagnostic]]:
    """A document as read, or None, and what is to be said of it."""
    try:
        data = _bytes(f"{root}/{file.disk}")
    except OSError as error:
        return None, [diagnostics.at("O202", file.path, 1, _reason(error))]
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return None, [_not_utf8(file.path, data, error.start)]
    if "\0" not in content:
        return Source(file.path, content), []
    line, column = _place(content[: content.index("\0")])
    said = diagnostics.at("O206", file.path, line, column=column)
    return Source(file.path, content.replace("\0", "")), [said]


# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def _not_utf8(path: VaultPath, data: bytes, offset: int) -> Diagnostic:
    """Says where a document stops being UTF-8, and what it is if that is plain."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return diagnostics.at("O201", path, 1, f"0: it is {encoding}")
    # utf-8-sig counts from behind the mark.
    offset += 3 * data.startswith(b"\xef\xbb\xbf")
    line, column = _place(data[:offset].decode("utf-8-sig"))
    return diagnostics.at("O201", path, line, offset, column=column)


def _place(before: str) -> tuple[int, int]:
    """Line and column, 1-based, of what stands behind a text."""
    lines = re.split(r"\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1


def _bytes(path: str | Path) -> bytes:
    """What a regular file holds; a pipe or device is never waited for.

    Raises:
        OSError: it cannot be read, or is no file.
    """
    binary, at_once = getattr(os, "O_BINARY", 0), getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, os.O_RDONLY | binary | at_once)
    try:
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode):
            raise OSError("it is no file")
        pieces: list[bytes] = []
        while piece := os.read(descriptor, told.st_size + 1):
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    """Why the system refused, without the path."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


# ---------------------------------------------------------------- listing


@dataclass(slots=True)
class _Listing:
    """The names below a folder, gathered folder by folder."""

    root: Path
    files: list[File] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Symbolic links that have not been looked at."""
    said: list[Diagnostic] = field(default_factory=list)
    unread: list[Skipped] = field(default_factory=list)
    """Documents that cannot be taken, whatever they hold."""
    followed: set[Path] = field(default_factory=set)
    """Files and folders that can be seen through links only."""

    def everything(self) -> tuple[list[File], list[Diagnostic]]:
        """Every visible file in vault order, whatever order the disk lists them in."""
        self.walk("", None)
        real = self.root.resolve()
        while self.links:
            self.links.sort(key=order, reverse=True)
            self.follow(self.links.pop(), real)
        self.said.sort(key=lambda one: (order(one.path), one))
        return _in_order(self.files), self.said

    def walk(self, top: str, real: Path | None) -> None:
        """Gather what lies below a folder; `real` is where it lies if a link led there."""
        folders = [(top, real)]
        while folders:
            folder, real = folders.pop()
            if real is not None:
                if real in self.followed:
                    continue
                self.followed.add(real)
            try:
                with os.scandir(f"{self.root}/{folder}") as entries:
                    visible = [entry for entry in entries if not entry.name.startswith(".")]
            except OSError as error:
                place = _vault_path(folder)
                self.said.append(diagnostics.at("O105", place, 1, place, _reason(error)))
                continue
            for entry in visible:
                disk = f"{folder}/{entry.name}" if folder else entry.name
                inner = real / entry.name if real else None
                if self.is_folder(entry, disk, inner):
                    folders.append((disk, inner))

    def is_folder(self, entry: os.DirEntry[str], disk: str, real: Path | None) -> bool:
        """Whether to go on into it; if not, it is noted here as what it is."""
        folder = entry.is_dir(follow_symlinks=False)
        document = is_document(disk) and not folder
        if _unicode(entry.name) is None:
            shown = spelled(disk)
            self.tell("O108", VaultPath(shown), shown, document=document)
            return False
        if entry.is_symlink():
            self.links.append(disk)
        elif folder:
            return True
        elif not entry.is_file(follow_symlinks=False):
            if document:  # a pipe, say, or a device
                self.tell("O202", _vault_path(disk), "it is no file", document=True)
        elif real not in self.followed:
            self.add(disk, document=document)
            if real is not None:
                self.followed.add(real)
        return False

    def tell(self, code: str, path: VaultPath, detail: str, *, document: bool) -> None:
        """Note what is not taken; a document among it is one that gives no flashcard."""
        found = diagnostics.at(code, path, 1, detail)
        self.said.append(found)
        if document:
            self.unread.append(Skipped(path, found.message))

    def add(self, disk: str, *, document: bool) -> None:
        """Note a file."""
        self.files.append(File(_vault_path(disk), disk, document))

    def follow(self, disk: str, root: Path) -> None:
        """Follow a symbolic link, if it stays in the vault and shows what is not seen anyway.

        Obsidian as well ignores a link from one folder of a vault to another.
        """
        path = _vault_path(disk)
        try:
            real = Path(f"{self.root}/{disk}").resolve()
            folder, file = real.is_dir(), real.is_file()
        except (OSError, RuntimeError):  # a link to itself
            real, folder, file = root / disk, False, False
        if not real.is_relative_to(root):
            self.tell("O106", path, path, document=is_document(disk) and not folder)
            return
        seen = not any(part.startswith(".") for part in real.relative_to(root).parts)
        if folder and not seen:
            self.walk(disk, real)
        elif file:
            again = real in self.followed or (seen and is_document(real.name))
            self.add(disk, document=is_document(disk) and not again)
            self.followed.add(real)
        elif not folder and is_document(disk):
            nowhere = "it is a symbolic link that leads to no file"
            self.tell("O202", path, nowhere, document=True)


def is_document(name: str) -> bool:
    """Whether Obsidian takes a file for Markdown: it looks at the ending, without case."""
    return name[-3:].lower() == ".md"


def _vault_path(disk: str) -> VaultPath:
    """A path as we write it: NFC."""
    return VaultPath(unicodedata.normalize("NFC", _unicode(disk) or disk))


def spelled(disk: str) -> str:
    r"""A path of the disk that is not Unicode, as findings write it: `caf\udce9.md`."""
    return ascii(os.fsencode(disk).decode(errors="surrogateescape"))[1:-1]


def _unicode(disk: str) -> str | None:
    """A name as Obsidian reads it from the disk: in UTF-8, whatever the locale; None = it is not.

    `disk` is what Python made of it in the locale of this run.
    """
    if disk.isascii():
        return disk
    try:
        return os.fsencode(disk).decode()
    except UnicodeError:
        return None


def _in_order(files: Iterable[File]) -> list[File]:
    """The files in vault order."""
    ranked = sorted([(order(file.path), file.path, file.disk, file) for file in files])
    return _each_once([file for *_, file in ranked])


def _each_once(files: list[File]) -> list[File]:
    """The files, where two have one path in NFC the second by the spelling that it has."""
    spellings = [VaultPath(_unicode(file.disk) or file.disk) for file in files]
    exact = frozenset(spellings)
    taken: set[str] = set()
    named: list[File] = []
    for file, spelling in zip(files, spellings, strict=True):
        if file.path != spelling and (file.path in exact or file.path in taken):
            file = File(spelling, file.disk, file.document)
        taken.add(file.path)
        named.append(file)
    return named


# ---------------------------------------------------------------- vault order

# Obsidian sorts by the browser's collation, in which punctuation comes before digits.
_PUNCTUATION = "_-,;:!?.'\"()[]{}@*\\&#%`^+<=>|~$"
_RANKS = str.maketrans({char: chr(rank) for rank, char in enumerate(" " + _PUNCTUATION, start=2)})
_DIGITS = re.compile(r"[0-9]+")


def order(path: str) -> str:
    """The key that sorts paths as Obsidian's file list sorts names.

    Folder by folder; without regard to case, accents and the ending `.md`; numbers by value,
    `group-2` before `group-10`. Folders and documents stand among each other. Paths with one
    key are to be sorted by themselves.
    """
    key = path[:-3] if is_document(path) else path
    if not key.isascii():
        parted = unicodedata.normalize("NFKD", key)
        key = "".join(char for char in parted if not "\u0300" <= char <= "\u036f")
    key = key.casefold().translate(_RANKS).replace("/", "\x01")
    return _DIGITS.sub(_number, key)


def _number(found: re.Match[str]) -> str:
    """Digits so that they sort by value: how many there are comes first."""
    digits = found[0].lstrip("0")
    return f"0{chr(len(digits))}{digits}"
