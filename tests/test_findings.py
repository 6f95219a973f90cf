"""A finding is told where it is, once, with its remedy, and nothing that it quotes is obeyed."""

from __future__ import annotations

import pytest

from obs2anki import diagnostics, findings
from obs2anki.data import Diagnostic, Severity, VaultPath
from obs2anki.wording import Wording

HERE = Wording("", ".")


def finding(severity: Severity, code: str = "O401", path: str = "a.md") -> Diagnostic:
    return Diagnostic(VaultPath(path), 9, 2, code, severity, "50% is,\nodd: so", "Do this.")


def test_a_finding_is_a_line_and_a_remedy() -> None:
    found = [finding(Severity.WARNING), finding(Severity.INFO, "O406")]
    assert list(findings.lines(findings.worth_a_line(found), Wording("v/", "v"), colour=False)) == [
        r"v/a.md:9:2: O401 50% is,\nodd: so",
        "    Do this.",
    ]


def test_findings_in_a_row_that_have_one_remedy_share_it() -> None:
    first, other = finding(Severity.WARNING), finding(Severity.WARNING, "O402")
    said = list(findings.lines([first, first, other, first], HERE, colour=False))
    remedy = "    Do this."
    assert [line == remedy for line in said] == [False, False, True, False, True, False, True]
    assert len(list(findings.commands([first, first], HERE))) == 2


def test_what_is_to_be_pasted_stands_on_lines_of_its_own() -> None:
    found = [diagnostics.at("O204", VaultPath("a.md"), 3)]
    toml = ["[grammar]", 'mend = ["html-comments"]']
    said = list(findings.lines(found, HERE, colour=False))
    assert said[2:] == [f"    {line}" for line in toml]
    (command,) = findings.commands(found, HERE)
    assert command.endswith("%0A" + "%0A".join(toml))


def test_no_name_of_a_folder_begins_a_line() -> None:
    found = [diagnostics.at("O101", VaultPath("."), 1, "a\n::error::b")]
    assert len(list(findings.lines(found, HERE, colour=False))) == 2


def test_a_finding_about_the_vault_points_at_the_vault() -> None:
    found = [finding(Severity.WARNING, "O101", ".")]
    assert next(findings.lines(found, Wording("v/", "v"), colour=False)).startswith("v:9:2:")
    assert next(findings.lines(found, HERE, colour=False)).startswith(".:9:2:")


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "notice")],
)
def test_an_annotation_is_escaped(severity: Severity, level: str) -> None:
    found = [finding(severity, path="a,b:c%.md")]
    assert list(findings.commands(found, HERE)) == [
        f"::{level} file=a%2Cb%3Ac%25.md,line=9,col=2,title=O401::50%25 is,\\nodd: so%0ADo this."
    ]
