"""A lost ledger, rebuilt from what a package or Anki's collection still holds.

    adopt(Request(vault), Path("deck.apkg")) -> Adoption(adopted, new, gone, ...)

Each note is matched with the flashcard that says the same today, or said so when the note was
written, then with the one that would get its GUID, then with one so like it that it must be the
same, reworded. Then the vault is planned once more with the ledger as drafted, which tells what
differs from Anki: only that gets a newer `mod` at the next export, so edits made in Anki stay
where the vault did not change.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path, PurePosixPath

from msgspec import structs

from obs2anki import build, identity, ledger, vault
from obs2anki.ankitext import clean, clean_tag
from obs2anki.build import Request, Round
from obs2anki.data import (
    Diagnostic,
    Entry,
    FlashcardType,
    Guid,
    Notetype,
    Ordinal,
    Planned,
    Severity,
    VaultPath,
)
from obs2anki.destinations import collection_notes
from obs2anki.destinations.collection_notes import OURS, Stored
from obs2anki.destinations.field_text import origin, plain, read_cloze, unnamed
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.harvest import Step
from obs2anki.identity.candidates import AllCandidates, Candidate
from obs2anki.identity.matching import match
from obs2anki.notetypes import FIELDS
from obs2anki.request import place_of_ledger
from obs2anki.terminal import columns, harmless, shortened
from obs2anki.wording import Wording, argument, in_json, quantity

VERSION = 1
"""Of the JSON; it goes up when a name in it changes its meaning."""


class Evidence(StrEnum):
    """By what a note was known again."""

    FIELDS = "fields"
    """Every field says the same."""
    STATE = "state"
    """It is what the note was written from, and the note was edited in Anki."""
    GUID = "guid"
    """A flashcard with this question gets this GUID."""
    LIKENESS = "likeness"
    """What is left of it is so like no other."""


class Edited(StrEnum):
    """Where a flashcard changed since it was last brought to Anki."""

    NOWHERE = "nowhere"
    VAULT = "vault"
    ANKI = "anki"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A note and the flashcard that it belongs to."""

    planned: Planned
    question: str
    """What the note asks, as text."""
    evidence: Evidence
    edited: Edited


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of every note, and of every flashcard."""

    vault_name: str
    ledger: Path
    adopted: tuple[Adopted, ...]
    new: tuple[Planned, ...]
    """Flashcards without a note."""
    gone: tuple[Entry, ...]
    """Notes without a flashcard."""
    others: int
    """Notes that belong to other vaults, or are copies that were made in Anki."""
    diagnostics: tuple[Diagnostic, ...]


def adopt(request: Request, source: Path, step: Step = lambda documents: documents) -> Adoption:
    """Rebuild the ledger of a vault from the notes in `source`, and save it.

    Raises Obs2ankiError, and writes nothing, where there is a ledger already or none can be
    kept, where `source` cannot be read, and where it holds no note of this vault.
    """
    in_force, _ = vault.find_settings(request.vault, request.options)
    file = place_of_ledger(request.vault, in_force)
    with ledger.locked(file):
        before = _refuse_to_replace(file)
        stored = collection_notes.read(source)
        today = build.prepare(replace(request, stateless=True), step)
        ours = _with_namespace(stored, today.plan.namespace, source)
        matching = _matched(today, ours)
        if not matching.pairs:
            raise Obs2ankiError(
                f"None of the {len(ours):,} notes in {source} is a flashcard of {request.vault}, "
                "so no ledger was written. Is it the right one?"
            )
        name = matching.vault_name
        drafted = {entry.guid: entry for entry in (*before, *_draft(today, matching, ours))}
        known = ledger.Ledger(today.plan.namespace, name, tuple(drafted.values()))
        again = build.rehearse(request, known)
        adoption, entries = _settled(again, matching, len(stored), file)
        kept = {entry.guid: entry for entry in (*before, *entries)}
        saved = tuple(kept[guid] for guid in sorted(kept))
        ledger.save(file, ledger.Ledger(today.plan.namespace, name, saved), request.vault)
    return adoption


def _refuse_to_replace(file: Path) -> tuple[Entry, ...]:
    """The entries of a ledger that knows only what has left; one that knows more is in use."""
    known = ledger.read(file)
    live = sum(entry.gone is None for entry in known.entries) if known is not None else 0
    if live:
        raise Obs2ankiError(
            f"There is a ledger already: {file} knows {quantity(live, 'flashcard')}, so it was not "
            "replaced. "
            f"If it is to be rebuilt, rename it (to {file.name}.old, say) and run this again."
        )
    if not ledger.is_writable(file):
        raise Obs2ankiError(
            f"No ledger can be written to {file}: it, or its folder, is write-protected. "
            "Take the protection away, or write another place in obs2anki.toml: "
            'ledger = "a/place/in/the/vault.jsonl"'
        )
    return known.entries if known is not None else ()


# ---------------------------------------------------------------- whose notes


def _with_namespace(stored: Sequence[Stored], namespace: str, source: Path) -> dict[Guid, Stored]:
    """The notes of this namespace, but for copies that were made in Anki.

    A copy has a GUID of its own, and the Id of the note that it was made of.
    """
    if not stored:
        raise Obs2ankiError(
            f"{source} holds no note that obs2anki made. Name the package that obs2anki wrote, or "
            "the collection that it was imported into."
        )
    ours = [note for note in stored if note.fields["Vault"] == namespace]
    if not ours:
        theirs = Counter(note.fields["Vault"] for note in stored).most_common(1)[0][0]
        raise Obs2ankiError(
            f"{source} holds no note with the namespace {namespace!r}; most are of {theirs!r}. "
            f"If these are this vault's, write in obs2anki.toml: namespace = {json.dumps(theirs)}"
        )
    ids = {identity.note_id(note.guid) for note in ours}
    return {
        note.guid: note
        for note in ours
        if note.fields["Id"] == identity.note_id(note.guid) or note.fields["Id"] not in ids
    }


def _vault_of(note: Stored) -> str:
    return origin(note.fields["Source"]).vault


# ---------------------------------------------------------------- which note is which flashcard


@dataclass(slots=True)
class _Matching:
    """Flashcards by their place in the plan, and notes by GUID, as they find each other."""

    planned: dict[int, Planned]
    """Flashcards without a note yet."""
    notes: dict[Guid, Stored]
    """Notes without a flashcard yet."""
    pairs: dict[int, tuple[Stored, Evidence]] = field(default_factory=dict)
    alone: frozenset[int | Guid] = frozenset()
    """Those of either whose question stands but once in its document."""
    vault_name: str = ""
    """The vault's name in the links of its notes."""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def pair(self, index: int, note: Stored, evidence: Evidence) -> None:
        """Take a flashcard and a note for one another."""
        del self.planned[index]
        del self.notes[note.guid]
        self.pairs[index] = (note, evidence)


def _matched(today: Round, ours: Mapping[Guid, Stored]) -> _Matching:
    matching = _Matching(dict(enumerate(today.plan.planned)), dict(ours))
    paths = _paths_by_title(today.plan.planned)
    matching.alone = _alone(matching, paths)
    _by_fields(matching)
    _by_state(matching, paths)
    _by_guid(matching, paths)
    _leave_other_vaults(matching, today)
    _by_likeness(matching, today.plan.planned, ours)
    return matching


def _by_fields(matching: _Matching) -> None:
    """Every field says the same, of as many flashcards as notes; twins have their own GUIDs."""
    notes: defaultdict[Hashable, list[Stored]] = defaultdict(list)
    for note in matching.notes.values():
        notes[_said(note.notetype, note.fields)].append(note)
    flashcards: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, planned in matching.planned.items():
        if planned.note is not None:
            flashcards[_said(planned.note.notetype, _fields(planned))].append(index)
    for said, indexes in flashcards.items():
        if len(indexes) == len(notes[said]):
            there = {note.guid: note for note in notes[said]}
            guids = ((index, matching.planned[index].guid) for index in indexes)
            own = {index: there.pop(guid) for index, guid in guids if guid in there}
            others = iter(there.values())
            for index in indexes:
                matching.pair(index, own.get(index) or next(others), Evidence.FIELDS)


def _said(notetype: Notetype, fields: Mapping[str, str]) -> tuple[str, ...]:
    """What is learnt and where it comes from, whatever numbers its clozes have."""
    said = {name: unnamed(clean(fields[name])) for name in sorted(OURS[notetype])}
    if notetype is Notetype.CLOZE:
        said["Text"] = read_cloze(said["Text"]).frame
    return (notetype, *said.values())


def _fields(planned: Planned) -> dict[str, str]:
    assert planned.note is not None
    return dict(zip(FIELDS[planned.note.notetype], planned.note.fields, strict=True))


def _by_state(matching: _Matching, paths: Mapping[str, VaultPath]) -> None:
    """The same as when the note was written: only in Anki it was edited since."""
    notes: defaultdict[Hashable, list[Stored]] = defaultdict(list)
    for note in matching.notes.values():
        if not _is_as_left(note):
            notes[note.notetype, _path(note, paths)].append(note)
    for index, one in list(matching.planned.items()):
        if one.note is not None and index in matching.alone:
            here = notes[one.note.notetype, one.flashcard.path]
            same = [note for note in here if _as_written(note, one)]
            if len(same) == 1:
                here.remove(same[0])
                matching.pair(index, same[0], Evidence.STATE)


def _by_guid(matching: _Matching, paths: Mapping[str, VaultPath]) -> None:
    """The same question below the same headings, if its document has it once, then and now."""
    for index, one in list(matching.planned.items()):
        note = matching.notes.get(one.guid)
        if note is None or index not in matching.alone or note.guid not in matching.alone:
            continue
        cloze = one.flashcard.cloze is not None
        if (note.notetype is Notetype.CLOZE, _path(note, paths)) != (cloze, one.flashcard.path):
            continue
        if one.note is None or _fields(one)["Context"] == note.fields["Context"]:
            matching.pair(index, note, Evidence.GUID)


def _alone(matching: _Matching, paths: Mapping[str, VaultPath]) -> frozenset[int | Guid]:
    """The flashcards and notes whose question no other has in its document."""
    now = {index: _asked(one) for index, one in matching.planned.items()}
    then = {guid: _was_asked(note, paths) for guid, note in matching.notes.items()}
    times, before = Counter(now.values()), Counter(then.values())
    return frozenset(
        (
            *(index for index, asked in now.items() if times[asked] == 1),
            *(guid for guid, asked in then.items() if before[asked] == 1),
        )
    )


def _asked(planned: Planned) -> tuple[VaultPath, str]:
    return planned.flashcard.path, identity.key(planned.flashcard).question


def _was_asked(note: Stored, paths: Mapping[str, VaultPath]) -> tuple[VaultPath, str]:
    return _path(note, paths), _words(note.notetype, note.fields).question


def _leave_other_vaults(matching: _Matching, today: Round) -> None:
    """Leave notes of vaults that share the namespace: their links name another vault.

    The links of a vault keep the name of its first export, whatever its folder is called now.
    """
    named = Counter(_vault_of(note) for note, _ in matching.pairs.values())
    fixed = today.settings.cards.vault
    folder = today.plan.vault_name if fixed is None else fixed
    known = [name for name, _ in named.most_common() if name]
    own = folder if folder in named or not known else known[0]
    matching.vault_name = own if fixed is None else today.plan.vault_name
    for guid, note in list(matching.notes.items()):
        if _vault_of(note) not in ("", own):
            del matching.notes[guid]


def _by_likeness(
    matching: _Matching, planned: Sequence[Planned], ours: Mapping[Guid, Stored]
) -> None:
    """The rules of the ledger's own matching, on the words of the fields."""
    if not matching.notes or not any(one.note for one in matching.planned.values()):
        return
    paths = _paths_by_title(planned)
    renamed = _renamed(matching, planned, paths)
    # What is known already keeps its place among its neighbours, under a name of its own.
    sure = {note.guid: index for index, (note, _) in matching.pairs.items()}
    entries = [
        _known(note, planned[sure[guid]].flashcard.path, f"\0{sure[guid]}")
        if guid in sure
        else _known(note, renamed.get(path := _path(note, paths), path), _block(note))
        for guid, note in ours.items()
        if guid in sure or guid in matching.notes
    ]
    candidates = [
        _candidate(index, one, f"\0{index}" if index in matching.pairs else one.flashcard.anchor)
        for index, one in enumerate(planned)
        if one.note is not None or index in matching.pairs
    ]
    found, matching.diagnostics = match(AllCandidates(_with_neighbours(candidates)), entries)
    for index, entry in found.items():
        if index in matching.planned and entry.guid in matching.notes:
            matching.pair(index, matching.notes[entry.guid], Evidence.LIKENESS)


def _paths_by_title(planned: Sequence[Planned]) -> dict[str, VaultPath]:
    """Documents by their titles, where two have none in common."""
    paths = {one.flashcard.path for one in planned}
    titles = Counter(PurePosixPath(path).stem for path in paths)
    return {stem: path for path in paths if titles[stem := PurePosixPath(path).stem] == 1}


def _path(note: Stored, paths: Mapping[str, VaultPath]) -> VaultPath:
    """The document that a note names; without a link its Context still holds the title."""
    named = origin(note.fields["Source"]).path
    return named or paths.get(plain(note.fields["Context"]).partition(" › ")[0], named)


def _block(note: Stored) -> str | None:
    return origin(note.fields["Source"]).block_id


def _renamed(
    matching: _Matching, planned: Sequence[Planned], paths: Mapping[str, VaultPath]
) -> dict[VaultPath, VaultPath]:
    """Where documents went that are no more, by what was in them: old path to new."""
    now = {one.flashcard.path for one in planned}
    moves = Counter(
        (then, planned[index].flashcard.path)
        for index, (note, _) in matching.pairs.items()
        if (then := _path(note, paths)) not in now
    )
    return dict(pair for pair, _ in reversed(moves.most_common()))


@dataclass(frozen=True, slots=True)
class _Words:
    """What a note says, without its HTML."""

    question: str
    answer: str
    context: tuple[str, ...]
    asked: tuple[Ordinal, ...] = ()


def _words(notetype: Notetype, fields: Mapping[str, str]) -> _Words:
    context = tuple(plain(fields["Context"]).split(" › ")[1:])
    if notetype is Notetype.BASIC:
        return _Words(plain(fields["Front"]), plain(fields["Back"]), context)
    deletions = read_cloze(fields["Text"])
    asked = tuple(
        Ordinal(number - 1, identity.digest(answer)) for number, answer in deletions.asked().items()
    )
    return _Words(deletions.solved, plain(deletions.frame), context, asked)


def _candidate(index: int, planned: Planned, block_id: str | None) -> Candidate:
    flashcard, note = planned.flashcard, planned.note
    words = _Words("", "", ()) if note is None else _words(note.notetype, _fields(planned))
    return Candidate(
        index=index,
        cloze=flashcard.cloze is not None,
        path=flashcard.path,
        line=flashcard.line,
        block_id=block_id,
        question=words.question[: identity.REMEMBERED],
        answer=words.answer[: identity.REMEMBERED],
        question_digest=identity.digest(words.question),
        answer_digest=identity.digest(words.answer),
        context_digest=identity.digest(*words.context),
        reviews=(),
        asked=frozenset(ordinal.digest for ordinal in words.asked),
    )


def _with_neighbours(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [
        structs.replace(
            own,
            previous=before.texts if before and before.path == own.path else None,
            following=after.texts if after and after.path == own.path else None,
        )
        for before, own, after in zip(
            [None, *candidates], candidates, [*candidates[1:], None], strict=False
        )
    ]


def _known(note: Stored, path: VaultPath, block_id: str | None) -> Entry:
    """What a ledger would remember of a note, as far as the note tells."""
    words = _words(note.notetype, note.fields)
    kind = FlashcardType.SINGLE_LINE_BASIC
    if note.notetype is Notetype.CLOZE:
        kind = FlashcardType.CLOZE
    elif note.fields["Reverse"]:
        kind = FlashcardType.SINGLE_LINE_REVERSED
    return Entry(
        guid=note.guid,
        type=kind,
        path=path,
        deck=note.deck,
        tags=note.tags,
        block_id=block_id,
        question=words.question[: identity.REMEMBERED],
        answer=words.answer[: identity.REMEMBERED],
        digest=(identity.digest(words.question), identity.digest(words.answer)),
        context_digest=identity.digest(*words.context),
        after=None,
        reviews=(),
        content=_content(note),
        mod=note.mod,
        seen=note.number // 1000,
        ordinals=words.asked,
    )


def _content(note: Stored) -> str:
    """A digest that is that of no export: what has it counts as changed."""
    return identity.digest("adopted", *note.fields.values())


# ---------------------------------------------------------------- the ledger's draft


def _draft(today: Round, matching: _Matching, ours: Mapping[Guid, Stored]) -> Iterator[Entry]:
    """What is known of each note, and of flashcards that ask nothing and never had one."""
    entry_of = {entry.guid: entry for entry in today.plan.ledger}
    before: dict[VaultPath, Guid] = {}
    for index, planned in enumerate(today.plan.planned):
        path, entry = planned.flashcard.path, entry_of[planned.guid]
        if index in matching.pairs:
            note, _ = matching.pairs[index]
            entry = structs.replace(
                entry,
                guid=note.guid,
                content=_content(note),
                mod=note.mod,
                ordinals=_ordinals(note, planned, entry.ordinals),
            )
        elif planned.note is not None or planned.guid in ours:
            continue
        yield structs.replace(entry, after=before.get(path))
        before[path] = entry.guid
    paths = _paths_by_title(today.plan.planned)
    for note in matching.notes.values():
        entry = _known(note, _path(note, paths), _block(note))
        yield structs.replace(entry, gone=today.today)


def _ordinals(note: Stored, planned: Planned, today: Sequence[Ordinal]) -> tuple[Ordinal, ...]:
    """The ordinals that a cloze note has in Anki, by what its cards ask in the vault today.

    `today` are those that it would get as a new note.
    """
    if note.notetype is not Notetype.CLOZE:
        return ()
    then = read_cloze(note.fields["Text"])
    text = "" if planned.note is None else _fields(planned)["Text"]
    if planned.note is not None and _as_written(note, planned):
        found = {ordinal.ordinal: ordinal.ordinal for ordinal in today}
    else:
        now = read_cloze(text)
        same = now.frame == then.frame
        numbers = _by_place(now.places(), then.places()) if same else {}
        numbers |= _by_answer(now.asked(), then.asked(), numbers)
        found = {new - 1: old - 1 for new, old in numbers.items()}
    there = {number - 1: answer for number, answer in then.asked().items()}
    live = [structs.replace(o, ordinal=found[o.ordinal]) for o in today if o.ordinal in found]
    taken = {ordinal.ordinal for ordinal in live}
    gone = [
        Ordinal(ordinal, identity.digest(there[ordinal]) if ordinal in there else "", True)
        for ordinal in sorted({*there, *note.ordinals} - taken)
    ]
    return (*live, *gone)


def _as_written(note: Stored, planned: Planned) -> bool:
    """Whether the note was last written from this very text, with the numbers of a new note."""
    assert planned.note is not None
    fields = _fields(planned) | {"Id": identity.note_id(note.guid)}
    return _digest(planned.note.notetype, fields) == note.fields["State"].partition(" ")[0]


def _is_as_left(note: Stored) -> bool:
    """Whether nobody edited its fields since obs2anki wrote them."""
    return _digest(note.notetype, note.fields) == note.fields["State"].partition(" ")[0]


def _digest(notetype: Notetype, fields: Mapping[str, str]) -> str:
    """The first digest of State: of the fields that obs2anki fills."""
    return identity.digest(*(fields[name] for name in sorted({*OURS[notetype], "Id", "Vault"})))


def _by_place(
    now: Mapping[int, tuple[int, ...]], then: Mapping[int, tuple[int, ...]]
) -> dict[int, int]:
    """New numbers to old ones: the same deletions of the same text are asked together."""
    old: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, places in sorted(then.items(), reverse=True):
        old[places].append(number)
    return {number: old[places].pop() for number, places in sorted(now.items()) if old[places]}


def _by_answer(
    now: Mapping[int, str], then: Mapping[int, str], known: Mapping[int, int]
) -> dict[int, int]:
    """New numbers to old ones, for what `known` leaves: the same answer, or one reworded."""
    new = [number for number in now if number not in known]
    old = [number for number in then if number not in known.values()]
    found: dict[int, int] = {}
    reworded: list[tuple[int, int]] = []
    answers = [then[number] for number in old], [now[number] for number in new]
    for tag, i, i_end, j, j_end in SequenceMatcher(None, *answers, False).get_opcodes():
        if tag == "equal":
            found |= zip(new[j:j_end], old[i:i_end], strict=True)
        elif tag == "replace" and i_end - i == j_end - j == 1:
            reworded.append((new[j], old[i]))
    for number in new:
        free = (o for o in old if o not in found.values() and then[o] == now[number])
        if number not in found and (other := next(free, None)) is not None:
            found[number] = other
    for number, other in reworded:
        if number not in found and other not in found.values() and _alike(now[number], then[other]):
            found[number] = other
    return found


def _alike(one: str, other: str) -> bool:
    from rapidfuzz import fuzz

    return bool(fuzz.ratio(one, other) >= 50)


# ---------------------------------------------------------------- what differs from Anki


def _settled(
    again: Round, matching: _Matching, stored: int, file: Path
) -> tuple[Adoption, tuple[Entry, ...]]:
    """What became of all, and the ledger, given the next export's plan."""
    notes = {note.guid: (note, Evidence.LIKENESS) for note in matching.notes.values()}
    notes |= {note.guid: (note, evidence) for note, evidence in matching.pairs.values()}
    entry_of = {entry.guid: entry for entry in again.plan.ledger}
    entries: dict[Guid, Entry] = {}
    adopted: list[Adopted] = []
    new: list[Planned] = []
    for planned in again.plan.planned:
        entry = entry_of[planned.guid]
        if planned.guid in notes:
            note, evidence = notes[planned.guid]
            edited = _edited(planned, note)
            changed = edited in (Edited.VAULT, Edited.BOTH)
            content = _content(note) if changed else entry.content
            entries[entry.guid] = structs.replace(entry, content=content, mod=note.mod)
            question = _words(note.notetype, note.fields).question
            adopted.append(Adopted(planned, question, evidence, edited))
        elif planned.note is None:
            entries[entry.guid] = entry
        else:
            new.append(planned)
    left = (guid for guid in matching.notes if guid not in entries)
    gone = tuple(entry_of[guid] for guid in sorted(left))
    entries |= {entry.guid: entry for entry in gone}
    errors = (d for d in again.plan.diagnostics if d.severity is Severity.ERROR)
    return Adoption(
        vault_name=again.plan.vault_name,
        ledger=file,
        adopted=tuple(adopted),
        new=tuple(new),
        gone=gone,
        others=stored - len(matching.pairs) - len(matching.notes),
        diagnostics=(*errors, *matching.diagnostics),
    ), tuple(entries.values())


def _edited(planned: Planned, note: Stored) -> Edited:
    """Where it changed since it was last written, as the note's State tells.

    State holds digests of the fields and of the tags that obs2anki wrote last: where they are
    those of today, the vault did not change, so what differs is an edit made in Anki.
    """
    if planned.note is None:
        return Edited.VAULT
    own = _fields(planned)
    if _learnt(note.notetype, own, planned.note.tags) == _learnt(
        note.notetype, note.fields, note.tags
    ):
        return Edited.NOWHERE
    if note.fields["State"].split()[:2] == own["State"].split()[:2]:
        return Edited.ANKI
    return Edited.VAULT if _is_as_left(note) else Edited.BOTH


def _learnt(
    notetype: Notetype, fields: Mapping[str, str], tags: Sequence[str]
) -> tuple[dict[str, str], frozenset[str]]:
    """All that an import would replace."""
    said = {name: unnamed(clean(fields[name])) for name in OURS[notetype]}
    return said, frozenset(clean_tag(tag).casefold() for tag in tags)


# ---------------------------------------------------------------- to people


def text(adoption: Adoption, source: Path, wording: Wording) -> Iterator[str]:
    """What was matched and what could not be, line by line."""
    count = len(adoption.adopted)
    yield f"{quantity(count, 'flashcard')} known again from {harmless(str(source))}."
    by = Counter(one.evidence for one in adoption.adopted)
    yield from columns([(f"  {by[one]:,}", _EVIDENCE[one]) for one in Evidence if by[one]], (0,))
    edited = Counter(one.edited for one in adoption.adopted)
    for one, sentence in _EDITED.items():
        if edited[one]:
            yield sentence.format(quantity(edited[one], "flashcard"))
    for part in (_likely, _new, _left):
        if lines := list(part(adoption, wording)):
            yield from ("", *lines)
    if adoption.others:
        yield ""
        yield (
            f"{quantity(adoption.others, 'note')} left alone: of other vaults, or copies made in "
            "Anki."
        )
    yield ""
    yield f"The ledger is {harmless(str(adoption.ledger))}."


_EVIDENCE = {
    Evidence.FIELDS: "with the same fields",
    Evidence.STATE: "edited in Anki only",
    Evidence.GUID: "with the same question",
    Evidence.LIKENESS: "reworded",
}

_EDITED = {
    Edited.VAULT: "{} changed in the vault since: the next import updates Anki.",
    Edited.ANKI: "{} edited in Anki only: the edits stay.",
    Edited.BOTH: "{} edited in Anki and in the vault: the next import puts the vault's text.",
}

SHOWN = 50
"""Columns for a question in a table."""


def _likely(adoption: Adoption, wording: Wording) -> Iterator[str]:
    likely = [one for one in adoption.adopted if one.evidence is Evidence.LIKENESS]
    if likely:
        yield "Reworded, so have a look whether these are the same:"
        rows = [("Place", "Question in the vault", "Question in Anki")]
        for one in likely:
            place = wording.place(one.planned.flashcard.path, one.planned.flashcard.line)
            question = shortened(_question(one.planned), SHOWN)
            rows.append((place, question, shortened(one.question, SHOWN)))
        yield from columns(rows)


def _new(adoption: Adoption, wording: Wording) -> Iterator[str]:
    if adoption.new:
        yield f"{quantity(len(adoption.new), 'flashcard')} without a note; the next export adds:"
        rows = [("Place", "Deck", "Question")]
        for one in adoption.new:
            place = wording.place(one.flashcard.path, one.flashcard.line)
            rows.append((place, harmless(one.deck), shortened(_question(one), SHOWN)))
        yield from columns(rows)


def _left(adoption: Adoption, wording: Wording) -> Iterator[str]:
    if adoption.gone:
        yield (
            f"{quantity(len(adoption.gone), 'note')} without a flashcard; to find them in Anki: "
            f"obs2anki list {argument(wording.vault)} --gone"
        )
        rows = [("Stood in", "Deck", "Question")]
        for one in adoption.gone:
            place = wording.place(one.path) if one.path else "?"
            rows.append((place, harmless(one.deck), shortened(one.question, SHOWN)))
        yield from columns(rows)


def _question(planned: Planned) -> str:
    return identity.key(planned.flashcard).question


# ---------------------------------------------------------------- to programs


def as_json(adoption: Adoption, source: Path) -> Iterator[str]:
    """The pieces of the same as one JSON object; paths are relative to the vault."""
    yield f'{{"version": {VERSION}, "vault": {in_json(adoption.vault_name)},\n'
    yield f' "source": {in_json(str(source))}, "ledger": {in_json(str(adoption.ledger))},\n'
    parts: dict[str, Iterable[object]] = {
        "adopted": (
            _place(one.planned)
            | {"guid": one.planned.guid, "by": one.evidence, "edited": one.edited}
            for one in adoption.adopted
        ),
        "new": map(_place, adoption.new),
        "gone": map(_was, adoption.gone),
        "diagnostics": map(structs.asdict, adoption.diagnostics),
    }
    for name, values in parts.items():
        yield f' "{name}": [' + ",".join(f"\n  {in_json(value)}" for value in values) + "],\n"
    yield f' "others": {adoption.others}}}\n'


def _was(entry: Entry) -> dict[str, str]:
    return {
        "guid": entry.guid,
        "id": identity.note_id(entry.guid),
        "path": entry.path,
        "deck": entry.deck,
        "question": entry.question,
    }


def _place(planned: Planned) -> dict[str, str | int]:
    return {
        "path": planned.flashcard.path,
        "line": planned.flashcard.line,
        "deck": planned.deck,
        "question": _question(planned),
    }
