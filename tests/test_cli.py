"""What the command line answers, and what it leaves on the disk."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from obs2anki import __version__, build, cache, cli, listing, terminal
from obs2anki.deeds import Changes
from obs2anki.destinations import package
from obs2anki.diagnostics import Obs2ankiError
from tests import commands
from tests.commands import PLUGIN, Ended, child, ended, held, oceans, run, tagged, vault

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder of a test."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


# ---------------------------------------------------------------- help and usage


HEAVY = """
    comrak genanki nh3 re2 yaml rich frontmatter watchdog obs2anki.render obs2anki.plan
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["export", "--help"], ["adopt", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str], folder: Path) -> None:
    look = (
        "import atexit\n"
        f"heavy = {HEAVY.split()!r}\n"
        "atexit.register(lambda: print('heavy:', [m for m in heavy if m in sys.modules]))"
    )
    done = ended(child(arguments, folder, look))
    assert done.code == 0
    assert done.out.endswith("heavy: []\n")


@pytest.mark.parametrize("command", ["export", "list"])
def test_what_is_to_be_done_at_the_end_of_the_process_is_done(command: str, folder: Path) -> None:
    oceans(folder)
    end = "import atexit; atexit.register(print, 'the end')"
    done = ended(child([command, "sea"], folder, end))
    assert (done.code, done.out.endswith("\nthe end\n")) == (0, True), done


def test_help_names_every_command(capsys: Capture) -> None:
    done = run(["--help"], capsys)
    assert done.code == 0
    listed = re.findall(r"^  ([a-z]+)  ", done.out, re.MULTILINE)
    assert listed == ["export", "watch", "list", "check", "adopt", "sync", "prune", "config"]
    assert "..." not in done.out.partition("Commands:")[2], "a sentence is cut off"


def test_version_is_the_package_s(capsys: Capture) -> None:
    done = run(["--version"], capsys)
    assert (done.code, done.out) == (0, f"obs2anki {__version__}\n")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["export"]])
def test_python_m_is_the_same_command(arguments: list[str], folder: Path) -> None:
    named = "sys.argv[0] = 'obs2anki'"
    module = f"import runpy; {named}; runpy.run_module('obs2anki', None, '__main__')"
    assert ended(child(arguments, folder, module)) == ended(child(arguments, folder, named))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["export"],
        ["exprot", "sea"],
        ["export", "sea", "--rollover", "four"],
        ["export", "sea", "--format", "xml"],
        ["list", "sea", "--format", "github"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: Capture, folder: Path) -> None:
    oceans(folder)
    before = held(folder)
    done = run(arguments, capsys)
    assert done.code == 2
    assert "Usage:" in done.out + done.err
    assert held(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["watch", "sea", "--interval", "3"],
        ["list", "sea", "--gone", "--stateless"],
        ["sync", "sea", "--collection", "a", "--profile", "b"],
        ["prune", "sea", "--server", "--connect"],
    ],
)
def test_options_that_do_not_go_together_are_not_called_a_wrong_value(
    arguments: list[str], capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    done = run(arguments, capsys)
    assert done.code == 2
    assert "Error: " in done.err and "Invalid value" not in done.err


@pytest.mark.parametrize(
    ("option", "address"), [("--connect", "localhost:8765"), ("--server", "192.168.1.5:8080/")]
)
def test_an_address_without_its_beginning_is_not_taken_for_a_vault(
    option: str, address: str, capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    for arguments in (["sync", "sea", option, address], ["sync", option, address, "sea"]):
        done = run(arguments, capsys)
        assert done.code == 2
        assert f"Write {option} http://{address}" in done.err


def test_an_option_with_a_wrong_value_is_named_as_it_is_given(
    capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    for option, value in (("--server", "ftp://x.example"), ("--timezone", "Nowhere")):
        done = run(["sync", "sea", option, value], capsys)
        assert done.code == 2
        assert done.err.startswith(f'{option}: "{value}" is not ')


@pytest.mark.parametrize(
    "arguments",
    [["export", ""], ["export", ".", "-o", ""], ["check", "a.md", ""], ["watch", ".", "-o", ""]],
)
def test_a_variable_that_is_not_set_is_not_the_folder_that_one_is_in(
    arguments: list[str], capsys: Capture, folder: Path
) -> None:
    vault(folder, {"a.md": "A;; B"})
    before = held(folder)
    done = run(arguments, capsys)
    assert (done.code, done.out) == (2, "")
    assert "is empty" in done.err
    assert held(folder) == before


def test_a_watch_of_nothing_does_not_say_that_it_watches(capsys: Capture, folder: Path) -> None:
    done = run(["watch", "nowhere"], capsys)
    assert (done.code, done.err.split(".")[0]) == (2, "There is no folder nowhere")


@pytest.mark.parametrize("settings", [False, True])
def test_a_deck_does_not_pass_for_a_document(settings: bool, capsys: Capture, folder: Path) -> None:
    sea = oceans(folder)
    if settings:
        (sea / "obs2anki.toml").write_text('output = "Sea.md"\n')
    before = held(folder)
    done = run(["export", "sea", *([] if settings else ["-o", "sea/Sea.MD"])], capsys)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(
        "is the name of a document, and a deck is none. Name it otherwise, such as sea/Sea.apkg\n"
    )
    assert held(folder) == before


@pytest.mark.parametrize(("name", "told"), [("d", True), ("d.APKG", False), ("d.zip", False)])
def test_a_name_that_anki_does_not_import_is_told(
    name: str, told: bool, capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    done = run(["export", "sea", "-o", name], capsys)
    assert ("a name that ends in .apkg, so rename it first" in done.out) is told


def test_a_prune_that_nobody_can_be_asked_about_calls_no_note_a_large_change(
    folder: Path,
) -> None:
    waiting = terminal.Waiting(io.StringIO())
    with pytest.raises(Obs2ankiError, match="You have to be asked before this is done"):
        cli._asking(lambda _: (), False, waiting)(Changes())


@pytest.mark.parametrize("named", [None, "", "here"])
def test_a_variable_says_where_the_cache_lies_or_that_there_is_none(
    named: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    users = folder / "user"
    monkeypatch.setattr(cache, "folder", lambda: users)
    if named is None:
        monkeypatch.delenv("OBS2ANKI_CACHE", raising=False)
    else:
        monkeypatch.setenv("OBS2ANKI_CACHE", named)
    oceans(folder)
    for written in (True, False):
        assert run(["export", "sea", "-o", "d.apkg", "--exit-code"], capsys).code == written
    assert users.exists() is (named is None)
    assert (folder / "here").exists() is (named == "here")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--rollover", "24", "--rollover: 24 is not a whole number from 0 to 23."),
        ("--timezone", "Europe/Lisbn", 'such as "Europe/Lisbon"'),
    ],
)
def test_an_option_s_value_that_cannot_be_is_2(
    option: str, value: str, sentence: str, capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    before = held(folder)
    done = run(["export", "sea", option, value], capsys)
    assert (done.code, done.out) == (2, ""), done.err
    assert sentence in done.err
    assert held(folder) == before


# ---------------------------------------------------------------- export


def test_export_writes_the_deck_and_says_what_is_in_it(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    done = run(["export", "sea", "-o", "deck.apkg"], capsys)
    assert done.code == 0
    size = (folder / "deck.apkg").stat().st_size
    assert done.out == (
        "Deck      Flashcards  Cards  New  Reviewed  Due now\n"
        "learning           4      4    2         2        2\n"
        "\n"
        "Left behind: 1 review in 1 document was not exported.\n"
        "  1 review: no flashcard directly above the review, for example sea/Oceans.md:10\n"
        "    Put the comment directly below its flashcard\n"
        "\n"
        f"The deck is deck.apkg (4 notes, no media, {size / 1000:.1f} KB in all).\n"
        "\n"
        "The ledger is sea/.obs2anki/ledger.jsonl.\n"
        "Keep it with the vault (commit or sync it): it knows flashcards again after an edit.\n"
        "\n"
        'In Anki, choose File > Import and tick "Import any learning progress":\n'
        "without it every card starts as new.\n"
    )
    place, hint = done.err.splitlines()
    assert place.startswith("sea/Oceans.md:10:1: O401 This review belongs to no flashcard")
    assert hint.startswith("    Put the comment directly below its flashcard")


def test_a_second_export_leaves_the_deck_alone(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    run(["export", "sea"], capsys)
    before = (folder / "sea.apkg").stat()
    done = run(["export", "sea"], capsys)
    assert done.code == 0
    after = (folder / "sea.apkg").stat()  # it was read, so the time of that may differ
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert done.out.startswith(
        "Notes since the last export: 0 added, 0 changed, 0 gone, 4 unchanged.\n"
    )
    assert "sea.apkg holds all of this already, so it was left alone" in done.out
    assert "learning progress" not in done.out


def test_check_follows_the_vault(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    missing = run(["export", "sea", "--check"], capsys)
    assert (missing.code, list(folder.glob("*.apkg"))) == (1, [])
    assert missing.out == (
        "sea.apkg does not exist yet. To write it, give the same command without --check.\n"
    )
    run(["export", "sea"], capsys)
    deck = (folder / "sea.apkg").read_bytes()
    fresh = run(["export", "sea", "--check"], capsys)
    assert (fresh.code, fresh.out) == (0, "sea.apkg is up to date.\n")
    with (folder / "sea/Oceans.md").open("a") as document:
        document.write("\nWho mapped the seafloor;; Marie Tharp\n")
    stale = run(["export", "sea", "--check"], capsys)
    assert stale.code == 1
    assert stale.out.startswith("Notes since the last export: 1 added, 0 changed, 0 gone, 4")
    assert "sea.apkg is out of date." in stale.out
    assert (folder / "sea.apkg").read_bytes() == deck


def test_a_dry_run_tells_everything_and_writes_nothing(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    before = held(folder)
    done = run(["export", "sea", "--dry-run"], capsys)
    assert done.code == 0
    assert "learning           4      4    2         2        2\n" in done.out
    assert "Left behind: 1 review in 1 document was not exported." in done.out
    assert done.out.endswith(
        "Nothing was written (--dry-run). The deck would be sea.apkg (4 notes, no media).\n"
    )
    assert held(folder) == before


def test_strict_writes_nothing_if_there_is_a_finding(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    before = held(folder)
    done = run(["export", "sea", "--strict"], capsys)
    assert done.code == 1
    assert "sea/Oceans.md:10:1: O401" in done.err
    assert done.out.endswith("Nothing was written: --strict was given, and there is 1 warning.\n")
    assert held(folder) == before


def test_strict_minds_no_info(capsys: Capture, folder: Path) -> None:
    # `::` is proved by a review, which is said as an info.
    vault(folder / "v", {"a.md": "a::b\n<!--SR:!2024-04-12,1,232-->\n"})
    done = run(["export", "v", "--strict"], capsys)
    assert done.code == 0
    assert "O103" in done.err
    assert (folder / "v.apkg").exists()


def test_a_vault_that_yields_nothing_leaves_the_deck(capsys: Capture, folder: Path) -> None:
    vault(
        folder / "v",
        {PLUGIN: tagged(), "a.md": "q::a\n<!--SR:!2024-04-12,1,232-->\n", "b.md": "nothing"},
    )
    (folder / "v.apkg").write_text("yesterday's")
    before = held(folder)
    done = run(["export", "v"], capsys)
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "Left behind: 1 review in 1 document was not exported.\n"
        "  1 review: no flashcard tag, for example v/a.md:2\n"
        "    To take every document that holds a review, write in obs2anki.toml:\n"
        "    [select]\n"
        "    reviewed = true\n"
        "\n"
        "No flashcards were found in v, so no deck was written.\n"
        "  2 documents: no flashcard tag, for example v/a.md\n"
        "    The flashcard tags in force are: #flashcards\n"
        "The separators in force are: :::  ::  ?  ??\n"
        "To see all settings: obs2anki config v\n"
    )
    assert held(folder) == before


def test_options_reach_the_deck(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    done = run(["export", "sea", "--no-scheduling", "--stateless"], capsys)
    assert done.code == 0
    assert "learning           4      4    4         0        0\n" in done.out
    assert "learning progress" not in done.out
    decks = set()
    for options in ([], ["--rollover", "0"], ["--revlog"], ["--timezone", "Pacific/Apia"]):
        run(["export", "sea", *options], capsys)
        decks.add((folder / "sea.apkg").read_bytes())
    assert len(decks) == 4


def test_other_decks_are_not_told_as_updates_for_anki(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    run(["export", "sea"], capsys)
    vault(folder / "sea", {"obs2anki.toml": '[decks]\nroot = "All"\n'})
    assert "Anki will update none of them" in run(["export", "sea"], capsys).out


# ---------------------------------------------------------------- forms of the output


def test_json_is_all_that_is_said(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    done = run(["export", "sea", "--format", "json"], capsys)
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert told["version"] == 1
    assert told["vault"] == "sea"
    assert told["deck"] == "sea.apkg"
    assert told["outcome"] == "written"
    assert told["size"] == (folder / "sea.apkg").stat().st_size
    assert told["delivery"] == {
        "added": 4,
        "changed": 0,
        "gone": 0,
        "unchanged": 0,
        "written": True,
        "anki_updates": 0,
    }
    assert told["decks"] == [
        {
            "deck": "learning",
            "flashcards": 4,
            "cards": 4,
            "new": 2,
            "reviewed": 2,
            "due": 2,
            "since": "2024-04-12",
        }
    ]
    (finding,) = told["diagnostics"]
    assert (finding["path"], finding["line"], finding["code"]) == ("Oceans.md", 10, "O401")


@pytest.mark.parametrize("command", ["export", "list", "config"])
def test_json_stays_json_when_it_fails(command: str, capsys: Capture) -> None:
    done = run([command, "nowhere", "--format", "json"], capsys)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("There is no folder nowhere.")


def test_github_gets_annotations_that_it_reads(capsys: Capture, folder: Path) -> None:
    vault(folder / "100%, a:b", {"o.md": "q;; a\n\n<!--SR:!2024-04-12,1,232-->\n"})
    done = run(["export", "100%, a:b", "--format", "github"], capsys)
    assert (done.code, done.err) == (0, "")
    first = done.out.splitlines()[0]
    assert first.startswith(
        "::warning file=100%25%2C a%3Ab/o.md,line=3,col=1,title=O401::This review belongs"
    )
    assert "%0APut the comment" in first


def test_a_vault_cannot_command_github(capsys: Capture, folder: Path) -> None:
    vault(folder / "v", {"a.md": "---\ndeck: '##[error]x'\n---\nq;; a\n"})
    done = run(["export", "v", "--format", "github"], capsys)
    assert done.code == 0
    assert "##[error]x" in done.out
    assert not [line for line in done.out.splitlines() if line.startswith("##[")]


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "value", "colours"), [("X", "1", True), ("NO_COLOR", "1", False)])
def test_colours_are_for_terminals_whose_user_wants_them(
    name: str, value: str, colours: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oceans(folder)
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm")
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert cli.run(["export", "sea"]) == 0
    assert ("\x1b[33mO401\x1b[0m" in err.getvalue()) is colours
    assert "\x1b" not in out.getvalue()


class AtOnce:
    """A timer whose time has come as soon as it is started."""

    def __init__(self, interval: float, function: Callable[[], None]) -> None:
        self.start = function

    def cancel(self) -> None:
        """It has gone off."""


@pytest.mark.parametrize(("stream", "shows"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_progress_bar_is_for_terminals(
    stream: io.StringIO, shows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "Timer", AtOnce)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.Waiting(stream) as waiting:
        seen = list(waiting.watch(range(3)))
    assert seen == [0, 1, 2]
    assert ("Making the cards" in stream.getvalue()) is shows
    assert "\n\n" not in stream.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made there")
def test_what_a_terminal_obeys_is_shown_and_not_sent(capsys: Capture, folder: Path) -> None:
    name = "a\x1b[2J\nb\u202e.md"
    vault(folder / "v", {name: '---\ndeck: "x\\e]0;y\\a"\n---\nq\x1b[1m;; a\n;; \n'})
    said = run(["export", "v"], capsys), run(["list", "v"], capsys)
    for done in said:
        assert done.code == 0
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.out + done.err)
        assert r"v/a\x1b[2J\nb\u202e.md:5:1: O301" in done.err
    assert r"q\x1b[1m" in said[1].out


def test_every_script_is_written_whatever_the_locale(folder: Path) -> None:
    vault(folder / "v", {"日本.md": "犬;; chien\n"})
    env = dict(os.environ) | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = ended(child(["list", "v"], folder, env=env))
    assert (done.code, done.err) == (0, "")
    assert "v/日本.md:1" in done.out
    assert "犬" in done.out


# ---------------------------------------------------------------- list and config


def test_list_is_a_table(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    before = held(folder)
    done = run(["list", "sea"], capsys)
    assert done.code == 0
    assert done.out.splitlines()[:3] == [
        "Place             Type               Deck      Due         Front",
        "sea/Oceans.md:12  single-line-basic  learning  2024-04-12  How deep is the deepest trench",
        "sea/Oceans.md:14  single-line-basic  learning  new         What makes the tides",
    ]
    assert held(folder) == before


def test_list_as_json_has_the_fixed_names(capsys: Capture, folder: Path) -> None:
    vault(
        folder / "v",
        {
            PLUGIN: tagged(),
            "a.md": "#flashcards/x\n\n# Top\n\n==Oslo== in ==Norway;;land== ^id\n"
            "<!--SR:!2024-04-12,1,232!2000-01-01,1,250-->\n",
            "b.md": "nothing",
        },
    )
    before = held(folder)
    done = run(["list", "v", "--format", "json"], capsys)
    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    guid = told["flashcards"][0].pop("guid")
    assert isinstance(guid, str)
    assert told == {
        "version": 1,
        "vault": "v",
        "flashcards": [
            {
                "path": "a.md",
                "line": 5,
                "end_line": 6,
                "type": "cloze",
                "deck": "flashcards::x",
                "decks": ["flashcards/x"],
                "tags": ["flashcards::x"],
                "block_id": "id",
                "context": ["Top"],
                "cards": [
                    {
                        "ordinal": 0,
                        "anki_ordinal": 0,
                        "front": "[...] in Norway",
                        "back": "Oslo in Norway",
                        "schedule": {"due": "2024-04-12", "interval": 1, "ease": 232},
                    },
                    {
                        "ordinal": 1,
                        "anki_ordinal": 1,
                        "front": "Oslo in [land]",
                        "back": "Oslo in Norway",
                        "schedule": None,
                    },
                ],
            }
        ],
        "skipped": [{"path": "b.md", "reason": "no flashcard tag"}],
        "diagnostics": [],
    }
    assert held(folder) == before


def test_an_fsrs_review_is_listed_in_the_day_of_the_zone(capsys: Capture, folder: Path) -> None:
    comment = "<!--SR:!fsrs,2026-05-20T23:30:00.000Z,3,3.5,5,2,4,1,0,2026-05-17T10:00:00.000Z-->"
    vault(folder / "v", {"a.md": f"q;; a\n{comment}\n"})
    days = {}
    for zone in ("UTC", "Europe/Athens"):
        done = run(["list", "v", "--format", "json", "--timezone", zone], capsys)
        (flashcard,) = json.loads(done.out)["flashcards"]
        schedule = flashcard["cards"][0]["schedule"]
        days[zone] = schedule.pop("due")
        assert json.dumps(schedule) == (
            '{"interval": 3, "stability": 3.5, "difficulty": 5, "state": 2, "reps": 4, '
            '"lapses": 1, "last_review": "2026-05-17T10:00:00.000Z"}'
        )
    assert days == {"UTC": "2026-05-20", "Europe/Athens": "2026-05-21"}


def test_a_card_that_is_not_packed_has_no_ordinal_in_anki(capsys: Capture, folder: Path) -> None:
    vault(folder / "v", {PLUGIN: tagged(), "a.md": "#flashcards\n\nA ==2;;gap== here\n"})
    done = run(["list", "v", "--format", "json"], capsys)
    (flashcard,) = json.loads(done.out)["flashcards"]
    ordinals = [(card["ordinal"], card["anki_ordinal"]) for card in flashcard["cards"]]
    assert ordinals == [(0, None), (1, 1)]


def test_json_is_written_card_by_card(folder: Path) -> None:
    clozes = " ".join(f"=={n}==" for n in range(40))
    root = vault(folder / "v", {PLUGIN: tagged(), "a.md": f"#flashcards {clozes}\n"})
    pieces = list(listing.as_json(build.prepare(build.Request(root))))
    assert max(piece.count('"front"') for piece in pieces) == 1
    (flashcard,) = json.loads("".join(pieces))["flashcards"]
    assert len(flashcard["cards"]) == 40


def test_an_empty_list_says_so(capsys: Capture, folder: Path) -> None:
    vault(folder / "v", {"a.md": "nothing"})
    done = run(["list", "v"], capsys)
    assert (done.code, done.out) == (0, "There are no flashcards in this vault.\n")
    empty = run(["list", "v", "--format", "json"], capsys)
    assert json.loads(empty.out)["flashcards"] == []


def test_config_says_where_each_value_came_from(capsys: Capture, folder: Path) -> None:
    vault(
        folder / "v",
        {
            PLUGIN: tagged(singleLineCardSeparator="=>"),
            "obs2anki.toml": '[decks]\nroot = "All"\n',
            "a.md": "x",
        },
    )
    done = run(["config", "v"], capsys)
    lines = dict(line.split(None, 1) for line in done.out.splitlines())
    assert done.code == 0
    assert lines["grammar.single_line"].split() == ['"=>"', PLUGIN]
    assert lines["decks.root"].split() == ['"All"', "obs2anki.toml"]
    assert lines["decks.depth"].split() == ["0", "default"]
    told = json.loads(run(["config", "v", "--format", "json"], capsys).out)
    assert told["settings"]["decks.root"] == {"value": '"All"', "origin": "obs2anki.toml"}


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "nowhere"],
        ["list", "nowhere"],
        ["adopt", "nowhere", "a.apkg"],
        ["config", "nowhere"],
    ],
)
def test_a_missing_vault_is_2(arguments: list[str], capsys: Capture, folder: Path) -> None:
    done = run(arguments, capsys)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("There is no folder nowhere. ")
    assert held(folder) == {}


def test_a_file_instead_of_a_vault_is_2(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    before = held(folder)
    done = run(["export", "sea/Oceans.md"], capsys)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("sea/Oceans.md is a file, not a vault. Name the folder")
    assert held(folder) == before


def test_an_empty_vault_yields_nothing(capsys: Capture, folder: Path) -> None:
    (folder / "v").mkdir()
    done = run(["export", "v"], capsys)
    assert done == Ended(
        1,
        "No flashcards were found in v, so no deck was written.\n",
        "v:1:1: O109 The vault holds no Markdown document.\n"
        "    Name the folder that you open in Obsidian.\n",
    )
    assert held(folder) == {}


WEAKER = """
import contextlib, io, os, pathlib, tempfile
from obs2anki import cli
with tempfile.TemporaryDirectory() as once, contextlib.redirect_stdout(io.StringIO()):
    pathlib.Path(once, "a.md").write_text("---\\na: b\\n---\\n![[x.png]];; ==b==\\n")
    pathlib.Path(once, "x.png").write_bytes(b"")
    assert cli.run(["export", once, "-o", once + "/a.apkg"]) == 0
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
"""
"""Who may do everything becomes someone who may not, once all that is needed is imported."""


@pytest.fixture
def open_folder(open_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder in which every user may write."""
    open_path.chmod(0o777)
    monkeypatch.chdir(open_path)
    return open_path


def test_a_vault_without_permission_is_2(open_folder: Path) -> None:
    oceans(open_folder)
    (open_folder / "sea").chmod(0)
    done = ended(child(["export", "sea"], open_folder, WEAKER))
    (open_folder / "sea").chmod(0o755)
    assert (done.code, done.out) == (2, ""), done.err
    assert done.err.startswith("The vault sea cannot be read: Permission denied. ")
    assert list(open_folder.glob("*.apkg")) == []


def test_a_document_without_permission_is_named_and_the_rest_goes_on(open_folder: Path) -> None:
    oceans(open_folder)
    vault(open_folder / "sea", {"Secret.md": "q;; a\n"})
    (open_folder / "sea/Secret.md").chmod(0)
    done = ended(child(["export", "sea"], open_folder, WEAKER))
    assert done.code == 0
    assert "sea/Secret.md:1:1: O202 The document cannot be read: Permission denied." in done.err
    assert "(4 notes" in done.out
    assert (open_folder / "sea.apkg").exists()


def test_an_image_without_permission_does_not_stop_the_export(open_folder: Path) -> None:
    vault(open_folder / "v", {"a.md": "![[x.png]];; a\n", "x.png": b"\x89PNG"})
    (open_folder / "v/x.png").chmod(0)
    done = ended(child(["export", "v"], open_folder, WEAKER))
    assert done.code == 0
    assert "v/a.md:1:4: O611" in done.err
    assert "(1 note, no media" in done.out


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"q;; a\n\xff\xfe", "v/bad.md:2:1: O201 The document is not UTF-8 (byte 6)"),
        (b"q;; a\0b\n", "v/bad.md:1:6: O206 The document holds NUL characters"),
        (b"---\na: 1\nb: [\n---\nq;; a\n", "v/bad.md:3:1: O203 The frontmatter is not valid YAML"),
    ],
)
def test_a_document_that_is_amiss_is_named_and_the_rest_goes_on(
    content: bytes, finding: str, capsys: Capture, folder: Path
) -> None:
    vault(folder / "v", {"good.md": "good;; yes\n", "bad.md": content})
    done = run(["export", "v"], capsys)
    assert done.code == 0
    assert finding in done.err
    listed = json.loads(run(["list", "v", "--format", "json"], capsys).out)
    assert "good" in [flashcard["cards"][0]["front"] for flashcard in listed["flashcards"]]
    assert (folder / "v.apkg").exists()


def test_a_byte_order_mark_is_no_text(capsys: Capture, folder: Path) -> None:
    vault(folder / "v", {"a.md": b"\xef\xbb\xbfq;; a\n"})
    done = run(["list", "v", "--format", "json"], capsys)
    (flashcard,) = json.loads(done.out)["flashcards"]
    assert (flashcard["line"], flashcard["cards"][0]["front"]) == (1, "q")


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (
            PLUGIN,
            '{"settings":\n {oops',
            f"sea/{PLUGIN}:2: This file cannot be used: it is no valid",
        ),
        ("obs2anki.toml", "[decks]\nroot = \n", "sea/obs2anki.toml:2: This file is no valid TOML"),
        ("obs2anki.toml", "[decks]\n\nrooot = 'x'\n", "sea/obs2anki.toml:3: There is no setting"),
        ("obs2anki.toml", "[decks]\nroot = 5\n", "sea/obs2anki.toml:2: [decks] root needs text"),
    ],
)
def test_settings_that_cannot_be_used_stop_everything(
    file: str, content: str, sentence: str, capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    vault(folder / "sea", {file: content})
    before = held(folder)
    for command, *more in (["export"], ["list"], ["adopt", "deck.apkg"], ["config"]):
        done = run([command, "sea", *more], capsys)
        assert (done.code, done.out) == (2, ""), done.err
        assert done.err.startswith(sentence)
    assert held(folder) == before


def test_reviews_kept_elsewhere_are_refused(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    vault(folder / "sea", {"schedule-data.sr.md": "x"})
    done = run(["export", "sea"], capsys)
    assert (done.code, done.out) == (2, ""), done.err
    assert "schedule-data.sr.md" in done.err
    assert list(folder.glob("*.apkg")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_that_leaves_the_vault_is_not_followed(capsys: Capture, folder: Path) -> None:
    oceans(folder)
    vault(folder / "outside", {"secret.md": "secret;; yes\n", "s.png": b"\x89PNG"})
    (folder / "sea/secret.md").symlink_to(folder / "outside/secret.md")
    (folder / "sea/pictures").symlink_to(folder / "outside")
    vault(folder / "sea", {"b.md": "![[s.png]];; b\n"})
    done = run(["export", "sea"], capsys)
    assert done.code == 0
    assert "sea/secret.md:1:1: O106 secret.md is a symbolic link that leads out" in done.err
    assert "sea/pictures:1:1: O106" in done.err
    assert "(5 notes, no media" in done.out


# ---------------------------------------------------------------- bad output


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("notes.txt", "notes.txt is no Anki package, so it was not replaced."),
        ("sea", "sea is a folder, so it cannot be the deck."),
        ("nowhere/deck.apkg", "The folder nowhere does not exist, so deck.apkg cannot be"),
        ("notes.txt/deck.apkg", "The folder notes.txt does not exist"),
    ],
)
@pytest.mark.parametrize("option", [[], ["--check"], ["--dry-run"]])
def test_an_output_that_cannot_be_is_2(
    output: str, sentence: str, option: list[str], capsys: Capture, folder: Path
) -> None:
    oceans(folder)
    (folder / "notes.txt").write_text("mine")
    before = held(folder)
    done = run(["export", "sea", "-o", output, *option], capsys)
    assert done.code == 2
    assert sentence in done.err
    assert held(folder) == before


def test_an_output_that_may_not_be_written_is_2(open_folder: Path) -> None:
    oceans(open_folder)
    (open_folder / "locked").mkdir()
    (open_folder / "locked").chmod(0o555)
    done = ended(child(["export", "sea", "-o", "locked/deck.apkg"], open_folder, WEAKER))
    assert (done.code, done.out) == (2, ""), done.err
    assert "locked/deck.apkg cannot be written (Permission denied)." in done.err
    assert held(open_folder / "locked") == {}


def test_a_full_disk_is_2_and_leaves_the_old_deck(folder: Path, capsys: Capture) -> None:
    oceans(folder)
    run(["export", "sea"], capsys)
    vault(folder / "sea", {"b.md": "".join(f"q{n};; {n**50}\n" for n in range(500))})
    before = held(folder)
    # No file may grow beyond 10 kB: as on a full disk, a write fails half-way.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))"
    done = ended(child(["export", "sea"], folder, limit))
    assert (done.code, done.out) == (2, ""), done.err
    assert "There is no room on the disk" in done.err
    assert held(folder) == before


def test_two_exports_at_once_leave_one_whole_deck(folder: Path, capsys: Capture) -> None:
    oceans(folder)
    vault(folder / "sea", {"b.md": "".join(f"q{n};; {n}\n" for n in range(300))})
    run(["export", "sea", "-o", "alone.apkg"], capsys)
    both = [child(["export", "sea"], folder) for _ in range(2)]
    assert [ended(process).code for process in both] == [0, 0]
    left = held(folder)
    assert left["sea.apkg"] == left["alone.apkg"]
    kept = {"sea/.obs2anki/ledger.jsonl", "sea/.obs2anki/.gitattributes"}
    assert set(left) == {"alone.apkg", "sea.apkg", "sea/Oceans.md", "sea/b.md"} | kept


# ---------------------------------------------------------------- stopped, and bugs


WAITS = """
import os, sys, time
def stop_here(_):
    print("writing", flush=True)
    time.sleep(60)
os.fsync = stop_here
"""
"""The new deck is written aside, and not yet put in place."""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_stopping_leaves_the_old_deck_and_nothing_else(
    name: str, code: int, folder: Path, capsys: Capture
) -> None:
    oceans(folder)
    run(["export", "sea"], capsys)
    vault(folder / "sea", {"b.md": "q;; a\n"})
    before = held(folder)
    process = child(["export", "sea"], folder, WAITS)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert len(held(folder)) == len(before) + 1
    process.send_signal(getattr(signal, name))
    done = ended(process)
    assert (done.code, done.out, done.err) == (code, "", "Stopped.\n")
    assert held(folder) == before


def test_a_reader_who_leaves_is_no_error(folder: Path) -> None:
    vault(folder / "v", {"a.md": "".join(f"q{n};; a\n" for n in range(5000))})
    process = child(["list", "v"], folder)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_an_output_that_is_full_is_2(folder: Path) -> None:
    oceans(folder)
    redirect = "sys.stdout = open('/dev/full', 'w')"
    done = ended(child(["list", "sea"], folder, redirect))
    assert done.code == 2
    assert "The output cannot be written (No space left on device)." in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_words_that_find_no_room_change_no_exit_code(folder: Path) -> None:
    done = ended(child(["list", "sea"], folder, "sys.stderr = open('/dev/full', 'w')"))
    assert (done.code, done.out) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_watch_is_heard_again_once_there_is_room(tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    with Path("/dev/full").open("w") as stream, said.open("w") as room:
        cli._say_if_there_is_room(["lost\n"], stream)
        os.dup2(room.fileno(), stream.fileno())
        cli._say_if_there_is_room(["heard\n"], stream)
    assert said.read_text() == "heard\n"


@pytest.mark.parametrize("wanted", [False, True])
def test_a_bug_is_3_and_says_where_to_report_it(
    wanted: bool, capsys: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("x\x1b")

    monkeypatch.setattr(build, "prepare", broken)
    if wanted:
        monkeypatch.setenv("OBS2ANKI_DEBUG", "1")
    oceans(folder)
    done = run(["export", "sea"], capsys)
    assert (done.code, done.out) == (3, "")
    assert "This is a bug in obs2anki: KeyError: 'x\\x1b' (test_cli.py:" in done.err
    assert "Please report it" in done.err
    assert ("Traceback" in done.err) is wanted


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.EIO, "Input/output error", "x.md"), "Input/output error (x.md)."),
        (MemoryError(), "There is not enough memory for this vault."),
    ],
)
def test_what_the_machine_refuses_is_2(
    error: Exception,
    sentence: str,
    capsys: Capture,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(package.Package, "deliver", refused)
    oceans(folder)
    before = held(folder)
    done = run(["export", "sea"], capsys)
    assert (done.code, done.out) == (2, ""), done.err
    assert sentence in done.err
    assert held(folder) == before


def test_the_tests_run_what_is_here() -> None:
    assert Path(cli.__file__).is_relative_to(commands.ROOT)


def test_closed_streams_are_no_error(folder: Path) -> None:
    oceans(folder)
    done = ended(child(["export", "sea"], folder, "sys.stdout = sys.stderr = None"))
    assert done == Ended(0, "", "")
    assert (folder / "sea.apkg").exists()


def test_a_stateless_export_says_what_it_cannot_promise(folder: Path, capsys: Capture) -> None:
    vault(folder / "sea", {"a.md": "Q;; A\nQ;; B\nOther;; C\n"})
    said = run(["export", "sea", "--stateless"], capsys).out
    assert "Without the ledger (--stateless) what you reword becomes a new note." in said
    assert "2 flashcards share their question with another" in said
    assert not (folder / "sea/.obs2anki").exists()
