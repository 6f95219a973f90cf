"""Flashcards with equal evidence: what reads the same, and what tells it apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from obs2anki.data import Guid, VaultPath
from obs2anki.identity.candidates import Candidate
from obs2anki.identity.likeness import MARGIN, Likely, has_lost_reviews, take_best
from obs2anki.identity.pools import CROWD, Old, Pools, grouped


def alike(
    pools: Pools,
    olds: dict[Guid, Old],
    old_key: Callable[[Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> Iterator[tuple[list[Old], list[Candidate]]]:
    """What has the same key on both sides."""
    if not olds or not pools.new:
        return  # a key may take a count of the whole vault
    new = grouped(pools.new.values(), new_key)
    for key, group in grouped(olds.values(), old_key).items():
        if key in new:
            yield group, new[key]


def pair_unique(
    pools: Pools,
    olds: dict[Guid, Old],
    old_key: Callable[[Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> None:
    """Pair what has a key that nobody else has, on either side."""
    for group, rivals in alike(pools, olds, old_key, new_key):
        if len(group) == len(rivals) == 1:
            pools.pair(group[0], rivals[0])


def pair_twins(
    pools: Pools,
    olds: dict[Guid, Old],
    old_key: Callable[[Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> None:
    """Pair what reads the same; of several that read the same, reviews and neighbours decide."""
    several: list[tuple[list[Old], list[Candidate]]] = []
    for group, rivals in alike(pools, olds, old_key, new_key):
        if len(group) == len(rivals) == 1:
            pools.pair(group[0], rivals[0])
        else:
            several.append((group, rivals))
    for group, rivals in several:  # now that it is known what stands around them
        _tell_twins_apart(pools, group, rivals)


def _tell_twins_apart(pools: Pools, olds: list[Old], new: list[Candidate]) -> None:
    """Pair flashcards with the very same texts.

    As many as before in one document are paired in their order: nobody can see that twins changed
    places. Otherwise they are told by the names of their documents, for a folder may have moved,
    or else by what stands around them, if anything tells them.
    """
    if len(olds) * len(new) <= CROWD:
        olds, new = _paired_by(
            pools, olds, new, lambda o: o.entry.reviews or None, lambda c: c.reviews or None
        )
    olds, new = _paired_by(pools, olds, new, lambda o: _name(o.path), lambda c: _name(c.path))
    crowded = len(olds) * len(new) > CROWD
    in_one = len({o.path for o in olds} | {c.path for c in new}) == 1
    if crowded or (in_one and len(olds) == len(new)):
        ordered = sorted(olds, key=lambda o: (o.path, o.order))
        for old, candidate in zip(ordered, sorted(new, key=lambda c: c.index), strict=False):
            pools.pair(old, candidate)
        return
    # A copy made directly above leaves both with one neighbour each. They read the same, so the
    # author sees no difference; what stood there before is taken to be the lower one.
    lower = MARGIN if len(olds) == 1 else 0.0
    take_best(
        pools,
        [
            Likely(_circumstances(pools, old, one) + lower * place, old, one)
            for old in olds
            for place, one in enumerate(new)
        ],
    )


def _paired_by(
    pools: Pools,
    olds: list[Old],
    new: list[Candidate],
    old_key: Callable[[Old], Hashable],
    new_key: Callable[[Candidate], Hashable],
) -> tuple[list[Old], list[Candidate]]:
    """Pair twins that alone have the same key; answers the rest."""
    old_by, new_by = grouped(olds, old_key), grouped(new, new_key)
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


def _circumstances(pools: Pools, old: Old, new: Candidate) -> float:
    """How well what stands around two equal flashcards agrees."""
    score = 0.0
    # Who has neither is rather the twin that had neither; few take them away.
    if old.entry.block_id == new.block_id:
        score += 50
    elif old.entry.block_id is not None:
        score -= 50
    if old.entry.reviews == new.reviews:
        score += 40
    elif has_lost_reviews(pools, old, new):
        score -= 40
    score += 20 * pools.beside(old, new) + 25 * pools.between(old, new)
    score += 5 if old.entry.context_digest == new.context_digest else 0
    return score
