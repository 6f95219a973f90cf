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
from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

_WORD = re.compile(r"\w+")
_UNSPACED = "\u2e80"
"""From here on scripts put no spaces between words."""

SAMPLE = 20_000
"""Texts that are counted at most; more would not change what is rare."""

_NEARLY = 75
"""Out of 100: how alike two words are that are one word, misspelt or inflected."""


class Words:
    """How telling each word of a vault is."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Count the words of `texts`, of many only some."""
        step = max(len(texts) // SAMPLE, 1)
        counted = texts[::step]
        self._count: Counter[str] = Counter()
        for text in counted:
            self._count.update(set(words(text)))
        self._texts = len(counted)

    def weight(self, word: str) -> float:
        """How telling a word is: more than 0, and the more the rarer."""
        return math.log(2 + self._texts / (1 + self._count[word]))

    def likeness(self, one: str, other: str) -> float:
        """0 to 1: the weight of what both texts have, in the weight of both."""
        mine, yours = Counter(words(one)), Counter(words(other))
        if not mine or not yours:
            return float(fuzz.ratio(one, other)) / 100
        both = mine & yours
        left, right = mine - both, yours - both
        shared = 2 * self._sum(both) + self._nearly(left, right)
        return shared / (self._sum(mine) + self._sum(yours))

    def _sum(self, counted: Counter[str]) -> float:
        return sum(self.weight(word) * times for word, times in counted.items())

    def _nearly(self, left: Iterable[str], right: Iterable[str]) -> float:
        """The weight of words that are nearly the same, each taken once."""
        waiting = [word for word in right if len(word) > 3]
        weight = 0.0
        for word in left:
            if len(word) > 3 and waiting:
                found = process.extractOne(word, waiting, scorer=fuzz.ratio, score_cutoff=_NEARLY)
                if found:
                    waiting.remove(found[0])
                    weight += (self.weight(word) + self.weight(found[0])) * found[1] / 100
        return weight


def words(text: str) -> list[str]:
    """The words of a text, folded; of scripts without spaces each pair of characters."""
    result: list[str] = []
    for word in _WORD.findall(text.casefold()):
        if len(word) > 2 and any(character >= _UNSPACED for character in word):
            result += (word[i : i + 2] for i in range(len(word) - 1))
        else:
            result.append(word)
    return result
