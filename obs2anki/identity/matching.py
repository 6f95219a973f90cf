"""Knowing a flashcard again after an edit, from strong evidence to weak.

    ledger:   biology/cells.md   "What holds a cell together?"   "The cell wall"
    vault:    biology/Cells.md   "What keeps a cell together?"   "The cell wall"

Each pass looks only at what is still unmatched, and pairs one entry with one flashcard. Where
two are nearly as good, neither is taken: the flashcard gets a new GUID and its author is told.
No GUID ever passes to another flashcard for the sake of keeping one.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache as memoised
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar

from obs2anki import diagnostics
from obs2anki.data import Diagnostic, Entry, FlashcardType, Guid, Value, VaultPath

if TYPE_CHECKING:
    from obs2anki.identity.words import Compared, Words

_Item = TypeVar("_Item")

LATELY = timedelta(days=7)
"""How long ago a flashcard may have left the vault that comes back with other words."""

Texts = tuple[str, str]
"""Digests of a question and of an answer."""


class Candidate(Value, frozen=True):
    """A flashcard of the vault, as far as it can be compared with an entry."""

    index: int
    cloze: bool
    path: VaultPath
    line: int
    block_id: str | None
    question: str
    answer: str
    question_digest: str
    answer_digest: str
    context_digest: str
    reviews: tuple[str, ...]
    asked: frozenset[str] = frozenset()
    """Digests of what each card of a cloze asks for."""
    previous: Texts | None = None
    """The texts of the flashcard before it in its document."""
    following: Texts | None = None

    @property
    def texts(self) -> Texts:
        """Digests of question and answer."""
        return self.question_digest, self.answer_digest


class Candidates(Protocol):
    """The flashcards of a vault by their indices; which may be made only as they are asked for."""

    def __len__(self) -> int:
        """How many they are."""
        ...

    def __getitem__(self, index: int, /) -> Candidate:
        """The flashcard with an index."""
        ...

    def having(self, texts: Set[str]) -> Iterable[Candidate]:
        """Those whose question or answer has one of these digests, in vault order."""
        ...

    def sides(self, last: str) -> Iterable[str]:
        """Of the questions and answers of all of them those whose digest is not above `last`."""
        ...

    def is_reviewed(self) -> bool:
        """Whether any of them has a review."""
        ...


class AllCandidates:
    """Candidates that are there already."""

    def __init__(self, all_: Sequence[Candidate]) -> None:
        """`all_` are in vault order."""
        self._all = all_

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: int) -> Candidate:
        return self._all[index]

    def having(self, texts: Set[str]) -> Iterable[Candidate]:
        """Those whose question or answer has one of these digests."""
        return (one for one in self._all if not texts.isdisjoint(one.texts))

    def sides(self, last: str) -> Iterable[str]:
        """Questions and answers whose digest is not above `last`."""
        questions = (one.question for one in self._all if one.question_digest <= last)
        return chain(questions, (one.answer for one in self._all if one.answer_digest <= last))

    def is_reviewed(self) -> bool:
        """Whether any of them has a review."""
        return any(candidate.reviews for candidate in self._all)


@dataclass(frozen=True, slots=True)
class Known:
    """Flashcards that are what their entries say, whole documents of them, texts all different."""

    indices: Set[int] = frozenset()
    paths: Set[VaultPath] = frozenset()
    """Of these documents; whatever the ledger knows to be there is one of these flashcards."""


NOTHING = Known()


Settled = Mapping[int, Entry]
"""The entries, by a flashcard's index, of whole documents in which nothing is to be decided."""


class _Old(Value, frozen=True):
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


def _texts(cloze: bool, path: VaultPath, context: str, texts: Texts) -> Iterator[Hashable]:
    question, answer = texts
    for place in (None, path):
        yield cloze, place, "question", question
        yield cloze, place, "answer", answer
    yield cloze, path, context, question


@dataclass
class _Pools:
    """What is matched, and what is left to match."""

    olds: dict[Guid, _Old]
    """Unmatched entries that were in the vault at the last run."""
    gone: dict[Guid, _Old]
    """Unmatched entries that had left before."""
    lately: dict[Guid, _Old]
    """Those of them that had left lately."""
    new: dict[int, Candidate]
    """Unmatched flashcards, by index."""
    entries: Sequence[Entry]
    """All that the ledger remembers."""
    vault: Candidates
    """All flashcards."""
    renamed: Mapping[VaultPath, VaultPath]
    """Where documents are today that were renamed."""
    undecided: Sequence[_Old]
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
            if len(left[texts]) * len(where) > _CROWD
            or any(is_copy(old, new) for new in where for old in left[texts])
        )

    def alone(self, cloze: bool, path: VaultPath | None, side: str, digest: str) -> Hashable:
        """A text that stands but once in its document (None: in the vault), then and now.

        Answers a key to find it by; None where it does not stand alone. `side` is "question",
        "answer", or the digest of the headings below which a question stands.
        """
        place = (cloze, path, side, digest)
        return place if self.then[place] <= 1 and self.now[place] <= 1 else None

    def alone_with(self, old: _Old, new: Candidate, side: str, digest: str) -> bool:
        """Whether a text stands but once where it stood, and where it stands, then and now."""
        places = {old.path, new.path}
        return all(self.alone(old.cloze, path, side, digest) is not None for path in places)

    def beside(self, old: _Old, new: Candidate) -> int:
        """How many of a flashcard's two neighbours are those that the entry had."""
        before = self._is(old.before, new.index - 1, new.previous)
        return before + self._is(old.after, new.index + 1, new.following)

    def anchored(self, old: _Old, new: Candidate) -> bool:
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

    def between(self, old: _Old, new: Candidate) -> bool:
        """Whether the nearest that are known, above and below, stood above and below as well."""
        return self._agreeing(old, new) > 0

    def astray(self, old: _Old, new: Candidate) -> bool:
        """Whether one of them that is known did not."""
        return self._agreeing(old, new) < 0

    def _agreeing(self, old: _Old, new: Candidate) -> int:
        """1 if what stands around them agrees, -1 if not, 0 if nothing there is known."""
        above, below = self._nearest(old, new, -1), self._nearest(old, new, 1)
        if above is None and below is None:
            return 0
        agrees = (above is None or above < old.order) and (below is None or old.order < below)
        return 1 if agrees else -1

    def _nearest(self, old: _Old, new: Candidate, step: int) -> int | None:
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

    def pair(self, old: _Old, new: Candidate) -> None:
        self.matched[new.index] = old.entry
        self.olds.pop(old.entry.guid, None)
        self.gone.pop(old.entry.guid, None)
        self.lately.pop(old.entry.guid, None)
        del self.new[new.index]


def match(
    candidates: Candidates,
    entries: Sequence[Entry],
    settled: Settled = MappingProxyType({}),
    known: Known = NOTHING,
    today: date = date.max,
) -> tuple[dict[int, Entry], list[Diagnostic]]:
    """The entry of each flashcard that is known again, by the flashcard's index.

    What has left the vault lately, as seen from `today`, may come back with other words. `settled`
    is what the first passes would come to anyway, whole documents of it. What is `known` is more
    of this: the answer lacks it.
    """
    undecided = set(range(len(candidates))) - known.indices - settled.keys()
    open_ = [candidates[index] for index in sorted(undecided)]
    done = {entry.guid for entry in settled.values()}
    rest = [
        entry
        for entry in entries
        if (entry.gone is not None or entry.path not in known.paths) and entry.guid not in done
    ]
    lately = {e.guid for e in rest if e.gone is not None and abs(today - e.gone) <= LATELY}
    there = {entry.path for entry in entries if entry.gone is None}
    renamed = _renamed(
        [e for e in rest if e.gone is None or (e.guid in lately and e.path not in there)],
        open_,
        entries,
    )
    olds = _olds(entries, rest, renamed)
    pools = _Pools(
        olds={o.entry.guid: o for o in olds if o.entry.gone is None},
        gone={o.entry.guid: o for o in olds if o.entry.gone is not None},
        lately={o.entry.guid: o for o in olds if o.entry.guid in lately},
        new={c.index: c for c in open_},
        entries=entries,
        vault=candidates,
        renamed=renamed,
        undecided=olds,
        open=open_,
        matched=dict(settled),
    )
    for one in PASSES:
        one(pools)
    return pools.matched, _findings(pools)


# ---------------------------------------------------------------- the ledger's side


def _olds(
    entries: Sequence[Entry], undecided: Sequence[Entry], renamed: Mapping[VaultPath, VaultPath]
) -> list[_Old]:
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
    result: list[_Old] = []
    for path, document in by_path.items():
        # What has left stood before that which follows its predecessor now.
        every = _in_order(sorted(document, key=lambda entry: entry.gone is None))
        live = [entry for entry in every if entry.gone is None]
        stood = _neighbours(every) | _neighbours(live)
        for order, entry in enumerate(every):
            if entry.guid in wanted:
                is_cloze, here = entry.type is FlashcardType.CLOZE, renamed.get(path, path)
                result.append(_Old(entry, is_cloze, here, order, *stood[entry.guid]))
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


def _renamed(
    undecided: Sequence[Entry], candidates: Sequence[Candidate], entries: Sequence[Entry]
) -> dict[VaultPath, VaultPath]:
    """Where documents went that are no more, of those that are undecided: old path to new.

    The undecided stood there until a moment ago. A document was renamed if the new one is new and
    most of what they share stands nowhere else: flashcards or, where each question was edited as
    well, half of the answers. Short answers prove something only if they are several, and no other
    document has them, of all `entries`.

    A document that was away and is back may have been renamed meanwhile, as on another branch; but
    not from its own copy.
    """
    now = {candidate.path for candidate in candidates}
    stood: defaultdict[VaultPath, set[Texts]] = defaultdict(set)
    for entry in undecided:
        stood[entry.path].add(entry.digest)
    left, come = stood.keys() - now, now - {e.path for e in undecided if e.gone is None}
    if not left or not come:
        return {}
    old = [entry for entry in undecided if entry.path in left]
    new = [candidate for candidate in candidates if candidate.path in come]
    gone_to, _ = _gone_to(
        [(e.path, (e.type is FlashcardType.CLOZE, e.digest)) for e in old],
        [(c.path, (c.cloze, c.texts)) for c in new],
    )
    renamed = {
        path: where
        for path, where in gone_to.items()
        if 2 * len(stood[path] & stood[where]) < len(stood[path])
    }
    new = [candidate for candidate in new if not stood[candidate.path]]
    renamed |= _gone_with_answers(renamed, old, new, 1, lambda e: _says_enough(e.answer))
    if not left <= renamed.keys():
        having: dict[str, set[VaultPath]] = {e.answer_digest: set() for e in old}
        for entry in entries:
            if entry.gone is None and entry.answer_digest in having:
                having[entry.answer_digest].add(entry.path)
        renamed |= _gone_with_answers(
            renamed, old, new, _FEW, lambda e: having[e.answer_digest] <= {e.path}
        )
    return renamed


def _gone_with_answers(
    renamed: Mapping[VaultPath, VaultPath],
    old: Sequence[Entry],
    new: Sequence[Candidate],
    least: int,
    tells: Callable[[Entry], bool],
) -> dict[VaultPath, VaultPath]:
    """Where other documents went than those of which it is known, by answers that tell it.

    At least so many different ones have to be there, and half of all that the document had.
    """
    gone = [entry for entry in old if entry.path not in renamed]
    basic = [entry for entry in gone if entry.type is not FlashcardType.CLOZE]
    taken = set(renamed.values())
    answered, shared = _gone_to(
        [(entry.path, entry.answer_digest) for entry in basic if tells(entry)],
        [(c.path, c.answer_digest) for c in new if c.path not in taken and not c.cloze],
    )
    texts: dict[tuple[VaultPath, Hashable], None] = dict.fromkeys(
        (e.path, e.digest if e.type is FlashcardType.CLOZE else e.answer_digest) for e in gone
    )
    had = Counter(path for path, _ in texts)
    return {
        path: where
        for path, where in answered.items()
        if shared[path] >= least and 2 * shared[path] >= had[path]
    }


_FEW = 4
"""How many different answers of a document, short ones too, are not the same by chance."""

_COMMON = 20
"""New documents up to which a text that all of them have says something about each."""


def _gone_to(
    old: Iterable[tuple[VaultPath, Hashable]], new: Iterable[tuple[VaultPath, Hashable]]
) -> tuple[dict[VaultPath, VaultPath], dict[VaultPath, int]]:
    """For old documents the new one that has most of their texts by far, and how many of them."""
    places: defaultdict[Hashable, set[VaultPath]] = defaultdict(set)
    for path, text in new:
        places[text].add(path)
    shared: defaultdict[VaultPath, Counter[VaultPath]] = defaultdict(Counter)
    for path, text in dict.fromkeys(old):
        if 0 < len(places.get(text, ())) <= _COMMON:
            shared[path].update(places[text])
    gone_to: dict[VaultPath, VaultPath] = {}
    many: dict[VaultPath, int] = {}
    for path, counts in sorted(shared.items()):
        (best, most), *others = counts.most_common(2)
        if not others or most > 2 * others[0][1]:
            gone_to[path], many[path] = best, most
    return gone_to, many


# ---------------------------------------------------------------- passes


def _same_block_id(pools: _Pools) -> None:
    """Same document and block id: its author named it."""
    _named_alike(pools, pools.olds)


def _named_alike(pools: _Pools, pool: dict[Guid, _Old]) -> None:
    _unique(
        pools,
        pool,
        lambda o: (o.cloze, o.path, o.entry.block_id) if o.entry.block_id else None,
        lambda c: (c.cloze, c.path, c.block_id) if c.block_id else None,
    )


def _same_texts(pools: _Pools) -> None:
    """Same document, question and answer."""
    _twins(
        pools,
        pools.olds,
        lambda o: (o.cloze, o.path, o.texts),
        lambda c: (c.cloze, c.path, c.texts),
    )


def _returned(pools: _Pools) -> None:
    """Back in its document, after a branch switch or a cut and paste.

    By its block id, if it has left lately, or by what it says.
    """
    _named_alike(pools, pools.lately)
    _twins(
        pools,
        pools.gone,
        lambda o: (o.cloze, o.path, o.texts),
        lambda c: (c.cloze, c.path, c.texts),
    )


def _same_question(pools: _Pools) -> None:
    """Same document and question, answered anew; the headings decide between equals.

    A question that stands there several times ("Symptoms?") says little by itself, and a short
    one only below the same headings. One that had left may be back.
    """
    for pool in (pools.olds, pools.gone):
        _unique(
            pools,
            pool,
            lambda o: (
                _says_enough(o.entry.question)
                and pools.alone(o.cloze, o.path, "question", o.entry.question_digest)
            ),
            lambda c: (
                _says_enough(c.question)
                and pools.alone(c.cloze, c.path, "question", c.question_digest)
            ),
        )
        _unique(
            pools,
            pool,
            lambda o: pools.alone(o.cloze, o.path, o.entry.context_digest, o.entry.question_digest),
            lambda c: pools.alone(c.cloze, c.path, c.context_digest, c.question_digest),
        )


def _answered_anew(pools: _Pools) -> None:
    """Same document and question, with the same reviews or beside the same flashcard."""
    for group, rivals in _alike(
        pools,
        pools.olds,
        lambda o: pools.alone(o.cloze, o.path, "question", o.entry.question_digest),
        lambda c: pools.alone(c.cloze, c.path, "question", c.question_digest),
    ):
        (old,), (new,) = group, rivals
        if not _says_enough(new.question):
            continue
        if _same_reviews(old, new) or pools.anchored(old, new):
            pools.pair(old, new)


def _moved(pools: _Pools) -> None:
    """The same question and answer in another document."""
    _move(pools, pools.olds)


def _moved_and_returned(pools: _Pools) -> None:
    """Cut from one document some runs ago, pasted into another."""
    _move(pools, pools.gone)


def _move(pools: _Pools, pool: dict[Guid, _Old]) -> None:
    _twins(
        pools,
        pool,
        lambda o: o.texts not in pools.copied and (o.cloze, o.texts),
        lambda c: c.texts not in pools.copied and (c.cloze, c.texts),
    )


def _copied(pools: _Pools) -> None:
    """The same question and answer in a copy of the document, or in the one it is a copy of.

    Only now: a flashcard that was reworded there is the one of then, and its copy is not.
    """
    for pool in (pools.olds, pools.gone):
        _twins(pools, pool, lambda o: (o.cloze, o.texts), lambda c: (c.cloze, c.texts))


def _same_question_elsewhere(pools: _Pools) -> None:
    """Moved and answered anew: only a question that stands nowhere twice, then or now.

    One that says little (`Why?`, the name of a key) needs much of its answer as well.
    """
    for pool in (pools.olds, pools.lately):
        for group, rivals in _alike(
            pools,
            pool,
            lambda o: pools.alone(o.cloze, None, "question", o.entry.question_digest),
            lambda c: pools.alone(c.cloze, None, "question", c.question_digest),
        ):
            (old, *others), (new,) = group, rivals
            if others:
                continue  # of what had left there may be several
            if _says_enough(new.question) or _keeps_its_answer(pools, old, new):
                pools.pair(old, new)


def _keeps_its_answer(pools: _Pools, old: _Old, new: Candidate) -> bool:
    return pools.words.compared(old.entry.answer, new.answer).kept > _MOST_WORDS


def _same_but_for_pictures(pools: _Pools) -> None:
    """Same document, question and answer, but for the names of files: programs rename them all.

    Only in the order of then, among themselves and beside what is known, and where the reviews do
    not speak against it: with another file a flashcard may be another.
    """
    olds = _grouped(pools.olds.values(), lambda o: _has_files(o.entry) and o.path)
    found: list[tuple[_Old, Candidate]] = []
    for path, new in _grouped(pools.new.values(), lambda c: _has_files(c) and c.path).items():
        old = sorted(olds.get(path, ()), key=_place)
        new.sort(key=lambda c: c.index)
        for i, j in _lined_up(
            [(o.cloze, *_without_files(o.entry)) for o in old],
            [(c.cloze, *_without_files(c)) for c in new],
        ):
            if not pools.astray(old[i], new[j]) and not _doubtful(pools, old[i], new[j]):
                found.append((old[i], new[j]))
    for one, candidate in found:
        pools.pair(one, candidate)


def _lined_up(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterable[tuple[int, int]]:
    """The places, in the one and in the other, of what every longest common sequence pairs."""
    if old == new:
        return [(place, place) for place in range(len(old))]
    if len(old) * len(new) > _LINED_UP:
        return []
    before = _common(old, new)
    behind = _common(old[::-1], new[::-1])
    longest = before[-1][-1]
    nth: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, one in enumerate(old):
        for j, other in enumerate(new):
            if one == other and before[i][j] + 1 + behind[~i - 1][~j - 1] == longest:
                nth[before[i][j]].append((i, j))
    return [pairs[0] for pairs in nth.values() if len(pairs) == 1]


_LINED_UP = 1_000_000
"""Pairs of two lists up to which it is worth the time."""


def _common(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[list[int]]:
    """The length of the longest common sequence of so many of the one and so many of the other."""
    lengths = [[0] * (len(new) + 1)]
    for one in old:
        above, row = lengths[-1], [0]
        for j, other in enumerate(new):
            row.append(above[j] + 1 if one == other else max(above[j + 1], row[j]))
        lengths.append(row)
    return lengths


_FILE = re.compile(
    r"!\[\[[^\[\]|#]*\.(?!md\b)\w+(?:[|#][^\[\]]*)?(?:\]\]|$)"  # ![[cell.png|300]]
    r"|!\[[^\[\]]*\]\([^()]*(?:\)|$)"  # ![cell](pictures/cell.png)
)
"""An embedded file, cut short perhaps at the end of what is remembered."""

_COMPARED = 100
"""Characters of a side without its files: so many are remembered, however long their names."""


def _has_files(one: Entry | Candidate) -> bool:
    return any("![" in side and _FILE.search(side) for side in (one.question, one.answer))


def _without_files(one: Entry | Candidate) -> tuple[str, str]:
    """What question and answer say but for the names of files."""
    question, answer = (_FILE.sub("![]", side)[:_COMPARED] for side in (one.question, one.answer))
    return question, answer


def _reworded(pools: _Pools) -> None:
    """Same document, and much of the text, the reviews or the neighbours are the same.

    The best pairs are taken first; a pair that has a rival nearly as good is taken by nobody.
    What is known then may stand beside what is not, so that there is a second look. What has left
    lately comes last: who cuts a flashcard, pastes it and rewords it may be seen in between, and
    so may a program that takes a document away to bring it from another computer.
    """
    for pool in (pools.olds, pools.lately):
        taken = _take_likely(pools, pool)
        _take_likely(pools, {guid: old for guid, old in pool.items() if old.path in taken})


def _take_likely(pools: _Pools, pool: Mapping[Guid, _Old]) -> set[VaultPath]:
    """Pair what is likely, document by document; answers those in which anything was."""
    if not pool or not pools.new:
        return set()
    olds = _grouped(pool.values(), lambda o: (o.cloze, o.path))
    new = _grouped(pools.new.values(), lambda c: (c.cloze, c.path))
    for place, group in olds.items():  # in their order: a cloze may stand beside a question
        if place in new:
            _take_best(pools, _likely(pools, group, new[place]))
    return {o.path for group in olds.values() for o in group if o.entry.guid not in pool}


def _reworded_elsewhere(pools: _Pools) -> None:
    """Moved and reworded: where others of its document went, or one side and nearly the other.

    What has left lately comes last, as before.
    """
    for pool in (pools.olds, pools.lately):
        if not pool or not pools.new:
            continue
        likely = {
            (old.entry.guid, new.index): _Likely(_likeness(pools, old, new), old, new)
            for groups, may_be in (
                (_where_others_went(pools, pool), _may_have_gone_along),
                (_with_one_side(pools, pool), _says_nearly_the_same),
            )
            for group, rivals in _few(groups)
            for old in group
            for new in rivals
            if may_be(pools, old, new)
        }
        _take_best(pools, [pair for pair in likely.values() if pair.score > 0])


_Groups = Iterable[tuple[list[_Old], list[Candidate]]]
"""What is compared, each entry of a group with each flashcard."""


def _few(groups: _Groups) -> _Groups:
    """The first of the groups, as many as there is time to compare."""
    left_over = _CROWD
    for group, rivals in groups:
        if len(group) * len(rivals) <= left_over:
            left_over -= len(group) * len(rivals)
            yield group, rivals


def _where_others_went(pools: _Pools, pool: Mapping[Guid, _Old]) -> _Groups:
    """Two documents each, those first between which most flashcards went with their words."""
    went = Counter(
        (pools.orders[pools.matched[c.index].guid][0], c.path)
        for c in pools.open
        if c.index in pools.matched
    )
    olds = _grouped(pool.values(), lambda o: (o.cloze, o.path))
    new = _grouped(pools.new.values(), lambda c: (c.cloze, c.path))
    for (left, come), _ in sorted(went.items(), key=lambda way: (-way[1], way[0])):
        for cloze in (False, True):
            if left != come and (cloze, left) in olds and (cloze, come) in new:
                yield olds[cloze, left], new[cloze, come]


def _may_have_gone_along(pools: _Pools, old: _Old, new: Candidate) -> bool:
    return _says_enough(new.question) or _keeps_its_answer(pools, old, new)


def _with_one_side(pools: _Pools, pool: dict[Guid, _Old]) -> _Groups:
    """What has the same answer, or asks for the same words; and what has the same question.

    Those first that are told apart with the fewest comparisons.
    """
    groups = chain(
        _alike(
            pools,
            pool,
            lambda o: _asked_then(o.entry) if o.cloze else o.entry.answer_digest,
            lambda c: c.asked if c.cloze else c.answer_digest,
        ),
        _alike(
            pools,
            pool,
            lambda o: not o.cloze and _says_enough(o.entry.question) and o.entry.question_digest,
            lambda c: not c.cloze and _says_enough(c.question) and c.question_digest,
        ),
    )
    return sorted(groups, key=lambda group: len(group[0]) * len(group[1]))


def _says_nearly_the_same(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether the side that is not the same is nearly so; where it stood that was not enough."""
    if old.path == new.path:
        return False
    if old.texts[0] == new.texts[0]:
        sides = old.entry.answer, new.answer
    else:
        sides = old.entry.question, new.question
    other = pools.words.compared(*sides)
    nearly = other.only_grown or other.likeness >= _NEARLY
    return nearly and not pools.words.exchanged(*sides)


_NEARLY = 0.75
"""How like a side is that nobody takes for another, where the rest is the same."""


PASSES: tuple[Callable[[_Pools], None], ...] = (
    _same_block_id,
    _same_texts,
    _returned,
    _answered_anew,
    _moved,
    _moved_and_returned,
    _same_question,
    _same_but_for_pictures,
    _reworded,
    _copied,
    _same_question_elsewhere,
    _reworded_elsewhere,
)
"""From strong evidence to weak; the order is the rule."""


# ---------------------------------------------------------------- equal evidence


def _grouped(
    items: Iterable[_Item], key: Callable[[_Item], Hashable]
) -> dict[Hashable, list[_Item]]:
    groups: defaultdict[Hashable, list[_Item]] = defaultdict(list)
    for item in items:
        group = key(item)
        if group is not None and group is not False:
            groups[group].append(item)
    return groups


def _alike(
    pools: _Pools,
    olds: dict[Guid, _Old],
    old_key: Callable[[_Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> Iterator[tuple[list[_Old], list[Candidate]]]:
    """What has the same key on both sides."""
    if not olds or not pools.new:
        return  # a key may take a count of the whole vault
    new = _grouped(pools.new.values(), new_key)
    for key, group in _grouped(olds.values(), old_key).items():
        if key in new:
            yield group, new[key]


def _unique(
    pools: _Pools,
    olds: dict[Guid, _Old],
    old_key: Callable[[_Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> None:
    """Pair what has a key that nobody else has, on either side."""
    for group, rivals in _alike(pools, olds, old_key, new_key):
        if len(group) == len(rivals) == 1:
            pools.pair(group[0], rivals[0])


def _twins(
    pools: _Pools,
    olds: dict[Guid, _Old],
    old_key: Callable[[_Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> None:
    """Pair what reads the same; of several that read the same, reviews and neighbours decide."""
    several: list[tuple[list[_Old], list[Candidate]]] = []
    for group, rivals in _alike(pools, olds, old_key, new_key):
        if len(group) == len(rivals) == 1:
            pools.pair(group[0], rivals[0])
        else:
            several.append((group, rivals))
    for group, rivals in several:  # now that it is known what stands around them
        _tell_twins_apart(pools, group, rivals)


def _tell_twins_apart(pools: _Pools, olds: list[_Old], new: list[Candidate]) -> None:
    """Pair flashcards with the very same texts.

    As many as before in one document are paired in their order: nobody can see that twins changed
    places. Otherwise they are told by the names of their documents, for a folder may have moved,
    or else by what stands around them, if anything tells them.
    """
    if len(olds) * len(new) <= _CROWD:
        olds, new = _paired_by(
            pools, olds, new, lambda o: o.entry.reviews or None, lambda c: c.reviews or None
        )
    olds, new = _paired_by(pools, olds, new, lambda o: _name(o.path), lambda c: _name(c.path))
    crowded = len(olds) * len(new) > _CROWD
    in_one = len({o.path for o in olds} | {c.path for c in new}) == 1
    if crowded or (in_one and len(olds) == len(new)):
        ordered = sorted(olds, key=lambda o: (o.path, o.order))
        for old, candidate in zip(ordered, sorted(new, key=lambda c: c.index), strict=False):
            pools.pair(old, candidate)
        return
    # A copy made directly above leaves both with one neighbour each. They read the same, so the
    # author sees no difference; what stood there before is taken to be the lower one.
    lower = MARGIN if len(olds) == 1 else 0.0
    _take_best(
        pools,
        [
            _Likely(_circumstances(pools, old, one) + lower * place, old, one)
            for old in olds
            for place, one in enumerate(new)
        ],
    )


def _paired_by(
    pools: _Pools,
    olds: list[_Old],
    new: list[Candidate],
    old_key: Callable[[_Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> tuple[list[_Old], list[Candidate]]:
    """Pair twins that alone have the same key; answers the rest."""
    old_by, new_by = _grouped(olds, old_key), _grouped(new, new_key)
    for key in old_by.keys() & new_by.keys():
        if len(old_by[key]) == len(new_by[key]) == 1:
            pools.pair(old_by[key][0], new_by[key][0])
    return (
        [old for old in olds if old.entry.guid in pools.olds or old.entry.guid in pools.gone],
        [candidate for candidate in new if candidate.index in pools.new],
    )


def _name(path: VaultPath) -> str:
    """The name of a document, without its folders."""
    return path.rpartition("/")[2]


_REACH = 20
"""How many flashcards are looked at, above and below, for one that is known."""

_CROWD = 40_000
"""Pairs in one group beyond which nobody is compared with everybody."""


def _circumstances(pools: _Pools, old: _Old, new: Candidate) -> float:
    """How well what stands around two equal flashcards agrees."""
    score = 0.0
    # Who has neither is rather the twin that had neither; few take them away.
    if old.entry.block_id == new.block_id:
        score += 50
    elif old.entry.block_id is not None:
        score -= 50
    if old.entry.reviews == new.reviews:
        score += 40
    elif _lost_reviews(pools, old, new):
        score -= 40
    score += 20 * pools.beside(old, new) + 25 * pools.between(old, new)
    score += 5 if old.entry.context_digest == new.context_digest else 0
    return score


# ---------------------------------------------------------------- likeness


@dataclass(frozen=True, slots=True)
class _Likely:
    """A pair that may be one flashcard; the score is out of 100 for the texts alone."""

    score: float
    old: _Old
    new: Candidate

    def reads_like(self, other: _Likely) -> bool:
        """Whether it makes no difference to a reader which of the two pairs is taken."""
        return self.old.texts == other.old.texts and self.new.texts == other.new.texts


MARGIN = 8.0
"""How much better than any rival a pair must be."""


def _take_best(pools: _Pools, likely: list[_Likely]) -> None:
    """Take pairs from the best down, but for those with a rival nearly as good."""
    ranked = sorted(likely, key=lambda p: (-p.score, p.old.path, p.old.order, p.new.index))
    by_old = _grouped(ranked, lambda p: p.old.entry.guid)
    by_new = _grouped(ranked, lambda p: p.new.index)
    taken: set[Hashable] = set()
    for pair in ranked:
        mine = (pair.old.entry.guid, pair.new.index)
        if mine[0] in taken or mine[1] in taken:
            continue
        rivals = [
            other
            for other in (*by_old[mine[0]], *by_new[mine[1]])
            if not other.reads_like(pair)
            and other.score > pair.score - MARGIN
            and not {other.old.entry.guid, other.new.index} & taken
        ]
        if rivals:
            pools.unsure[pair.new.index] = (pair.old.entry, *(r.old.entry for r in rivals))
            # Neither may take what is not clearly its own, nor be taken for something worse.
            taken |= {pair.old.entry.guid, pair.new.index}
            taken |= {r.old.entry.guid for r in rivals} | {r.new.index for r in rivals}
        else:
            taken |= set(mine)
            pools.pair(pair.old, pair.new)


def _likely(pools: _Pools, olds: list[_Old], new: list[Candidate]) -> list[_Likely]:
    """The pairs of one document that may be one flashcard, reworded."""
    pairs: Iterator[tuple[_Old, Candidate]]
    if len(olds) * len(new) <= _CROWD:
        pairs = ((old, candidate) for old in olds for candidate in new)
    else:
        pairs = _nearby(pools, olds, new)
    scored = (_Likely(_likeness(pools, old, c), old, c) for old, c in pairs)
    return [pair for pair in scored if pair.score > 0]


def _nearby(
    pools: _Pools, olds: list[_Old], new: list[Candidate]
) -> Iterator[tuple[_Old, Candidate]]:
    """Where a whole long document was rewritten, only what stood in about the same place.

    That is where the nearest that is known stood; if none is, as far down as it stands now.
    """
    ordered = sorted(olds, key=_place)
    places = [_place(old) for old in ordered]
    reach = max(_CROWD // (2 * len(new)), 1)
    for rank, candidate in enumerate(sorted(new, key=lambda c: c.index)):
        known = pools.known_near(candidate)
        middle = rank * len(ordered) // len(new) if known is None else bisect(places, known)
        for old in ordered[max(middle - reach, 0) : middle + reach]:
            yield old, candidate


def _place(old: _Old) -> tuple[VaultPath, int]:
    """Where it stood; of documents that became one, each for itself."""
    return old.entry.path, old.order


def _likeness(pools: _Pools, old: _Old, new: Candidate) -> float:
    """0 for two flashcards, else how surely they are one.

    What counts is how much of the telling words is still there: "What is the capital of" is a
    frame that many share, so that with another country in it the flashcard is another.
    """
    entry = old.entry
    question = _side(pools, entry.question, new.question, old.texts[0] == new.texts[0])
    if old.cloze:
        sure = _cloze_likeness(pools, old, new, question)
    elif _is_too_unlike(old, new, question):
        return 0.0  # its answer need not be compared
    else:
        answer = _side(pools, entry.answer, new.answer, old.texts[1] == new.texts[1])
        sure = _basic_likeness(pools, old, new, question, answer)
    if not sure:
        return 0.0
    sides = zip(("question", "answer"), old.texts, new.texts, strict=True)
    unique = any(then == now and pools.alone_with(old, new, side, now) for side, then, now in sides)
    circumstances = 15 * _same_reviews(old, new) + 5 * pools.beside(old, new) + 5 * unique
    return 100 * sure + circumstances


def _is_too_unlike(old: _Old, new: Candidate, question: Compared) -> bool:
    """Whether so little of a question is left that its answer would have to be the same."""
    same = old.texts[0] == new.texts[0] or old.texts[1] == new.texts[1]
    return not same and question.likeness < _LEAST_LIKE and question.kept < _LEAST_KEPT


_LEAST_LIKE = 0.3
"""How like both sides have to be at least, where neither is the same."""

_LEAST_KEPT = 2 / 3
"""What share of its words a question keeps at least that is told by them, not by what they tell."""


def _side(pools: _Pools, old: str, new: str, same: bool) -> Compared:
    from obs2anki.identity.words import SAME

    return SAME if same else pools.words.compared(old, new)


def _same_reviews(old: _Old, new: Candidate) -> bool:
    return bool(old.entry.reviews) and old.entry.reviews == new.reviews


def _basic_likeness(
    pools: _Pools, old: _Old, new: Candidate, question: Compared, answer: Compared
) -> float:
    """How sure, from 0 to 1; the weaker the one side, the more the other has to be the same."""
    same_question, same_answer = old.texts[0] == new.texts[0], old.texts[1] == new.texts[1]
    weaker = min(question.likeness, answer.likeness)
    beside = pools.beside(old, new)
    sure = (question.likeness + answer.likeness) / 2
    if same_question or same_answer:
        needed = _needed(
            pools,
            old,
            new,
            "question" if same_question else "answer",
            question if same_answer else answer,
        )
    elif _is_in_place_touched(pools, old, new, question, answer):
        needed = 0.0
    elif _is_touched_above_its_reviews(pools, old, new, question, answer):
        needed = _LEAST_LIKE
    elif question.only_grown and answer.only_grown:
        needed = 0.4 if beside else 0.8
    elif beside and _nearly_same(old, new, question, answer):
        needed = _LEAST_LIKE
    else:
        needed = 0.9
    return max(sure, 0.01) if weaker >= needed else 0.0


def _is_in_place_touched(
    pools: _Pools, old: _Old, new: Candidate, question: Compared, answer: Compared
) -> bool:
    """Whether a flashcard stands where it stood, with much of both sides."""
    if _doubtful(pools, old, new) or pools.beside(old, new) < 2:
        return False
    told = question.telling_kept or _same_reviews(old, new)
    # Where a word was exchanged on either side, what they share may be a frame.
    grown = question.only_grown or answer.only_grown
    return told and grown and question.kept >= _LEAST_KEPT and answer.kept >= _MOST_WORDS


def _is_touched_above_its_reviews(
    pools: _Pools, old: _Old, new: Candidate, question: Compared, answer: Compared
) -> bool:
    """Whether both sides still say what they said, above reviews that no other had."""
    if not (question.telling_kept and answer.telling_kept):
        return False
    if not _has_its_own_reviews(pools, old, new):
        return False
    sides = ((old.entry.question, new.question), (old.entry.answer, new.answer))
    return not any(pools.words.exchanged(then, now) for then, now in sides)


def _nearly_same(old: _Old, new: Candidate, question: Compared, answer: Compared) -> bool:
    """Whether either side changed by no more than a letter in five, and one only grew."""
    from rapidfuzz import fuzz

    if not (question.telling_kept and answer.telling_kept):
        return False
    if not (question.only_grown or answer.only_grown):
        return False
    alike = fuzz.ratio(old.entry.question, new.question)
    return bool(alike >= 80 and fuzz.ratio(old.entry.answer, new.answer) >= 80)


def _needed(pools: _Pools, old: _Old, new: Candidate, same: str, other: Compared) -> float:
    """How like the other side has to be, where one side is the same."""
    digest = new.texts[0] if same == "question" else new.texts[1]
    text = new.question if same == "question" else new.answer
    alone = pools.alone_with(old, new, same, digest)
    if same == "question" and not _says_enough(text):
        alone = alone and old.entry.context_digest == new.context_digest
    only = alone and pools.alone(False, None, same, digest) is not None
    beside = pools.beside(old, new)
    in_place = beside > 0 or pools.between(old, new)
    if _has_its_own_reviews(pools, old, new):
        return 0.0
    # Who rewords a flashcard may want to learn it anew, and delete its review.
    clear = (alone and _says_enough(text)) or (_has_stayed(pools, old, new) and _is_reworded(other))
    doubt = _has_anothers_reviews(pools, old, new) or (not clear and _lost_reviews(pools, old, new))
    if in_place and not doubt and _stayed(pools, old, new, same, alone, text, other):
        return 0.0
    if only and _says_enough(text) and not doubt:
        return 0.0 if len(text) >= _SENTENCE else 0.25
    if doubt:
        return 0.9
    if not in_place:
        return 0.8 if alone or same == "answer" else 0.9
    if other.only_grown:
        return 0.35 if alone or same == "answer" else 0.9
    if other.telling_kept:
        if len(text) <= _SHORT:
            return 0.5 if other.name_kept else 0.8
        return 0.4 if alone else 0.6 if same == "answer" else 0.8
    return 0.8 if alone else 0.85


def _stayed(
    pools: _Pools, old: _Old, new: Candidate, same: str, alone: bool, text: str, other: Compared
) -> bool:
    """Whether a flashcard, about where one stood that has a side with it in common, is that one.

    An answer such as Yes says little: then much of the question has to be the same as well.
    """
    beside = pools.beside(old, new)
    if alone and beside and _says_enough(text):
        return True
    if alone and len(text) > _SHORT and _has_stayed(pools, old, new):
        return True
    if alone and other.kept > _MOST_WORDS and (beside == 2 or other.telling_kept):
        return True
    if beside < 2:
        return False
    if same == "question":
        return old.entry.context_digest == new.context_digest
    return other.kept > _MOST_WORDS and (other.telling_kept or _same_reviews(old, new))


def _has_stayed(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether a flashcard stands between those between which the entry stood."""
    beside = pools.beside(old, new)
    return beside == 2 or (beside == 1 and pools.between(old, new))


def _is_reworded(other: Compared) -> bool:
    """Whether a side is the one of then, with some words more or fewer, or some exchanged."""
    return other.only_grown or (other.telling_kept and other.kept > _MOST_WORDS)


def _says_enough(text: str) -> bool:
    """Whether a text that stands nowhere else says by itself what it belongs to."""
    return len(text) >= _LONG and (" " in text or not text.isascii())


_SHORT = 4
"""Characters up to which an answer (Yes, 1945, O(1)) belongs to anything."""

_MOST_WORDS = 0.5
"""What share of its words a side keeps that was reworded, whatever words they are."""

_LONG = 10
"""Characters from which on a text that stands nowhere else says by itself what it belongs to."""

_SENTENCE = 20
"""Characters from which on it does so wherever it stands in its document."""


def _doubtful(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether the reviews speak against one flashcard."""
    return _lost_reviews(pools, old, new) or _has_anothers_reviews(pools, old, new)


def _lost_reviews(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether the review is gone that a reworded flashcard would still carry."""
    return bool(old.entry.reviews) and not new.reviews and pools.reviewed


def _has_its_own_reviews(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether the reviews are those that stood below it, and below no other of the document."""
    return _same_reviews(old, new) and len(pools.reviews[old.path, new.reviews]) == 1


def _has_anothers_reviews(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether the reviews are those that stood below another flashcard of the document.

    Flashcards that are learnt together have the same: then others have them still.
    """
    theirs = pools.reviews.get((old.path, new.reviews), set()) if new.reviews else set()
    others = pools.reviewed_now[new.path, new.reviews] - 1
    return others < len(theirs) and old.entry.guid not in theirs


def _cloze_likeness(pools: _Pools, old: _Old, new: Candidate, question: Compared) -> float:
    """A cloze text in which other words are asked for is soon another flashcard."""
    then = _asked_then(old.entry)
    kept = len(then & new.asked) / max(len(then), len(new.asked), 1)
    beside = pools.beside(old, new)
    telling = question.telling_kept or question.only_grown
    if kept == 1 and _asks_for_the_same(pools, old, new, question):
        needed = 0.0
    elif kept == 1:
        needed = 0.35 if len(new.asked) > 1 or (telling and beside) else 0.65
    elif kept >= 0.5 and telling and beside:
        needed = 0.5
    else:
        needed = 0.75 if question.only_grown else 0.9
    return (question.likeness + kept) / 2 if question.likeness >= needed else 0.0


def _asked_then(entry: Entry) -> frozenset[str]:
    """Digests of what a cloze asked for."""
    return frozenset(o.digest for o in entry.ordinals if not o.gone)


def _asks_for_the_same(pools: _Pools, old: _Old, new: Candidate, question: Compared) -> bool:
    """Whether a cloze that asks for what an old one did is that one, whatever is around it."""
    if _has_its_own_reviews(pools, old, new):
        return True
    in_place = pools.beside(old, new) == 2
    return in_place and question.kept > _MOST_WORDS and not _doubtful(pools, old, new)


# ---------------------------------------------------------------- what is told


def _findings(pools: _Pools) -> list[Diagnostic]:
    """What could not be decided, and what became another notetype."""
    found: list[Diagnostic] = []
    for index, entries in sorted(pools.unsure.items()):
        if index in pools.new:
            candidate = pools.new[index]
            names = " and ".join(f'"{e.question[:60]}" ({e.path})' for e in entries[:2])
            found.append(diagnostics.at("O802", candidate.path, candidate.line, names))
    left = _grouped(pools.olds.values(), lambda old: (old.cloze, old.path))
    for candidate in pools.new.values():
        others = left.get((not candidate.cloze, candidate.path), [])
        if any(_turned_into(pools, old, candidate) for old in others[:_MOST_TURNED]):
            found.append(diagnostics.at("O803", candidate.path, candidate.line))
    return found


_MOST_TURNED = 100
"""Entries that are looked at for one flashcard of the other notetype."""


def _turned_into(pools: _Pools, old: _Old, new: Candidate) -> bool:
    """Whether a flashcard was rewritten as a cloze, or a cloze as a question."""
    if old.texts[0] == new.question_digest:
        return True
    then, now = old.entry.question, new.question
    if old.cloze:
        now += f" {new.answer}"
    else:
        then += f" {old.entry.answer}"
    return bool(pools.beside(old, new)) and pools.words.compared(then, now).kept > _MOST_WORDS
