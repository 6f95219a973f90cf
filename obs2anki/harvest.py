"""What all documents of a vault yield: from the cache, or read anew, in several processes if many.

    contents of 10,000 documents  ->  9,999 yields out of the cache, 1 document read

Whoever does the work, the result is the same to the byte: a document's yield depends on nothing
but its text, the settings and the library's answers, and the cache knows all of these.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache as memoised
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

from msgspec import structs

from obs2anki import cache, vault, yields
from obs2anki.cache import Cache, Row
from obs2anki.data import Diagnostic, Media, Source, VaultPath
from obs2anki.media import MEGABYTE, Library
from obs2anki.rows import Rows
from obs2anki.settings import Check, Schedule, Settings
from obs2anki.yields import Yield

MANY = 1_500
"""Documents from which on it pays to start other processes; they take a third of a second."""

CHUNK = 25
"""Documents that are worked at together, step by step (`yields.of_each`), and handed to a process
at a time."""

TEXTS = 512
"""Documents whose texts are kept in memory; more are there while they are worked at."""

BATCH = 1_000
"""Documents that are handed to the cache at a time: what they yielded takes memory until then."""

Step = Callable[[Iterable[VaultPath]], Iterable[VaultPath]]


def library(
    contents: vault.Contents,
    in_force: Settings,
    digest: Callable[[Path], tuple[str, int]] | None = None,
    fetched: Mapping[str, Path | str] = MappingProxyType({}),
    text: Callable[[VaultPath], str | None] | None = None,
) -> Library:
    """The files that links may name, and those that were `fetched` from the web, by address.

    `digest` reads a file; None = as it has to be for an export. `text` answers what a document
    says; None = what the disk holds.
    """
    return Library(
        contents.file,
        contents.files,
        in_force.obsidian,
        in_force.media.max_size,
        digest or partial(vault.digest, most=in_force.media.max_size * MEGABYTE),
        text or lru_cache(maxsize=512)(contents.text),
        fetched,
    )


# ---------------------------------------------------------------- one document after the other


_Document = tuple[str, Source | None, list[Diagnostic]]
"""A document's stamp from before it was read, what was read, and what is to be said of that."""


class Reader:
    """A vault whose documents are read with one library."""

    def __init__(
        self,
        contents: vault.Contents,
        in_force: Settings,
        name: str,
        fetched: Mapping[str, Path | str] = MappingProxyType({}),
    ) -> None:
        """`contents` need not hold texts; `name` is the vault's, in links and as a deck."""
        self.contents = contents
        self.in_force = in_force
        self.name = name
        self.packing = Rows(contents.root)
        self._read = memoised(self._document)
        self._stamps: dict[Path, str] = {}
        """Of the media, from before they were read."""
        self.library = library(contents, in_force, self._medium, fetched, self._text)

    def _document(self, path: VaultPath) -> _Document:
        return self.contents.stamp(path), *self.contents.source(path)

    def _text(self, path: VaultPath) -> str | None:
        _, source, _ = self._read(path)
        return None if source is None else source.text

    def _medium(self, file: Path) -> tuple[str, int]:
        """As `vault.digest`."""
        self._stamps[file] = vault.stamp(file)
        return vault.digest(file, self.in_force.media.max_size * MEGABYTE)

    def yielded(self, paths: Sequence[VaultPath]) -> list[Yield]:
        """What each of some documents yields."""
        self._make_room()
        read = [self._read(path) for path in paths]
        taken = [
            source
            for _, source, _ in read
            if source is not None and not vault.is_ignored(source.path, self.in_force)
        ]
        made = yields.of_each(taken, self.in_force, self.library, self.name)
        by_path = {one.path: one for one in made}
        return [
            self._told(path, source, said, by_path.get(path))
            for path, (_, source, said) in zip(paths, read, strict=True)
        ]

    def _told(
        self, path: VaultPath, source: Source | None, said: list[Diagnostic], one: Yield | None
    ) -> Yield:
        """What a document yields: nothing where it is unreadable, or ignored (then no `one`)."""
        if source is None:
            return yields.unread(path, said)
        one = one or yields.ignored(source, self.in_force)
        return structs.replace(one, diagnostics=(*said, *one.diagnostics)) if said else one

    def _make_room(self) -> None:
        """Drop texts, if there are many.

        Never while documents are worked at: none must be read twice, and have changed in between.
        """
        if self._read.cache_info().currsize > TEXTS:
            self._read.cache_clear()

    def digest(self, path: VaultPath) -> str:
        """Of a document's text; empty if it cannot be read."""
        self._make_room()
        return self._digest(path)

    def _digest(self, path: VaultPath) -> str:
        text = self._text(path)
        return "" if text is None else cache.digest(text)

    def rows(self, paths: Sequence[VaultPath]) -> list[tuple[Yield, Row]]:
        """What each document yields, and the same for the cache, with all that it depends on."""
        return [(one, self._row(one)) for one in self.yielded(paths)]

    def _row(self, one: Yield) -> Row:
        mark, source, said = self._read(one.path)
        others = (other for other in one.documents if other != one.path)
        files = {found for _, _, found in one.lookups if found is not None} - self.documents
        packed = self.packing.packed(one)
        return Row(
            one.path,
            mark,
            # What was to be said of reading it is not seen in its text.
            "" if said or source is None else cache.digest(source.text),
            {other: self._digest(other) for other in others},
            {file: self._stamp(file) for file in files},
            packed,
            crc32(packed),
        )

    def _stamp(self, path: VaultPath) -> str:
        """Of a file that is no document: if it was read, from before that."""
        known = self._stamps.get(self.contents.file(path))
        return self.contents.stamp(path) if known is None else known

    @cached_property
    def documents(self) -> frozenset[VaultPath]:
        """The paths of all documents."""
        return frozenset(self.contents.documents)


# ---------------------------------------------------------------- all of them


@dataclass(slots=True)
class Memory:
    """What the last round of the same process has learnt of a vault."""

    wanted: str = ""
    """The key under which it is known."""
    files: str = ""
    """Digest of the names of all files."""
    rows: dict[VaultPath, Row] = field(default_factory=dict)
    """Without what the documents yielded."""
    yields: dict[VaultPath, Yield] = field(default_factory=dict)

    def knows(self, row: Row, one: Yield) -> None:
        """Remember a document and what it yields."""
        self.rows[row.path] = structs.replace(row, yielded=b"")
        self.yields[row.path] = one


def gathered(
    reader: Reader, step: Step, store: Cache | None = None, memory: Memory | None = None
) -> tuple[Yield, ...]:
    """What every document of a vault yields, in vault order; `step` may watch them go by.

    With a cache only what has changed is read, and what was read is kept there. With a memory
    the cache is not read again.
    """
    if store is None:
        fresh = _worked(reader, reader.contents.documents)
        return tuple(
            one for _, (one, _) in zip(step(reader.contents.documents), fresh, strict=True)
        )
    wanted = cache.key(
        _settings_that_count(reader.in_force), reader.name, str(reader.contents.root)
    )
    memory = Memory() if memory is None else memory
    recalled = memory.wanted != wanted
    if recalled:
        _recall(memory, reader, store, wanted)
    known = _Known(reader, memory)
    # Whoever comes after an end in between has to look up again what links name. So has whoever
    # comes after a later round: the cache may lack what is remembered, if it could not be written.
    told = recalled and not known.same_files
    before, after = (memory.files, known.files) if recalled else ("", cache.nobodys())
    meanwhile = cache.nobodys() if told else after
    memory.files = memory.files if known.same_files else ""
    missing = [path for path in reader.contents.documents if path not in known.paths]
    fresh = _worked(reader, missing)
    result: list[Yield] = []
    changed: list[Row] = []
    for path in step(reader.contents.documents):
        if path not in known.paths:
            one, row = next(fresh)
            memory.knows(row, one)
            changed.append(row)
            if len(changed) == BATCH:
                store.write(wanted, changed, (), (), before, meanwhile)
                changed, before = [], meanwhile
        result.append(memory.yields[path])
    if told or changed or known.touched or known.left:
        store.write(wanted, changed, known.touched, known.left, before, after)
    memory.files = known.files
    return tuple(result)


def _recall(memory: Memory, reader: Reader, store: Cache, wanted: str) -> None:
    """Remember what an earlier process has left in the cache, and nothing else."""
    memory.rows, memory.yields = {}, {}
    memory.wanted, memory.files = wanted, store.about(cache.FILES, wanted)
    for row in store.read(wanted):
        with suppress(ValueError):
            memory.knows(row, reader.packing.unpacked(row.yielded))


def _settings_that_count(in_force: Settings) -> Settings:
    """The settings without those that no document's yield depends on."""
    return replace(
        in_force,
        scheduling=Schedule(),
        check=Check(),
        output=None,
        ledger="",
        origin=(),
    )


class _Known:
    """What of all that is remembered of a vault still holds."""

    def __init__(self, reader: Reader, memory: Memory) -> None:
        """`memory` forgets the documents that are no more, and learns new stamps."""
        self.reader = reader
        self.rows = memory.rows
        self.left = tuple(path for path in memory.rows if path not in reader.documents)
        """Documents that are no more."""
        for path in self.left:
            del memory.rows[path], memory.yields[path]
        self._marks: dict[VaultPath, str] = {}
        """New stamps of documents that say the same."""
        self._media: dict[Path, Media] = {}
        """Those of then, by where they lie."""
        contents = reader.contents
        # A folder may get another spelling of its name without a change of the files in it.
        self.files = cache.digest("\0".join((*contents.files, *contents.spelt.values())))
        self.same_files = self.files == memory.files
        self._stamp = memoised(reader.contents.stamp)
        self._digest = memoised(self._digest_of)
        self.paths = frozenset(p for p, one in memory.yields.items() if self._holds(p, one))
        """Documents that would yield the same again."""
        before = ((self.rows[path], mark) for path, mark in self._marks.items())
        self.touched = [(row, structs.replace(row, stamp=mark)) for row, mark in before]
        """What is known of these, before and after."""
        for _, row in self.touched:
            self.rows[row.path] = row

    def _holds(self, path: VaultPath, one: Yield) -> bool:
        """Whether a document would yield the same again."""
        row = self.rows[path]
        return (
            bool(row.digest)
            and self._digest(path) == row.digest
            and all(self._digest(other) == then for other, then in row.documents.items())
            and all(then and self._stamp(file) == then for file, then in row.files.items())
            and (self.same_files or self._answers(path, one))
        )

    def _answers(self, path: VaultPath, one: Yield) -> bool:
        """Whether the library still answers what it answered then."""
        resolve = self.reader.library.resolve
        found_again = all(resolve(target, source) == found for target, source, found in one.lookups)
        return found_again and self._names(path, one)

    def _names(self, path: VaultPath, one: Yield) -> bool:
        """Whether media that say the same still lie there and have their names.

        All files decide on these: of stems that differ only in case, the spelling of the first
        file is everyone's.
        """
        media = {medium.file: medium for made in one.made for medium in made.sides.media}
        self._media |= media
        files = {self.reader.contents.file(file): file for file in self.rows[path].files}
        return media.keys() <= files.keys() and all(
            self._namer.media(files[file]) == medium for file, medium in media.items()
        )

    @cached_property
    def _namer(self) -> Library:
        """A library that reads no medium: its digest is told by its name."""

        def told(file: Path) -> tuple[str, int]:
            medium = self._media[file]
            return medium.name.rpartition("-")[2].partition(".")[0], medium.size

        return library(self.reader.contents, self.reader.in_force, told)

    def _digest_of(self, path: VaultPath) -> str:
        """Of the text of a document, which is read only if its stamp is another one."""
        row, mark = self.rows.get(path), self._stamp(path)
        if row is None or not row.digest:  # there is something to be said of reading it
            return self.reader.digest(path)
        if mark and mark == row.stamp:
            return row.digest
        digest = self.reader.digest(path)
        if mark and digest == row.digest:
            self._marks[path] = mark
        return digest


# ---------------------------------------------------------------- in several processes


def _worked(reader: Reader, paths: Sequence[VaultPath]) -> Iterator[tuple[Yield, Row]]:
    """What documents yield, in their order; with the help of other processes if they are many."""
    done = 0
    if len(paths) >= MANY and _processors() > 1:
        for one in _shared(reader, paths):
            yield one
            done += 1
    # A process may have died, or none could be started.
    for chunk in _chunks(paths[done:]):
        yield from reader.rows(chunk)


def _chunks(paths: Sequence[VaultPath]) -> Iterator[Sequence[VaultPath]]:
    return (paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shared(reader: Reader, paths: Sequence[VaultPath]) -> Iterator[tuple[Yield, Row]]:
    """What documents yield, as far as this process and others get with them."""
    from obs2anki import workers

    chunks = tuple(_chunks(paths))
    work = workers.Work(
        begin=partial(_begin, _bare(reader.contents), reader.in_force, reader.name, chunks),
        opened=lambda rows: [(reader.packing.unpacked(row.yielded), row) for row in rows],
        here=lambda number: reader.rows(chunks[number]),
    )
    with suppress(workers.Lost):
        yield from workers.done(work, len(chunks), min(_processors(), 8) - 1)


def _bare(contents: vault.Contents) -> vault.Contents:
    """The contents without texts."""
    return replace(contents, sources=(), ignored=(), diagnostics=())


def _begin(
    contents: vault.Contents, in_force: Settings, name: str, chunks: Sequence[Sequence[VaultPath]]
) -> Callable[[int], list[Row]]:
    """In another process: what says of a chunk what its documents yield."""
    reader = Reader(contents, in_force, name)
    return lambda number: [row for _, row in reader.rows(chunks[number])]
