"""Which Anki note a flashcard is: its GUID, by which an import finds the note again.

    Capital of Norway;; Oslo        ->  guid_for("obs2anki", "Capital of Norway")

A flashcard that was exported before is known again by what the ledger remembers of it, however
it was edited (`matching`). One seen for the first time gets a GUID made of its text, so that two
people, or two copies of a vault, get the same GUIDs for the same text without talking.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
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
from obs2anki.identity.matching import Candidate, match
from obs2anki.identity.ordinals import Ordinals, asked_digests, keep, new_places
from obs2anki.identity.texts import comparable, digest

__all__ = [
    "Assigned",
    "Fate",
    "Key",
    "Ordinals",
    "assign",
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
) -> tuple[list[Assigned], list[Diagnostic]]:
    """A GUID for each flashcard, all different; flashcards in vault order.

    `keys` are those of the flashcards, if they are known already.

    What `entries` remember keeps its GUID. Of several new flashcards with one question the first
    has the question alone, the next question and answer, exact duplicates also path and count;
    never a GUID that the ledger knows. `unseen` are entries of documents that could not be read:
    nothing takes their GUIDs.
    """
    keys = keys or [key(flashcard) for flashcard in flashcards]
    matched: dict[int, Entry] = {}
    found: list[Diagnostic] = []
    if entries:
        known = settled(flashcards, keys, entries)
        matched, found = match(_Candidates(flashcards, keys), entries, known)
    fresh = _Fresh(namespace, {entry.guid for entry in (*entries, *unseen)})
    assigned: list[Assigned] = []
    for index, (flashcard, own) in enumerate(zip(flashcards, keys, strict=True)):
        entry = matched.get(index)
        guid = fresh.guid(own, flashcard.path) if entry is None else fresh.known(entry.guid, own)
        assigned.append(Assigned(guid, entry, own))
    return assigned, found


class _Fresh:
    """New GUIDs, one after the other in vault order."""

    def __init__(self, namespace: str, known: set[Guid]) -> None:
        self._namespace = namespace
        self._taken = known
        self._seen: set[tuple[str, str]] = set()
        """Questions with their answers."""
        self._copies: Counter[tuple[str, str, VaultPath]] = Counter()

    def known(self, guid: Guid, own: Key) -> Guid:
        """Note that a flashcard has its GUID already."""
        self._seen.add((own.question, own.answer))
        return guid

    def guid(self, own: Key, path: VaultPath) -> Guid:
        """A GUID that nothing has."""
        guid = Guid("")
        texts = own.question, own.answer
        if texts not in self._seen:
            guid = guid_for(self._namespace, own.question)
            if guid in self._taken:
                guid = guid_for(self._namespace, *texts)
        while not guid or guid in self._taken:
            self._copies[*texts, path] += 1
            guid = guid_for(self._namespace, *texts, path, str(self._copies[*texts, path]))
        self._seen.add(texts)
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
    number = int.from_bytes(hashed[:8], "big")
    guid = ""
    while number:
        number, two = divmod(number, 91 * 91)
        guid = _PAIRS[two] + guid
    return Guid(guid.lstrip(_DIGITS[0]))  # a number has no zeros before it


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

    def texts(self) -> Iterator[tuple[str, str]]:
        """Digests of question and answer of all of them, in vault order."""
        return (own.texts for own in self._keys)

    def sides(self) -> Iterator[str]:
        """Question and answer of all of them, as far as they are remembered."""
        texts = (text for own in self._keys for text in (own.question, own.answer))
        return (text[:REMEMBERED] for text in texts)

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
    flashcards: Sequence[Flashcard], keys: Sequence[Key], entries: Sequence[Entry]
) -> dict[int, Entry]:
    """The entries, by a flashcard's index, of documents that ask what they asked, in any order.

    Each flashcard there, and each entry, has a counterpart with the same texts and block id, and
    no text stands twice. So the first passes of `matching` come to nothing else, and no document
    was renamed to this one: it was there before.
    """
    then: defaultdict[VaultPath, dict[tuple[str, str], Entry]] = defaultdict(dict)
    live: Counter[VaultPath] = Counter()
    for entry in entries:
        if entry.gone is None:
            then[entry.path][entry.question_digest, entry.answer_digest] = entry
            live[entry.path] += 1
    result: dict[int, Entry] = {}
    start = 0
    for path, group in groupby(flashcards, key=attrgetter("path")):
        document = list(group)
        known = then.get(path, {})
        if len(document) == len(known) == live[path]:
            found = [known.pop(own.texts, None) for own in keys[start : start + len(document)]]
            if all(map(_is_counterpart, document, found)):
                result.update(enumerate(cast("list[Entry]", found), start))
        start += len(document)
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
) -> tuple[Entry, ...]:
    """The ledger after this run, by GUID; what has left the vault since is gone from `today` on.

    What stands in a document that could not be read has not left.
    """
    here = {one.guid for one in assigned}
    result = {
        entry.guid: entry
        if entry.gone is not None or entry.guid in here
        else structs.replace(entry, gone=today)
        for entry in entries  # in their order, so that little is left to sort
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
            one.key.question_digest,
            one.key.answer_digest,
            _beneath(flashcard.context),
            before.get(flashcard.path),
            # A review is no change: it must not make the ledger differ every day.
            old.reviews if old is not None and unchanged else reviews_of(flashcard),
            fate.content,
            fate.mod,
            fate.seen,
            fate.ordinals,
            None,  # it has not left
        )
        # What is as it was is held once.
        result[one.guid] = old if old is not None and now == old else now
        before[flashcard.path] = one.guid
    result |= {entry.guid: entry for entry in unseen}
    return tuple(result[guid] for guid in sorted(result))


def reviews_of(flashcard: Flashcard) -> tuple[str, ...]:
    """The reviews as text, for comparing; empty if no card was ever reviewed."""
    if not any(flashcard.reviews):
        return ()
    return tuple(_told(review) for review in flashcard.reviews)


def _told(review: Review | None) -> str:
    match review:
        case None:
            return "-"
        case Sm2Review(due, interval, ease):
            return f"{due.isoformat()},{interval},{ease}"
        case _:
            return f"{review.due.isoformat()},{review.interval:g},{review.stability:g}"


def note_id(guid: Guid) -> str:
    """16 hexadecimal digits that stand for a GUID in Anki's searches, where it cannot stand.

    A GUID may hold `<`, `&` or `"`; the Id field must not.
    """
    return hashlib.sha256(guid.encode()).hexdigest()[:16]
