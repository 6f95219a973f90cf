"""The hooks, run by the real pre-commit and by git in a real repository.

What is run is what `.pre-commit-hooks.yaml` says and what the how-to pages show.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.commands import PLUGIN, ROOT, tagged
from tests.commands import vault as written

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
PAGE = ROOT / "docs/how-to/check-before-you-commit.md"
ON_GITHUB = ROOT / "docs/how-to/check-on-github.md"

GOOD = "#flashcards\n\nCapital of Norway::Oslo ^norway\n<!--SR:!2024-04-12,14,232-->\n"
BAD = "#flashcards\n\nCapital of Norway::\n"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and all that it said."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository of somebody who keeps a vault in it."""

    root: Path
    environment: Mapping[str, str]

    def do(self, *command: str) -> Said:
        """Run a command in it."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
        )
        return Said(done.returncode, done.stdout)

    def must(self, *command: str) -> str:
        """Run a command that has to end well."""
        done = self.do(*command)
        assert done.code == 0, done.text
        return done.text

    def write(self, documents: Mapping[str, str | bytes]) -> None:
        written(self.root, documents)

    def commit(self, *added: str) -> Said:
        """Add files and commit what is staged, with the hooks."""
        if added:
            self.must("git", "add", *added)
        return self.do("git", "commit", "-q", "-m", "A commit")

    def pre_commit(self, *arguments: str) -> Said:
        return self.do(sys.executable, "-m", "pre_commit", *arguments)

    def install(self, *hooks: Mapping[str, object]) -> None:
        """Have git run these hooks, and commit that."""
        config = {"repos": [{"repo": "local", "hooks": list(hooks)}]}
        self.write({".pre-commit-config.yaml": yaml.safe_dump(config)})
        self.must("git", "add", ".pre-commit-config.yaml")
        self.must("git", "commit", "-q", "-m", "Hooks")
        assert self.pre_commit("install").code == 0


def hook(name: str, **changed: object) -> dict[str, object]:
    """A hook of the manifest, run with what is installed here: no test fetches anything."""
    (found,) = (one for one in yaml.safe_load(MANIFEST.read_text("utf-8")) if one["id"] == name)
    assert found["language"] == "python"
    return dict(found) | {"language": "system"} | changed


def shown(page: Path, kind: str) -> list[str]:
    """The blocks of a page that are shown as one kind, without their indentation."""
    text = page.read_text("utf-8")
    found = re.findall(rf"^( *)```\w+ {kind}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{margin}", "", block, flags=re.MULTILINE) for margin, block in found]


def environment(home: Path) -> dict[str, str]:
    """Variables for somebody who has only git, and the programs that are tested."""
    bin_, home_ = home / "bin", str(home)
    bin_.mkdir(parents=True)
    program = bin_ / "obs2anki"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m obs2anki "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": os.pathsep.join((str(bin_), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "HOME": home_,
        "PRE_COMMIT_HOME": f"{home_}/pre-commit",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": f"{home_}/gitconfig",
        "TZ": "Europe/Lisbon",
        "LANG": "C.UTF-8",
    }


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    variables = environment(tmp_path / "home")
    made = Repository(tmp_path / "notes", variables)
    made.write({PLUGIN: tagged(), "obs2anki.toml": 'output = "cards.apkg"\n', "good.md": GOOD})
    for key, value in (("name", "Somebody"), ("email", "somebody@example.org")):
        made.must("git", "config", "--global", f"user.{key}", value)
    made.must("git", "init", "-q", "-b", "main")
    made.must("git", "add", ".")
    made.must("git", "commit", "-q", "-m", "A vault")
    return made


def status(repository: Repository) -> set[str]:
    """What git sees changed."""
    lines = repository.must("git", "status", "--porcelain", "--untracked-files=all", "-z")
    return {line[3:] for line in lines.split("\0") if line}


LEDGER = (".obs2anki/.gitattributes", ".obs2anki/ledger.jsonl")


# ---------------------------------------------------------------- the manifest


def test_pre_commit_takes_the_manifest(repository: Repository) -> None:
    assert repository.pre_commit("validate-manifest", str(MANIFEST)).code == 0


def test_the_page_shows_the_hooks_of_the_manifest() -> None:
    for block in shown(PAGE, "pre-commit")[:2]:
        (repo,) = yaml.safe_load(block)["repos"]
        (local,) = repo["hooks"]
        ours = hook(str(local["id"]))
        words = [*str(ours["entry"]).split(), *ours.get("args", [])]  # type: ignore[misc]  # YAML
        assert sorted(local["entry"].split()) == sorted(words)
        left_out = {"name", "description", "entry", "language", "args", "id", "require_serial"}
        for key in ours.keys() - left_out:
            assert local[key] == ours[key], key


# ---------------------------------------------------------------- obs2anki-check


def test_a_bad_flashcard_is_not_committed(repository: Repository) -> None:
    repository.install(hook("obs2anki-check"))
    repository.write({"deep/bad.md": BAD, "other.md": BAD, "x.txt": "Q::"})
    said = repository.commit("deep/bad.md", "x.txt")
    assert said.code == 1
    assert "deep/bad.md:3:1: O301 The back of this flashcard is empty" in said.text
    assert "1 document checked: 1 warning." in said.text
    assert "other.md" not in said.text  # it is not staged
    repository.write({"deep/bad.md": GOOD.replace("Norway", "Sweden")})
    assert repository.commit("deep/bad.md").code == 0
    assert status(repository) == {"other.md"}


def test_what_is_staged_is_checked_and_not_what_is_on_the_disk(repository: Repository) -> None:
    repository.install(hook("obs2anki-check"))
    repository.write({"good.md": BAD})
    repository.must("git", "add", "good.md")
    repository.write({"good.md": GOOD})
    assert repository.commit().code == 1


def test_a_name_that_begins_with_a_dash_is_no_option(repository: Repository) -> None:
    repository.install(hook("obs2anki-check"))
    repository.write({"-12 degrees.md": BAD})
    said = repository.commit("--", "-12 degrees.md")
    assert "-12 degrees.md:3:1: O301" in said.text


def test_the_vaults_settings_decide(repository: Repository) -> None:
    repository.install(hook("obs2anki-check"))
    ignore = '[check.ignore_in]\n"drafts/**" = ["O301"]\n'
    repository.write({"obs2anki.toml": ignore, "drafts/bad.md": BAD})
    assert repository.commit("obs2anki.toml", "drafts").code == 0
    repository.write({"bad.md": BAD})
    assert repository.commit("bad.md").code == 1


def test_a_commit_without_documents_is_not_checked(repository: Repository) -> None:
    repository.install(hook("obs2anki-check"))
    repository.write({"x.txt": "x"})
    said = repository.commit("x.txt")
    assert said.code == 0
    assert "no files to check" in said.text


# ---------------------------------------------------------------- obs2anki-export


def test_an_export_fails_like_a_formatter_when_it_changed_something(
    repository: Repository,
) -> None:
    repository.install(hook("obs2anki-export"))
    repository.write({"more.md": "#flashcards\n\nCapital of Sweden::Stockholm\n"})
    assert repository.commit("more.md").code == 1
    assert status(repository) == {"more.md", "cards.apkg", *LEDGER}
    assert repository.commit("cards.apkg", ".obs2anki").code == 0
    assert status(repository) == set()
    repository.write({"more.md": "#flashcards\n\nThe capital of Sweden::Stockholm\n"})
    said = repository.commit("more.md")
    assert said.code == 1
    assert "0 added, 1 changed, 0 gone, 1 unchanged" in said.text
    assert status(repository) == {"more.md", "cards.apkg", LEDGER[1]}
    assert repository.commit("cards.apkg", ".obs2anki").code == 0


@pytest.fixture
def exported(repository: Repository) -> Repository:
    """A repository whose deck and ledger are committed, with the hook."""
    repository.install(hook("obs2anki-export"))
    assert repository.do("obs2anki", "export", ".").code == 0
    assert repository.commit("cards.apkg", ".obs2anki").code == 0
    return repository


def test_an_unchanged_vault_rewrites_nothing(exported: Repository) -> None:
    files = [exported.root / name for name in ("cards.apkg", *LEDGER)]
    before = [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files]
    exported.write({"prose.md": "No flashcard in it.\n"})
    assert exported.commit("prose.md").code == 0
    assert exported.pre_commit("run", "--all-files").code == 0
    assert [(file.stat().st_ino, file.stat().st_mtime_ns) for file in files] == before


def test_a_commit_that_only_deletes_documents_exports_too(exported: Repository) -> None:
    exported.write({"more.md": "#flashcards\n\nCapital of Sweden::Stockholm\n"})
    exported.commit("more.md")
    assert exported.commit("cards.apkg", ".obs2anki").code == 0
    exported.must("git", "rm", "-q", "more.md")
    assert exported.commit().code == 1
    assert exported.commit("cards.apkg", ".obs2anki").code == 0


def test_a_fresh_clone_has_nothing_to_change(exported: Repository, tmp_path: Path) -> None:
    exported.must("git", "clone", "-q", str(exported.root), str(tmp_path / "elsewhere"))
    # Years later, on a machine that has never seen the vault.
    variables = dict(exported.environment) | {"SOURCE_DATE_EPOCH": "1900000000"}
    variables["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    clone = Repository(tmp_path / "elsewhere", variables)
    said = clone.pre_commit("run", "--all-files")
    assert said.code == 0, said.text
    assert status(clone) == set()


def test_a_clone_on_windows_has_nothing_to_change(exported: Repository, tmp_path: Path) -> None:
    exported.must("git", "config", "--global", "core.autocrlf", "true")
    exported.must("git", "clone", "-q", str(exported.root), str(tmp_path / "windows"))
    clone = Repository(tmp_path / "windows", exported.environment)
    assert b"\r\n" in (clone.root / "good.md").read_bytes()
    said = clone.pre_commit("run", "--all-files")
    assert said.code == 0, said.text
    assert status(clone) == set()


def test_a_vault_in_a_folder_is_named_by_args(repository: Repository) -> None:
    repository.write({"v/obs2anki.toml": 'output = "v.apkg"\n', "v/a.md": "Q;; A\n"})
    repository.must("git", "add", "v")
    repository.must("git", "commit", "-q", "-m", "A vault within")
    repository.install(hook("obs2anki-export", args=["v"]))
    said = repository.pre_commit("run", "--all-files")
    assert said.code == 1
    assert status(repository) == {"v/v.apkg", *(f"v/{name}" for name in LEDGER)}


# ---------------------------------------------------------------- what the pages show


def test_the_configuration_that_is_shown_works(repository: Repository) -> None:
    check, export = (yaml.safe_load(b)["repos"][0]["hooks"] for b in shown(PAGE, "pre-commit")[:2])
    repository.install(*check, *export)
    repository.write({"bad.md": BAD})
    said = repository.commit("bad.md")
    assert said.code == 1
    assert "bad.md:3:1: O301" in said.text and "The deck is cards.apkg" in said.text
    repository.write({"bad.md": "#flashcards\n\nCapital of Sweden::Stockholm\n"})
    repository.commit("bad.md")
    assert repository.commit("bad.md", "cards.apkg", ".obs2anki").code == 0


def test_the_hook_for_git_alone_works(repository: Repository) -> None:
    script = shown(PAGE, "pre-commit")[2]
    file = repository.root / ".git/hooks/pre-commit"
    file.write_text(script, "utf-8")
    file.chmod(0o755)
    names = ("a bad one.md", "-12 degrees.md", "LOUD.MD")
    repository.write(dict.fromkeys(names, BAD))
    said = repository.commit("--", *names)
    assert said.code == 1
    assert all(f"{name}:3:1: O301" in said.text for name in names)
    repository.must("git", "rm", "-q", "-f", "--", *names[1:])
    repository.write({"a bad one.md": "#flashcards\n\nCapital of Sweden::Stockholm\n"})
    assert repository.commit("a bad one.md").code == 1
    assert status(repository) == {"a bad one.md", "cards.apkg", *LEDGER}
    assert repository.commit("cards.apkg", ".obs2anki").code == 0
    repository.must("git", "rm", "-q", "good.md")
    assert repository.commit().code == 1  # no document is left to check, but the deck follows


def test_the_workflow_for_github_runs(repository: Repository) -> None:
    (block,) = shown(ON_GITHUB, "workflow")
    steps = yaml.safe_load(block)["jobs"]["check"]["steps"]
    runs = [step for step in steps if "obs2anki" in step.get("run", "").split()]
    assert len(runs) == 2
    for step in runs:
        (line,) = step["run"].splitlines()
        variables = dict(repository.environment) | step.get("env", {})
        Repository(repository.root, variables).must(*line.split())
    assert (repository.root / "flashcards.apkg").exists()
    repository.write({"bad.md": BAD})
    said = repository.do(*runs[0]["run"].split())
    assert said.code == 1
    assert "::warning file=bad.md,line=3,col=1,title=O301::" in said.text


def test_on_github_what_somebody_forgot_to_commit_is_found(
    repository: Repository, tmp_path: Path
) -> None:
    (script,) = shown(ON_GITHUB, "forgotten")
    machines = (tmp_path / f"machine {number}" for number in range(9))

    def job() -> int:
        """The job on a machine of GitHub's, which begins with nothing but the repository."""
        clone = Repository(next(machines), repository.environment)
        clone.root.mkdir()
        clone.must("git", "clone", "-q", str(repository.root), ".")
        return clone.do("sh", "-e", "-c", script).code

    assert job() == 1
    repository.must("obs2anki", "export", ".", "-o", "flashcards.apkg")
    assert repository.commit(".obs2anki", "flashcards.apkg").code == 0
    assert job() == 0
    repository.write({"good.md": GOOD.replace("Oslo", "Oslo, once Kristiania")})
    assert repository.commit("good.md").code == 0
    assert job() == 1
    repository.must("obs2anki", "export", ".", "-o", "flashcards.apkg")
    assert repository.commit("flashcards.apkg").code == 0
    assert job() == 1  # the ledger was forgotten
    assert repository.commit(".obs2anki").code == 0
    assert job() == 0


def test_on_github_a_ledger_that_nobody_committed_is_found(repository: Repository) -> None:
    (script,) = shown(ON_GITHUB, "remember")
    assert repository.do("sh", "-e", "-c", script).code == 1
    assert repository.commit(".obs2anki").code == 0
    assert repository.do("sh", "-e", "-c", script).code == 0
    repository.write({"good.md": "#flashcards\n\nA new one::Here\n"})
    assert repository.do("sh", "-e", "-c", script).code == 1
