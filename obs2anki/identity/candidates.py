"""The flashcards of a vault, as they are compared with what the ledger remembers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from obs2anki.data import Entry, Value, VaultPath

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
