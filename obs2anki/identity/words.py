"""How much of the telling words of a text another text still has.

    "What is the capital of Norway?"   "Name the capital of Norway."     much: Norway is rare
    "What is the capital of Norway?"   "What is the capital of Sweden?"  little, for all the frame

A word is the more telling the fewer flashcards of the vault have it. A slip of the pen leaves a
word nearly itself.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process
from rapidfuzz.distance import DamerauLevenshtein

_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_UNSPACED = "\u2e80"
"""From here on scripts put no spaces between words."""

SAMPLE = 10_000
"""About so many texts are counted at most; more would not change what is rare."""

_NAME = 3
"""Texts up to which a word is a name: a flashcard often says it in question and answer."""

_MUCH = 0.75
"""What share of the weight of the most telling word tells much as well."""

_HELD = 4_096
"""Words and texts that are held at a time; those of a document are compared in one go."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What became of a text's words in another text."""

    likeness: float
    """0 to 1: the weight of what both have, in the weight of both."""
    telling_kept: bool
    """Whether the most telling word of either text stands in both."""
    only_grown: bool
    """Whether words only came or only went, slips of the pen aside."""
    name_kept: bool
    """Whether a word stands in both that hardly any other flashcard has."""
    kept: float
    """0 to 1: how many of the words stand in both, whatever they tell."""


SAME = Compared(1.0, telling_kept=True, only_grown=True, name_kept=True, kept=1.0)
"""A text and itself."""


@dataclass(frozen=True, slots=True)
class _Said:
    """The words of a text."""

    counted: Counter[str]
    weight: float
    """Of all of them."""
    telling: str
    """The most telling one."""


class Words:
    """How telling each word of a vault is."""

    def __init__(self, then: Iterable[str], now: Iterable[str]) -> None:
        """Count the words of the vault's texts before and after an edit; of many, of a `share`.

        The greater count tells: what nobody edited is in both, and no commoner for that.
        """
        left = Counter(then)
        both: list[str] = []
        new: list[str] = []
        for text in now:
            stayed = left.get(text, 0)
            left[text] = stayed - 1
            (both if stayed > 0 else new).append(text)
        old = list(left.elements())
        self._count = _counted(both)
        self._count.update(_counted(old) | _counted(new))
        self._texts = len(both) + max(len(old), len(new))
        # Many a text is compared with many others.
        self.weight = lru_cache(maxsize=_HELD)(self._weight)
        self._said = lru_cache(maxsize=_HELD)(self._says)

    def _weight(self, word: str) -> float:
        """How telling a word is: more than 0, and the more the rarer."""
        return math.log(2 + self._texts / (1 + self._count[word]))

    def _says(self, text: str) -> _Said:
        counted = Counter(words(text))
        telling = max(counted, key=lambda word: (self.weight(word), len(word), word), default="")
        return _Said(counted, self._sum(counted), telling)

    def compared(self, one: str, other: str) -> Compared:
        """What became of the words of `one` in `other`."""
        said, says = self._said(one), self._said(other)
        mine, yours = said.counted, says.counted
        if not mine or not yours:
            same = float(fuzz.ratio(one, other)) / 100
            return Compared(same, same > 0.9, same > 0.9, same > 0.9, same)
        both = mine & yours
        left, come = list((mine - both).elements()), list((yours - both).elements())
        nearly = self._nearly(left, come)
        weight = 2 * self._sum(both) + sum(
            (self.weight(old) + self.weight(new)) * alike for old, new, alike in nearly
        )
        total = said.weight + says.weight
        lost = len(left) - len(nearly)
        added = len(come) - len(nearly)
        stayed = {*both, *(old for old, _, _ in nearly), *(new for _, new, _ in nearly)}
        kept = said.telling in stayed or says.telling in stayed
        name = any(self._count[word] <= _NAME for word in both)
        share = 2 * (both.total() + len(nearly)) / (mine.total() + yours.total())
        return Compared(weight / total, kept, not lost or not added, name, share)

    def exchanged(self, one: str, other: str) -> bool:
        """Whether a word that tells much of what either text does went, and another such came."""
        mine, yours = frozenset(words(one)), frozenset(words(other))
        most = max(self._most(mine), self._most(yours))
        return min(self._most(mine - yours), self._most(yours - mine)) >= _MUCH * most

    def _most(self, different: frozenset[str]) -> float:
        """The weight of the most telling word."""
        return max(map(self.weight, different), default=0.0)

    def _sum(self, counted: Counter[str]) -> float:
        return sum(self.weight(word) * times for word, times in counted.items())

    def _nearly(self, left: list[str], come: list[str]) -> list[tuple[str, str, float]]:
        """Words that are nearly the same, each taken once, and how nearly."""
        waiting = list(come)
        found: list[tuple[str, str, float]] = []
        for word in left:
            if _DIGIT.search(word):
                continue  # another number is another number
            most = max(len(word) // 4, 1)
            best = process.extractOne(
                word, waiting, scorer=DamerauLevenshtein.distance, score_cutoff=most
            )
            if best and len(word) > 1 < len(best[0]):
                waiting.remove(best[0])
                longer = max(len(word), len(best[0]))
                found.append((word, best[0], 1 - best[1] / longer))
        return found


def share(many: int) -> str:
    """Of `many` texts those are to be counted whose digest is not above this one.

    So the same ones are, wherever they stand.
    """
    return f"{(1 << 48) // max(many // SAMPLE, 1) - 1:012x}"


def _counted(texts: Iterable[str]) -> Counter[str]:
    """In how many of the texts each word stands."""
    return Counter(word for text in texts for word in _different(text))


@lru_cache(maxsize=2 * SAMPLE)  # a watch asks again and again
def _different(text: str) -> frozenset[str]:
    return frozenset(words(text))


def words(text: str) -> list[str]:
    """The words of a text, folded; of scripts without spaces each pair of characters."""
    found = _WORD.findall(text.casefold())
    if text.isascii():
        return found
    result: list[str] = []
    for word in found:
        if len(word) > 2 and any(character >= _UNSPACED for character in word):
            result += (word[i : i + 2] for i in range(len(word) - 1))
        else:
            result.append(word)
    return result
