"""Which GUID a flashcard has after an edit: documents before and after, as one writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pytest
from msgspec import structs

from obs2anki import identity
from obs2anki.data import DeckName, Entry, Flashcard
from tests import written


def ledger(flashcards: list[Flashcard]) -> tuple[Entry, ...]:
    """What the ledger remembers after an export of these."""
    assigned, _ = identity.assign(flashcards, "obs2anki")
    fates = [
        identity.Fate(DeckName("d"), "", 0, 0, identity.keep(f, None, ()).remembered)
        for f in flashcards
    ]
    return identity.remembered(flashcards, assigned, fates, (), date(2024, 5, 1))


def followed(before: str, after: str, gone: str = "") -> list[str | None]:
    """For each flashcard after an edit: the question that had its GUID before; None = new.

    The flashcards of `gone` had left by then.
    """
    entries = ledger(written.flashcards(before + gone))
    left = {flashcard.shown[0].strip() for flashcard in written.flashcards(gone)}
    entries = tuple(
        structs.replace(entry, gone=date(2024, 5, 2)) if entry.question in left else entry
        for entry in entries
    )
    known = {entry.guid: entry.question for entry in entries}
    assigned, _ = identity.assign(written.flashcards(after), "obs2anki", entries)
    return [known.get(one.guid) for one in assigned]


def told(before: str, after: str) -> list[str]:
    """The codes of what the edit makes the run say."""
    entries = ledger(written.flashcards(before))
    _, found = identity.assign(written.flashcards(after), "obs2anki", entries)
    return [finding.code for finding in found]


DOCUMENT = """\
What is water made of?;; Hydrogen and oxygen
Is Norway a member of the EU?;; No
Boiling point at sea level?;; 100 °C
Is Iceland a member of the EU?;; No
Who found oxygen?;; Priestley
"""


@pytest.mark.parametrize(
    "line",
    [
        "Would Norway be a member of the EU?;; No",
        "Is Norway, as of today, a member of the EU?;; No",
        "Norway: member of the EU?;; No",
        "Is Norway a member of the EU?;; Not yet",
        "Is Norway a member of the EU?;; It has voted against it twice",
        "Is Norway in fact a member of the EU?;; No, never",
    ],
)
def test_what_stands_where_it_stood_with_one_side_the_same_is_the_same(line: str) -> None:
    after = DOCUMENT.replace("Is Norway a member of the EU?;; No", line)
    assert followed(DOCUMENT, after)[1] == "Is Norway a member of the EU?"


@pytest.mark.parametrize(
    "line",
    [
        "Is Sweden a member of the EU?;; Yes",
        "Is Sweden a member of the EU?;; No",
        "Capital of Norway?;; Oslo",
        "Does lead float?;; No",
    ],
)
def test_another_flashcard_in_its_place_is_another(line: str) -> None:
    after = DOCUMENT.replace("Is Norway a member of the EU?;; No", line)
    assert followed(DOCUMENT, after)[1] is None


def test_what_is_asked_in_wholly_other_words_for_the_same_answer_is_the_same() -> None:
    before = DOCUMENT.replace("Boiling point at sea level?;; 100 °C", "EEG?;; electroencephalogram")
    after = before.replace("EEG?", "Which curve shows the currents of a brain?")
    assert followed(before, after)[2] == "EEG?"
    # Its neighbour as well, at the same time.
    after = after.replace(
        "Who found oxygen?", "Burnt minium, and what came of it could be breathed:"
    )
    assert followed(before, after)[2::2] == ["EEG?", "Who found oxygen?"]
    assert followed("EEG?;; electroencephalogram", "Currents?;; electroencephalogram") == ["EEG?"]


OWN, SHARED = "<!--SR:!2024-05-01,3,250-->", "<!--SR:!2024-06-01,8,230-->"


@pytest.mark.parametrize(
    ("before", "after", "question"),
    [
        (
            "Is Norway a member of the EU?;; No",
            "Did Oslo sign in 1994?;; No",
            "Is Norway a member of the EU?",
        ),
        (
            "The EU has no ==fjords==",
            "What is long and deep and cold: ==fjords==",
            "The EU has no fjords",
        ),
    ],
)
def test_what_has_one_side_and_a_review_of_its_own_as_before_is_the_same(
    before: str, after: str, question: str
) -> None:
    def document(line: str, review: str) -> str:
        return f"a;; b\n{SHARED}\n\n{line}\n{review}\n\nDoes lead float?;; No\n{SHARED}\n"

    assert followed(document(before, OWN), document(after, OWN))[1] == question
    elsewhere = f"{after}\n{OWN}\n\nx;; y\n"
    assert followed(document(before, OWN), elsewhere) == [question, None]
    # A review that another flashcard of the document has as well says little.
    assert followed(document(before, SHARED), document(after, SHARED))[1] is None


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("What exactly is the capital of Malta?;; Valletta, first", True),
        ("What exactly is the capital of Cyprus?;; Nicosia, first", False),
        ("What exactly is the capital of Cyprus?;; Valletta, first", False),
    ],
)
def test_what_is_touched_on_both_sides_above_its_own_review_is_the_same(
    line: str, kept: bool
) -> None:
    rest = f"a;; b\n{SHARED}\n\nDoes lead float?;; No\n{SHARED}\n\nx;; y\n"
    before = f"What is the capital of Malta?;; Valletta\n{OWN}\n\n{rest}"
    assert (followed(before, f"{rest}\n{line}\n{OWN}\n")[-1] is not None) == kept
    assert followed(before, f"{rest}\n{line}\n")[-1] is None


def test_a_search_and_replace_of_every_question_loses_nothing() -> None:
    before = "# Flu\n\nSymptoms?;; Fever, cough\n\n# Asthma\n\nSymptoms?;; Cough, short breath\n"
    after = before.replace("Symptoms", "Signs")
    assert followed(before, after) == ["Symptoms?", "Symptoms?"]


def test_numbers_that_differ_are_other_flashcards() -> None:
    before = "What does paragraph 17a say?;; Rule 17a applies\n"
    after = "What does paragraph 18a say?;; Rule 18a applies\n"
    assert followed(before, after) == [None]


def test_a_review_that_stood_below_another_flashcard_speaks_against_it() -> None:
    before = (
        "Is Norway a member of the EU?;; No\n"
        "Boiling point of water?;; 100 °C\n<!--SR:!2024-05-01,3,250-->\n"
        "Who found oxygen?;; Priestley\n"
    )
    after = (
        "Boiling point?;; it depends\n"
        "Is Malta a member of the EU?;; No\n<!--SR:!2024-05-01,3,250-->\n"
        "Who found oxygen?;; Priestley\n"
    )
    assert followed(before, after)[1] is None


def test_the_same_review_below_another_flashcard_as_well_does_not() -> None:
    before = f"What holds a cell together?;; Its wall\n\nBoiling point?;; 100 °C\n{OWN}\n"
    after = f"What keeps cells together?;; Its wall\n{OWN}\n\nBoiling point?;; 100 °C\n{OWN}\n"
    assert followed(before, after)[0] == "What holds a cell together?"
    moved = after.removesuffix(f"{OWN}\n")
    assert followed(before, moved)[0] is None


def test_a_sentence_that_stands_nowhere_else_is_known_wherever_it_stands() -> None:
    before = "What makes ATP?;; The mitochondria of the cell\n"
    after = "x;; y\nWhere is sugar burnt?;; The mitochondria of the cell\nv;; w\n"
    assert followed(before, after) == [None, "What makes ATP?", None]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("What makes ATP?;; The mitochondria of the cell", "Where is glucose burnt?;; {}"),
        ("Capital of Norway?;; Oslo", "The capital of Norway?;; {}"),
    ],
)
def test_a_flashcard_that_is_reworded_to_be_learnt_anew_is_the_same(
    before: str, after: str
) -> None:
    question, answer = before.split(";; ")
    rest = f"Who found oxygen?;; Priestley\n{SHARED}\n"
    assert (
        followed(f"{before}\n{OWN}\n\n{rest}", f"{after.format(answer)}\n\n{rest}")[0] == question
    )
    assert followed(f"{before}\n{OWN}\n\n{rest}", f"Capital of Peru?;; Lima\n\n{rest}")[0] is None


def test_a_document_is_known_by_its_answers_when_all_its_questions_were_edited() -> None:
    before = [
        *written.flashcards(
            "Intent of Stripe?;; The right to pay\nIts key?;; It is secret\n", "a.md"
        ),
        *written.flashcards("Q;; No\n", "b.md"),
    ]
    after = [
        *written.flashcards(
            "The Intents?;; The right to pay\nKey of one?;; It is secret\n", "n/a.md"
        ),
        *written.flashcards("R;; No\n", "n/b.md"),
    ]
    known = {entry.guid: entry.question for entry in ledger(before)}
    assigned, _ = identity.assign(after, "obs2anki", ledger(before))
    assert [known.get(one.guid) for one in assigned] == ["Intent of Stripe?", "Its key?", None]


def histology(document: str, answers: str) -> list[Flashcard]:
    """A flashcard for each answer, with a picture named after its document."""
    lines = (
        f"![[{document}-{n}.png]];; {answer}" for n, answer in enumerate(answers.split(), start=1)
    )
    return written.flashcards("\n".join(lines), f"{document}.md")


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        ("Liver Lung Skin Bone", 4),
        ("Liver Lung Skin", 0),  # by chance
        ("Liver Lung Skin Skin Skin", 0),
        ("Liver Lung Skin Bone Nerve Tendon Colon Spleen", 8),
    ],
)
def test_pictures_that_are_renamed_with_their_document_leave_its_flashcards_the_same(
    answers: str, kept: int
) -> None:
    assert stayed(histology("Tissues", answers), histology("Histology", answers)) == kept


def test_short_answers_that_another_document_has_tell_of_no_renaming() -> None:
    answers = "Liver Lung Skin Bone"
    other = histology("Organs", answers)
    assert stayed(
        [*histology("Tissues", answers), *other], [*histology("Histology", answers), *other]
    ) == len(other)


def stayed(before: list[Flashcard], after: list[Flashcard]) -> int:
    """How many flashcards have a GUID afterwards that one had before."""
    entries = ledger(before)
    assigned, _ = identity.assign(after, "obs2anki", entries)
    return len({one.guid for one in assigned} & {entry.guid for entry in entries})


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("1 Liver, 2 Yes, 3 Yes, 4 No", "a Liver, b Yes, c Yes, d No", "1234"),
        ("1 Liver, 2 Yes, 3 Lung, 4 No", "a Liver, c Lung, d No, e Yes", "134-"),
        ("1 Yes, 2 No, 3 Lung", "b No, a Yes, c Lung", "--3"),
        ("1 Yes, 2 Yes, 3 Lung", "b Yes, c Lung", "-3"),
        ("1 Yes, 2 No, 3 Yes", "c Yes, 2 No, a Yes", "123"),
        ("1 Yes, 2 No", "2 No, a Yes", "2-"),
    ],
)
def test_files_that_are_all_renamed_leave_the_flashcards_the_same(
    before: str, after: str, kept: str
) -> None:
    """A number or letter is a file; for each flashcard afterwards the number of the old one."""

    def written_out(flashcards: str) -> str:
        return "".join(
            f"What is it? ![[{name}.png]];; {answer}\n"
            for name, answer in map(str.split, flashcards.split(","))
        )

    names = [
        question.partition(".")[0][-1] if question else "-"
        for question in followed(written_out(before), written_out(after))
    ]
    assert "".join(names) == kept


def test_a_picture_flashcard_in_the_place_of_a_reviewed_one_is_another() -> None:
    def document(*flashcards: str) -> str:
        return "".join(
            f"Is it malignant? ![[{name}.png]];; Yes\n{review}\n\n"
            for name, _, review in (one.partition(" ") for one in flashcards)
        )

    before = document(f"1 {OWN}", f"2 {SHARED}")
    first, second = (flashcard.shown[0].strip() for flashcard in written.flashcards(before))
    assert followed(before, document(f"1 {OWN}", "3")) == [first, None]
    assert followed(before, document(f"3 {OWN}", f"4 {SHARED}")) == [first, second]
    # Renamed, and put in another order with their reviews.
    assert followed(before, document(f"3 {SHARED}", f"4 {OWN}")) == [second, first]


def test_questions_and_clozes_are_looked_at_in_the_same_order_in_every_run() -> None:
    """Either may be known by the other beside it; the order of a set differs from run to run."""
    before = (
        "The root has a ==bone== near the cell\n\nThe plant has a ==skin== near the wall\n\n"
        "What is the bone of gene?;; Yes\n\nWhy plant root?;; Yes\n"
    )
    after = (
        "The root has root ==bone== near the cell\n\ncell plant has a ==skin== near the wall\n\n"
        "heart is the bone of gene?;; Yes\n\nleaf plant root?;; Yes\n"
    )
    results: set[tuple[str, ...]] = set()
    for number in range(12):
        path = f"{number}.md"
        entries = ledger(written.flashcards(before, path))
        assigned, _ = identity.assign(written.flashcards(after, path), "obs2anki", entries)
        results.add(tuple(one.guid for one in assigned))
    assert len(results) == 1


def test_of_twins_that_are_reworded_alike_none_is_lost() -> None:
    question = "What keeps a cell together?"
    before = f"{question};; Its wall\nmore;; to learn\n{question};; Its wall\n"
    after = before.replace("keeps", "holds")
    assert followed(before, after) == [question, "more", question]
    assert told(before, after) == []


def test_of_twins_one_stays_when_the_other_leaves() -> None:
    before = "x;; y\nQ;; A\nQ;; A\nv;; w\n"
    assert followed(before, "v;; w\nQ;; A\nx;; y\n")[1] == "Q"


def test_a_question_that_returns_with_another_answer_is_the_same() -> None:
    gone = "What is the capital of Norway?;; Bergen\n"
    assert followed("x;; y\n", "x;; y\nWhat is the capital of Norway?;; Oslo\n", gone) == [
        "x",
        "What is the capital of Norway?",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Capital of Norway?;; Oslo\n", "The capital of Norway is ==Oslo==\n"),
        ("The capital of Norway is ==Oslo==\n", "Capital of Norway?;; Oslo\n"),
    ],
)
def test_a_flashcard_rewritten_as_another_notetype_is_told(before: str, after: str) -> None:
    assert followed(before, after) == [None]
    assert told(before, after) == ["O803"]


def test_a_cloze_that_is_new_beside_other_flashcards_is_not_called_rewritten() -> None:
    before = "Capital of Norway?;; Oslo\nCapital of Sweden?;; Stockholm\n"
    after = "Capital of Norway?;; Oslo\nThe ==fjords== are deep\n"
    assert told(before, after) == []


# ---------------------------------------------------------------- what was away for a moment


def returned(before: str, away: str, after: str, days: int) -> list[str | None]:
    """For each flashcard: the question that had its GUID before it was `away`; None = new.

    The export that missed it was so many days ago.
    """
    first = ledger(written.flashcards(before))
    today = date(2024, 5, 9)
    then = today - timedelta(days=days)
    left, rest = written.flashcards(away), written.flashcards(after)
    assigned, _ = identity.assign(left, "obs2anki", first, today=then)
    fates = [identity.Fate(DeckName("d"), "", 0, 0) for _ in left]
    second = identity.remembered(left, assigned, fates, first, then)
    known = {entry.guid: entry.question for entry in first}
    assigned, _ = identity.assign(rest, "obs2anki", second, today=today)
    return [known.get(one.guid) for one in assigned]


CELLS = "What holds a cell together?;; Its wall"
AROUND = "Who found oxygen?;; Priestley\n{}Boiling point at sea level?;; 100 °C\n"


@pytest.mark.parametrize(
    "reworded",
    [
        "What keeps a cell together?;; Its wall",
        "Made of cellulose, in plants;; Its wall",
        "What holds a cell together?;; The wall around it",
        "What holds a plant's cell together?;; Its rigid wall",
    ],
)
def test_a_flashcard_that_comes_back_with_other_words_is_the_same(reworded: str) -> None:
    before, away = AROUND.format(f"{CELLS}\n"), AROUND.format("")
    after = AROUND.format(f"{reworded}\n")
    question, *_ = CELLS.split(";;")
    assert returned(before, away, after, 0)[1] == question
    assert returned(before, away, after, 7)[1] == question


def test_what_left_long_ago_comes_back_with_its_words_only() -> None:
    before, away = AROUND.format(f"{CELLS}\n"), AROUND.format("")
    question, *_ = CELLS.split(";;")
    assert returned(before, away, before, 9)[1] == question
    other = AROUND.format("Made of cellulose, in plants;; Its wall\n")
    assert returned(before, away, other, 8)[1] is None


def test_another_flashcard_where_one_has_just_left_is_new() -> None:
    before, away = AROUND.format(f"{CELLS}\n"), AROUND.format("")
    assert returned(before, away, AROUND.format("What is bark?;; Dead cells\n"), 0)[1] is None
    below = f"{CELLS}\n{OWN}\n\n"
    other = f"What is bark?;; Dead cells\n{SHARED}\n\n"
    assert returned(AROUND.format(below), away, AROUND.format(other), 0)[1] is None


def test_who_has_several_cut_and_pastes_them_reworded_gets_them_all() -> None:
    lines = [f"What is the {name} of a cell?;; It {does}\n" for name, does in PARTS.items()]
    before = AROUND.format("".join(lines))
    after = before.replace("What is the", "What does the").replace(" of a cell?", " do?")
    assert returned(before, AROUND.format(""), after, 0) == [
        flashcard.shown[0].strip() for flashcard in written.flashcards(before)
    ]


PARTS = {"wall": "holds it together", "nucleus": "keeps its genes", "vacuole": "stores water"}


def test_a_name_is_known_again_whatever_stands_at_it() -> None:
    before, after = f"{CELLS} ^wall\n", "Of what is wood?;; Mostly of lignin ^wall\n"
    question, *_ = CELLS.split(";;")
    for days, kept in ((7, question), (8, None)):
        assert (
            returned(AROUND.format(before), AROUND.format(""), AROUND.format(after), days)[1]
            == kept
        )


def test_a_document_that_was_away_may_have_another_name() -> None:
    def cells(path: str, words: str) -> list[Flashcard]:
        return written.flashcards(
            f"What {words} a cell?;; Its rigid wall\nWhere {words} water?;; In the vacuole\n", path
        )

    first = ledger(cells("a.md", "surrounds"))
    second = identity.remembered([], [], [], first, date(2024, 5, 9))
    known = [entry.guid for entry in first]
    after = cells("plants/Cells.md", "is all around")
    assigned, _ = identity.assign(after, "obs2anki", second, today=date(2024, 5, 9))
    assert sorted(one.guid for one in assigned) == sorted(known)
    assigned, _ = identity.assign(after, "obs2anki", second, today=date(2024, 5, 17))
    assert not {one.guid for one in assigned} & set(known)


# ---------------------------------------------------------------- moved and reworded at once


def moved(before: Mapping[str, str], *after: Mapping[str, str]) -> list[str | None]:
    """For each flashcard of the last state: the question that had its GUID in the first.

    The states follow each other a day apart.
    """
    entries: tuple[Entry, ...] = ()
    known: dict[str, str] = {}
    had: list[str | None] = []
    for day, documents in enumerate((before, *after), 1):
        flashcards = [
            f for path in sorted(documents) for f in written.flashcards(documents[path], path)
        ]
        today = date(2024, 5, day)
        assigned, _ = identity.assign(flashcards, "obs2anki", entries, today=today)
        fates = [
            identity.Fate(DeckName("d"), "", 0, 0, identity.keep(f, a.entry, ()).remembered)
            for f, a in zip(flashcards, assigned, strict=True)
        ]
        entries = identity.remembered(flashcards, assigned, fates, entries, today)
        had = [known.get(one.guid) for one in assigned]
        known = known or {one.guid: one.key.question for one in assigned}
    return had


FILES = """\
Open the parent folder;; `-`
create a file;; `%`
Where are bookmarks kept?;; In the home folder
"""


@pytest.mark.parametrize("between", [(), ({"vim.md": DOCUMENT},)], ids=["at once", "cut first"])
def test_what_goes_with_others_to_another_document_may_be_reworded(
    between: tuple[Mapping[str, str], ...],
) -> None:
    after = FILES.replace("create a", "Create a new").replace("In the home", "Below the home")
    for documents in (
        {"vim.md": DOCUMENT, "netrw.md": after},
        {"vim.md": DOCUMENT, "other.md": f"{after}Who wrote it?;; Bram Moolenaar\n"},
        {"vim.md": f"{after}{DOCUMENT}"},
    ):
        before = {"editing.md": FILES, "vim.md": DOCUMENT}
        found = moved(before, *between, documents)
        assert set(found) >= {"Open the parent folder", "create a file"}
        assert "Where are bookmarks kept?" in found


WATER, NORWAY, FOUND = DOCUMENT.splitlines()[0], DOCUMENT.splitlines()[1], DOCUMENT.splitlines()[4]


@pytest.mark.parametrize(
    ("line", "reworded", "kept"),
    [
        (WATER, "What exactly is water made of?;; Hydrogen and oxygen", True),
        (WATER, "What is water made of?;; Hydrogen and some oxygen", True),
        (NORWAY, "Is Norway really a member of the EU?;; No", True),
        (NORWAY, "Is Sweden a member of the EU?;; No", False),
        (FOUND, "Who found argon?;; Priestley", False),
        (WATER, "What is air made of?;; Hydrogen and oxygen", False),
    ],
)
def test_what_goes_alone_to_another_document_says_nearly_the_same(
    line: str, reworded: str, kept: bool
) -> None:
    found = moved(
        {"a.md": DOCUMENT, "b.md": FILES},
        {"a.md": DOCUMENT.replace(f"{line}\n", ""), "b.md": f"{reworded}\n{FILES}"},
    )
    assert found[4] == (line.partition(";;")[0] if kept else None)


def test_a_short_question_goes_to_another_document_with_its_answer_only() -> None:
    before = f"Symptoms?;; Fever and cough\n{FILES}"
    kept = moved({"a.md": before}, {"a.md": DOCUMENT, "b.md": before.replace("and", "or")})
    assert kept[5:] == moved({"b.md": before}, {"b.md": before})
    other = before.replace("Fever and cough", "Pain of the chest")
    assert moved({"a.md": before}, {"a.md": DOCUMENT, "b.md": other})[5:] == [None, *kept[6:]]


def away_and_back(*states: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The GUIDs at the first and at the last of several exports a day apart, in vault order."""
    entries: tuple[Entry, ...] = ()
    result: list[list[str]] = []
    for day, documents in enumerate(states, 1):
        flashcards = [f for path, text in documents.items() for f in written.flashcards(text, path)]
        today = date(2024, 5, day)
        assigned, _ = identity.assign(flashcards, "obs2anki", entries, today=today)
        fates = [identity.Fate(DeckName("d"), "", 0, 0) for _ in flashcards]
        entries = identity.remembered(flashcards, assigned, fates, entries, today)
        result.append([one.guid for one in assigned])
    return result[0], result[-1]


def test_a_document_that_has_another_name_on_a_branch_stays_itself() -> None:
    here = {
        "Norway.md": "".join(f"Where is {place}?;; In the far {place}\n" for place in FAR)
        + "Oslo?;; The capital of Norway\nWho found oxygen?;; Priestley\n"
    }
    there = {
        "Norge.md": here["Norway.md"]
        .replace("Who found oxygen?;; Priestley\n", "")
        .replace("The capital of Norway", "A city by a fjord")
    }
    first, last = away_and_back(here, there, here, there, here)
    assert first == last


FAR = ("north", "south", "east", "west")


def test_what_was_deleted_before_does_not_count_when_a_document_is_renamed() -> None:
    answers = ("The right to pay", "It is secret", "A hook of theirs", "All of the fees")
    before = "".join(f"Intent {n}?;; {answer}\n" for n, answer in enumerate(answers))
    deleted = "".join(f"Old {n}?;; Of no use at all, {n}\n" for n in range(6))
    first, last = away_and_back(
        {"a.md": before + deleted}, {"a.md": before}, {"n/a.md": before.replace("Intent", "Which")}
    )
    assert last == first[: len(answers)]


def test_what_left_by_a_clock_that_was_wrong_has_not_left_lately() -> None:
    before, away = AROUND.format(f"{CELLS}\n"), AROUND.format("")
    other = AROUND.format("Made of cellulose, in plants;; Its wall\n")
    question, *_ = CELLS.split(";;")
    assert returned(before, away, other, -8)[1] is None
    assert returned(before, away, other, -1)[1] == question  # another time zone
    assert returned(before, away, before, -8)[1] == question


@pytest.mark.parametrize("days", [3, 12, 30, 300])
def test_a_folder_of_copies_that_moves_keeps_every_guid(days: int) -> None:
    text = "What have I learnt today?;; Nothing\nWhom have I met today?;; Nobody\n"
    first, last = away_and_back(
        {f"days/{day}.md": text for day in range(1, days + 1)},
        {f"diary/{day}.md": text for day in range(1, days + 1)},
    )
    assert first == last


@pytest.mark.parametrize("more", ["", "What is bark?;; Dead cells\n"])
def test_a_review_is_nobodys_own_whose_document_has_not_changed(more: str) -> None:
    """What is told of a document is the same whether anything in it is to be decided or not."""
    rest = f"Who found oxygen?;; Priestley\n{OWN}\n\n"
    gone = f"What makes ATP?;; The mitochondria of the cell\n\nIs lead heavy?;; Yes\n{OWN}\n\n"
    other = gone.replace("Is lead heavy?", "Did Oslo ever sign that treaty?")
    first, last = away_and_back(
        {"a.md": rest + gone}, {"a.md": rest}, {"a.md": rest + more, "b.md": other}
    )
    assert last[-1] not in first
    assert last[-2] in first


# ---------------------------------------------------------------- copies of documents


def exports(*vaults: Mapping[str, str]) -> list[dict[str, str]]:
    """For each state of a vault, a day apart: the GUID of each question in `a.md`."""
    entries: tuple[Entry, ...] = ()
    result: list[dict[str, str]] = []
    for day, documents in enumerate(vaults, 1):
        flashcards = [
            f for path in sorted(documents) for f in written.flashcards(documents[path], path)
        ]
        today = date(2024, 5, day)
        assigned, _ = identity.assign(flashcards, "obs2anki", entries, today=today)
        fates = [identity.Fate(DeckName("d"), "", 0, 0) for _ in flashcards]
        entries = identity.remembered(flashcards, assigned, fates, entries, today)
        result.append({e.question: e.guid for e in entries if e.gone is None and e.path == "a.md"})
    return result


HERE = AROUND.format(f"{CELLS}\n")
THERE = AROUND.format("What keeps a cell in shape?;; Its wall\n")
REWORDED = {"What holds a cell together?": "What keeps a cell in shape?"}


@pytest.mark.parametrize("copy", ["a (conflicted copy).md", "a.sync-conflict.md", "0/a.md"])
@pytest.mark.parametrize(
    "conflict",
    [
        pytest.param((THERE, HERE), id="the document is reworded"),
        pytest.param((HERE, THERE), id="its copy is reworded"),
    ],
)
def test_a_copy_takes_no_flashcard_from_its_document_nor_brings_one(
    copy: str, conflict: tuple[str, str]
) -> None:
    here, there = conflict
    during = {"a.md": here, copy: there}
    for solved in (
        [{"a.md": THERE}],
        [{copy: there}, {"a.md": THERE}],  # seen without it, before the copy takes its name
        [{"a.md": here}, {"a.md": THERE}],
    ):
        first, *_, last = exports({"a.md": HERE}, during, *solved)
        assert last == {REWORDED.get(question, question): guid for question, guid in first.items()}


def test_what_went_into_a_copy_alone_keeps_its_guid_there() -> None:
    away = AROUND.format("")
    first, *_, last = exports(
        {"a.md": HERE}, {"a.md": away, "b.md": HERE}, {"a.md": HERE, "b.md": away}
    )
    assert first == last


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("`gi`;; focus the first box", "`gi`;; jump to the last insert", False),
        ("`gi`;; focus the first box", "`gi`;; focus the first box of text", True),
        ("What does `gi` do?;; focus the first box", "What does `gi` do?;; jump back", True),
    ],
)
@pytest.mark.parametrize("days", [None, 0])
def test_a_question_elsewhere_says_enough_or_keeps_its_answer(
    before: str, after: str, kept: bool, days: int | None
) -> None:
    entries = ledger(written.flashcards(f"x;; y\n{before}\n", "a.md"))
    today = date(2024, 5, 9)
    if days is not None:
        rest = written.flashcards("x;; y\n", "a.md")
        assigned, _ = identity.assign(rest, "obs2anki", entries, today=today)
        fates = [identity.Fate(DeckName("d"), "", 0, 0)]
        entries = identity.remembered(rest, assigned, fates, entries, today)
    moved = [*written.flashcards("x;; y\n", "a.md"), *written.flashcards(f"{after}\n", "b.md")]
    (_, last), _ = identity.assign(moved, "obs2anki", entries, today=today)
    assert (last.guid in {entry.guid for entry in entries}) is kept


@pytest.mark.parametrize("mark", [f"\n{OWN}", " ^wall"])
@pytest.mark.parametrize("first", [True, False])
def test_of_two_twins_that_were_away_the_one_without_a_mark_has_none(
    mark: str, first: bool
) -> None:
    both = [f"{CELLS}{mark}\n\n", f"{CELLS}\n\n"]
    above, below = both if first else both[::-1]
    rest = f"x;; y\n{SHARED}\n\n"
    entries = ledger(written.flashcards(f"{above}{rest}{below}"))
    today = date(2024, 5, 9)
    left = written.flashcards(rest)
    assigned, _ = identity.assign(left, "obs2anki", entries, today=today)
    fates = [identity.Fate(DeckName("d"), "", 0, 0)]
    away = identity.remembered(left, assigned, fates, entries, today)
    for one in both:
        back = written.flashcards(f"{rest}{one}")
        (_, last), _ = identity.assign(back, "obs2anki", away, today=today)
        assert last.entry is not None
        had = bool(last.entry.reviews) or last.entry.block_id is not None
        assert had is (mark in one)
