import ast
import hashlib
import os
import random
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from obs2anki import settings, vault
from obs2anki.data import VaultPath
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.settings import Settings, SettingsError

DATA = f"{vault.PLUGIN}/data.json"
FORK_DATA = f"{vault.FORK}/data.json"


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Files below a folder, by path."""
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def read(root: Path, in_force: Settings | None = None) -> vault.Contents:
    return vault.read(root, in_force or settings.WITHOUT_PLUGIN)


def paths(contents: vault.Contents) -> list[str]:
    return [source.path for source in contents.sources]


def told(contents: vault.Contents) -> list[tuple[str, str, int]]:
    return [(one.code, one.path, one.line) for one in contents.diagnostics]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as a user whom permissions bind: root may read everything."""
    user = os.geteuid()
    if user:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


# ---------------------------------------------------------------- which folder


@pytest.mark.parametrize("mark", [".obsidian/app.json", "obs2anki.toml", ".obs2anki/ledger.jsonl"])
def test_a_document_belongs_to_the_nearest_folder_that_is_marked(tmp_path: Path, mark: str) -> None:
    write(tmp_path, {mark: "", "vault/" + mark: "", "vault/a/b/c.md": "x"})
    assert vault.root_of(tmp_path / "vault/a/b/c.md") == (tmp_path / "vault").resolve()
    assert vault.root_of(tmp_path / "vault/a") == (tmp_path / "vault").resolve()
    assert vault.root_of(tmp_path / "vault") == (tmp_path / "vault").resolve()


def test_an_unmarked_document_belongs_to_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path, {"a/b/c.md": "x"})
    assert vault.root_of(tmp_path / "a/b/c.md") == (tmp_path / "a/b").resolve()
    assert vault.root_of(tmp_path / "a/x/../b/c.md") == (tmp_path / "a/b").resolve()


@pytest.mark.parametrize("ask", [vault.find_settings, read])
def test_a_missing_vault_is_an_error_with_a_remedy(tmp_path: Path, ask: object) -> None:
    assert callable(ask)
    with pytest.raises(Obs2ankiError) as caught:
        ask(tmp_path / "nowhere")
    assert str(caught.value) == (
        f"There is no folder {tmp_path / 'nowhere'}. "
        "Check the path of the vault: the folder that you open in Obsidian."
    )


@pytest.mark.parametrize("ask", [vault.find_settings, read])
def test_a_file_instead_of_a_vault_is_an_error_that_names_the_vault(
    tmp_path: Path, ask: object
) -> None:
    assert callable(ask)
    write(tmp_path, {"vault/.obsidian/app.json": "{}", "vault/notes/a.md": "x"})
    with pytest.raises(Obs2ankiError) as caught:
        ask(tmp_path / "vault/notes/a.md")
    assert "is a file, not a vault." in str(caught.value)
    assert str(caught.value).endswith(f"such as {(tmp_path / 'vault').resolve()}")


@pytest.mark.parametrize(
    "files", [{}, {".obsidian/app.json": "{}", ".trash/a.md": "x", "b.txt": "x"}]
)
def test_a_vault_without_documents_is_told_with_a_remedy(
    tmp_path: Path, files: dict[str, str | bytes]
) -> None:
    write(tmp_path, files)
    (told,) = read(tmp_path).diagnostics
    assert (told.code, told.hint) == ("O109", "Name the folder that you open in Obsidian.")


def test_a_vault_that_may_not_be_read_is_an_error_with_a_remedy(open_path: Path) -> None:
    write(open_path, {"vault/a.md": "x"})
    (open_path / "vault").chmod(0)
    with unprivileged(), pytest.raises(Obs2ankiError) as caught:
        vault.find_settings(open_path / "vault")
    assert f"The vault {open_path / 'vault'} cannot be read: Permission denied." in str(
        caught.value
    )
    assert "Give yourself the right" in str(caught.value)


# ---------------------------------------------------------------- its settings


def test_the_plugins_settings_are_found_and_named(tmp_path: Path) -> None:
    write(tmp_path, {DATA: '{"settings": {"singleLineCardSeparator": "@@"}}'})
    found, said = vault.find_settings(tmp_path)
    assert (found.plugin, found.grammar.single_line) == (True, "@@")
    assert ("grammar.single_line", DATA) in found.origin
    assert said == []


def test_the_plugins_folder_without_settings_means_the_plugins_defaults(tmp_path: Path) -> None:
    (tmp_path / vault.PLUGIN).mkdir(parents=True)
    found, said = vault.find_settings(tmp_path)
    assert (found, said) == (Settings(origin=(("plugin", vault.PLUGIN),)), [])


def test_without_the_plugin_semicolons_separate_and_every_document_counts(tmp_path: Path) -> None:
    found, said = vault.find_settings(write(tmp_path, {".obsidian/app.json": "{}"}))
    assert (found, said) == (settings.WITHOUT_PLUGIN, [])
    assert [separator for separator, _ in found.grammar.inline] == [";;;", ";;"]
    assert (found.grammar.multi_line, found.grammar.multi_line_reversed) == ("?", "??")
    assert (found.grammar.cloze_patterns, found.grammar.flashcard_tags) == ((), ())


@pytest.mark.parametrize("plugin_installed", [True, False])
def test_the_forks_settings_count_where_the_plugin_has_none(
    tmp_path: Path, plugin_installed: bool
) -> None:
    write(tmp_path, {FORK_DATA: '{"settings": {"singleLineCardSeparator": "@@"}}'})
    if plugin_installed:
        (tmp_path / vault.PLUGIN).mkdir(parents=True)
    found, said = vault.find_settings(tmp_path)
    assert (found.plugin, found.grammar.single_line) == (True, "@@")
    assert [(one.code, one.path) for one in said] == [("O102", FORK_DATA)]


def test_the_plugins_settings_come_before_the_forks(tmp_path: Path) -> None:
    write(tmp_path, {DATA: "{}", FORK_DATA: '{"settings": {"singleLineCardSeparator": "@@"}}'})
    found, said = vault.find_settings(tmp_path)
    assert (found.grammar.single_line, said) == ("::", [])


def test_later_files_and_options_win(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            DATA: '{"settings": {"singleLineCardSeparator": "@@", "flashcardTags": ["#a"]}}',
            "obs2anki.toml": '[grammar]\nsingle_line = "%%"\n[scheduling]\nrollover = 1',
            ".obsidian/app.json": '{"strictLineBreaks": true}',
        },
    )
    options = settings.from_options([("scheduling.rollover", 2, "--rollover")])
    found, _ = vault.find_settings(tmp_path, options)
    assert (found.grammar.single_line, found.grammar.flashcard_tags) == ("%%", ("#a",))
    assert (found.scheduling.rollover, found.obsidian.strict_line_breaks) == (2, True)
    assert found.origin == (
        ("plugin", vault.PLUGIN),
        ("grammar.single_line", "obs2anki.toml"),
        ("grammar.cloze_patterns", DATA),
        ("grammar.flashcard_tags", DATA),
        ("scheduling.rollover", "--rollover"),
        ("obsidian.strict_line_breaks", ".obsidian/app.json"),
    )


def test_all_that_is_wrong_with_both_settings_files_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, {DATA: "{\n]", "obs2anki.toml": "ouput = 'x'\nnamspace = 'y'"})
    with pytest.raises(SettingsError) as caught:
        vault.find_settings(tmp_path)
    assert [(one.origin, one.line) for one in caught.value.problems] == [
        (DATA, 2),
        ("obs2anki.toml", 1),
        ("obs2anki.toml", 2),
    ]


@pytest.mark.parametrize("file", [DATA, "obs2anki.toml"])
def test_settings_that_are_not_utf8_are_an_error_with_their_line(tmp_path: Path, file: str) -> None:
    write(tmp_path, {file: b"#\n#\n\xff"})
    with pytest.raises(SettingsError, match=f"{file}:3: This file cannot be read: it is not UTF-8"):
        vault.find_settings(tmp_path)


@pytest.mark.parametrize("file", [DATA, "obs2anki.toml"])
def test_settings_that_may_not_be_read_are_an_error_not_defaults(
    open_path: Path, file: str
) -> None:
    write(open_path, {file: "{}", "a.md": "x"})
    (open_path / file).chmod(0)
    with unprivileged(), pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        vault.find_settings(open_path)


def test_a_plugin_folder_that_may_not_be_entered_is_an_error_not_defaults(open_path: Path) -> None:
    write(open_path, {DATA: "{}", "a.md": "x"})
    (open_path / ".obsidian").chmod(0)
    with unprivileged(), pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        vault.find_settings(open_path)


@pytest.mark.parametrize("file", [DATA, "obs2anki.toml"])
def test_settings_outside_of_the_vault_are_never_read(tmp_path: Path, file: str) -> None:
    write(tmp_path, {"secret": "password", "vault/a.md": "x"})
    link = tmp_path / "vault" / file
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(
        SettingsError, match="a symbolic link that leads out of the vault"
    ) as caught:
        vault.find_settings(tmp_path / "vault")
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("file", [DATA, "obs2anki.toml"])
def test_a_folder_or_pipe_in_place_of_settings_is_an_error(tmp_path: Path, file: str) -> None:
    (tmp_path / "a" / file).mkdir(parents=True)
    (tmp_path / "b" / file).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / "b" / file)
    for root in ("a", "b"):
        with pytest.raises(SettingsError, match="cannot be read: it is no file"):
            vault.find_settings(tmp_path / root)


def test_folders_of_templates_are_known_from_both_plugins(tmp_path: Path) -> None:
    core, templater = vault.TEMPLATES
    files: dict[str, str | bytes] = {
        core: '{"folder": "A"}',
        templater: '{"templates_folder": "B"}',
    }
    found, _ = vault.find_settings(write(tmp_path, files))
    assert found.obsidian.templates == ("A", "B")
    assert ("obsidian.templates", f"{core}, {templater}") in found.origin
    found, said = vault.find_settings(write(tmp_path, {core: "{", templater: '{"x": 1}'}))
    assert (found.obsidian.templates, said) == ((), [])


def test_only_what_is_wanted_is_read_and_every_file_is_listed(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "a", "b/c.md": "c", "b/x.png": b"", "d.md": b"\xff"})
    contents = vault.read(tmp_path, settings.WITHOUT_PLUGIN, lambda path: path == "b/c.md")
    assert paths(contents) == ["b/c.md"]
    assert contents.files == ("a.md", "b/c.md", "b/x.png", "d.md")
    assert contents.diagnostics == ()


def test_documents_with_reviews_are_found_beyond_what_is_wanted(tmp_path: Path) -> None:
    review = "a\n<!--SR:!2024-04-12,14,232-->"
    write(tmp_path, {"a.md": review, "b.md": "none", "c.md": review, "d.md": b"<!--SR:\xff"})
    write(tmp_path, {"skip/e.md": review})
    in_force = settings.merge(
        settings.WITHOUT_PLUGIN, settings.from_toml('[select]\nignore = ["skip/"]', "toml")
    )
    contents = vault.read(tmp_path, in_force, lambda path: path == "c.md")
    assert [one.path for one in vault.reviewed(contents, in_force)] == ["a.md", "c.md"]
    assert list(vault.reviewed(contents, settings.WITH_PLUGIN)) == []


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
def test_a_corrupt_app_json_is_no_reason_to_stop(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {".obsidian/app.json": content})
    found, said = vault.find_settings(tmp_path)
    assert found == settings.WITHOUT_PLUGIN
    assert [(one.code, one.path) for one in said] == [("O107", ".obsidian/app.json")]


def test_settings_of_a_folder_below_are_offered_not_used(tmp_path: Path) -> None:
    write(tmp_path, {"docs/my vault/" + DATA: '{"settings": {"singleLineCardSeparator": "@@"}}'})
    found, said = vault.find_settings(tmp_path)
    assert found == settings.WITHOUT_PLUGIN
    assert [one.code for one in said] == ["O101"]
    assert f"Did you mean '{tmp_path}/docs/my vault'?" in said[0].hint


def test_settings_of_a_folder_above_are_offered_not_used(tmp_path: Path) -> None:
    write(tmp_path, {DATA: "{}", "a/b/.obsidian/app.json": "{}"})
    found, said = vault.find_settings(tmp_path / "a/b")
    assert not found.plugin
    assert [(one.code, one.hint) for one in said] == [
        ("O101", f"Did you mean {tmp_path.resolve()}?")
    ]


def test_settings_elsewhere_are_no_matter_where_the_vault_has_its_own(tmp_path: Path) -> None:
    write(tmp_path, {DATA: "{}", "a/" + DATA: "{}", "a/b/" + DATA: "{}"})
    assert vault.find_settings(tmp_path / "a")[1] == []


def test_settings_elsewhere_are_no_matter_to_who_set_the_grammar(tmp_path: Path) -> None:
    write(tmp_path, {DATA: "{}", "a/obs2anki.toml": "grammar.single_line = '::'"})
    assert vault.find_settings(tmp_path / "a")[1] == []


# ---------------------------------------------------------------- its documents


def test_documents_are_read_in_the_order_of_obsidians_file_list(tmp_path: Path) -> None:
    expected = [
        "_index.md",
        "1.md",
        "2.md",
        "10.md",
        "a.md",
        "a/z.md",
        "a 1.md",
        "B.md",
        "Echo.md",
        "école.md",
        "group.md",
        "group-2.md",
        "group-10.md",
        "group-10/x.md",
        "Group-11.md",
    ]
    shuffled = list(expected)
    random.Random(1).shuffle(shuffled)
    write(tmp_path, dict.fromkeys(shuffled, "x"))
    assert paths(read(tmp_path)) == expected


def test_the_order_in_which_the_disk_lists_files_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["b/2.md", "b/10.md", "a.md", "C.md", "c.md", "é.md", "x/y/z.md", "x/y.md", "x.png"]
    write(tmp_path, {**dict.fromkeys(names, "x"), ".hid/q.md": "x", ".hid/r/s.md": "x"})
    for link, target in (("l1", ".hid"), ("l2", ".hid/r"), ("l3.md", ".hid/q.md"), ("m", "l1")):
        (tmp_path / link).symlink_to(target)
    (tmp_path / "out").symlink_to("/")
    (tmp_path / "b/out").symlink_to("/")
    expected = read(tmp_path)
    real = os.scandir

    class Shuffled:
        def __init__(self, path: str) -> None:
            with real(path) as entries:
                self.entries = list(entries)
            shuffle.shuffle(self.entries)

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None: ...

    for seed in range(20):
        shuffle = random.Random(seed)
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", Shuffled)
            assert read(tmp_path) == expected


def test_names_that_begin_with_a_dot_are_invisible(tmp_path: Path) -> None:
    hidden = [".a.md", ".trash/b.md", ".obsidian/c.md", "d/.history/e.md", "d/.git/f.md", ".md"]
    write(tmp_path, {**dict.fromkeys(hidden, "x"), "g.md": "x"})
    contents = read(tmp_path)
    assert paths(contents) == ["g.md"]
    assert contents.files == ("g.md",)


def test_a_document_is_known_by_its_ending_without_case(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["a.md", "b.MD", "c.Md", "d.markdown", "md", "e.md.txt"], "x"))
    contents = read(tmp_path)
    assert paths(contents) == ["a.md", "b.MD", "c.Md"]
    assert set(contents.files) == {"a.md", "b.MD", "c.Md", "d.markdown", "md", "e.md.txt"}


def test_a_vault_within_the_vault_is_part_of_it(tmp_path: Path) -> None:
    write(tmp_path, {".obsidian/app.json": "{}", "in/.obsidian/app.json": "{}", "in/a.md": "x"})
    assert paths(read(tmp_path)) == ["in/a.md"]


def test_ignored_documents_are_kept_apart_with_their_text(tmp_path: Path) -> None:
    write(
        tmp_path, {"Temp/a.md": "1", "Templates/b.md": "2", "x/c.excalidraw.md": "3", "d.md": "4"}
    )
    toml = 'grammar.folders_to_ignore = ["Temp"]\nselect.ignore = ["**/*.excalidraw.md"]'
    in_force = settings.merge(settings.WITHOUT_PLUGIN, settings.from_toml(toml, "obs2anki.toml"))
    contents = read(tmp_path, in_force)
    assert paths(contents) == ["d.md"]
    assert [(source.path, source.text) for source in contents.ignored] == [
        ("Temp/a.md", "1"),
        ("Templates/b.md", "2"),
        ("x/c.excalidraw.md", "3"),
    ]
    assert len(contents.files) == 4


def test_the_vault_is_named_as_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / unicodedata.normalize("NFD", "Café"), {"a.md": "x"})
    assert read(root).name == "Café"
    monkeypatch.chdir(root)
    assert read(Path()).name == "Café"


def test_paths_are_nfc_and_lead_back_to_the_disk(tmp_path: Path) -> None:
    spelt = unicodedata.normalize("NFD", "é/ü.md")
    contents = read(write(tmp_path, {spelt: "x", "b.md": "y"}))
    assert paths(contents) == ["b.md", "é/ü.md"]
    assert contents.file(VaultPath("é/ü.md")).read_text(encoding="utf-8") == "x"
    assert contents.file(VaultPath("b.md")) == tmp_path / "b.md"


def test_of_two_names_that_are_one_in_nfc_both_are_kept(tmp_path: Path) -> None:
    composed, parted = "é.md", unicodedata.normalize("NFD", "é.md")
    contents = read(write(tmp_path, {composed: "composed", parted: "parted"}))
    texts = {source.path: source.text for source in contents.sources}
    assert texts == {composed: "composed", parted: "parted"}
    assert {contents.file(path).read_text() for path in contents.files} == {"composed", "parted"}


def test_a_name_that_is_no_unicode_is_told_and_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x"})
    for name in (b"\xff.md", b"folder\xff"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        if name.endswith(b".md"):
            path.write_text("x")
        else:
            write(path, {"b.md": "x", "c.md": "x"})
    contents = read(tmp_path)
    assert paths(contents) == ["a.md"]
    assert [code for code, *_ in told(contents)] == ["O108", "O108"]
    assert all(one.message.isascii() for one in contents.diagnostics)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_are_utf8_whatever_the_locale(tmp_path: Path, locale: str) -> None:
    root = tmp_path / "Câmara"
    write(root, {"é/日本.md": "x", "é/cafe\u0301.md": "y", "ü.png": "z"})
    (root / os.fsdecode(b"\xff.md")).write_text("x")
    code = f"""
from pathlib import Path
from obs2anki import settings, vault
root = next(Path({str(tmp_path)!r}).iterdir())
read = vault.read(root, settings.WITHOUT_PLUGIN)
found = [[path, read.file(path).read_text()] for path in read.files]
print(ascii([read.name, found, [(one.code, one.message) for one in read.diagnostics]]))
"""
    environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    name, found, told = ast.literal_eval(done.stdout)
    assert name == "Câmara"
    assert found == [["é/café.md", "y"], ["é/日本.md", "x"], ["ü.png", "z"]]
    assert [code for code, _ in told] == ["O108"]
    assert told[0][1].startswith("The name \\udcff.md is not Unicode")


# ---------------------------------------------------------------- documents that are odd


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    contents = read(write(tmp_path, {"a.md": b"\xef\xbb\xbfQ::A\r\n"}))
    assert (contents.sources[0].text, told(contents)) == ("Q::A\r\n", [])


def test_nul_characters_are_dropped_and_told(tmp_path: Path) -> None:
    contents = read(write(tmp_path, {"a.md": "Q::A\n\nR:\0:\0B", "b.md": "fine"}))
    assert contents.sources[0].text == "Q::A\n\nR::B"
    assert told(contents) == [("O206", "a.md", 3)]
    assert contents.diagnostics[0].column == 3


@pytest.mark.parametrize(
    ("content", "line", "column", "byte"),
    [
        (b"\xe9", 1, 1, "byte 0"),
        (b"a\nb\r\nc\rxy\xff", 4, 3, "byte 9"),
        (b"\xef\xbb\xbfa\n\xff", 2, 1, "byte 5"),
        ("é\né".encode() + b"\xc3(", 2, 2, "byte 5"),
        ("\ufeffabc".encode("utf-16-le"), 1, 1, "byte 0: it is UTF-16"),
        ("\ufeffabc".encode("utf-16-be"), 1, 1, "byte 0: it is UTF-16"),
        ("\ufeffabc".encode("utf-32-le"), 1, 1, "byte 0: it is UTF-32"),
    ],
)
def test_a_document_that_is_not_utf8_is_told_and_the_rest_goes_on(
    tmp_path: Path, content: bytes, line: int, column: int, byte: str
) -> None:
    contents = read(write(tmp_path, {"a.md": content, "b.md": "fine"}))
    assert paths(contents) == ["b.md"]
    assert told(contents) == [("O201", "a.md", line)]
    assert contents.diagnostics[0].column == column
    assert f"({byte})" in contents.diagnostics[0].message
    assert [(one.path, one.reason) for one in contents.unread] == [
        ("a.md", contents.diagnostics[0].message)
    ]


def test_what_may_not_be_read_is_told_and_the_rest_goes_on(open_path: Path) -> None:
    write(open_path, {"a.md": "x", "b/c.md": "x", "d.md": "x", "e/f.md": "x"})
    (open_path / "a.md").chmod(0)
    (open_path / "b").chmod(0)
    with unprivileged():
        contents = read(open_path)
    assert paths(contents) == ["d.md", "e/f.md"]
    assert sorted(told(contents)) == [("O105", "b", 1), ("O202", "a.md", 1)]
    assert "cannot be read: Permission denied" in contents.diagnostics[0].message
    assert [one.path for one in contents.unread] == ["a.md"]


def test_a_vault_whose_folders_may_not_be_read_says_so(open_path: Path) -> None:
    write(open_path, {"b/c.md": "x"})
    (open_path / "b").chmod(0)
    with unprivileged():
        contents = read(open_path)
    assert (contents.sources, told(contents)) == ((), [("O105", "b", 1)])


def test_pipes_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x"})
    os.mkfifo(tmp_path / "b.md")
    os.mkfifo(tmp_path / "c")
    contents = read(tmp_path)
    assert (contents.files, told(contents)) == (("a.md",), [("O202", "b.md", 1)])


def test_every_document_that_cannot_be_taken_is_told_once_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x", "c.md": b"\xff", "folder/x.txt": "x"})
    for link, target in (
        ("dang.md", "nowhere"),
        ("dang", "nowhere"),
        ("outside.md", "/dev/zero"),
        ("folder.md", "/"),
        ("inside.md", "folder"),
    ):
        (tmp_path / link).symlink_to(target)
    os.mkfifo(tmp_path / "fifo.md")
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("x")
    (tmp_path / os.fsdecode(b"\xff")).write_text("x")
    contents = read(tmp_path)
    assert paths(contents) == ["a.md"]
    unread = [(one.path, one.reason) for one in contents.unread]
    assert unread == [
        (
            "\\udcff.md",
            "The name \\udcff.md is not Unicode, so Obsidian cannot show it; it was passed over.",
        ),
        ("c.md", "The document is not UTF-8 (byte 0), so none of its flashcards could be read."),
        ("dang.md", "The document cannot be read: it is a symbolic link that leads to no file."),
        ("fifo.md", "The document cannot be read: it is no file."),
        (
            "outside.md",
            "outside.md is a symbolic link that leads out of the vault; it was not followed.",
        ),
    ]
    said = {(one.path, one.message) for one in contents.diagnostics}
    assert said >= set(unread)
    assert "permissions" not in "".join(one.hint for one in contents.diagnostics)


# ---------------------------------------------------------------- symbolic links


def test_a_link_that_leaves_the_vault_is_told_and_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"secret.md": "password", "other/b.md": "password", "vault/a.md": "x"})
    root = tmp_path / "vault"
    (root / "file.md").symlink_to(tmp_path / "secret.md")
    (root / "folder").symlink_to("../other")
    (root / "up").symlink_to("..")
    (root / "gone.md").symlink_to("/no/such/file.md")
    (root / "image.png").symlink_to("/etc/hostname")
    contents = read(root)
    assert (paths(contents), contents.files) == (["a.md"], ("a.md",))
    assert told(contents) == [
        ("O106", name, 1) for name in ("file.md", "folder", "gone.md", "image.png", "up")
    ]


def test_a_link_to_what_is_seen_anyway_makes_no_second_document(tmp_path: Path) -> None:
    write(tmp_path, {"a/b.md": "x", "a/c.png": "x"})
    (tmp_path / "folder").symlink_to("a")
    (tmp_path / "again.md").symlink_to("a/b.md")
    (tmp_path / "image.png").symlink_to("a/c.png")
    (tmp_path / "a/self").symlink_to("..")
    contents = read(tmp_path)
    assert (paths(contents), told(contents)) == (["a/b.md"], [])
    assert set(contents.files) == {"a/b.md", "a/c.png", "again.md", "image.png"}


def test_a_link_to_something_hidden_is_followed_once(tmp_path: Path) -> None:
    write(tmp_path, {".store/a.md": "x", ".store/deep/b.md": "y", "c.md": "z"})
    for link, target in (("one", ".store"), ("two", ".store"), ("z.md", ".store/a.md")):
        (tmp_path / link).symlink_to(target)
    (tmp_path / ".store/round").symlink_to(".")
    contents = read(tmp_path)
    assert paths(contents) == ["c.md", "one/a.md", "one/deep/b.md"]
    assert told(contents) == []


def test_links_that_lead_nowhere_end_well(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "x"})
    (tmp_path / "gone.md").symlink_to("no.md")
    (tmp_path / "gone.png").symlink_to("no.png")
    (tmp_path / "round.md").symlink_to("round.md")
    contents = read(tmp_path)
    assert paths(contents) == ["a.md"]
    assert told(contents) == [("O202", "gone.md", 1), ("O202", "round.md", 1)]


def test_a_vault_may_itself_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, {"real/a.md": "x", "real/.obsidian/app.json": "{}", "real/.h/b.md": "x"})
    (tmp_path / "real/l.md").symlink_to(".h/b.md")
    (tmp_path / "link").symlink_to("real")
    contents = read(tmp_path / "link")
    assert (paths(contents), told(contents)) == (["a.md", "l.md"], [])
    assert vault.find_settings(tmp_path / "link")[1] == []


# ---------------------------------------------------------------- reviews kept elsewhere


@pytest.mark.parametrize(
    "path",
    ["schedule-data.sr.md", "Spaced Repetition/schedule-data.sr.md", "a/b/Schedule-Data.sr.md"],
)
def test_a_vault_that_keeps_its_reviews_in_a_file_is_refused(tmp_path: Path, path: str) -> None:
    write(tmp_path, {path: "{}", "a.md": "Q::A"})
    with pytest.raises(Obs2ankiError) as caught:
        read(tmp_path)
    assert str(caught.value).startswith(
        f"This vault keeps its reviews in {path}, which this version"
    )
    assert "would make every card new" in str(caught.value)


# ---------------------------------------------------------------- digests


def test_a_digest_is_the_files_sha256_and_size(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5_000
    write(tmp_path, {"a.png": content, "b.png": b""})
    assert vault.digest(tmp_path / "a.png") == (hashlib.sha256(content).hexdigest(), 1_280_000)
    assert vault.digest(tmp_path / "b.png") == (hashlib.sha256(b"").hexdigest(), 0)


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        vault.digest(tmp_path / "gone.png")


# ---------------------------------------------------------------- looked at before


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "SETTLED", -1)


@pytest.mark.usefixtures("_settled")
def test_what_was_seen_a_moment_ago_reads_like_what_is_looked_for(tmp_path: Path) -> None:
    names = ("b/Zoë.md", "b/zoe 10.md", "b/zoe 2.md", "a.md", ".hidden/c.md", "B.png")
    write(tmp_path, dict.fromkeys((*names, "b/Zoe\u0308.md"), "Q::A"))
    seen = vault.look(tmp_path, ())
    assert seen is not None
    again = vault.read(tmp_path, settings.WITHOUT_PLUGIN, seen=seen)
    assert replace(again, stamps={}) == read(tmp_path)
    assert [again.stamp(path) for path in again.files] == [
        vault.stamp(again.file(path)) for path in again.files
    ]


@pytest.mark.usefixtures("_settled")
def test_what_was_seen_long_ago_is_looked_for_again(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "Q::A"})
    seen = vault.look(tmp_path, ())
    assert seen is not None
    write(tmp_path, {"b.md": "Q::A"})
    old = replace(seen, when=seen.when - vault.LASTS)
    assert paths(vault.read(tmp_path, settings.WITHOUT_PLUGIN, seen=old)) == ["a.md", "b.md"]


@pytest.mark.usefixtures("_settled")
def test_a_look_tells_every_change_but_those_of_the_files_that_are_left_out(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.md": "Q::A", "b/c.md": "Q::A", "b/deck.apkg": "deck"}

    def mark() -> str:
        seen = vault.look(tmp_path, [tmp_path / "b/deck.apkg", Path("/elsewhere")])
        return "" if seen is None else vault.marks(seen)

    write(tmp_path, files)
    before = mark()
    write(tmp_path, {"b/deck.apkg": "another deck"})
    assert mark() == before != ""
    write(tmp_path, {"b/c.md": "Q::B and more"})
    changed = mark()
    assert changed not in ("", before)
    (tmp_path / "b/c.md").rename(tmp_path / "b/d.md")
    assert mark() not in ("", before, changed)
    (tmp_path / "link.md").symlink_to(tmp_path / "a.md")
    assert mark() == ""
