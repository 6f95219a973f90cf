"""The documentation says what the program does.

Pages hold fenced blocks that are run:

    In `vault/Capitals.md`:      what follows is written into the page's own folder
    ```console                   run there: `$ obs2anki ...` and what it says
    ```markdown bad [path]       an example of a finding, in diagnostics.md
    ```markdown bad deleted path ... in a document that is not there when it is mended
    ```markdown before           what the same document held at the export before
    ```markdown named            and at one in between, that leads to the mended one
    ```markdown cloze            a document, and the types of its flashcards

With OBS2ANKI_GOLDEN=1 in the environment sessions, and the sentences of findings, are written
anew.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import typer.main

from obs2anki import (
    adoption,
    build,
    cache,
    checking,
    cli,
    findings,
    harvest,
    identity,
    ledger,
    report,
    rest,
    settings,
    syncing,
    yields,
)
from obs2anki.data import (
    Diagnostic,
    Notetype,
)
from obs2anki.destinations import package
from obs2anki.diagnostics import RULES
from obs2anki.identity import matching
from obs2anki.notetypes import DEFINITIONS
from tests.test_ledger import ENTRY

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
REFERENCE = DOCS / "reference"

DATA_JSON = ".obsidian/plugins/obsidian-spaced-repetition/data.json"

NOON = "1767268800"
"""2026-01-01 12:00 UTC: when every session takes place."""

STAGES = ("before", "named", "bad", "mended")
"""The kinds of documents in a finding's example, as time goes by."""

GOLDEN = bool(os.environ.get("OBS2ANKI_GOLDEN"))

NOT_SHOWN = {
    "O101": "another folder holds the settings; the remedy is to name it",
    "O105": "a folder's permissions decide",
    "O106": "a symbolic link leads out of the vault",
    "O108": "a name on the disk is no Unicode",
    "O109": "there is no document",
    "O110": "a sync service leaves it, and no page holds a ledger",
    "O201": "bytes that are no text",
    "O202": "a file's permissions decide",
    "O206": "a character that no page can hold",
    "O603": "a file of a hundred megabytes",
    "O609": "a document of fifty thousand characters",
    "O610": "a server decides",
    "O611": "a file's permissions decide",
    "O901": "what Anki holds decides",
    "O902": "what Anki holds decides",
}
"""Findings that no example on a page can show, and why."""


# ---------------------------------------------------------------- reading pages


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: the words after its fence, its text, the file that it is."""

    info: tuple[str, ...]
    text: str
    file: str | None
    start: int
    """Where its text begins in the page."""


_BLOCK = re.compile(
    r"(?:^In `(?P<file>[^\n`]+)`:\n\n)?"
    r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<text>(?:[^\n]*\n)*?)^(?P=fence)[ ]*$",
    re.MULTILINE,
)


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(tuple(match["info"].split()), match["text"], match["file"], match.start("text"))
        for match in _BLOCK.finditer(page)
    ]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row of a text, heads included."""
    lines = (line for line in text.split("\n") if line.startswith("|"))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def codes_in(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next one that is as high."""
    level = heading.index(" ")
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", page, re.MULTILINE | re.DOTALL
    )
    assert found, f"there is no heading {heading!r}"
    return found[1]


def read(path: Path) -> str:
    return path.read_text("utf-8")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------- sessions


SESSIONS = [page for page in PAGES if any(b.info[:1] == ("console",) for b in blocks(read(page)))]


@pytest.mark.parametrize("page", SESSIONS, ids=name)
def test_sessions_say_what_the_program_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", NOON)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(
        ROOT / "fixtures/vaults/demo",
        tmp_path / "fixtures/vaults/demo",
        ignore=shutil.ignore_patterns(".obs2anki"),  # of somebody who has tried the demo
    )
    text = read(page)
    new, at = "", 0
    for block in blocks(text):
        if block.file is not None:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.info[:1] == ("console",):
            said = "".join(session(block.text, capsys))
            if not GOLDEN:
                assert neutral(block.text) == neutral(said)
            new += text[at : block.start] + said
            at = block.start + len(block.text)
    if GOLDEN and neutral(new + text[at:]) != neutral(text):
        page.write_text(new + text[at:], "utf-8")


def session(text: str, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """The commands of a session, each with what it says."""
    commands = [line for line in text.split("\n") if line.startswith("$ ")]
    assert commands and text.startswith("$ "), "a session begins with a command"
    code = 0
    for line in commands:
        program, *arguments = shlex.split(line[2:])
        yield line + "\n"
        if (program, arguments) == ("echo", ["$?"]):
            yield f"{code}\n"
            continue
        assert program == "obs2anki", line
        capsys.readouterr()
        code = cli.run(arguments)
        out, err = capsys.readouterr()
        assert code != cli.BUG, err
        # On a terminal an empty line parts the findings from the report.
        yield err + ("\n" if out and err else "") + out


def neutral(text: str) -> str:
    """Without the size of a deck, which is zlib's business."""
    return re.sub(r"[0-9.,]+ (?:bytes|KB)(?= in all|\)\.)|(?<=\"size\": )[0-9]+", "SIZE", text)


def test_the_readme_shows_what_make_demo_exports() -> None:
    (command,) = re.findall(r"\$\(BIN\)/(obs2anki export fixtures.*)", read(ROOT / "Makefile"))
    assert any(block.text.startswith(f"$ {command}\n") for block in blocks(read(PAGES[0])))


# ---------------------------------------------------------------- links


_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = _BLOCK.sub("", read(page))
    for link in _LINK.findall(re.sub(r"`[^`\n]*`", "", prose)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        if anchor:
            assert anchor in anchors(read(file)), link


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _BLOCK.sub("", page), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [PAGES[0]]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = (link.partition("#")[0] for link in _LINK.findall(read(page)))
        todo += ((page.parent / t).resolve() for t in targets if t and ":" not in t)
    assert set(PAGES) <= seen


# ---------------------------------------------------------------- command line


def options(command: str) -> set[str]:
    """Every spelling of every option of a command."""
    group = typer.main.get_command(cli.app)
    found = getattr(group, "commands")[command] if command else group  # noqa: B009  # not typed
    return {option for param in found.params for option in param.opts if option.startswith("-")}


def commands() -> set[str]:
    return set(getattr(typer.main.get_command(cli.app), "commands"))  # noqa: B009  # not typed


def test_every_command_is_documented_and_no_other() -> None:
    page = read(REFERENCE / "command-line.md")
    assert set(re.findall(r"^## `obs2anki (\w+) ", page, re.MULTILINE)) == commands()


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_option_is_documented_and_no_other(command: str) -> None:
    page = read(REFERENCE / "command-line.md")
    (heading,) = re.findall(rf"^## `obs2anki {command} .*$", page, re.MULTILINE)
    written = {
        option
        for row in rows(section(page, heading))
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row[0])
    }
    assert written == options(command)


def test_the_options_of_the_program_itself_are_documented() -> None:
    page = read(REFERENCE / "command-line.md")
    for option in options(""):
        assert f"`obs2anki {option}`" in page


def test_every_variable_of_the_environment_is_documented() -> None:
    code = "".join(read(file) for file in sorted((ROOT / "obs2anki").rglob("*.py")))
    ours = set(re.findall(r'"(OBS2ANKI_[A-Z_]+)"', code))
    text = section(read(REFERENCE / "command-line.md"), "## Environment variables")
    written = {variable for row in rows(text) for variable in codes_in(row[0])}
    assert {one for one in written if one.startswith("OBS2ANKI_")} == ours


def test_every_exit_code_is_documented() -> None:
    page = section(read(REFERENCE / "command-line.md"), "## Exit codes")
    written = {int(code) for row in rows(page) for code in codes_in(row[0])}
    assert {cli.DONE, cli.FINDINGS, cli.IMPOSSIBLE, cli.BUG, cli.PIPE_CLOSED, 130, 143} == written


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_speaks_of_an_option_that_there_is_not(page: Path) -> None:
    known = set().union(*map(options, ("", *commands()))) | {"--help"}
    for block in blocks(read(page)):
        for line in block.text.split("\n"):
            if re.match(r"\$ obs2anki |obs2anki ", line):
                assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line)) <= known, line


# ---------------------------------------------------------------- settings


def setting_rows() -> Mapping[str, list[str]]:
    page = read(REFERENCE / "settings.md")
    ours = page.partition("\n## The plugin's data.json\n")[0]
    return {codes_in(row[0])[0]: row for row in rows(ours) if codes_in(row[0])}


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(setting_rows()) == {key.name for key in settings.KEYS}


def test_every_default_is_documented() -> None:
    usual = {key: value for key, value, _ in settings.describe(settings.WITH_PLUGIN)}
    without = {key: value for key, value, _ in settings.describe(settings.WITHOUT_PLUGIN)}
    wanted = {
        key: [usual[key]] if usual[key] == without[key] else [usual[key], without[key]]
        for key in usual
    }
    assert {key: codes_in(row[2]) for key, row in setting_rows().items()} == wanted


def test_every_type_is_documented() -> None:
    for key in settings.KEYS:
        if key.toml is None:
            assert setting_rows()[key.name][1] == "not in this file"
        else:
            with pytest.raises(settings.Unfit) as unfit:
                key.toml(None)
            # A quoted list of choices is easier to read in code.
            written = setting_rows()[key.name][1].replace("`", "")
            assert written == str(unfit.value).replace("|", "\\|")


def test_the_example_sets_every_key_and_can_be_read() -> None:
    page = section(read(REFERENCE / "settings.md"), "## An example with every key")
    (example,) = (block.text for block in blocks(page) if block.info == ("toml",))
    layer = settings.from_toml(example, "obs2anki.toml")
    assert {one.key for one in layer} == {key.name for key in settings.KEYS if key.toml}


def test_every_key_of_the_plugin_that_counts_is_documented_and_no_other() -> None:
    page = section(read(REFERENCE / "settings.md"), "## The plugin's data.json")
    written = {code for row in rows(page) for code in codes_in(row[0])}
    toggles = {"convertHighlightsToClozes", "convertBoldTextToClozes"}
    toggles |= {"convertCurlyBracketsToClozes", "flashcardsTag"}
    assert written == {one for key in settings.KEYS for one in key.plugin} | toggles


def test_every_key_of_obsidian_that_counts_is_documented() -> None:
    page = section(read(REFERENCE / "settings.md"), "## Obsidian's app.json")
    written = {code for row in rows(page) for code in codes_in(row[0])}
    assert written == {key.app for key in settings.KEYS if key.app}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_piece_of_toml_can_be_read(page: Path) -> None:
    for block in blocks(read(page)):
        if block.info[:1] == ("toml",) or (block.file or "").endswith(".toml"):
            settings.from_toml(block.text, name(page))


# ---------------------------------------------------------------- diagnostics


def findings_page() -> str:
    return read(REFERENCE / "diagnostics.md")


def dotted(template: str) -> str:
    """A rule's sentence as the page writes it, on one line."""
    return re.sub(r"\{\d\}", "…", template).replace("\n", " ")


def test_every_finding_is_documented_and_no_other() -> None:
    written = re.findall(r"^### (O\d{3}): (.*)$", findings_page(), re.MULTILINE)
    assert written == [(code, RULES[code].title) for code in sorted(RULES)]


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_finding_is_documented_in_its_words(code: str) -> None:
    rule, page = RULES[code], findings_page()
    text = section(page, f"### {code}: {rule.title}")
    wanted = (
        f"**{rule.severity.value.capitalize()}.** {dotted(rule.sentence)}\\\n"
        f"*Remedy:* {dotted(rule.hint)}\n"
    )
    if GOLDEN and wanted not in text:
        new = re.sub(r"\*\*\w+\.\*\* [^\n]*\n\*Remedy:\*[^\n]*\n", lambda _: wanted, text, count=1)
        (REFERENCE / "diagnostics.md").write_text(page.replace(text, new), "utf-8")
    else:
        assert wanted in text


def shown_of(code: str) -> list[Block]:
    """The blocks of a finding's example."""
    text = section(findings_page(), f"### {code}: {RULES[code].title}")
    return [block for block in blocks(text) if len(block.info) > 1]


EXAMPLE = "notes/example.md"
"""The document of an example that names none."""


def example(code: str, *kinds: str) -> dict[str, str]:
    """The files of a finding's example, by path."""
    files: dict[str, str] = {}
    shown = shown_of(code)
    if not any("without-plugin" in block.info or block.info[0] == "json" for block in shown):
        files[DATA_JSON] = json.dumps({"settings": {"convertFoldersToDecks": True}})
        files[DATA_JSON] = files[DATA_JSON][:-2] + ', "convertHighlightsToClozes": true}}'
    for block in shown:
        if block.info[1] in kinds and not ("deleted" in block.info and "mended" in kinds):
            named = block.info[-1] if "/" in "".join(block.info[2:]) else None
            files[named or EXAMPLE if block.info[0] == "markdown" else block.info[2]] = block.text
    files.setdefault(EXAMPLE, "#flashcards\n\nWhat makes ATP?::Mitochondria\n")
    return files


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


ONLY_CHECKED = frozenset({"O702", "O801"})
"""Findings that an export does not look for."""


def found_in(folder: Path, code: str, *kinds: str) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """What a check finds in the vault of an example, after the exports that the page tells of.

    And what an export finds there.
    """
    for earlier in ("before", "named"):
        if any(earlier in block.info for block in shown_of(code)) and earlier in kinds:
            write(folder, example(code, earlier))
            build.run(build.Request(folder, folder.with_suffix(".apkg")), build.export)
    write(folder, example(code, *kinds))
    checked = checking.check_vault(folder).diagnostics
    return list(checked), list(build.prepare(build.Request(folder)).plan.diagnostics)


@pytest.mark.parametrize("code", sorted(set(RULES) - set(NOT_SHOWN)))
def test_a_bad_example_is_found_and_a_mended_one_is_not(code: str, tmp_path: Path) -> None:
    checked, exported = found_in(tmp_path / "bad", code, "before", "bad")
    assert code in {one.code for one in checked}
    assert (code in {one.code for one in exported}) is (code not in ONLY_CHECKED)
    assert example(code, "bad", "mended") != example(code, "bad")
    mended = found_in(tmp_path / "mended", code, "before", "named", "bad", "mended")
    assert mended == ([], [])


def test_the_page_names_what_only_a_check_tells() -> None:
    page, _, _ = findings_page().partition("## Findings that you do not want")
    assert set(re.findall(r"O\d{3}(?=.*only)", page.split("An\nexport")[1])) == set(ONLY_CHECKED)
    assert set(findings.NOT_IN_TEXT) <= mentioned_in(page)


def test_what_is_not_shown_is_a_finding() -> None:
    assert set(NOT_SHOWN) <= set(RULES)


def test_every_finding_is_one_that_the_code_makes() -> None:
    code = "".join(p.read_text("utf-8") for p in (ROOT / "obs2anki").rglob("*.py"))
    # Once in the table of rules, and wherever it is made.
    assert [rule for rule in RULES if code.count(f'"{rule}"') < 2] == []


# ---------------------------------------------------------------- JSON


def keys_of(value: object) -> Iterator[str]:
    """Every key in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


@pytest.mark.parametrize("page", ["list-json.md", "export-json.md"])
def test_every_field_of_the_json_is_documented(page: str) -> None:
    text = read(REFERENCE / page)
    shown = [
        json.loads(block.text.partition("\n")[2])
        for block in blocks(text)
        if block.info == ("console",) and "--format json" in block.text
    ]
    assert shown
    written = {code for row in rows(text) for code in codes_in(row[0])}
    # A review by FSRS has fields of its own, and advice is rare: both are on the page anyway.
    assert {key for value in shown for key in keys_of(value)} <= written


def test_every_field_of_what_adopt_says_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"vault/a.md": "hus;;house\n\nkat;;cat\n", "vault/b.md": "tre;;tree\n"})
    assert cli.run(["export", "vault", "-o", "a.apkg", "--stateless"]) == cli.DONE
    write(tmp_path, {"vault/a.md": "hus;;house\n\nfjord;;firth\n"})
    capsys.readouterr()
    assert cli.run(["adopt", "vault", "a.apkg", "--format", "json"]) == cli.DONE
    said = json.loads(capsys.readouterr().out)
    assert said["adopted"] and said["new"] and said["gone"]
    page = section(read(REFERENCE / "command-line.md"), "## `obs2anki adopt VAULT SOURCE`")
    assert set(keys_of(said)) <= set(codes_in(page))
    for values in (adoption.Evidence, adoption.Edited):
        assert {value.value for value in values} <= set(codes_in(page))


def test_when_advice_is_given_is_documented() -> None:
    advice = section(read(REFERENCE / "export-json.md"), "## advice")
    assert f"more than {report.BACKLOG} cards" in advice
    assert f"at least {report.MANY_LATE} cards" in advice
    assert ("a fifth of" in advice) is (report.LATE_SHARE == 1 / 5)
    left = section(read(REFERENCE / "export-json.md"), "## left_behind")
    assert f"more than {report.ORPHAN_SHARE:.0%} of".replace("%", " %") in left


# ---------------------------------------------------------------- the ledger


JSON_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "text or null": (str, type(None)),
    "number": (int,),
    "list of texts": (list,),
    "list of lists": (list,),
}


@pytest.mark.parametrize(("heading", "line"), [("## The first line", 0), ("## A flashcard", 1)])
def test_every_key_of_the_ledger_is_documented_with_its_type(heading: str, line: int) -> None:
    held = ledger.Ledger("obs2anki", "Geography", (ENTRY,))
    lines = ledger.content_of(held).decode().splitlines()
    value = json.loads(lines[line])
    table = section(read(REFERENCE / "ledger.md"), heading)
    written = {codes_in(row[0])[0]: row[1] for row in rows(table) if codes_in(row[0])}
    assert list(written) == list(value)
    for key, kind in written.items():
        assert isinstance(value[key], JSON_TYPES[kind]), key


def test_the_ledger_that_is_shown_is_one(tmp_path: Path) -> None:
    (shown,) = (b.text for b in blocks(read(REFERENCE / "ledger.md")) if b.info == ("jsonl",))
    (tmp_path / "ledger.jsonl").write_text(shown, "utf-8")
    held = ledger.read(tmp_path / "ledger.jsonl")
    assert held is not None
    assert ledger.content_of(held).decode() == shown
    optional = [(bool(entry.ordinals), bool(entry.gone)) for entry in held.entries]
    assert {(True, False), (False, True), (False, False)} <= set(optional)


def test_what_the_ledger_page_says_of_numbers_is_so() -> None:
    page = read(REFERENCE / "ledger.md")
    assert f"The version of the format: {ledger.VERSION}." in page
    assert (f"first {identity.REMEMBERED} characters" in page) and ledger.PATIENCE == 120


# ---------------------------------------------------------------- the cache


def test_what_the_cache_holds_is_documented_and_nothing_else(tmp_path: Path) -> None:
    page = read(REFERENCE / "cache.md")
    told = parts_of(section(page, "## What it holds"))
    names = told.pop("about")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(cache.SCHEMA)
        for table, columns in told.items():
            there = connection.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall()
            assert columns == [[name] for (name,) in there]
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {name for (name,) in tables} == {*told, "about"}
    own = {"key", "vault", "files", cache.SETTLED, package.HELD, rest.NOTE, syncing.STILL}
    assert {name for one in names for name in one} == own
    root = written_and_exported(tmp_path)
    with closing(sqlite3.connect(cache.Cache.of(tmp_path / "caches", root).file)) as connection:
        assert {name for (name,) in connection.execute("SELECT name FROM about")} <= own


def parts_of(text: str) -> dict[str, list[list[str]]]:
    """What the page says of each table."""
    _, *pieces = re.split(r"^`([a-z]+)` has a row", text, flags=re.MULTILINE)
    told = zip(pieces[::2], pieces[1::2], strict=True)
    named = {name: [codes_in(row[0]) for row in rows(part)] for name, part in told}
    return {name: [codes for codes in columns if codes] for name, columns in named.items()}


def written_and_exported(folder: Path) -> Path:
    """A vault that was exported with a cache in `caches`."""
    (folder / "v").mkdir()
    (folder / "v/a.md").write_text("Q;; A\n", "utf-8")
    request = build.Request(folder / "v", folder / "d.apkg", cache=folder / "caches")
    build.run(request, build.export)
    return folder / "v"


def test_where_the_cache_lies_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from platformdirs.macos import MacOS
    from platformdirs.unix import Unix
    from platformdirs.windows import Windows

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    text = section(read(REFERENCE / "cache.md"), "## Where it is")
    written = {row[0]: codes_in(row[1])[:1] for row in rows(text)}
    for system, kind in (("Linux", Unix), ("macOS", MacOS)):
        place = Path(kind("obs2anki", appauthor=False).user_cache_dir)
        assert written[system] == [f"~/{place.relative_to(tmp_path).as_posix()}"]
    monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda _: "%LOCALAPPDATA%")
    windows = Windows("obs2anki", appauthor=False).user_cache_dir.replace("/", "\\")
    assert written["Windows"] == [windows]
    name = cache.Cache.of(tmp_path, tmp_path).file.name
    assert re.fullmatch(r"[0-9a-f]{16}\.sqlite", name) and "`<16 digits>.sqlite`" in text
    assert f"after {cache.FORGOTTEN // 86400} days" in text


def test_the_settings_that_a_cache_survives_are_documented() -> None:
    text = section(read(REFERENCE / "cache.md"), "## When a row is used")
    listed = re.search(r"Only these may change: (.*?);", text, re.DOTALL)
    assert listed
    changed = settings.Settings(
        scheduling=settings.Schedule(rollover=1),
        check=settings.Check(ignore=("O605",)),
        output="x.apkg",
        ledger="x",
    )
    assert harvest._settings_that_count(changed) == harvest._settings_that_count(
        settings.Settings()
    )
    survived = {
        field.name
        for field in fields(settings.Settings)
        if getattr(changed, field.name) != getattr(settings.Settings(), field.name)
    }
    assert set(codes_in(listed[1])) == survived


# The passes are a picture on the page: whoever adds one has to draw it.
def test_every_pass_of_the_matching_is_explained() -> None:
    page = read(DOCS / "explanation/how-a-flashcard-is-known-again.md")
    drawn = re.findall(r"^[a-z| ]{8,9} {0,6}(\d+)  ", page, re.MULTILINE)
    assert drawn == [str(number) for number in range(1, len(matching.PASSES) + 1)]


# ---------------------------------------------------------------- notetypes and grammar


def test_every_field_and_template_of_the_notetypes_is_documented() -> None:
    page = read(REFERENCE / "notetypes.md")
    for notetype in Notetype:
        text = section(page, f"## `{notetype.value}`")
        written = {code for row in rows(text) for code in codes_in(row[0])}
        definition = DEFINITIONS[notetype]
        fields = {field.name for field in definition.fields}
        assert written == fields | {template.name for template in definition.templates}


TYPED = [
    (page, block)
    for page in PAGES
    for block in blocks(read(page))
    if block.info[:1] == ("markdown",) and block.info[1:] and block.info[1] not in STAGES
]


@pytest.mark.parametrize(
    ("page", "block"), TYPED, ids=[f"{name(p)}: {' '.join(b.info[1:])}" for p, b in TYPED]
)
def test_examples_of_flashcards_are_of_the_type_that_the_page_says(
    page: Path, block: Block, tmp_path: Path
) -> None:
    usual = {"convertFoldersToDecks": True, "convertHighlightsToClozes": True}
    (tmp_path / DATA_JSON).parent.mkdir(parents=True)
    (tmp_path / DATA_JSON).write_text(json.dumps({"settings": usual}), "utf-8")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/example.md").write_text(block.text, "utf-8")
    planned = build.prepare(build.Request(tmp_path)).plan.planned
    assert [p.flashcard.type.value for p in planned] == list(block.info[1:]), name(page)


# ---------------------------------------------------------------- causes


def test_every_cause_of_a_review_left_behind_is_documented() -> None:
    page = read(DOCS / "how-to/bring-in-what-was-left-behind.md")
    written = {row[0] for row in rows(page)}
    assert set(yields.CAUSES.values()) <= written


def mentioned_in(text: str) -> set[str]:
    return set(re.findall(r"\bO\d{3}\b", text))


def mentioned(pages: Iterable[Path]) -> set[str]:
    """Every finding's code that pages speak of."""
    return {code for page in pages for code in mentioned_in(read(page))}


def test_no_page_speaks_of_a_finding_that_there_is_not() -> None:
    assert mentioned(PAGES) <= set(RULES)


# ---------------------------------------------------------------- the rooms


def test_the_map_of_the_rooms_is_the_house() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    _, _, rest = text.partition("## The rooms")
    plan = rest.split("```")[1]
    named = re.findall(r"^ *(\w+)  *\S", plan, re.MULTILINE)
    house = ROOT / "obs2anki"
    modules = {file.stem for file in house.rglob("*.py") if not file.stem.startswith("__")}
    packages = {file.parent.name for file in house.glob("*/__init__.py")}
    apart = {"data", "diagnostics"}  # the sentence below the map names these
    assert sorted(named) == sorted((modules | packages) - apart)
