"""What is told about documents and flashcards that can be read all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from obs2anki import check, diagnostics, extract, render
from obs2anki.data import Diagnostic, Flashcard, VaultPath
from obs2anki.settings import Check, Grammar, IgnoreIn, Obsidian, Settings
from tests.plans import note, plan
from tests.vault_files import library
from tests.written import document, flashcards, source

LIBRARY = library()


def findings(front: str, back: str) -> list[tuple[str, str]]:
    """Code and sentence of what is found about a flashcard."""
    (planned,) = plan(note("a")).planned
    flashcard = structs.replace(planned.flashcard, shown=(front, back))
    return [(found.code, found.message) for found in check.empty_sides([flashcard])]


@pytest.mark.parametrize(
    "side", ["", " \n", "---", "***", " _ _ _ ", "---\n\n***", "%%a%%", "<!-- -->"]
)
def test_a_side_that_shows_nothing_is_told(side: str) -> None:
    empty = "of this flashcard is empty; Anki shows (empty) there."
    assert findings(side, "x") == [("O301", f"The front {empty}")]
    assert findings("x", side) == [("O301", f"The back {empty}")]


@pytest.mark.parametrize("side", ["x", "--", "-*-", "- - x", "---\nx", "**a**", "%%a", "-", "<b>"])
def test_a_side_that_shows_something_is_not_told(side: str) -> None:
    assert findings(side, side) == []


PIECES = ("---", "* * *", "___", "--", "*", "x", "%%", "%%a%%", "<!-- b -->", "`", "$", "\n", " ")


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_side_is_told_to_be_empty_where_it_is_shown_so(side: str) -> None:
    place = render.Place(VaultPath("a.md"), 1, "")
    shown, _ = render.side(side, place, LIBRARY, Obsidian())
    assert bool(findings(side, "x")) is not bool(shown.html)


def test_a_side_of_a_hundred_thousand_comment_marks_is_read_in_one_pass() -> None:
    assert findings("<!--" * 100_000, "%%" * 100_001) == []


# ---------------------------------------------------------------- of a document


def merged(tmp_path: Path, style: str) -> str:
    """What `git merge-file` makes of a review on each side of a text."""
    versions = ("!2024-05-02,34,252", "!2024-04-12,14,232", "!2024-04-20,22,232")
    files = [tmp_path / name for name in ("ours", "base", "theirs")]
    for file, version in zip(files, versions, strict=True):
        file.write_text(f"# Cells\n\na;; b\n<!--SR:{version}-->\n", "utf-8")
    command = ["git", "-c", f"merge.conflictStyle={style}", "merge-file", "-p", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("style", "end"), [("merge", 8), ("diff3", 10)])
def test_what_git_could_not_merge_is_told(tmp_path: Path, style: str, end: int) -> None:
    text = merged(tmp_path, style)
    told = list(check.unresolved_merges(source(text)))
    assert [(d.code, d.line, f"to line {end} " in d.message) for d in told] == [("O211", 4, True)]
    twice = source(f"{text}\n{text}".replace("\n", "\r\n"))
    assert [d.line for d in check.unresolved_merges(twice)] == [4, end + 5]


@pytest.mark.parametrize(
    "text",
    [
        "```\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> c\n```\n",
        "<<<<<<< HEAD\na\n>>>>>>> c\n",
        "<<<<<<< HEAD\na\n=======\nb\n",
        "Title\n=======\n\n>>>>>>> quoted deep\n",
        " <<<<<<< HEAD\na\n=======\nb\n>>>>>>> c\n",
    ],
)
def test_what_only_looks_like_a_merge_is_not_told(text: str) -> None:
    assert list(check.unresolved_merges(source(text))) == []


def test_a_merge_of_what_was_merged_so_is_told_once() -> None:
    inner = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> c\n"
    for outer, end in (("{}=======\nb\n>>>>>>> d\n", 9), ("{}", 6)):
        text = "<<<<<<< HEAD\n" + outer.format(inner)
        (told,) = check.unresolved_merges(source(text))
        assert (told.line, f"to line {end} " in told.message) == (1, True)


def test_a_merge_that_begins_a_code_block_in_each_version_is_told() -> None:
    text = "<<<<<<< HEAD\n```py\n=======\n```python\n>>>>>>> c\n1\n```\n"
    assert [d.line for d in check.unresolved_merges(source(text))] == [1]


# ---------------------------------------------------------------- of all flashcards


def found(rule: Callable[..., Iterable[Diagnostic]], *given: object) -> list[tuple[str, int]]:
    """Path and line of what a rule finds."""
    return [(one.path, one.line) for one in rule(*given)]


def written(documents: Mapping[str, str]) -> list[Flashcard]:
    """The flashcards of documents."""
    return [one for path, text in documents.items() for one in flashcards(text, path)]


def counted(documents: Mapping[str, str]) -> list[check.Counted]:
    """Documents, how many flashcards each has, and the line of the first."""
    made = ((path, flashcards(text, path)) for path, text in documents.items())
    return [(VaultPath(path), len(those), those[0].own_line) for path, those in made]


def test_a_block_id_is_one_place_of_its_document() -> None:
    checked = flashcards("a;; b ^id\n\nc;; d ^ID\n\ne;; f ^other\n\ng;; h ^id\n", "a.md")
    assert found(check.block_ids_twice, checked) == [("a.md", 3), ("a.md", 7)]


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("Templates", True),
        ("99 - templates", True),
        ("a/_template/b", True),
        ("C++ Templates", False),
        ("Template engines", False),
        ("a", False),
    ],
)
def test_a_folder_that_is_called_templates_is_one(folder: str, told: bool) -> None:
    checked = counted({f"{folder}/x.md": "a;; b\n"})
    assert bool(found(check.templates, checked, Settings())) is told


def test_where_obsidian_knows_its_templates_no_name_is_guessed() -> None:
    in_force = replace(Settings(), obsidian=Obsidian(templates=("meta/forms",)))
    checked = counted({"Templates/a.md": "a;; b\n", "meta/forms/b.md": "\na;; b\n"})
    assert found(check.templates, checked, in_force) == [("meta/forms/b.md", 2)]


def test_a_folder_of_templates_is_told_once_with_the_line_to_paste() -> None:
    checked = counted({f"Templates/{name}.md": "a;; b\n\nc;; d\n" for name in "xy"})
    (told,) = check.templates(checked, Settings())
    assert (told.path, told.line) == ("Templates/x.md", 1)
    assert told.message.startswith("Templates is a folder of templates, and 4 of its flashcards")
    assert told.hint == 'Write in obs2anki.toml:\n[select]\nignore = ["Templates/"]'


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("x/a.sync-conflict-20240412-101112-ABCDEFG.md", "x/a.md"),
        ("a.sync-conflict-20170412-101112.md", "a.md"),
        ("a (Jane Doe's conflicted copy 2024-04-12).md", "a.md"),
        ("a (conflicted copy 2024-04-12 101112).md", "a.md"),
        ("x/a (Conflicted copy laptop 202404121011).MD", "x/a.MD"),
        ("a (1) (conflicted copy 2024-04-12).md", "a (1).md"),
        ("a (copy).md", None),
        ("Syncthing makes a sync-conflict.md", None),
        ("(conflicted copy 2024-04-12).md", None),
        ("b (conflicted copy 2024-04-12).md", None),
    ],
)
def test_a_copy_that_a_sync_service_left_is_told_beside_its_document(
    path: str, of: str | None
) -> None:
    files = frozenset(map(VaultPath, ("a.md", "x/a.md", "x/a.MD", "a (1).md", ".md", "b.txt")))
    told = list(check.conflict_copies(counted({path: "a;; b\n\nc;; d\n"}), files))
    assert [(d.code, d.path, d.line) for d in told] == ([("O212", path, 1)] if of else [])
    assert all(f"copy of {of}," in d.message and "; 2 of its" in d.message for d in told)


def test_a_question_is_told_where_it_stands_again() -> None:
    checked = written({"a.md": "Who?;; A\n\nWhat?;; B\n", "b.md": "\nWho? ;; C\n\nWhy?;; D\n"})
    assert found(check.same_questions, checked) == [("b.md", 2)]
    assert [one.message for one in check.same_questions(checked)] == [
        "The same question stands at a.md:1."
    ]


def test_flashcards_without_a_question_do_not_ask_the_same() -> None:
    assert found(check.same_questions, written({"a.md": ";; A\n\n;; B\n"})) == []


# ---------------------------------------------------------------- of a document left out


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\n#Flashcards/biology a;; b", 2),
        ("---\ntags: #flashcards\n---\n", 2),
        ("---\ntags:\n  - #flashcards/a\n---\n", 3),
        ("---\ntags:\n- b\n- Flashcards\n---\n", 4),
        ('---\nTag: "FLASHCARDS"\n---\n', 2),
        ("---\ntitle: x\ntags: [b, #flashcards]\n---\n", 3),
        ("\n\n---\ntags: flashcards\n---\n", 4),
        ("---\r\ntags: flashcards\r\nthe end is missing", 2),
        ("---\ntitle: flashcards\n---\n", None),
        ("---\ntags: flashcardsets\n---\n", None),
        ("---\ntitle: x\n---\ntags: flashcards\n", None),
        ("tags: flashcards", None),
        ("", None),
        ("`#Flashcards`", None),
    ],
)
def test_what_is_meant_for_a_flashcard_tag_is_told(text: str, line: int | None) -> None:
    told = found(check.unreadable_tag, source(text), document(text), Grammar())
    assert told == ([] if line is None else [("a.md", line)])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#Flashcards", "(upper and lower case differ)"),
        ("---\ntags: #Flashcards/a\n---\n", "(upper and lower case differ)"),
        ("---\ntags: #flashcards\n---\n", "(to YAML, # begins a comment)"),
        ("\n---\ntags: flashcards\n---\n", "(a frontmatter begins in line 1 and ends with ---)"),
    ],
)
def test_why_a_tag_is_not_read_is_told(text: str, why: str) -> None:
    (told,) = check.unreadable_tag(source(text), document(text), Grammar())
    assert why in told.message


def test_a_nested_tag_keeps_its_tail_in_the_remedy() -> None:
    text = "#Flashcards/Biology"
    (told,) = check.unreadable_tag(source(text), document(text), Grammar())
    assert "tags: [flashcards/Biology]" in told.hint


def test_highlights_alone_are_no_flashcards_that_a_tag_forgot() -> None:
    grammar = Grammar()
    for text, line in (("==a==\n\nb\n?\nc\n\nd::e\n", 3), ("==a==\n", None), ("a\n", None)):
        parsed = document(text)
        would_be = extract.flashcards(parsed, grammar).flashcards
        told = found(check.unselected, parsed, would_be, grammar)
        assert told == ([] if line is None else [("a.md", line)])


# ---------------------------------------------------------------- what is not wanted


@pytest.mark.parametrize(
    ("wishes", "kept"),
    [
        (Check(), ["O301", "O401"]),
        (Check(ignore=("O301",)), ["O401"]),
        (Check(ignore_in=(IgnoreIn("notes/", ("O301", "O605")),)), ["O401"]),
        (Check(ignore_in=(IgnoreIn("**/a.md", ("O401",)),)), ["O301"]),
        (Check(ignore_in=(IgnoreIn("a.md", ("O401",)),)), ["O301", "O401"]),
        (Check(ignore=("O401",), ignore_in=(IgnoreIn("notes", ("O301",)),)), []),
    ],
)
def test_ignored_findings_are_left_out(wishes: Check, kept: list[str]) -> None:
    path = VaultPath("notes/a.md")
    said = [diagnostics.at("O301", path, 1, "back"), diagnostics.at("O401", path, 2, "")]
    assert [one.code for one in check.heeded(said, wishes)] == kept
