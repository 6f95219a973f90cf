"""Flashcards that are the same but for the names of the files that they show.

    ledger:   "What is this? ![[Pasted image 20240412.png]]"   "Liver"
    vault:    "What is this? ![[7d793037a0760186.png]]"        "Liver"

Plugins rename every file of a vault; then the order of the flashcards tells which is which.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from obs2anki.data import Entry
from obs2anki.identity.candidates import Candidate
from obs2anki.identity.likeness import doubtful
from obs2anki.identity.pools import Old, Pools, grouped, place_of


def same_but_for_pictures(pools: Pools) -> None:
    """Same document, question and answer, but for the names of files: programs rename them all.

    Only in the order of then, among themselves and beside what is known, and where the reviews do
    not speak against it: with another file a flashcard may be another.
    """
    olds = grouped(pools.olds.values(), lambda o: _has_files(o.entry) and o.path)
    found: list[tuple[Old, Candidate]] = []
    for path, new in grouped(pools.new.values(), lambda c: _has_files(c) and c.path).items():
        old = sorted(olds.get(path, ()), key=place_of)
        new.sort(key=lambda c: c.index)
        for i, j in _lined_up(
            [(o.cloze, *_without_files(o.entry)) for o in old],
            [(c.cloze, *_without_files(c)) for c in new],
        ):
            if not pools.astray(old[i], new[j]) and not doubtful(pools, old[i], new[j]):
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
