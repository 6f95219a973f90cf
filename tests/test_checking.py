"""`obs2anki check`: every finding about what is named, and nothing written."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import build, checking, vault
from obs2anki.checking import Named
from obs2anki.data import Diagnostic, VaultPath
from obs2anki.diagnostics import Obs2ankiError
from tests.commands import PLUGIN, held, oceans, run, tagged
from tests.commands import vault as written

Capture = pytest.CaptureFixture[str]

OF_A_VAULT = frozenset({"O801", "O802", "O803"})
"""Findings that only a whole vault can tell."""

ONLY_CHECKED = frozenset({"O702", "O801"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def codes(found: Iterable[Diagnostic]) -> list[tuple[str, int, str]]:
    return [(one.path, one.line, one.code) for one in found]


def alone(root: Path, *paths: str) -> list[Diagnostic]:
    """What is found in some documents of a vault."""
    return list(checking.check_vault(root, Named(frozenset(map(VaultPath, paths)))).diagnostics)


# ---------------------------------------------------------------- what is told


def test_findings_are_on_stderr_and_a_summary_on_stdout(folder: Path, capsys: Capture) -> None:
    oceans(folder)
    done = run(["check", "sea/Oceans.md"], capsys)
    assert done.code == 1
    assert done.err.startswith("sea/Oceans.md:10:1: O401 This review belongs to no flashcard")
    assert done.out == "1 document checked: 1 warning.\n"


def test_a_clean_document_is_0_and_so_are_infos(folder: Path, capsys: Capture) -> None:
    written(folder / "v", {"clean.md": "Q;; A\n", "info.md": "Q;; [[not yet]]\n"})
    assert run(["check", "v/clean.md"], capsys).out == "1 document checked: nothing found.\n"
    done = run(["check", "v"], capsys)
    assert (done.code, done.out) == (0, "2 documents checked: 2 infos.\n")
    assert {line.split()[1] for line in done.err.splitlines()[::2]} == {"O605", "O801"}


def test_an_error_is_1(folder: Path, capsys: Capture) -> None:
    written(folder / "v", {"a.md": b"caf\xe9;; coffee\n"})
    assert run(["check", "v"], capsys).code == 1


def test_json_holds_every_finding_by_vault(folder: Path, capsys: Capture) -> None:
    oceans(folder)
    written(folder / "other", {"obs2anki.toml": "", "a/b.md": "Q;;\n"})
    done = run(["check", "other/a", "sea", "--format", "json"], capsys)
    said = json.loads(done.out)
    assert (done.code, done.err) == (1, "")
    assert (said["documents"], said["errors"], said["warnings"], said["infos"]) == (2, 0, 2, 0)
    assert [(one["vault"], one["root"], one["documents"]) for one in said["vaults"]] == [
        ("other", "other/", 1),
        ("sea", "sea/", 1),
    ]
    found = said["vaults"][0]["diagnostics"]
    assert [(one["path"], one["line"], one["code"]) for one in found] == [("a/b.md", 1, "O301")]


def test_github_gets_annotations_from_the_working_folder(folder: Path, capsys: Capture) -> None:
    oceans(folder)
    done = run(["check", "sea/Oceans.md", "--format", "github"], capsys)
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("::warning file=sea/Oceans.md,line=10,col=1,title=O401::")
    assert done.out.endswith("\n1 document checked: 1 warning.\n")


def test_nothing_is_written(folder: Path, capsys: Capture) -> None:
    oceans(folder)
    assert run(["export", "sea"], capsys).code == 0
    before = held(folder)
    for paths in (["sea"], ["sea/Oceans.md"], ["sea", "sea/Oceans.md"]):
        run(["check", *paths], capsys)
    assert held(folder) == before


# ---------------------------------------------------------------- what cannot be checked


def test_a_path_that_is_not_there_is_2(folder: Path, capsys: Capture) -> None:
    done = run(["check", "nowhere.md"], capsys)
    assert (done.code, done.out) == (2, "")
    assert "There is no file or folder nowhere.md." in done.err
    assert run(["check"], capsys).code == 2


def test_settings_that_cannot_be_used_are_2_and_told_from_here(
    folder: Path, capsys: Capture
) -> None:
    written(folder / "v", {"a/b.md": "Q;;\n", "obs2anki.toml": "[check]\nignore = ['o605']\n"})
    done = run(["check", "v/a/b.md"], capsys)
    assert done.code == 2
    assert done.err.startswith(
        'v/obs2anki.toml:2: [check] ignore needs codes of findings, and "o60'
    )
    assert "O605 is nearest" in done.err


def test_github_is_shown_where_settings_cannot_be_used(folder: Path, capsys: Capture) -> None:
    written(folder / "v", {"a.md": "Q;; A\n", "obs2anki.toml": "x = 1\n[select]\nreview = true\n"})
    done = run(["check", "v", "--format", "github"], capsys)
    assert done.code == 2
    assert done.out.splitlines() == [
        "::error file=v/obs2anki.toml,line=1::There is no setting x.%0AKnown here are: "
        + done.out.splitlines()[0].partition("Known here are: ")[2],
        "::error file=v/obs2anki.toml,line=3::There is no setting [select] review."
        "%0ADid you mean [select] reviewed?",
    ]


def test_many_findings_are_summed_up_by_code(folder: Path, capsys: Capture) -> None:
    text = "".join(f"Q{n};;\n\n" for n in range(15)) + "".join(
        f"R{n};; [[x]]\n\n" for n in range(6)
    )
    written(folder / "v", {"a.md": text})
    assert run(["check", "v/a.md"], capsys).out.splitlines() == [
        "1 document checked: 15 warnings, 6 infos.",
        "  O301  empty side  15",
        "  O605  dead link    6",
    ]


@pytest.mark.parametrize("kept", ["", "z;;;y\n"])
def test_reviews_below_another_separator_name_it(folder: Path, capsys: Capture, kept: str) -> None:
    written(folder / "v", {"a.md": f"{kept}q => a\n<!--SR:!2024-04-12,14,232-->\n"})
    said = (
        "\n\nThis review stands below a line with => in it. If that is your separator,\n"
        'write in obs2anki.toml:\n  [grammar]\n  single_line = "=>"\n'
    )
    assert said in run(["check", "v"], capsys).out
    text = (folder / "v/a.md").read_text()
    (folder / "v/a.md").write_text(f"{text}\n{text}")
    assert "Many of these reviews stand below a line with =>" in run(["check", "v"], capsys).out
    (folder / "v/obs2anki.toml").write_text('[grammar]\nsingle_line = "=>"\n')
    assert "=>" not in run(["check", "v"], capsys).out


def test_a_ledger_that_cannot_be_read_stops_only_the_check_of_a_vault(
    folder: Path, capsys: Capture
) -> None:
    written(folder / "v", {"a.md": "Q;; A\n", ".obs2anki/ledger.jsonl": "<<<<<<< HEAD\n"})
    done = run(["check", "v"], capsys)
    assert done.code == 2
    assert done.err.startswith(f"{Path('v/.obs2anki/ledger.jsonl')}:1: ")
    assert run(["check", "v/a.md"], capsys).code == 0


def test_what_is_no_document_is_passed_over(folder: Path, capsys: Capture) -> None:
    hidden: dict[str, str | bytes] = {
        "x.png": b"",
        ".trash/old.md": "Q;;\n",
        ".obsidian/app.json": "{}",
    }
    written(folder / "v", {"a.md": "Q;; A\n", **hidden})
    done = run(["check", "v/x.png", "v/.trash/old.md"], capsys)
    assert (done.code, done.out) == (0, "0 documents checked: nothing found.\n")


# ---------------------------------------------------------------- which vault


def test_each_document_is_read_with_the_settings_of_its_vault(
    folder: Path, capsys: Capture
) -> None:
    written(folder / "a", {PLUGIN: tagged(), "deep/x.md": "#flashcards\n\nQ::\n\nR;;\n"})
    written(folder / "b", {"obs2anki.toml": "[grammar]\nsingle_line = '>>'\n", "x.md": "Q>>\n"})
    written(folder / "c", {".obs2anki/ledger.jsonl": "", "deep/x.md": "Q;;\n"})
    written(folder / "d", {"x.md": "Q::\n\nQ;;\n"})
    paths = ["a/deep/x.md", "b/x.md", "c/deep", "d/x.md"]
    done = run(["check", *paths], capsys)
    assert [line.split(" ")[0] for line in done.err.splitlines()[::2]] == [
        "a/deep/x.md:3:1:",
        "b/x.md:1:1:",
        "c/deep/x.md:1:1:",
        "d/x.md:3:1:",
    ]


def test_links_are_looked_up_in_the_whole_vault(folder: Path, capsys: Capture) -> None:
    files: dict[str, str | bytes] = {"obs2anki.toml": "", "img/x.png": b"", "notes/b.md": ""}
    written(folder / "v", files | {"a/c.md": "Q;; ![[x.png]] [[b]] ![[y.png]]\n"})
    assert codes(alone(folder / "v", "a/c.md")) == [("a/c.md", 1, "O601")]


def test_of_a_large_vault_only_what_is_named_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents: dict[str, str | bytes] = {f"{n}.md": "#flashcards Q::A\n" for n in range(50)}
    written(folder / "v", {PLUGIN: tagged(), "x.md": "#flashcards Q::\n"} | documents)
    read: list[str] = []
    original = vault._bytes

    def told(path: str | Path) -> bytes:
        read.append(Path(path).name)
        return original(path)

    monkeypatch.setattr(vault, "_bytes", told)
    assert codes(alone(folder / "v", "x.md")) == [("x.md", 1, "O301")]
    assert read == ["data.json", "x.md"]


def test_a_separator_that_another_document_proves_counts(folder: Path) -> None:
    proof = "Q:: A\n<!--SR:!2024-04-12,14,232-->\n"
    written(folder / "v", {"obs2anki.toml": "", "proof.md": proof, "x.md": "R::\n"})
    assert codes(alone(folder / "v", "x.md")) == [("x.md", 1, "O301")]


def test_a_link_is_checked_where_it_stands(folder: Path) -> None:
    written(folder / "v", {"obs2anki.toml": "", "a/x.md": "Q;;\n"})
    (folder / "v/b.md").symlink_to("a/x.md")
    root, wanted = (folder / "v").resolve(), Named(frozenset({VaultPath("b.md")}))
    assert checking.by_vault([folder / "v/b.md"]) == {root: wanted}


@pytest.mark.parametrize("path", ["v/linked", "v/b/..", "v/a/../a"])
def test_a_folder_is_checked_where_it_lies(folder: Path, path: str) -> None:
    written(folder / "v", {"obs2anki.toml": "", "a/x.md": "Q;;\n", "b/y.md": "Prose.\n"})
    (folder / "v/linked").symlink_to("a")
    ((root, wanted),) = checking.by_vault([folder / path]).items()
    found = checking.check_vault(root, wanted)
    assert codes(found.diagnostics) == [("a/x.md", 1, "O301")]


def test_a_document_that_leads_nowhere_keeps_no_other_from_its_check(
    folder: Path, capsys: Capture
) -> None:
    written(folder / "v", {"obs2anki.toml": "", "x.md": "Q;;\n"})
    (folder / "v/dead.md").symlink_to("nowhere.md")
    (folder / "v/folder").symlink_to("nowhere")
    done = run(["check", "v/dead.md", "v/x.md"], capsys)
    assert done.code == 1
    assert "v/dead.md:1:1: O202" in done.err and "v/x.md:1:1: O301" in done.err
    assert run(["check", "v/folder"], capsys).code == 2  # else a lost vault would be a clean one


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
def test_a_name_that_is_not_unicode_is_told_where_it_is_named(
    folder: Path, capsys: Capture
) -> None:
    written(folder / "v", {"obs2anki.toml": "", "a.md": "Q;; A"})
    name = os.fsdecode(b"v/caf\xe9.md")
    Path(name).write_text("R;; B")
    done = run(["check", name], capsys)
    assert (done.code, "O108" in done.err) == (1, True)
    inside = Path(os.fsdecode(b"v/\xe9t\xe9/x.md"))
    inside.parent.mkdir()
    inside.write_text("R;; B")
    for named in (inside, inside.parent):
        done = run(["check", str(named)], capsys)
        assert (done.code, "O108" in done.err, "caf" in done.err) == (1, True, False)


def test_a_name_that_is_not_normal_is_found(folder: Path, capsys: Capture) -> None:
    written(folder / "v", {"obs2anki.toml": "", "Cafe\u0301.md": "Q;;\n"})
    assert run(["check", "v/Cafe\u0301.md"], capsys).code == 1


# ---------------------------------------------------------------- the same, however it is asked


LINES = (
    "Q;; A ^id",
    "Q;;",
    "Q::A",
    "?",
    "text",
    "",
    "#Flashcards",
    "#flashcards",
    "==one== and ==3;;two==",
    "[[nowhere]];; ![[gone.png]]",
    "![[d#nowhere]];; ![[b/d]]",
    "<!--SR:!2024-04-12,14,232-->",
    "<!--SR:!soon,14,232-->",
    "<!-- hidden -->",
    "```",
    "---",
    "tags: #flashcards",
)
DOCUMENTS = st.lists(st.sampled_from(LINES), max_size=8).map("\n".join)
VAULTS = st.fixed_dictionaries(
    {"a.md": DOCUMENTS, "b/Templates/c.md": DOCUMENTS, "b/d.md": DOCUMENTS},
    optional={PLUGIN: st.just(tagged())},
)


@given(VAULTS)
def test_a_vault_is_told_what_its_documents_are_told_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, documents: dict[str, str]
) -> None:
    root = written(tmp_path_factory.mktemp("v"), {"obs2anki.toml": "", **documents})
    whole = checking.check_vault(root).diagnostics
    each = [alone(root, path) for path in ("a.md", "b/Templates/c.md", "b/d.md")]
    assert {d for found in each for d in found} == {d for d in whole if d.code not in OF_A_VAULT}
    for found in (whole, *each):
        assert len(set(found)) == len(found)


@given(VAULTS)
def test_a_check_tells_what_an_export_tells(
    tmp_path_factory: pytest.TempPathFactory, documents: dict[str, str]
) -> None:
    root = written(tmp_path_factory.mktemp("v"), documents)
    checked = checking.check_vault(root).diagnostics
    exported = build.prepare(build.Request(root)).plan.diagnostics
    assert sorted(d for d in checked if d.code not in ONLY_CHECKED) == sorted(exported)


def test_a_whole_vault_is_asked_with_its_ledger(folder: Path, capsys: Capture) -> None:
    written(folder / "v", {"a.md": "Mitochondria make ATP;; True\n"})
    assert run(["export", "v"], capsys).code == 0
    settings = '[grammar]\ncloze_patterns = ["==[123;;]answer[;;hint]=="]\n'
    written(folder / "v", {"a.md": "==Mitochondria== make ATP\n", "obs2anki.toml": settings})
    assert codes(checking.check_vault(folder / "v").diagnostics) == [("a.md", 1, "O803")]
    assert alone(folder / "v", "a.md") == []


# ---------------------------------------------------------------- what is not wanted


IGNORE = """
[check]
ignore = ["O301"]
[check.ignore_in]
"drafts/**" = ["O401", "O605"]
"b" = ["O402"]
"""


def test_what_is_ignored_is_told_by_no_command(folder: Path, capsys: Capture) -> None:
    orphan = "Q;; A\n\n<!--SR:!2024-04-12,14,232-->\n"
    written(folder / "v", {"obs2anki.toml": IGNORE, "a.md": "Q;;\n", "drafts/x/y.md": orphan})
    done = run(["check", "v"], capsys)
    assert (done.code, done.err) == (
        0,
        "v/drafts/x/y.md:1:1: O801 The same question sta"
        "nds at a.md:1.\n    Nothing is to be done if you mean it; else delete one of the two, "
        "or word it otherwise.\n",
    )
    assert run(["list", "v"], capsys).err == ""
    done = run(["export", "v", "--strict"], capsys)
    assert (done.code, done.err) == (0, "")


def test_broken_frontmatter_is_told_where_it_hides_the_tag(folder: Path) -> None:
    documents: dict[str, str | bytes] = {
        "a.md": "---\ntags: [#flashcards]\n---\nQ::A\n",
        "none.md": "---\ntags: [#flashcards]\n---\nProse.\n",
        "other.md": "---\ntags: [#biology]\n---\nQ::A\n",
    }
    root = written(folder / "v", {PLUGIN: tagged(), **documents})
    found = codes(checking.check_vault(root).diagnostics)
    assert found == [("a.md", 2, "O203"), ("other.md", 4, "O702")]


def test_text_that_no_tag_selects_is_told_but_where_it_is_meant_to_be_left_out(
    folder: Path,
) -> None:
    settings = tagged(noteFoldersToIgnore=["drafts"])
    documents: dict[str, str | bytes] = {
        "obs2anki.toml": '[[decks.rules]]\nfolder = "out"\nskip = true\n',
        "a.md": "Q::A\n",
        "b.md": "R::B\n<!--SR:!2024-04-12,14,232-->\n",
        "drafts/c.md": "S::C\n",
        "out/d.md": "#flashcards\n\nT::D\n",
    }
    root = written(folder / "v", {PLUGIN: settings, **documents})
    found = codes(checking.check_vault(root).diagnostics)
    assert found == [("a.md", 1, "O702"), ("b.md", 1, "O702"), ("b.md", 2, "O406")]


@pytest.mark.parametrize(
    ("head", "line"), [("\n---\ntags: [flashcards]\n---", 3), ("---\ntags: [flashcards]", 2)]
)
def test_a_tag_in_what_is_no_frontmatter_is_told(folder: Path, head: str, line: int) -> None:
    written(folder / "v", {PLUGIN: tagged(), "a.md": f"{head}\n\nQ::A\n"})
    assert codes(alone(folder / "v", "a.md")) == [("a.md", line, "O703")]


def test_a_merge_that_took_the_tags_is_told(folder: Path) -> None:
    tags = "<<<<<<< HEAD\ntags: [flashcards/a]\n=======\ntags: [flashcards/b]\n>>>>>>> laptop\n"
    written(folder / "v", {PLUGIN: tagged(), "a.md": f"---\n{tags}---\n\nQ::A\n"})
    assert codes(alone(folder / "v", "a.md")) == [("a.md", 2, "O211"), ("a.md", 3, "O203")]


def test_a_review_that_a_note_shows_as_code_is_no_review(folder: Path) -> None:
    review = "<!--SR:!2024-04-12,14,232-->"
    text = f"#flashcards\n\nThe plugin writes `{review}` below it.\n\n`a` {review} `b`\n\nQ::A\n"
    written(folder / "v", {PLUGIN: tagged(), "a.md": text})
    assert codes(alone(folder / "v", "a.md")) == [("a.md", 5, "O401")]


def test_a_document_whose_tag_gives_no_deck_is_not_told_to_have_none(folder: Path) -> None:
    root = written(folder / "v", {PLUGIN: tagged(), "a.md": "---\ntag: flashcards\n---\nQ::A\n"})
    assert codes(alone(root, "a.md")) == [("a.md", 4, "O303")]


def test_nothing_is_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a check goes nowhere")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    documents = {"a.md": "Q;; ![](https://example.org/x.png)\n"}
    written(folder / "v", {"obs2anki.toml": "[media]\ndownload = true\n", **documents})
    assert checking.check_vault(folder / "v").diagnostics == ()


def test_what_is_embedded_is_told_of_whoever_embeds_it(folder: Path) -> None:
    written(folder / "v", {"obs2anki.toml": "", "x.md": "Q;; ![[y]]\n", "y.md": "![[gone.png]]\n"})
    assert codes(alone(folder / "v", "x.md")) == [("y.md", 1, "O601")]
    assert alone(folder / "v", "y.md") == []
    assert codes(checking.check_vault(folder / "v").diagnostics) == [("y.md", 1, "O601")]


def test_what_is_ignored_elsewhere_is_told_here(folder: Path, capsys: Capture) -> None:
    orphan = "Q;; A\n\n<!--SR:!2024-04-12,14,232-->\n"
    written(folder / "v", {"obs2anki.toml": IGNORE, "b.md": orphan})
    assert codes(checking.check_vault(folder / "v").diagnostics) == [("b.md", 3, "O401")]
    assert run(["export", "v", "--strict"], capsys).code == 1


def test_the_vault_of_a_missing_path_is_not_guessed(folder: Path) -> None:
    with pytest.raises(Obs2ankiError):
        checking.by_vault([folder / "gone"])
