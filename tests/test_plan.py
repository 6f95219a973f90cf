"""What a whole vault becomes: notes, cards, what is skipped and what is left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path

import pytest

from obs2anki import identity, plan, yields
from obs2anki.ankitext import clean
from obs2anki.data import CardState, Entry, Note, Notetype, Plan, Skipped
from obs2anki.media import Library
from obs2anki.notetypes import FIELDS
from obs2anki.settings import DeckRule, Decks, Grammar, Schedule, Select, Settings
from tests import written

PLUGIN = Settings()
CLOCK = plan.Clock(date(2024, 6, 1), UTC)


def planned(
    settings: Settings = PLUGIN,
    ignored: tuple[str, ...] = (),
    entries: Sequence[Entry] = (),
    /,
    **documents: str,
) -> Plan:
    """Plan documents named by keyword: `a` is a.md."""
    sources = [written.source(text, f"{name}.md") for name, text in documents.items()]
    vault = plan.Vault(
        "Vault",
        tuple(s for s in sources if s.path not in ignored),
        tuple(s for s in sources if s.path in ignored),
    )
    paths = [source.path for source in sources]
    library = Library(
        Path("/vault").joinpath, paths, settings.obsidian, 100, lambda file: ("0" * 64, 1)
    )
    return plan.make(vault, settings, library, CLOCK, entries)


def test_a_namesake_that_cannot_be_read_takes_no_guid_from_what_was_read() -> None:
    source = written.source("#flashcards\n\nQ::A", "a.md")
    library = Library(Path("/vault").joinpath, (), PLUGIN.obsidian, 100, lambda file: ("", 1))
    vault = plan.Vault("Vault", (source,), (), (Skipped(source.path, "it is no file"),))
    first = plan.make(vault, PLUGIN, library, CLOCK)
    second = plan.make(vault, PLUGIN, library, CLOCK, first.ledger)
    assert second.notes == first.notes
    assert second.ledger == first.ledger


def field(note: Note, name: str) -> str:
    return note.fields[FIELDS[note.notetype].index(name)]


def ordinals(made: Plan) -> list[tuple[int, ...]]:
    return [tuple(card.ordinal for card in note.cards) for note in made.notes]


# ---------------------------------------------------------------- notes


def test_a_flashcard_becomes_a_note_with_every_field() -> None:
    made = planned(a="#flashcards/x\n# Head\nQ::A ^id1\n<!--SR:!2024-05-01,12,230-->")
    (note,) = made.notes
    assert (note.notetype, note.deck, note.tags) == (
        Notetype.BASIC,
        "flashcards::x",
        ("flashcards::x",),
    )
    assert field(note, "Front") == "Q"
    assert field(note, "Back") == "A"
    assert "Head" in field(note, "Context")
    assert "a" in field(note, "Context")
    assert "obsidian://open" in field(note, "Source")
    assert "id1" in field(note, "Source")
    assert field(note, "Reverse") == ""
    assert field(note, "Id") == identity.note_id(note.guid)
    assert field(note, "Vault") == "obs2anki"
    assert len(field(note, "State").split()) == 3
    assert field(note, "Notes") == field(note, "Spare 1") == field(note, "Spare 2") == ""
    (card,) = note.cards
    assert (card.scheduling.state, card.scheduling.due) == (CardState.REVIEW, date(2024, 5, 1))


def test_a_reversed_flashcard_is_two_cards_of_one_note_with_their_own_reviews() -> None:
    made = planned(a="#flashcards\n\na:::b\n<!--SR:!2000-01-01,1,250!2024-05-09,20,250-->")
    (note,) = made.notes
    assert field(note, "Reverse") != ""
    assert [(c.ordinal, c.scheduling.state, c.scheduling.interval) for c in note.cards] == [
        (0, CardState.NEW, 0),
        (1, CardState.REVIEW, 20),
    ]


def test_clozes_are_ankis_own() -> None:
    made = planned(a="#flashcards\n\n==Oslo;;city== is in ==Norway==")
    (note,) = made.notes
    assert note.notetype is Notetype.CLOZE
    assert field(note, "Text") == "{{c1::Oslo::city}} is in {{c2::Norway}}"
    assert ordinals(made) == [(0, 1)]


def test_a_cloze_card_that_asks_nothing_is_not_packed_and_keeps_its_review_slot() -> None:
    text = "==1;;A== and ==3;;C==\n<!--SR:!2024-05-01,3,210!2000-01-01,1,250!2024-05-02,4,230-->"
    made = planned(a=f"#flashcards\n\n{text}")
    assert ordinals(made) == [(0, 2)]
    assert [card.scheduling.interval for card in made.notes[0].cards] == [3, 4]
    assert written.codes(made.diagnostics) == [("O501", 3)]


def test_a_number_far_too_high_is_told_once() -> None:
    # An answer of digits with a hint looks like the number of a cloze.
    made = planned(a="#flashcards\n\nA year has ==365;;how many== days and ==1;;twelve== months")
    (found,) = made.diagnostics
    assert (found.code, found.line) == ("O501", 3)
    assert "cards 2 to 364 of this cloze" in found.message


def test_which_cards_ask_nothing_is_said_in_a_few_words() -> None:
    numbers = " ".join(f"=={number};;x==" for number in range(2, 15, 2))
    (found,) = planned(a=f"#flashcards\n\n{numbers} ==7;;x==").diagnostics
    assert "cards 1, 3, 5, 9, 11, … of this cloze" in found.message


def test_the_order_of_cloze_patterns_and_back_again_leave_the_ledger_as_it_was() -> None:
    marks = "==[123;;]answer[;;hint]==", "**[123;;]answer[;;hint]**"
    one, other = (
        replace(PLUGIN, grammar=replace(PLUGIN.grammar, cloze_patterns=patterns))
        for patterns in (marks, marks[::-1])
    )
    text = "#flashcards\n\nThe **moon** and the ==sun==\n"
    first = planned(one, a=text)
    second = planned(other, (), first.ledger, a=text)
    third = planned(one, (), second.ledger, a=text)
    assert second.ledger != first.ledger
    assert third.ledger == first.ledger


def test_a_cloze_that_anki_cannot_ask_gets_no_note() -> None:
    # The mark stands where Markdown shows nothing at all.
    made = planned(a="#flashcards\n\n%% ==hidden== %%")
    assert made.notes == ()
    assert [p.note for p in made.planned] == [None]
    assert ("O501", 3) in written.codes(made.diagnostics)


@pytest.mark.parametrize("text", ["Q ![[gone.png]]::A", "A ==cloze== and ![[gone.png]]"])
def test_what_a_side_lacks_is_told_of_every_kind_of_flashcard(text: str) -> None:
    made = planned(a=f"#flashcards\n\n{text}")
    assert [(one.path, one.line, one.code) for one in made.diagnostics] == [("a.md", 3, "O601")]
    assert len(made.notes) == 1


def test_only_what_says_the_same_is_told_as_renamed() -> None:
    first = planned(a="#flashcards\n\nWhat holds a cell together?::The wall\n\nQ::A")
    text = "#flashcards\n\nWhat holds a plant cell together?::The wall\n\nQ::A"
    second = planned(PLUGIN, (), first.ledger, b=text)
    assert {note.guid for note in second.notes} == {note.guid for note in first.notes}
    assert [(one.old, one.new, one.notes) for one in second.renamed] == [("a.md", "b.md", 1)]


def test_an_empty_side_is_shown_as_empty() -> None:
    made = planned(a="#flashcards\n\nquestion only::")
    assert field(made.notes[0], "Back") == "(empty)"
    assert written.codes(made.diagnostics) == [("O301", 3)]


def test_new_cards_stand_in_vault_order() -> None:
    made = planned(a="#flashcards\n\nQ1::A\nQ2::A", b="#flashcards\n\nQ3::A")
    assert [(field(n, "Front"), n.position) for n in made.notes] == [
        ("Q1", 1),
        ("Q2", 2),
        ("Q3", 3),
    ]


def test_two_computers_give_one_flashcard_the_same_ids() -> None:
    (alone,) = planned(a="#flashcards\n\nq::a").notes
    *_, last = planned(a="#flashcards\n\nx::y\n\nq::a").notes
    assert alone.guid == last.guid
    assert alone.created == last.created == identity.created(identity.note_id(alone.guid))


def test_a_heading_that_is_the_question_is_left_out_of_the_context() -> None:
    made = planned(a="#flashcards\n# Top\n## What is TCP::a protocol")
    assert "Top" in field(made.notes[0], "Context")
    assert "TCP" not in field(made.notes[0], "Context")


@pytest.mark.parametrize("text", ["Q\x07e\u0301::A\x00", "Q\x07e\u0301 ==A=="])
def test_fields_are_as_anki_stores_them(text: str) -> None:
    settings = replace(PLUGIN, namespace="n\x00e\u0301")
    documents = {"do\x02c\ud800": f"#flashcards\n# To\x03p e\u0301\n{text} ^id"}
    made = planned(settings, (), **documents)
    (note,) = made.notes
    assert note.fields == tuple(map(clean, note.fields))
    shown = "".join(note.fields)
    assert "é" in shown
    assert "e\u0301" not in shown
    assert field(note, "Vault") == "né"


def test_context_and_source_can_be_turned_off() -> None:
    cards = replace(PLUGIN.cards, context=False, source=False)
    (note,) = planned(replace(PLUGIN, cards=cards), a="#flashcards\n# Top\nQ::A").notes
    assert field(note, "Context") == field(note, "Source") == ""


def test_without_scheduling_every_card_is_new() -> None:
    settings = replace(PLUGIN, scheduling=Schedule(enabled=False))
    made = planned(settings, a="#flashcards\n\nQ::A\n<!--SR:!2024-05-01,12,230-->")
    assert made.notes[0].cards[0].scheduling.state is CardState.NEW


def test_what_anki_cannot_hold_is_clamped_and_told() -> None:
    made = planned(a="#flashcards\n\nQ::A\n<!--SR:!2024-05-01,99999,2000-->")
    scheduling = made.notes[0].cards[0].scheduling
    assert (scheduling.interval, scheduling.factor) == (36500, 9999)
    assert {code for code, _ in written.codes(made.diagnostics)} == {"O405"}


def test_a_pattern_that_cannot_be_used_is_told_once() -> None:
    grammar = replace(PLUGIN.grammar, cloze_patterns=("==answer==",))
    made = planned(replace(PLUGIN, grammar=grammar), a="#flashcards\nQ::A", b="#flashcards\nQ2::A")
    assert [d.code for d in made.diagnostics] == ["O104"]


# ---------------------------------------------------------------- skipped and left behind


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Q::A\n<!--SR:!2024-05-01,12,230-->", "no-tag"),
        ("#Flashcards\n\nQ::A\n<!--SR:!2024-05-01,12,230-->", "unreadable-tags"),
        ("---\ntags: x, flashcards\n---\nQ::A\n<!--SR:!2024-05-01,12,230-->", "unreadable-tags"),
        ("#flashcards\n\nQ;; A\n<!--SR:!2024-05-01,12,230-->", "no-separator"),
        ("#flashcards\n\n<!--\nx-->\nQ::A\n<!--SR:!2024-05-01,12,230-->", "comment"),
        ("#flashcards #draft\n\nQ::A\n<!--SR:!2024-05-01,12,230-->", "rule"),
        ("#flashcards\n\nIn ==0;;x== a\n<!--SR:!2024-05-01,12,230-->", "no-card"),
        ("#flashcards #archive\n\nQ::A\n<!--SR:!2024-05-01,12,230-->", "ignored"),
    ],
)
def test_a_review_that_is_left_behind_has_a_cause_a_line_and_a_finding(
    text: str, cause: str
) -> None:
    settings = replace(
        PLUGIN,
        grammar=Grammar(tags_to_ignore=("#archive",)),
        decks=Decks(rules=(DeckRule(tag="draft", skip=True),)),
    )
    made = planned(settings, a=text)
    line = text.count("\n") + 1
    assert [(b.cause, b.line, b.reviews) for b in made.left_behind] == [(cause, line, 1)]
    assert [s.path for s in made.skipped] == ["a.md"]
    found = "O401" if cause == "no-separator" else "O406"
    assert (found, line) in written.codes(made.diagnostics)
    assert "O403" not in {d.code for d in made.diagnostics}  # whose remedy is to remove the review


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_review_in_what_the_plugin_takes_for_frontmatter_is_left_behind(ends: str) -> None:
    text = "---\nQ::A\n<!--SR:!2024-05-01,12,230-->\n---\n#flashcards\n\nR::B"
    made = planned(a=text.replace("\n", ends))
    assert [(b.cause, b.line, b.reviews) for b in made.left_behind] == [("frontmatter", 3, 1)]
    assert ("O406", 3) in written.codes(made.diagnostics)
    mended = planned(a=f"\n{text}")  # as the remedy says
    assert (len(made.notes), len(mended.notes), mended.left_behind) == (1, 2, ())


def test_reviews_of_ignored_documents_are_counted() -> None:
    made = planned(PLUGIN, ("b.md",), a="#flashcards\n\nQ::A", b="x\n<!--SR:!2024-05-01,1,230-->")
    assert [(b.path, b.cause, b.line) for b in made.left_behind] == [("b.md", "ignored", 2)]
    assert [s.path for s in made.skipped] == ["b.md"]


@pytest.mark.parametrize(
    ("by_plugin", "ours", "cause"),
    [
        (("old/",), (), "ignored"),
        ((), ("old/",), "select"),
        (("old/",), ("**/*.md",), "ignored"),
        (("Templates/",), ("old/",), "select"),
    ],
)
def test_the_remedy_names_the_list_that_leaves_a_document_out(
    by_plugin: tuple[str, ...], ours: tuple[str, ...], cause: str
) -> None:
    settings = replace(
        PLUGIN, grammar=Grammar(folders_to_ignore=by_plugin), select=Select(ignore=ours)
    )
    left = yields.ignored(written.source(f"x\n{REVIEW}", "old/b.md"), settings)
    assert [(b.cause, b.line) for b in left.left_behind] == [(cause, 2)]
    (finding,) = left.diagnostics
    assert ("[select]" in finding.hint, "[grammar]" in finding.hint) == (
        cause == "select",
        cause == "ignored",
    )


def test_an_orphan_beside_flashcards_is_an_orphan() -> None:
    made = planned(a="#flashcards\n\nQ::A\n\ntext\n<!--SR:!2024-05-01,12,230-->")
    assert [(b.cause, b.line) for b in made.left_behind] == [("orphan", 6)]


REVIEW = "<!--SR:!2024-05-01,12,230-->"


def hints(text: str, *patterns: str) -> list[tuple[str, str]]:
    """The causes for which reviews are left behind, and what the findings there advise."""
    grammar = replace(PLUGIN.grammar, cloze_patterns=patterns)
    made = planned(replace(PLUGIN, grammar=grammar), a=f"#flashcards\n\nQ::A\n\n{text}")
    found = {one.line: one.hint for one in made.diagnostics if one.code == "O401"}
    return [(left.cause, found[left.line]) for left in made.left_behind]


@pytest.mark.parametrize(
    "text", [f"Moss ==holds==\nwater\n{REVIEW}", f"Moss ==holds== water {REVIEW}"]
)
def test_a_review_of_highlights_that_are_no_clozes_is_not_called_one_to_delete(text: str) -> None:
    highlights = "==[123;;]answer[;;hint]=="
    ((cause, hint),) = hints(text, "**[123;;]answer[;;hint]**")
    assert cause == "no-cloze"
    assert f'cloze_patterns = ["{highlights}"]' in hint and "delete" not in hint
    assert hints(text, highlights) == []
    ((cause, hint),) = hints(text.replace("=", ""))
    assert cause == "orphan" and "delete" in hint


def test_reviewed_documents_can_be_taken_without_a_tag() -> None:
    settings = replace(PLUGIN, select=Select(reviewed=True))
    reviewed = "Q::A\n<!--SR:!2024-05-01,12,230-->"
    made = planned(settings, a=reviewed, b="Q2::A2", c=f"---\ntags: x, flashcards\n---\n{reviewed}")
    assert [(note.path, note.deck) for note in made.notes] == [("a.md", "Vault"), ("c.md", "x")]
    assert made.left_behind == ()


def test_every_document_that_gave_nothing_is_skipped_once() -> None:
    made = planned(a="#flashcards\n\nQ::A", b="prose", c="#flashcards\n\nprose")
    assert [(s.path, s.reason) for s in made.skipped] == [
        ("b.md", "no flashcard tag"),
        ("c.md", "no flashcard in it"),
    ]


def test_findings_stand_in_vault_order() -> None:
    text = "#flashcards\n\nQ::\n\n<!--SR:!2024-05-01,12,230-->"
    made = planned(b=text, a=text)
    assert [(d.path, d.line) for d in made.diagnostics] == [
        ("b.md", 3),
        ("b.md", 5),
        ("a.md", 3),
        ("a.md", 5),
    ]
