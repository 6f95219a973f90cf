"""Where documents went that are no more, by what stood in them.

    ledger:   biology/cells.md   three flashcards
    vault:    plants/Cells.md    two of them, and no biology/cells.md

What stood in the one is then looked for in the other, as if it had kept its name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from obs2anki.data import Entry, FlashcardType, VaultPath
from obs2anki.identity.candidates import Candidate, Texts
from obs2anki.identity.likeness import says_enough


def renamed_documents(
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
    renamed |= _gone_with_answers(renamed, old, new, 1, lambda e: says_enough(e.answer))
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
    others = [entry for entry in old if entry.path not in renamed]
    basic = [entry for entry in others if entry.type is not FlashcardType.CLOZE]
    taken = set(renamed.values())
    answered, shared = _gone_to(
        [(entry.path, entry.answer_digest) for entry in basic if tells(entry)],
        [(c.path, c.answer_digest) for c in new if c.path not in taken and not c.cloze],
    )
    texts: dict[tuple[VaultPath, Hashable], None] = dict.fromkeys(
        (e.path, e.digest if e.type is FlashcardType.CLOZE else e.answer_digest) for e in others
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
