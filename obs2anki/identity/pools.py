"""What is matched, what is left to match, and what stood around it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache as memoised
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from obs2anki.data import Entry, FlashcardType, Guid, Value, VaultPath
from obs2anki.identity.candidates import Candidate, Candidates, Texts

if TYPE_CHECKING:
    from obs2anki.identity.words import Words


_Item = TypeVar("_Item")

_REACH = 20
"""How many flashcards are looked at, above and below, for one that is known."""

CROWD = 40_000
"""Pairs in one group beyond which nobody is compared with everybody."""


class Old(Value, frozen=True):
    """An entry of the ledger, as far as it can be compared with a flashcard."""

    entry: Entry
    cloze: bool
    path: VaultPath
    """Where its document is today, if that was renamed."""
    order: int
    """Its place among the entries of its document."""
    before: Entry | None = None
    """The flashcard before it in its document."""
    after: Entry | None = None

    @property
    def texts(self) -> Texts:
        """Digests of question and answer."""
        return self.entry.digest


def place_of(old: Old) -> tuple[VaultPath, int]:
    """Where it stood; of documents that became one, each for itself."""
    return old.entry.path, old.order


def grouped(
    items: Iterable[_Item], key: Callable[[_Item], Hashable]
) -> dict[Hashable, list[_Item]]:
    """Items by their key, in their order; without those whose key is None or False."""
    groups: defaultdict[Hashable, list[_Item]] = defaultdict(list)
    for item in items:
        group = key(item)
        if group is not None and group is not False:
            groups[group].append(item)
    return groups


def _texts(cloze: bool, path: VaultPath, context: str, texts: Texts) -> Iterator[Hashable]:
    question, answer = texts
    for place in (None, path):
        yield cloze, place, "question", question
        yield cloze, place, "answer", answer
    yield cloze, path, context, question


@dataclass
class Pools:
    """What is matched, and what is left to match."""

    olds: dict[Guid, Old]
    """Unmatched entries that were in the vault at the last run."""
    gone: dict[Guid, Old]
    """Unmatched entries that had left before."""
    lately: dict[Guid, Old]
    """Those of them that had left lately."""
    new: dict[int, Candidate]
    """Unmatched flashcards, by index."""
    entries: Sequence[Entry]
    """All that the ledger remembers."""
    vault: Candidates
    """All flashcards."""
    renamed: Mapping[VaultPath, VaultPath]
    """Where documents are today that were renamed."""
    undecided: Sequence[Old]
    """The entries that were not settled from the first."""
    open: Sequence[Candidate]
    """The flashcards that were not."""
    matched: dict[int, Entry] = field(default_factory=dict)
    unsure: dict[int, tuple[Entry, ...]] = field(default_factory=dict)
    """For a flashcard: entries that are nearly as good as one another."""

    # What an unchanged vault never asks for is counted only when it is asked for.

    @cached_property
    def words(self) -> Words:
        """How telling each word of the vault is."""
        from obs2anki.identity.words import Words, share

        last = share(2 * max(len(self.entries), len(self.vault)))
        questions = (entry.question for entry in self.entries if entry.question_digest <= last)
        answers = (entry.answer for entry in self.entries if entry.answer_digest <= last)
        return Words(chain(questions, answers), self.vault.sides(last))

    @cached_property
    def reviewed(self) -> bool:
        """Whether the vault still holds reviews at all."""
        return self.vault.is_reviewed()

    @cached_property
    def reviews(self) -> dict[tuple[VaultPath, tuple[str, ...]], set[Guid]]:
        """Whose reviews stood in a document where something is to be decided."""
        found: defaultdict[tuple[VaultPath, tuple[str, ...]], set[Guid]] = defaultdict(set)
        paths = {old.entry.path for old in self.undecided}
        for entry in self.entries:
            if entry.path in paths:
                path = self.renamed.get(entry.path, entry.path)
                found[path, entry.reviews].add(entry.guid)
        return dict(found)

    @cached_property
    def reviewed_now(self) -> Counter[tuple[VaultPath, tuple[str, ...]]]:
        """How many flashcards of such a document have these reviews today."""
        return Counter((candidate.path, candidate.reviews) for candidate in self.open)

    @cached_property
    def texts(self) -> frozenset[str]:
        """Digests of questions and answers that are unmatched: no others are ever counted."""
        olds = (text for pool in (self.olds, self.gone) for o in pool.values() for text in o.texts)
        return frozenset((*olds, *(text for c in self.new.values() for text in c.texts)))

    @cached_property
    def then(self) -> Counter[Hashable]:
        """How often each of these texts stood in the vault, and in its document."""
        texts = self.texts
        return Counter(
            place
            for e in self.entries
            if e.gone is None and (e.question_digest in texts or e.answer_digest in texts)
            for place in _texts(
                e.type is FlashcardType.CLOZE,
                self.renamed.get(e.path, e.path),
                e.context_digest,
                e.digest,
            )
        )

    @cached_property
    def now(self) -> Counter[Hashable]:
        """How often each of them stands there today."""
        return Counter(
            place
            for c in self.vault.having(self.texts)
            for place in _texts(c.cloze, c.path, c.context_digest, c.texts)
        )

    @cached_property
    def copied(self) -> frozenset[Texts]:
        """Texts that left a document for its copy, or a copy for its document.

        A program that brings documents from another computer leaves a copy of one that was edited
        on both; and so may a person. Most of a copy stands in its document, too.
        """
        left: defaultdict[Texts, set[VaultPath]] = defaultdict(set)
        for old in chain(self.olds.values(), self.gone.values()):
            left[old.texts].add(old.path)
        come: defaultdict[Texts, set[VaultPath]] = defaultdict(set)
        for new in self.new.values():
            if left.get(new.texts, {new.path}) != {new.path}:
                come[new.texts].add(new.path)
        if not come:
            return frozenset()
        wanted = {path for where in come.values() for path in where}
        paths = wanted | {path for texts in come for path in left[texts]}
        then: defaultdict[VaultPath, set[Texts]] = defaultdict(set)
        for entry in self.entries:
            path = self.renamed.get(entry.path, entry.path)
            if path in paths:
                then[path].add(entry.digest)
        now: defaultdict[VaultPath, set[Texts]] = defaultdict(set)
        texts = {text for c in self.open if c.path in wanted for text in c.texts}
        for candidate in self.vault.having(texts):
            if candidate.path in paths:
                now[candidate.path].add(candidate.texts)

        @memoised
        def is_copy(old: VaultPath, new: VaultPath) -> bool:
            return old != new and (
                2 * len(now[new] & now[old]) >= len(now[new])
                or 2 * len(then[old] & then[new]) >= len(then[old])
            )

        return frozenset(
            texts
            for texts, where in come.items()
            # What stood in so many documents was copied into them.
            if len(left[texts]) * len(where) > CROWD
            or any(is_copy(old, new) for new in where for old in left[texts])
        )

    def alone(self, cloze: bool, path: VaultPath | None, side: str, digest: str) -> Hashable:
        """A text that stands but once in its document (None: in the vault), then and now.

        Answers a key to find it by; None where it does not stand alone. `side` is "question",
        "answer", or the digest of the headings below which a question stands.
        """
        place = (cloze, path, side, digest)
        return place if self.then[place] <= 1 and self.now[place] <= 1 else None

    def alone_with(self, old: Old, new: Candidate, side: str, digest: str) -> bool:
        """Whether a text stands but once where it stood, and where it stands, then and now."""
        places = {old.path, new.path}
        return all(self.alone(old.cloze, path, side, digest) is not None for path in places)

    def beside(self, old: Old, new: Candidate) -> int:
        """How many of a flashcard's two neighbours are those that the entry had."""
        before = self._is(old.before, new.index - 1, new.previous)
        return before + self._is(old.after, new.index + 1, new.following)

    def anchored(self, old: Old, new: Candidate) -> bool:
        """Whether a flashcard beside it, at least, is one that the entry had."""
        before = old.before is not None and self._is(old.before, new.index - 1, new.previous)
        after = old.after is not None and self._is(old.after, new.index + 1, new.following)
        return before or after

    def _is(self, old: Entry | None, index: int, texts: Texts | None) -> bool:
        """Whether a neighbour is the one of then; the edge of a document is one as well."""
        if old is None or texts is None:
            return old is None and texts is None
        known = self.matched.get(index)
        return old.digest == texts if known is None else known.guid == old.guid

    @cached_property
    def orders(self) -> dict[Guid, tuple[VaultPath, int]]:
        """Where each entry stood that was not settled from the first."""
        return {old.entry.guid: (old.path, old.order) for old in self.undecided}

    def between(self, old: Old, new: Candidate) -> bool:
        """Whether the nearest that are known, above and below, stood above and below as well."""
        return self._agreeing(old, new) > 0

    def astray(self, old: Old, new: Candidate) -> bool:
        """Whether one of them that is known did not."""
        return self._agreeing(old, new) < 0

    def _agreeing(self, old: Old, new: Candidate) -> int:
        """1 if what stands around them agrees, -1 if not, 0 if nothing there is known."""
        above, below = self._nearest(old, new, -1), self._nearest(old, new, 1)
        if above is None and below is None:
            return 0
        agrees = (above is None or above < old.order) and (below is None or old.order < below)
        return 1 if agrees else -1

    def _nearest(self, old: Old, new: Candidate, step: int) -> int | None:
        """The place of the next flashcard that is known, among the entries of its document."""
        for entry in self._known(new, step):
            path, order = self.orders[entry.guid]
            if path == old.path:
                return order
        return None

    def known_near(self, new: Candidate) -> tuple[VaultPath, int] | None:
        """Where the next flashcard that is known stood, above it or else below it."""
        for entry in chain(self._known(new, -1), self._known(new, 1)):
            return entry.path, self.orders[entry.guid][1]
        return None

    def _known(self, new: Candidate, step: int) -> Iterator[Entry]:
        """The flashcards that are known, from one on up (-1) or down (1) its document."""
        index = new.index + step
        for _ in range(_REACH):
            if not 0 <= index < len(self.vault) or self.vault[index].path != new.path:
                return
            if index in self.matched:
                yield self.matched[index]
            index += step

    def pair(self, old: Old, new: Candidate) -> None:
        """Take a flashcard for an entry; neither is open any more."""
        self.matched[new.index] = old.entry
        self.olds.pop(old.entry.guid, None)
        self.gone.pop(old.entry.guid, None)
        self.lately.pop(old.entry.guid, None)
        del self.new[new.index]


def olds_of(
    entries: Sequence[Entry], undecided: Sequence[Entry], renamed: Mapping[VaultPath, VaultPath]
) -> list[Old]:
    """The entries in the order of their documents, with their neighbours of then.

    Only those that are `undecided`, but everything comes from all entries, so that it is the same
    whatever is decided.
    """
    wanted = {entry.guid for entry in undecided}
    paths = {entry.path for entry in undecided}
    by_path: defaultdict[VaultPath, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.path in paths:
            by_path[entry.path].append(entry)
    result: list[Old] = []
    for path, document in by_path.items():
        # What has left stood before that which follows its predecessor now.
        every = _in_order(sorted(document, key=lambda entry: entry.gone is None))
        live = [entry for entry in every if entry.gone is None]
        stood = _neighbours(every) | _neighbours(live)
        for order, entry in enumerate(every):
            if entry.guid in wanted:
                is_cloze, here = entry.type is FlashcardType.CLOZE, renamed.get(path, path)
                result.append(Old(entry, is_cloze, here, order, *stood[entry.guid]))
    return result


def _neighbours(document: Sequence[Entry]) -> dict[Guid, tuple[Entry | None, Entry | None]]:
    """What stands before and after each entry of a document."""
    before, after = [None, *document], [*document[1:], None]
    return {e.guid: (b, a) for e, b, a in zip(document, before, after, strict=False)}


def _in_order(document: list[Entry]) -> list[Entry]:
    """The entries of one document as they stood, each after the one that it names."""
    after: dict[Guid | None, list[Entry]] = defaultdict(list)
    here = {entry.guid for entry in document}
    for entry in document:
        after[entry.after if entry.after in here else None].append(entry)
    result: list[Entry] = []
    waiting = list(reversed(after[None]))
    while waiting:
        entry = waiting.pop()
        result.append(entry)
        waiting += reversed(after[entry.guid])
    # A merge of two ledgers may have closed a circle.
    placed = {entry.guid for entry in result}
    return result + [entry for entry in document if entry.guid not in placed]
