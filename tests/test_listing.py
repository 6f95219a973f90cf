"""What has left the vault is listed, and found again in Anki."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from obs2anki import build, identity, ledger, listing
from obs2anki.data import Guid
from tests import anki_collection
from tests.commands import PLUGIN, held, run, tagged, vault

Capture = pytest.CaptureFixture[str]

NUMBERS = 250


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def numbers(folder: Path, *left: int) -> Path:
    """A vault of 250 flashcards, less those that have left."""
    lines = (f"What is {n} twice;; {2 * n}\n" for n in range(NUMBERS) if n not in left)
    tag = "---\ntags: [flashcards]\n---\n"
    return vault(folder / "sums", {"Sums.md": tag + "".join(lines)})


def export(root: Path) -> Path:
    deck = root.parent / "deck.apkg"
    build.run(build.Request(root, deck), build.export)
    return deck


def guids(root: Path) -> dict[str, Guid]:
    known = ledger.read(root / ".obs2anki" / "ledger.jsonl")
    assert known is not None
    return {entry.question: entry.guid for entry in known.entries}


def gone(root: Path, capsys: Capture) -> str:
    done = run(["list", root.name, "--gone"], capsys)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_a_card_that_anki_does_not_get_is_listed_as_not_exported(
    tmp_path: Path, capsys: Capture
) -> None:
    """Number 2 of the first flashcard asks nothing; the second has no card at all."""
    text = "#flashcards\n\n==1;;sun== and ==3;;moon==\n<!--SR:!2024-05-01,12,230"
    text += "!2024-05-02,12,230!2000-01-01,1,250-->\n\n==1789;;year==\n\nQ::A\n"
    vault(tmp_path / "sky", {"Sky.md": text, PLUGIN: tagged()})
    done = run(["list", "sky"], capsys)
    assert [" ".join(line.split()[2:-1]) for line in done.out.splitlines()[1:]] == [
        "flashcards 2024-05-01 [...] and",
        "flashcards not exported sun and",
        "flashcards new sun and",
        "flashcards new",
    ]
    cards = json.loads(run(["list", "sky", "--format", "json"], capsys).out)["flashcards"]
    taken = [card["anki_ordinal"] for one in cards for card in one["cards"]]
    assert [place is None for place in taken] == [False, True, False, False]


def test_without_a_ledger_it_is_said_that_nobody_knows(tmp_path: Path, capsys: Capture) -> None:
    root = numbers(tmp_path)
    before = held(root)
    assert gone(root, capsys).startswith("There is no ledger yet")
    assert held(root) == before


def test_where_none_has_left_that_is_said(tmp_path: Path, capsys: Capture) -> None:
    root = numbers(tmp_path)
    export(root)
    assert gone(root, capsys) == "No flashcard has left this vault since it was exported.\n"


def test_what_has_left_is_listed_whether_the_ledger_knows_it_yet_or_not(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = numbers(tmp_path)
    export(root)
    guid = guids(root)
    export(numbers(tmp_path, 7))
    before = held(root)
    numbers(tmp_path, 7, 8)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700100000")
    first, second = (identity.note_id(guid[f"What is {n} twice"]) for n in (8, 7))
    assert gone(root, capsys) == (
        "Gone        Stood in      Deck        Question\n"
        "2023-11-16  sums/Sums.md  flashcards  What is 8 twice\n"
        "2023-11-14  sums/Sums.md  flashcards  What is 7 twice\n"
        "\n"
        "An import deletes nothing. To find their notes, paste this into Anki's browser:\n"
        "\n"
        f'"Id:re:^({first}|{second})$"\n'
    )
    done = run(["list", "sums", "--gone", "--format", "json"], capsys)
    said = json.loads(done.out)
    assert (said["version"], said["vault"]) == (1, "sums")
    assert said["searches"] == [f'"Id:re:^({first}|{second})$"']
    assert said["gone"][0] == {
        "guid": guid["What is 8 twice"],
        "id": first,
        "path": "Sums.md",
        "deck": "flashcards",
        "question": "What is 8 twice",
        "gone": "2023-11-16",
    }
    after = held(root)
    assert {name for name in after if after[name] != before[name]} == {"Sums.md"}


def test_the_searches_find_the_notes_in_anki_and_no_others(tmp_path: Path, capsys: Capture) -> None:
    """230 of 250 have left: more than one search holds."""
    root = numbers(tmp_path)
    deck = export(root)
    guid = guids(root)
    left = {guid[f"What is {n} twice"] for n in range(230)}
    numbers(tmp_path, *range(230))
    done = run(["list", "sums", "--gone", "--format", "json"], capsys)
    searches = json.loads(done.out)["searches"]
    assert len(searches) == 3
    with anki_collection.collection(tmp_path) as col:
        anki_collection.bring(col, deck)
        found = [col.get_note(note).guid for one in searches for note in col.find_notes(one)]
    assert (len(found), set(found)) == (230, left)


def test_what_was_never_packed_is_in_no_search(tmp_path: Path, capsys: Capture) -> None:
    documents = {
        "obs2anki.toml": '[grammar]\ncloze_patterns = ["==[123;;]answer[;;hint]=="]\n',
        "a.md": "---\ntags: [flashcards]\n---\nOne;; 1\n\n\n",
    }
    root = vault(tmp_path / "v", documents)
    text = "%% ==hidden== %%\n\nThe ==sun== sets\n"
    vault(root, {"a.md": documents["a.md"] + text})
    export(root)
    known = ledger.read(root / ".obs2anki" / "ledger.jsonl")
    assert known is not None
    unpacked = [entry for entry in known.entries if not entry.content]
    vault(root, documents)
    done = run(["list", "v", "--gone", "--format", "json"], capsys)
    said = json.loads(done.out)
    assert unpacked
    assert {one["guid"] for one in said["gone"] if one["id"] is None} == {
        entry.guid for entry in unpacked
    }
    (search,) = said["searches"]
    assert not any(identity.note_id(entry.guid) in search for entry in unpacked)


def test_gone_needs_the_ledger(tmp_path: Path, capsys: Capture) -> None:
    numbers(tmp_path)
    done = run(["list", "sums", "--gone", "--stateless"], capsys)
    assert (done.code, done.out) == (2, "")
    assert "--stateless does not read it" in done.err


def test_control_characters_of_what_has_left_reach_no_terminal(tmp_path: Path) -> None:
    root = vault(tmp_path / "v", {"a\x1b[2J.md": "---\ntags: [flashcards]\n---\nA\x1b[1m;; B\n"})
    export(root)
    (root / "a\x1b[2J.md").write_text("nothing")
    round_ = build.prepare(build.Request(root))
    from obs2anki.wording import Wording

    assert "\x1b" not in "\n".join(listing.gone(round_, Wording("v/", "v")))
