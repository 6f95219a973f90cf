"""Flashcards that were moved and reworded before the next export.

    ledger:   editing.md   "create a file"       "`%`"
    vault:    netrw.md     "Create a new file"   "`%`"

Who splits a document, or merges two, rewords what there is to mend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain

from obs2anki.data import Guid
from obs2anki.identity.candidates import Candidate
from obs2anki.identity.likeness import (
    Likely,
    asked_then,
    keeps_its_answer,
    likeness_of,
    says_enough,
    take_best,
)
from obs2anki.identity.pools import CROWD, Old, Pools, grouped
from obs2anki.identity.twins import alike


def reworded_elsewhere(pools: Pools) -> None:
    """Moved and reworded: where others of its document went, or one side and nearly the other.

    What has left lately comes last, as before.
    """
    for pool in (pools.olds, pools.lately):
        if not pool or not pools.new:
            continue
        likely = {
            (old.entry.guid, new.index): Likely(likeness_of(pools, old, new), old, new)
            for groups, may_be in (
                (_where_others_went(pools, pool), _may_have_gone_along),
                (_with_one_side(pools, pool), _says_nearly_the_same),
            )
            for group, rivals in _few(groups)
            for old in group
            for new in rivals
            if may_be(pools, old, new)
        }
        take_best(pools, [pair for pair in likely.values() if pair.score > 0])


_Groups = Iterable[tuple[list[Old], list[Candidate]]]
"""What is compared, each entry of a group with each flashcard."""


def _few(groups: _Groups) -> _Groups:
    """The first of the groups, as many as there is time to compare."""
    left_over = CROWD
    for group, rivals in groups:
        if len(group) * len(rivals) <= left_over:
            left_over -= len(group) * len(rivals)
            yield group, rivals


def _where_others_went(pools: Pools, pool: Mapping[Guid, Old]) -> _Groups:
    """Two documents each, those first between which most flashcards went with their words."""
    went = Counter(
        (pools.orders[pools.matched[c.index].guid][0], c.path)
        for c in pools.open
        if c.index in pools.matched
    )
    olds = grouped(pool.values(), lambda o: (o.cloze, o.path))
    new = grouped(pools.new.values(), lambda c: (c.cloze, c.path))
    for (left, come), _ in sorted(went.items(), key=lambda way: (-way[1], way[0])):
        for cloze in (False, True):
            if left != come and (cloze, left) in olds and (cloze, come) in new:
                yield olds[cloze, left], new[cloze, come]


def _may_have_gone_along(pools: Pools, old: Old, new: Candidate) -> bool:
    return says_enough(new.question) or keeps_its_answer(pools, old, new)


def _with_one_side(pools: Pools, pool: dict[Guid, Old]) -> _Groups:
    """What has the same answer, or asks for the same words; and what has the same question.

    Those first that are told apart with the fewest comparisons.
    """
    groups = chain(
        alike(
            pools,
            pool,
            lambda o: asked_then(o.entry) if o.cloze else o.entry.answer_digest,
            lambda c: c.asked if c.cloze else c.answer_digest,
        ),
        alike(
            pools,
            pool,
            lambda o: not o.cloze and says_enough(o.entry.question) and o.entry.question_digest,
            lambda c: not c.cloze and says_enough(c.question) and c.question_digest,
        ),
    )
    return sorted(groups, key=lambda group: len(group[0]) * len(group[1]))


def _says_nearly_the_same(pools: Pools, old: Old, new: Candidate) -> bool:
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
