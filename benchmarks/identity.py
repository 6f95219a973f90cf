"""Whether a flashcard keeps its GUID, and so its history, through every kind of edit.

    python -m benchmarks.identity --seeds 50
    python -m benchmarks.identity --show reword 5

For each kind and seed a made-up vault is exported, edited and exported again, and each
flashcard's GUID is compared with the one that it had. The table counts, by kind:

    kept      flashcards that have the GUID that they had
    new       ... that got another: their history is lost. Nothing had it before, or a copy that
              read as they do now and is no more
    handed    ... that got the GUID of another flashcard, and with it a strange history
    alike     ... that changed places with one of which no text tells them apart
    clear     of those that were edited: a side is as it was, and unique in the document;
              the goal is that all of them keep their GUID
    unedited  flashcards that nobody touched and that lost their GUID all the same

Nothing here judges a number.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import groupby
from random import Random

from benchmarks import edits
from benchmarks.drafts import PLAIN, PLUGIN, Author, Pair, Vault, drafts, extracted, vault, written
from obs2anki import cloze, identity
from obs2anki.data import DeckName, Entry, Guid
from obs2anki.settings import Grammar, Settings

PATTERNS, _ = cloze.compile_patterns(Grammar().cloze_patterns)
START = date(2024, 1, 1)


# ---------------------------------------------------------------- exports, as far as GUIDs go


@dataclass(slots=True)
class Ledger:
    """Exports one after the other: what each remembers is what the next one knows."""

    entries: tuple[Entry, ...] = ()
    exports: int = 0

    def export(self, pairs: Sequence[Pair]) -> tuple[Guid, ...]:
        """The GUID of each flashcard; they are in vault order."""
        flashcards = [pair.flashcard for pair in pairs]
        today = START + timedelta(days=self.exports)
        assigned, _ = identity.assign(flashcards, "obs2anki", self.entries, today=today)
        fates = [
            identity.Fate(
                deck=DeckName("deck"),
                content=identity.digest(*f.shown, *f.context, *f.tags, f.path, f.anchor or ""),
                mod=0,
                seen=0,
                ordinals=identity.keep(f, a.entry, PATTERNS).remembered,
            )
            for f, a in zip(flashcards, assigned, strict=True)
        ]
        self.entries = identity.remembered(flashcards, assigned, fates, self.entries, today)
        self.exports += 1
        return tuple(one.guid for one in assigned)


# ---------------------------------------------------------------- one flashcard at one export


@dataclass(frozen=True, slots=True)
class Seen:
    """A flashcard at an export."""

    number: int
    guid: Guid
    path: str
    manuscript: int
    sides: tuple[str, str]
    text: str
    """Its own lines, the review included."""
    unique: tuple[bool, bool]
    """Whether no other flashcard of the document has the same question, the same answer."""
    only: bool
    """Whether no other flashcard of the vault has the same question and answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """What became of a flashcard between two exports."""

    fate: str
    """kept, new, handed or alike."""
    edited: bool
    clear: bool
    before: Seen | None
    """As it was; None for a flashcard that is new in the vault."""
    after: Seen
    other: Seen | None
    """The flashcard that had the GUID, if another had."""


def _seen(pairs: Sequence[Pair], guids: Sequence[Guid], settings: Settings) -> list[Seen]:
    sides = [pair.draft.sides for pair in pairs]
    everywhere = Counter(sides)
    inside = Counter(
        (pair.manuscript, place, one[place])
        for pair, one in zip(pairs, sides, strict=True)
        for place in (0, 1)
    )
    return [
        Seen(
            number=pair.draft.number,
            guid=guid,
            path=pair.flashcard.path,
            manuscript=pair.manuscript,
            sides=one,
            text=written(pair.draft, settings),
            unique=(
                inside[pair.manuscript, 0, one[0]] == 1,
                inside[pair.manuscript, 1, one[1]] == 1,
            ),
            only=everywhere[one] == 1,
        )
        for pair, guid, one in zip(pairs, guids, sides, strict=True)
    ]


@dataclass(slots=True)
class Follower:
    """Follows each flashcard from export to export."""

    settings: Settings
    ledger: Ledger = field(default_factory=Ledger)
    known: dict[int, Seen] = field(default_factory=dict)
    """By number, as last seen."""
    owners: dict[Guid, int] = field(default_factory=dict)
    reads: set[tuple[int, tuple[str, str]]] = field(default_factory=set)
    """What each flashcard says at this export."""

    def export(self, state: Vault) -> list[Case]:
        """Export, and say what became of each flashcard."""
        pairs = extracted(state, self.settings)
        guids = self.ledger.export(pairs)
        now = _seen(pairs, guids, self.settings)
        held = self._as_if_told_apart(now)
        here = {(one.number, one.manuscript) for one in now}
        self.reads = {(one.number, one.sides) for one in now}
        cases = [self._case(one, guid, here) for one, guid in zip(now, held, strict=True)]
        for one, case in zip(now, cases, strict=True):
            self.known[one.number] = one
            self.owners.setdefault(one.guid, one.number)
            if case.fate == "alike":
                self.owners[one.guid] = one.number
        return cases

    def _as_if_told_apart(self, now: list[Seen]) -> list[Guid]:
        """The GUIDs, with those of equal texts that stand side by side given to their owners."""
        result: list[Guid] = []
        for _, group in groupby(now, key=lambda one: (one.manuscript, one.sides)):
            equal = list(group)
            free = [one.guid for one in equal]
            mine: dict[int, Guid] = {}
            for one in equal:
                old = self.known.get(one.number)
                if old is not None and old.guid in free:
                    mine[one.number] = old.guid
                    free.remove(old.guid)
            result += [mine.get(one.number) or free.pop(0) for one in equal]
        return result

    def _case(self, one: Seen, guid: Guid, here: set[tuple[int, int]]) -> Case:
        old = self.known.get(one.number)
        owner = self.owners.get(guid)
        edited = old is None or (old.path, old.text) != (one.path, one.text)
        clear = old is not None and edited and _clear(old, one)
        stranger = owner is not None and owner != one.number and (old is None or old.guid != guid)
        other = self.known[owner] if owner is not None and stranger else None
        if other is not None and self._alike(old, one, other, here):
            fate = "alike"
        elif other is not None and not (old is not None and _took_over(one, other, here)):
            fate = "handed"
        elif old is None or old.guid == guid:
            fate = "alike" if guid != one.guid else "kept"
        else:
            fate = "new"
        return Case(fate, edited, clear, old, one, other)

    def _alike(self, old: Seen | None, one: Seen, other: Seen, here: set[tuple[int, int]]) -> bool:
        """Whether no text tells that `one` is not `other`: they read the same, review and all.

        Either both stood in one document all along, or one has left and the other has come. Of
        a copy that is new the review does not count, nor whether the first was rewritten since.
        """
        if old is None and (other.number, other.sides) not in self.reads:
            return other.sides == one.sides
        if old is not None and old.manuscript == one.manuscript:
            return old.text == one.text == other.text and other.manuscript == one.manuscript
        return _took_over(one, other, here)


def _took_over(one: Seen, other: Seen, here: set[tuple[int, int]]) -> bool:
    """Whether `other` read as `one` does now, review and all, and has left."""
    return other.text == one.text and (other.number, other.manuscript) not in here


def _clear(old: Seen, new: Seen) -> bool:
    """Whether a side is as it was and unique in the document, before and after.

    Of a flashcard that has moved to another document both sides have to be as they were, and
    nowhere else in the vault.
    """
    if old.manuscript != new.manuscript:
        return old.sides == new.sides and old.only and new.only
    return any(
        old.sides[side] == new.sides[side] and old.unique[side] and new.unique[side]
        for side in (0, 1)
    )


# ---------------------------------------------------------------- sessions


def cases(
    kind: str,
    seed: int,
    flashcards: int = 2000,
    documents: int = 80,
    share: float = 0.1,
    settings: Settings = PLUGIN,
) -> list[Case]:
    """What became of each flashcard of a vault at each export after a session of this kind."""
    state, author = vault(seed, flashcards, documents, settings)
    author.random.seed(f"{kind} {seed}")
    follower = Follower(settings)
    follower.export(state)
    return [
        case for after in edits.after(kind, state, author, share) for case in follower.export(after)
    ]


@dataclass(slots=True)
class Tally:
    """The counts of one kind, over all seeds."""

    edited: int = 0
    kept: int = 0
    new: int = 0
    handed: int = 0
    alike: int = 0
    clear: int = 0
    clear_kept: int = 0
    unedited_lost: int = 0

    def count(self, case: Case) -> None:
        """Add one flashcard; one that is new in the vault counts only if it was handed a GUID."""
        self.handed += case.fate == "handed"
        self.alike += case.fate == "alike"
        if case.before is None:
            return
        kept = case.fate in ("kept", "alike")
        self.edited += case.edited
        self.kept += case.edited and kept
        self.new += case.fate == "new"
        self.clear += case.clear
        self.clear_kept += case.clear and kept
        self.unedited_lost += not case.edited and not kept

    def add(self, other: Tally) -> None:
        """Add the counts of another."""
        for name, count in zip(self.__slots__, astuple(other), strict=True):
            setattr(self, name, getattr(self, name) + count)


def tally(found: Sequence[Case]) -> Tally:
    """The counts of some cases."""
    result = Tally()
    for case in found:
        result.count(case)
    return result


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:7.2f}%" if whole else "       -"


HEAD = (
    f"{'kind':<26}{'edited':>8}{'kept':>9}{'new':>7}{'handed':>8}{'alike':>7}"
    f"{'clear':>8}{'kept':>9}{'unedited':>10}{'s':>6}"
)


def _row(kind: str, counts: Tally, seconds: float) -> str:
    return (
        f"{kind:<26}{counts.edited:>8}{_share(counts.kept, counts.edited):>9}{counts.new:>7}"
        f"{counts.handed:>8}{counts.alike:>7}{counts.clear:>8}"
        f"{_share(counts.clear_kept, counts.clear):>9}{counts.unedited_lost:>10}{seconds:>6.1f}"
    )


def table(kinds: Sequence[str], seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Print a line for each kind, and their sum."""
    print(HEAD, flush=True)
    total = Tally()
    with ProcessPoolExecutor(options.jobs) as pool:
        for kind in kinds:
            start = time.perf_counter()
            counts = Tally()
            for one in pool.map(partial(_counted, kind, options=options), seeds):
                counts.add(one)
            total.add(counts)
            print(_row(kind, counts, time.perf_counter() - start), flush=True)
    print(_row("all", total, 0))


def _counted(kind: str, seed: int, options: argparse.Namespace) -> Tally:
    return tally(_cases(kind, seed, options))


def _cases(kind: str, seed: int, options: argparse.Namespace) -> list[Case]:
    """Every other seed is a vault without the plugin."""
    return cases(
        kind,
        seed,
        options.flashcards,
        max(4, options.flashcards // 25),
        options.share,
        PLAIN if seed % 2 else PLUGIN,
    )


# ---------------------------------------------------------------- examples


def _told(case: Case) -> Iterator[str]:
    clear = ", clear" if case.clear else ""
    yield f"--- {case.fate}{clear}{'' if case.edited else ', unedited'}"
    for name, one in (("was", case.before), ("is", case.after), ("GUID of", case.other)):
        if one is not None:
            yield f"{name:>8}  {one.path}: {one.text.replace(chr(10), ' / ')[:220]}"


def show(kind: str, count: int, seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Print what was handed over first, then what was lost, those that are clear first."""
    bad = [
        case
        for seed in seeds
        for case in _cases(kind, seed, options)
        if case.fate in ("new", "handed")
    ]
    bad.sort(key=lambda case: (case.fate != "handed", case.edited, not case.clear))
    for case in bad[:count]:
        print("\n".join(_told(case)))
    print(f"{len(bad)} of {kind}")


# ---------------------------------------------------------------- time


def _timed(what: str, ledger: Ledger, state: Vault) -> None:
    pairs = extracted(state, PLUGIN)
    flashcards = [pair.flashcard for pair in pairs]
    start = time.perf_counter()
    identity.assign(flashcards, "obs2anki", ledger.entries)
    seconds = time.perf_counter() - start
    count = len(flashcards)
    print(f"{count:>8} {what:<34}{seconds:8.2f} s{1e6 * seconds / count:9.1f} µs each", flush=True)


def _exported(state: Vault) -> Ledger:
    ledger = Ledger()
    ledger.export(extracted(state, PLUGIN))
    return ledger


def times(sizes: Sequence[int]) -> None:
    """Print how long it takes to assign GUIDs: first, unchanged, and with edits."""
    for size in sizes:
        state, author = vault(1, size, max(4, size // 25), PLUGIN)
        _timed("no ledger", Ledger(), state)
        ledger = _exported(state)
        _timed("unchanged", ledger, state)
        _timed("1 % reworded", ledger, _reworded(state, author, 0.01))
        _timed("1 % moved", ledger, edits.move(state, edits.Editor(author, 0.01)))
        _timed("every document renamed", ledger, _renamed(state))
        _timed("all reworded", ledger, _reworded(state, author, 1.0))
    size = min(5000, max(sizes))
    state, author = vault(1, size, 2, PLUGIN)
    _timed("2 documents, all reworded", _exported(state), _reworded(state, author, 1.0))


def _reworded(state: Vault, author: Author, share: float) -> Vault:
    return edits.reword(state, edits.Editor(author, share))


def _renamed(state: Vault) -> Vault:
    return edits.rename(state, edits.Editor(Author(Random("rename")), 1.0))


# ---------------------------------------------------------------- command line


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.identity", description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many vaults a kind is tried on")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--flashcards", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.1, help="of the flashcards, edited")
    parser.add_argument("--kind", action="append", help="only this kind; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--show", nargs=2, metavar=("KIND", "N"), help="print N failures")
    parser.add_argument("--time", type=int, nargs="*", metavar="SIZE", help="measure time instead")
    options = parser.parse_args(arguments)
    for kind in (*(options.kind or ()), *(options.show or ())[:1]):
        if kind not in edits.SESSIONS:
            parser.error(f"{kind!r} is none of: {', '.join(edits.SESSIONS)}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    options = _options(arguments)
    seeds = range(options.first, options.first + options.seeds)
    if options.time is not None:
        times(options.time or (2_000, 100_000))
    elif options.show:
        show(options.show[0], int(options.show[1]), seeds, options)
    else:
        count = sum(1 for _ in drafts(vault(0, options.flashcards)[0]))
        print(f"{count:,} flashcards, {options.seeds} seeds, {options.share:.0%} edited")
        table(options.kind or tuple(edits.SESSIONS), seeds, options)


if __name__ == "__main__":
    main()
