"""How surely a flashcard is one that was reworded, and which pairs are sure enough."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from obs2anki.data import Entry
from obs2anki.identity.candidates import Candidate
from obs2anki.identity.pools import CROWD, Old, Pools, grouped, place_of

if TYPE_CHECKING:
    from obs2anki.identity.words import Compared


@dataclass(frozen=True, slots=True)
class Likely:
    """A pair that may be one flashcard; the score is out of 100 for the texts alone."""

    score: float
    old: Old
    new: Candidate

    def reads_like(self, other: Likely) -> bool:
        """Whether it makes no difference to a reader which of the two pairs is taken."""
        return self.old.texts == other.old.texts and self.new.texts == other.new.texts


MARGIN = 8.0
"""How much better than any rival a pair must be."""


def take_best(pools: Pools, likely: list[Likely]) -> None:
    """Take pairs from the best down, but for those with a rival nearly as good."""
    ranked = sorted(likely, key=lambda p: (-p.score, p.old.path, p.old.order, p.new.index))
    by_old = grouped(ranked, lambda p: p.old.entry.guid)
    by_new = grouped(ranked, lambda p: p.new.index)
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


def likely_pairs(pools: Pools, olds: list[Old], new: list[Candidate]) -> list[Likely]:
    """The pairs of one document that may be one flashcard, reworded."""
    pairs: Iterator[tuple[Old, Candidate]]
    if len(olds) * len(new) <= CROWD:
        pairs = ((old, candidate) for old in olds for candidate in new)
    else:
        pairs = _nearby(pools, olds, new)
    scored = (Likely(likeness_of(pools, old, c), old, c) for old, c in pairs)
    return [pair for pair in scored if pair.score > 0]


def _nearby(pools: Pools, olds: list[Old], new: list[Candidate]) -> Iterator[tuple[Old, Candidate]]:
    """Where a whole long document was rewritten, only what stood in about the same place.

    That is where the nearest that is known stood; if none is, as far down as it stands now.
    """
    ordered = sorted(olds, key=place_of)
    places = [place_of(old) for old in ordered]
    reach = max(CROWD // (2 * len(new)), 1)
    for rank, candidate in enumerate(sorted(new, key=lambda c: c.index)):
        known = pools.known_near(candidate)
        middle = rank * len(ordered) // len(new) if known is None else bisect(places, known)
        for old in ordered[max(middle - reach, 0) : middle + reach]:
            yield old, candidate


def likeness_of(pools: Pools, old: Old, new: Candidate) -> float:
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
    circumstances = 15 * has_same_reviews(old, new) + 5 * pools.beside(old, new) + 5 * unique
    return 100 * sure + circumstances


def _is_too_unlike(old: Old, new: Candidate, question: Compared) -> bool:
    """Whether so little of a question is left that its answer would have to be the same."""
    same = old.texts[0] == new.texts[0] or old.texts[1] == new.texts[1]
    return not same and question.likeness < _LEAST_LIKE and question.kept < _LEAST_KEPT


_LEAST_LIKE = 0.3
"""How like both sides have to be at least, where neither is the same."""

_LEAST_KEPT = 2 / 3
"""What share of its words a question keeps at least that is told by them, not by what they tell."""


def _side(pools: Pools, old: str, new: str, same: bool) -> Compared:
    from obs2anki.identity.words import SAME

    return SAME if same else pools.words.compared(old, new)


def has_same_reviews(old: Old, new: Candidate) -> bool:
    """Whether the reviews below it are those that it had."""
    return bool(old.entry.reviews) and old.entry.reviews == new.reviews


def _basic_likeness(
    pools: Pools, old: Old, new: Candidate, question: Compared, answer: Compared
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
    pools: Pools, old: Old, new: Candidate, question: Compared, answer: Compared
) -> bool:
    """Whether a flashcard stands where it stood, with much of both sides."""
    if doubtful(pools, old, new) or pools.beside(old, new) < 2:
        return False
    told = question.telling_kept or has_same_reviews(old, new)
    # Where a word was exchanged on either side, what they share may be a frame.
    grown = question.only_grown or answer.only_grown
    return told and grown and question.kept >= _LEAST_KEPT and answer.kept >= MOST_WORDS


def _is_touched_above_its_reviews(
    pools: Pools, old: Old, new: Candidate, question: Compared, answer: Compared
) -> bool:
    """Whether both sides still say what they said, above reviews that no other had."""
    if not (question.telling_kept and answer.telling_kept):
        return False
    if not _has_its_own_reviews(pools, old, new):
        return False
    sides = ((old.entry.question, new.question), (old.entry.answer, new.answer))
    return not any(pools.words.exchanged(then, now) for then, now in sides)


def _nearly_same(old: Old, new: Candidate, question: Compared, answer: Compared) -> bool:
    """Whether either side changed by no more than a letter in five, and one only grew."""
    from rapidfuzz import fuzz

    if not (question.telling_kept and answer.telling_kept):
        return False
    if not (question.only_grown or answer.only_grown):
        return False
    alike = fuzz.ratio(old.entry.question, new.question)
    return bool(alike >= 80 and fuzz.ratio(old.entry.answer, new.answer) >= 80)


def _needed(pools: Pools, old: Old, new: Candidate, same: str, other: Compared) -> float:
    """How like the other side has to be, where one side is the same."""
    digest = new.texts[0] if same == "question" else new.texts[1]
    text = new.question if same == "question" else new.answer
    alone = pools.alone_with(old, new, same, digest)
    if same == "question" and not says_enough(text):
        alone = alone and old.entry.context_digest == new.context_digest
    only = alone and pools.alone(False, None, same, digest) is not None
    beside = pools.beside(old, new)
    in_place = beside > 0 or pools.between(old, new)
    if _has_its_own_reviews(pools, old, new):
        return 0.0
    # Who rewords a flashcard may want to learn it anew, and delete its review.
    clear = (alone and says_enough(text)) or (_has_stayed(pools, old, new) and _is_reworded(other))
    doubt = _has_anothers_reviews(pools, old, new) or (
        not clear and has_lost_reviews(pools, old, new)
    )
    if in_place and not doubt and _stayed(pools, old, new, same, alone, text, other):
        return 0.0
    if only and says_enough(text) and not doubt:
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
    pools: Pools, old: Old, new: Candidate, same: str, alone: bool, text: str, other: Compared
) -> bool:
    """Whether a flashcard, about where one stood that has a side with it in common, is that one.

    An answer such as Yes says little: then much of the question has to be the same as well.
    """
    beside = pools.beside(old, new)
    if alone and beside and says_enough(text):
        return True
    if alone and len(text) > _SHORT and _has_stayed(pools, old, new):
        return True
    if alone and other.kept > MOST_WORDS and (beside == 2 or other.telling_kept):
        return True
    if beside < 2:
        return False
    if same == "question":
        return old.entry.context_digest == new.context_digest
    return other.kept > MOST_WORDS and (other.telling_kept or has_same_reviews(old, new))


def _has_stayed(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether a flashcard stands between those between which the entry stood."""
    beside = pools.beside(old, new)
    return beside == 2 or (beside == 1 and pools.between(old, new))


def _is_reworded(other: Compared) -> bool:
    """Whether a side is the one of then, with some words more or fewer, or some exchanged."""
    return other.only_grown or (other.telling_kept and other.kept > MOST_WORDS)


def keeps_its_answer(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether most words of the answer are left."""
    return pools.words.compared(old.entry.answer, new.answer).kept > MOST_WORDS


def says_enough(text: str) -> bool:
    """Whether a text that stands nowhere else says by itself what it belongs to."""
    return len(text) >= _LONG and (" " in text or not text.isascii())


_SHORT = 4
"""Characters up to which an answer (Yes, 1945, O(1)) belongs to anything."""

MOST_WORDS = 0.5
"""What share of its words a side keeps that was reworded, whatever words they are."""

_LONG = 10
"""Characters from which on a text that stands nowhere else says by itself what it belongs to."""

_SENTENCE = 20
"""Characters from which on it does so wherever it stands in its document."""


def doubtful(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether the reviews speak against one flashcard."""
    return has_lost_reviews(pools, old, new) or _has_anothers_reviews(pools, old, new)


def has_lost_reviews(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether the review is gone that a reworded flashcard would still carry."""
    return bool(old.entry.reviews) and not new.reviews and pools.reviewed


def _has_its_own_reviews(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether the reviews are those that stood below it, and below no other of the document."""
    return has_same_reviews(old, new) and len(pools.reviews[old.path, new.reviews]) == 1


def _has_anothers_reviews(pools: Pools, old: Old, new: Candidate) -> bool:
    """Whether the reviews are those that stood below another flashcard of the document.

    Flashcards that are learnt together have the same: then others have them still.
    """
    theirs = pools.reviews.get((old.path, new.reviews), set()) if new.reviews else set()
    others = pools.reviewed_now[new.path, new.reviews] - 1
    return others < len(theirs) and old.entry.guid not in theirs


def _cloze_likeness(pools: Pools, old: Old, new: Candidate, question: Compared) -> float:
    """A cloze text in which other words are asked for is soon another flashcard."""
    then = asked_then(old.entry)
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


def asked_then(entry: Entry) -> frozenset[str]:
    """Digests of what a cloze asked for."""
    return frozenset(o.digest for o in entry.ordinals if not o.gone)


def _asks_for_the_same(pools: Pools, old: Old, new: Candidate, question: Compared) -> bool:
    """Whether a cloze that asks for what an old one did is that one, whatever is around it."""
    if _has_its_own_reviews(pools, old, new):
        return True
    in_place = pools.beside(old, new) == 2
    return in_place and question.kept > MOST_WORDS and not doubtful(pools, old, new)
