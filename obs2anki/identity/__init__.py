"""Which Anki note a flashcard is: its GUID, by which an import finds the note again.

    Capital of Norway;; Oslo        ->  guid_for("obs2anki", "Capital of Norway")

A flashcard that was exported before is known again by what the ledger remembers of it, however
it was edited (`matching`). One seen for the first time gets a GUID made of its text, so that two
people, or two copies of a vault, get the same GUIDs for the same text without talking.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from datetime import date
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import cast

from msgspec import structs

from obs2anki import cloze
from obs2anki.data import (
    DeckName,
    Diagnostic,
    Entry,
    Flashcard,
    FlashcardType,
    Guid,
    Ordinal,
    Review,
    Sm2Review,
    Value,
    VaultPath,
)
from obs2anki.identity.candidates import NOTHING, Candidate, Known
from obs2anki.identity.matching import match
from obs2anki.identity.ordinals import Ordinals, asked_digests, keep, new_places
from obs2anki.identity.texts import comparable, digest

__all__ = [
    "Assigned",
    "Fate",
    "Key",
    "Known",
    "Ordinals",
    "assign",
    "created",
    "digest",
    "guid_for",
    "keep",
    "key",
    "new_places",
    "note_id",
    "remembered",
]

REMEMBERED = 200
"""Characters of a question, and of an answer, that the ledger keeps."""


class Key(Value, frozen=True):
    """What tells one flashcard from another: its question and its answer, for comparing."""

    question: str
    answer: str
    question_digest: str
    answer_digest: str

    @property
    def texts(self) -> tuple[str, str]:
        """Digests of question and answer."""
        return self.question_digest, self.answer_digest


class Assigned(Value, frozen=True):
    """A flashcard's GUID, and what the ledger remembered of it; None = seen for the first time."""

    guid: Guid
    entry: Entry | None
    key: Key


def key(flashcard: Flashcard) -> Key:
    """The question and the answer as they are shown, in one form of Unicode and white space.

    A flashcard that becomes a list item asks the same.

    A cloze's question is its text with every answer in place, so that marking other words
    asks the same; its answer is the text with its marks.
    """
    first = flashcard.shown[0]
    if flashcard.cloze is not None:
        solved = cloze.solved(first, flashcard.cloze)
        return _key(comparable(solved), comparable(first))
    return _key(comparable(first), comparable(flashcard.shown[1]))


def _key(question: str, answer: str) -> Key:
    return Key(question, answer, digest(question), digest(answer))


# ---------------------------------------------------------------- GUIDs


def assign(
    flashcards: Sequence[Flashcard],
    namespace: str,
    entries: Sequence[Entry] = (),
    unseen: Sequence[Entry] = (),
    keys: Sequence[Key] = (),
    guids: Sequence[Guid] = (),
    known: Known = NOTHING,
    today: date = date.max,
) -> tuple[list[Assigned], list[Diagnostic]]:
    """A GUID for each flashcard, all different; flashcards in vault order.

    `keys` are those of the flashcards, and `guids` what `guid_for` makes of their questions, if
    that is known already. `known` is what needs no answer.

    What `entries` remember keeps its GUID. Of several new flashcards with one question the first
    has the question alone, the next question and answer, exact duplicates also path and count;
    never a GUID that the ledger knows. What has left the vault lately, as seen from `today`, may
    come back with other words. `unseen` are entries of documents that could not be read: nothing
    takes their GUIDs.
    """
    keys = keys or [key(flashcard) for flashcard in flashcards]
    matched: dict[int, Entry] = {}
    found: list[Diagnostic] = []
    if entries:
        quiet = settled(flashcards, keys, entries, known)
        candidates = _Candidates(flashcards, keys)
        matched, found = match(candidates, entries, quiet, known, today)
    fresh = _Fresh(namespace, {entry.guid for entry in (*entries, *unseen)}, keys, guids)
    assigned: list[Assigned] = []
    for index in _open(flashcards, known):
        entry = matched.get(index)
        guid = fresh.guid(index, flashcards[index].path) if entry is None else entry.guid
        assigned.append(Assigned(guid, entry, keys[index]))
    return assigned, found


def _open(flashcards: Sequence[Flashcard], known: Known) -> Sequence[int]:
    """The indices of the flashcards that are not known, in vault order."""
    every = range(len(flashcards))
    return sorted(set(every) - known.indices) if known.indices else every


class _Fresh:
    """New GUIDs, one after the other in vault order."""

    def __init__(
        self, namespace: str, known: set[Guid], keys: Sequence[Key], guids: Sequence[Guid]
    ) -> None:
        """`keys` are those of all flashcards, `guids` those of their questions, if known."""
        self._namespace = namespace
        self._taken = known
        self._keys = keys
        self._guids = guids
        self._noted = 0
        self._seen: set[tuple[str, str]] = set()
        """Questions with their answers, of so many flashcards from the first on."""
        self._copies: Counter[tuple[str, str, VaultPath]] = Counter()

    def guid(self, index: int, path: VaultPath) -> Guid:
        """A GUID that nothing has, for the flashcard with an index."""
        guid = Guid("")
        for before in self._keys[self._noted : index]:
            self._seen.add((before.question, before.answer))
        self._noted = index
        texts = self._keys[index].question, self._keys[index].answer
        if texts not in self._seen:
            guids = self._guids
            guid = guids[index] if guids else guid_for(self._namespace, texts[0])
            if guid in self._taken:
                guid = guid_for(self._namespace, *texts)
        while not guid or guid in self._taken:
            self._copies[*texts, path] += 1
            guid = guid_for(self._namespace, *texts, path, str(self._copies[*texts, path]))
        self._taken.add(guid)
        return guid


_DIGITS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&()*+,-./:;<=>?@[]^_`{|}~"
)
"""Of numbers to base 91, as Anki writes them."""
_PAIRS = [tens + ones for tens in _DIGITS for ones in _DIGITS]


def guid_for(*texts: str) -> Guid:
    """The GUID that genanki (0.13) would make of texts, made with fewer divisions."""
    hashed = hashlib.sha256("__".join(texts).encode()).digest()
    # Five pairs of digits hold any number of 64 bits.
    rest, fifth = divmod(int.from_bytes(hashed[:8], "big"), len(_PAIRS))
    rest, fourth = divmod(rest, len(_PAIRS))
    rest, third = divmod(rest, len(_PAIRS))
    first, second = divmod(rest, len(_PAIRS))
    digits = f"{_PAIRS[first]}{_PAIRS[second]}{_PAIRS[third]}{_PAIRS[fourth]}{_PAIRS[fifth]}"
    return Guid(digits.lstrip(_DIGITS[0]))  # a number has no zeros before it


@lru_cache(maxsize=4096)  # many flashcards stand below one heading
def _beneath(headings: tuple[str, ...]) -> str:
    """Digest of the headings above a flashcard."""
    return digest(*headings)


class _Candidates:
    """The flashcards as they can be compared, each with the texts that stand around it.

    Each is made when it is asked for: in a vault that changed little most never are.
    """

    def __init__(self, flashcards: Sequence[Flashcard], keys: Sequence[Key]) -> None:
        self._flashcards = flashcards
        self._keys = keys
        self._made: dict[int, Candidate] = {}

    def __len__(self) -> int:
        return len(self._flashcards)

    def __getitem__(self, index: int) -> Candidate:
        known = self._made.get(index)
        if known is None:
            known = self._made[index] = self._candidate(index)
        return known

    def having(self, texts: Set[str]) -> Iterator[Candidate]:
        """Those whose question or answer has one of these digests, in vault order."""
        for index, own in enumerate(self._keys):
            if own.question_digest in texts or own.answer_digest in texts:
                yield self[index]

    def sides(self, last: str) -> Iterator[str]:
        """Questions and answers, as far as they are remembered, of digests not above `last`."""
        yield from (k.question[:REMEMBERED] for k in self._keys if k.question_digest <= last)
        yield from (k.answer[:REMEMBERED] for k in self._keys if k.answer_digest <= last)

    def is_reviewed(self) -> bool:
        """Whether any of them has a review."""
        return any(map(reviews_of, self._flashcards))

    def _candidate(self, index: int) -> Candidate:
        flashcard, own = self._flashcards[index], self._keys[index]
        return Candidate(
            index,
            flashcard.cloze is not None,
            flashcard.path,
            flashcard.line,
            flashcard.anchor,
            own.question[:REMEMBERED],
            own.answer[:REMEMBERED],
            own.question_digest,
            own.answer_digest,
            _beneath(flashcard.context),
            reviews_of(flashcard),
            frozenset(asked_digests(flashcard)),
            self._texts(index - 1, flashcard.path),
            self._texts(index + 1, flashcard.path),
        )

    def _texts(self, index: int, path: VaultPath) -> tuple[str, str] | None:
        """The texts of a neighbour, if it stands in the same document."""
        inside = 0 <= index < len(self) and self._flashcards[index].path == path
        return self._keys[index].texts if inside else None


def settled(
    flashcards: Sequence[Flashcard],
    keys: Sequence[Key],
    entries: Sequence[Entry],
    known: Known = NOTHING,
) -> dict[int, Entry]:
    """The entries, by a flashcard's index, of documents that ask what they asked, in any order.

    Each flashcard there, and each entry, has a counterpart with the same texts and block id, and
    no text stands twice. So the first passes of `matching` come to nothing else, and no document
    was renamed to this one: it was there before.
    """
    then: defaultdict[VaultPath, dict[tuple[str, str], Entry]] = defaultdict(dict)
    live: Counter[VaultPath] = Counter()
    for entry in entries:
        if entry.gone is None and entry.path not in known.paths:
            then[entry.path][entry.digest] = entry
            live[entry.path] += 1
    result: dict[int, Entry] = {}
    for path, group in groupby(_open(flashcards, known), key=lambda at: flashcards[at].path):
        document = list(group)
        stood = then.get(path, {})
        if len(document) == len(stood) == live[path]:
            found = [stood.pop(keys[index].texts, None) for index in document]
            if all(map(_is_counterpart, [flashcards[index] for index in document], found)):
                result.update(zip(document, cast("list[Entry]", found), strict=True))
    return result


def _is_counterpart(flashcard: Flashcard, entry: Entry | None) -> bool:
    return (
        entry is not None
        and entry.block_id == flashcard.anchor
        and (entry.type is FlashcardType.CLOZE) == (flashcard.cloze is not None)
    )


# ---------------------------------------------------------------- what is remembered


class Fate(Value, frozen=True):
    """What became of a flashcard in this run, for the ledger."""

    deck: DeckName
    content: str
    """Digest of fields, tags and media; empty if it never became a note."""
    mod: int
    """Seconds since the epoch."""
    seen: int
    """Seconds since the epoch."""
    ordinals: tuple[Ordinal, ...] = ()


def remembered(
    flashcards: Sequence[Flashcard],
    assigned: Sequence[Assigned],
    fates: Sequence[Fate],
    entries: Sequence[Entry],
    today: date,
    unseen: Sequence[Entry] = (),
    known: Known = NOTHING,
) -> tuple[Entry, ...]:
    """The ledger after this run, by GUID; what has left the vault since is gone from `today` on.

    `entries` are what the ledger remembers. Of these, `unseen` stand in documents that could not
    be read, so they have not left; what is `known` is as it was.
    """
    here = {*(one.guid for one in assigned), *(entry.guid for entry in unseen)}
    changed = {
        entry.guid: structs.replace(entry, gone=today)
        for entry in entries
        if entry.gone is None and entry.path not in known.paths and entry.guid not in here
    }
    before: dict[VaultPath, Guid] = {}
    for flashcard, one, fate in zip(flashcards, assigned, fates, strict=True):
        old = one.entry
        unchanged = old is not None and old.content == fate.content
        now = Entry(
            one.guid,
            flashcard.type,
            flashcard.path,
            fate.deck,
            flashcard.tags,
            flashcard.anchor,
            one.key.question[:REMEMBERED],
            one.key.answer[:REMEMBERED],
            one.key.texts,
            _beneath(flashcard.context),
            before.get(flashcard.path),
            # A review is no change: it must not make the ledger differ every day. One that was
            # deleted is, for it would speak against the flashcard once that is reworded.
            old.reviews
            if old is not None and unchanged and any(flashcard.reviews)
            else reviews_of(flashcard),
            fate.content,
            fate.mod,
            fate.seen,
            fate.ordinals,
            None,  # it has not left
        )
        if now != old:  # what is as it was is held once
            changed[one.guid] = now
        before[flashcard.path] = one.guid
    if not changed:
        return tuple(entries)
    # In their order, so that little is left to sort.
    ledger = [changed.pop(entry.guid, entry) for entry in entries]
    return tuple(sorted([*ledger, *changed.values()], key=attrgetter("guid")))


def reviews_of(flashcard: Flashcard) -> tuple[str, ...]:
    """The reviews as text, for comparing; empty if no card was ever reviewed."""
    if not any(flashcard.reviews):
        return ()
    return tuple(_told(review) for review in flashcard.reviews)


def _told(review: Review | None) -> str:
    if review is None:
        return "-"
    if isinstance(review, Sm2Review):
        return f"{review.due.isoformat()},{review.interval},{review.ease}"
    return f"{review.due.isoformat()},{review.interval:g},{review.stability:g}"


def note_id(guid: Guid) -> str:
    """16 hexadecimal digits that stand for a GUID in Anki's searches, where it cannot stand.

    A GUID may hold `<`, `&` or `"`; the Id field must not.
    """
    return hashlib.sha256(guid.encode()).hexdigest()[:16]


FIRST_ID = 1577836800
"""2020-01-01, seconds since the epoch: no note of ours has an older id."""

_SPAN = 157_680_000
"""Seconds of five years."""


def created(id_: str) -> int:
    """When a note says that it was made, by its Id (`note_id`); Anki's ids follow from it.

    Seconds since the epoch. Reviews outlive their card in Anki, and belong to whatever card has
    its id next: so no two flashcards have the same ids, whatever comes and goes around them. And
    two computers that add one flashcard before they know of each other make notes and cards with
    the same ids: Anki's own sync takes these for one.
    """
    return FIRST_ID + int(id_, 16) % _SPAN
