"""Knowing a flashcard again after an edit, from strong evidence to weak.

    ledger:   biology/cells.md   "What holds a cell together?"   "The cell wall"
    vault:    biology/Cells.md   "What keeps a cell together?"   "The cell wall"

Each pass looks only at what is still unmatched, and pairs one entry with one flashcard. Where
two are nearly as good, neither is taken: the flashcard gets a new GUID and its author is told.
No GUID ever passes to another flashcard for the sake of keeping one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType

from obs2anki import diagnostics
from obs2anki.data import Diagnostic, Entry, Guid, VaultPath
from obs2anki.identity.candidates import NOTHING, Candidate, Candidates, Known, Settled
from obs2anki.identity.elsewhere import reworded_elsewhere
from obs2anki.identity.likeness import (
    MOST_WORDS,
    has_same_reviews,
    keeps_its_answer,
    likely_pairs,
    says_enough,
    take_best,
)
from obs2anki.identity.pictures import same_but_for_pictures
from obs2anki.identity.pools import Old, Pools, grouped, olds_of
from obs2anki.identity.renames import renamed_documents
from obs2anki.identity.twins import alike, pair_twins, pair_unique

LATELY = timedelta(days=7)
"""How long ago a flashcard may have left the vault that comes back with other words."""


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
    renamed = renamed_documents(
        [e for e in rest if e.gone is None or (e.guid in lately and e.path not in there)],
        open_,
        entries,
    )
    olds = olds_of(entries, rest, renamed)
    pools = Pools(
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


def _same_block_id(pools: Pools) -> None:
    """Same document and block id: its author named it."""
    _named_alike(pools, pools.olds)


def _named_alike(pools: Pools, pool: dict[Guid, Old]) -> None:
    pair_unique(
        pools,
        pool,
        lambda o: (o.cloze, o.path, o.entry.block_id) if o.entry.block_id else None,
        lambda c: (c.cloze, c.path, c.block_id) if c.block_id else None,
    )


def _same_texts(pools: Pools) -> None:
    """Same document, question and answer."""
    _said_alike(pools, pools.olds)


def _said_alike(pools: Pools, pool: dict[Guid, Old]) -> None:
    pair_twins(
        pools,
        pool,
        lambda o: (o.cloze, o.path, o.texts),
        lambda c: (c.cloze, c.path, c.texts),
    )


def _returned(pools: Pools) -> None:
    """Back in its document, after a branch switch or a cut and paste.

    By its block id, if it has left lately, or by what it says.
    """
    _named_alike(pools, pools.lately)
    _said_alike(pools, pools.gone)


def _same_question(pools: Pools) -> None:
    """Same document and question, answered anew; the headings decide between equals.

    A question that stands there several times ("Symptoms?") says little by itself, and a short
    one only below the same headings. One that had left may be back.
    """
    for pool in (pools.olds, pools.gone):
        pair_unique(
            pools,
            pool,
            lambda o: (
                says_enough(o.entry.question)
                and pools.alone(o.cloze, o.path, "question", o.entry.question_digest)
            ),
            lambda c: (
                says_enough(c.question)
                and pools.alone(c.cloze, c.path, "question", c.question_digest)
            ),
        )
        pair_unique(
            pools,
            pool,
            lambda o: pools.alone(o.cloze, o.path, o.entry.context_digest, o.entry.question_digest),
            lambda c: pools.alone(c.cloze, c.path, c.context_digest, c.question_digest),
        )


def _answered_anew(pools: Pools) -> None:
    """Same document and question, with the same reviews or beside the same flashcard."""
    for group, rivals in alike(
        pools,
        pools.olds,
        lambda o: pools.alone(o.cloze, o.path, "question", o.entry.question_digest),
        lambda c: pools.alone(c.cloze, c.path, "question", c.question_digest),
    ):
        (old,), (new,) = group, rivals
        if not says_enough(new.question):
            continue
        if has_same_reviews(old, new) or pools.anchored(old, new):
            pools.pair(old, new)


def _moved(pools: Pools) -> None:
    """The same question and answer in another document."""
    _move(pools, pools.olds)


def _moved_and_returned(pools: Pools) -> None:
    """Cut from one document some runs ago, pasted into another."""
    _move(pools, pools.gone)


def _move(pools: Pools, pool: dict[Guid, Old]) -> None:
    pair_twins(
        pools,
        pool,
        lambda o: o.texts not in pools.copied and (o.cloze, o.texts),
        lambda c: c.texts not in pools.copied and (c.cloze, c.texts),
    )


def _copied(pools: Pools) -> None:
    """The same question and answer in a copy of the document, or in the one it is a copy of.

    Only now: a flashcard that was reworded there is the one of then, and its copy is not.
    """
    for pool in (pools.olds, pools.gone):
        pair_twins(pools, pool, lambda o: (o.cloze, o.texts), lambda c: (c.cloze, c.texts))


def _same_question_elsewhere(pools: Pools) -> None:
    """Moved and answered anew: only a question that stands nowhere twice, then or now.

    One that says little (`Why?`, the name of a key) needs much of its answer as well.
    """
    for pool in (pools.olds, pools.lately):
        for group, rivals in alike(
            pools,
            pool,
            lambda o: pools.alone(o.cloze, None, "question", o.entry.question_digest),
            lambda c: pools.alone(c.cloze, None, "question", c.question_digest),
        ):
            (old, *others), (new,) = group, rivals
            if others:
                continue  # of what had left there may be several
            if says_enough(new.question) or keeps_its_answer(pools, old, new):
                pools.pair(old, new)


def _reworded(pools: Pools) -> None:
    """Same document, and much of the text, the reviews or the neighbours are the same.

    The best pairs are taken first; a pair that has a rival nearly as good is taken by nobody.
    What is known then may stand beside what is not, so that there is a second look. What has left
    lately comes last: who cuts a flashcard, pastes it and rewords it may be seen in between, and
    so may a program that takes a document away to bring it from another computer.
    """
    for pool in (pools.olds, pools.lately):
        taken = _take_likely(pools, pool)
        _take_likely(pools, {guid: old for guid, old in pool.items() if old.path in taken})


def _take_likely(pools: Pools, pool: Mapping[Guid, Old]) -> set[VaultPath]:
    """Pair what is likely, document by document; answers those in which anything was."""
    if not pool or not pools.new:
        return set()
    olds = grouped(pool.values(), lambda o: (o.cloze, o.path))
    new = grouped(pools.new.values(), lambda c: (c.cloze, c.path))
    for place, group in olds.items():  # in their order: a cloze may stand beside a question
        if place in new:
            take_best(pools, likely_pairs(pools, group, new[place]))
    return {o.path for group in olds.values() for o in group if o.entry.guid not in pool}


PASSES: tuple[Callable[[Pools], None], ...] = (
    _same_block_id,
    _same_texts,
    _returned,
    _answered_anew,
    _moved,
    _moved_and_returned,
    _same_question,
    same_but_for_pictures,
    _reworded,
    _copied,
    _same_question_elsewhere,
    reworded_elsewhere,
)
"""From strong evidence to weak; the order is the rule."""


def _findings(pools: Pools) -> list[Diagnostic]:
    """What could not be decided, and what became another notetype."""
    found: list[Diagnostic] = []
    for index, entries in sorted(pools.unsure.items()):
        if index in pools.new:
            candidate = pools.new[index]
            names = " and ".join(f'"{e.question[:60]}" ({e.path})' for e in entries[:2])
            found.append(diagnostics.at("O802", candidate.path, candidate.line, names))
    left = grouped(pools.olds.values(), lambda old: (old.cloze, old.path))
    for candidate in pools.new.values():
        others = left.get((not candidate.cloze, candidate.path), [])
        if any(_turned_into(pools, old, candidate) for old in others[:_MOST_TURNED]):
            found.append(diagnostics.at("O803", candidate.path, candidate.line))
    return found


_MOST_TURNED = 100
"""Entries that are looked at for one flashcard of the other notetype."""


def _turned_into(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether a flashcard was rewritten as a cloze, or a cloze as a question."""
    if old.texts[0] == new.question_digest:
        return True
    then, now = old.entry.question, new.question
    if old.cloze:
        now += f" {new.answer}"
    else:
        then += f" {old.entry.answer}"
    return bool(pools.beside(old, new)) and pools.words.compared(then, now).kept > MOST_WORDS
