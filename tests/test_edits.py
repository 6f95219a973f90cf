"""Every kind of edit, on made-up vaults: a flashcard keeps its GUID, and nobody gets another's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

import pytest

from benchmarks import edits, identity
from benchmarks.drafts import PLAIN, PLUGIN, extracted, vault
from obs2anki import identity as assigning
from obs2anki.data import Diagnostic, Entry
from obs2anki.identity.candidates import NOTHING, Candidates, Known, Settled
from obs2anki.identity.matching import match

Matched = tuple[dict[int, Entry], list[Diagnostic]]

KINDS = tuple(edits.SESSIONS)
SEEDS = {1: PLUGIN, 2: PLAIN}
FLASHCARDS, DOCUMENTS = 300, 12


@cache
def cases(kind: str) -> tuple[identity.Case, ...]:
    """What became of each flashcard, on every seed."""
    return tuple(
        case
        for seed, settings in SEEDS.items()
        for case in identity.cases(kind, seed, FLASHCARDS, DOCUMENTS, settings=settings)
    )


def test_every_kind_is_tried_on_vaults_that_look_alike_within() -> None:
    sides = [pair.draft.sides for pair in extracted(vault(1, FLASHCARDS, DOCUMENTS)[0], PLUGIN)]
    assert len(sides) > len({question for question, _ in sides}) > 200
    assert len(sides) > len({answer for _, answer in sides}) > 200
    assert all(cases(kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_guid_passes_to_another_flashcard(kind: str) -> None:
    assert [case for case in cases(kind) if case.fate == "handed"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_edited_keeps_its_guid(kind: str) -> None:
    untouched = [case for case in cases(kind) if not case.edited]
    assert [case for case in untouched if case.fate not in ("kept", "alike")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_side_that_stays_and_is_unique_in_its_document_keeps_the_guid(kind: str) -> None:
    clear = [case for case in cases(kind) if case.clear]
    assert [case for case in clear if case.fate not in ("kept", "alike")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_follows_another_changes_nothing(kind: str) -> None:
    state, author = vault(1, FLASHCARDS, DOCUMENTS)
    ledger = identity.Ledger()
    ledger.export(extracted(state, PLUGIN))
    for after in edits.after(kind, state, author):
        pairs = extracted(after, PLUGIN)
        guids, entries = ledger.export(pairs), ledger.entries
        assert len(set(guids)) == len(pairs)
        assert ledger.export(pairs) == guids
        assert ledger.entries == entries


@pytest.mark.parametrize("kind", KINDS)
def test_documents_that_are_settled_at_once_come_out_as_one_by_one(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[int] = []

    def every_way(
        candidates: Candidates, entries: Sequence[Entry], quiet: Settled, known: Known, today: date
    ) -> Matched:
        assert known == NOTHING
        settled.append(len(quiet))
        result = match(candidates, entries, quiet, known, today)
        assert result == match(candidates, entries, today=today)
        paths = {entry.path for entry in quiet.values()}
        rest = {index: entry for index, entry in result[0].items() if index not in quiet}
        assert match(candidates, entries, {}, Known(set(quiet), paths), today) == (rest, result[1])
        return result

    monkeypatch.setattr(assigning, "match", every_way)
    state, author = vault(2, FLASHCARDS, 4 * DOCUMENTS)
    ledger = identity.Ledger()
    ledger.export(extracted(state, PLUGIN))
    for after in edits.after(kind, state, author):
        ledger.export(extracted(after, PLUGIN))
        ledger.export(extracted(after, PLUGIN))
    assert any(settled)
