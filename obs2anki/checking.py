"""Every finding about the documents that the user names; nothing is written.

    obs2anki check vault/biology notes/Norway.md
    notes/Norway.md:9:1: O401 This review belongs to no flashcard (...)

Each document is read with the settings and the file list of its own vault; of the others only what
it embeds is read. So a vault is told what its documents are told one by one. What only the whole
vault and its ledger can say (a question asked twice, flashcards that cannot be told apart) is told
where the whole vault is named.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from obs2anki import (
    build,
    check,
    extract,
    harvest,
    ledger,
    markdown,
    plan,
    prose,
    report,
    vault,
    yields,
)
from obs2anki.clock import reading, zone_of
from obs2anki.data import Diagnostic, Entry, Plan, Severity, VaultPath
from obs2anki.diagnostics import RULES, Obs2ankiError
from obs2anki.request import Request, place_of_ledger
from obs2anki.settings import Settings
from obs2anki.terminal import columns
from obs2anki.wording import quantity

VERSION = 1
"""Of the JSON; it goes up when a name in it changes its meaning."""


@dataclass(frozen=True, slots=True)
class Named:
    """What the user named of a vault."""

    files: frozenset[VaultPath] = frozenset()
    folders: tuple[str, ...] = ()
    """With `/` at the end; an empty one is the whole vault."""

    @property
    def whole(self) -> bool:
        """Whether the whole vault was named."""
        return "" in self.folders

    def holds(self, path: VaultPath) -> bool:
        """Whether a file is among what was named."""
        return path in self.files or path.startswith(self.folders)


@dataclass(frozen=True, slots=True)
class Checked:
    """A vault, or a part of it, that was checked."""

    root: Path
    name: str
    documents: int
    """How many were looked at."""
    diagnostics: tuple[Diagnostic, ...]
    separator: str | None = None
    """What looks like a separator above many of the reviews that belong to no flashcard."""


def only_infos(checked: Iterable[Checked]) -> bool:
    """Whether there is nothing but infos."""
    return all(d.severity is Severity.INFO for one in checked for d in one.diagnostics)


# ---------------------------------------------------------------- which documents, of which vault


def by_vault(named: Iterable[Path]) -> dict[Path, Named]:
    """Files and folders by the vault that they lie in; several may be named.

    Raises Obs2ankiError where one of them is not there.
    """
    found: dict[Path, Named] = {}
    for path in named:
        if not _is_there(path):
            raise Obs2ankiError(f"There is no file or folder {path}. Check how it is written.")
        root = vault.root_of(path)
        inside = _inside(root, path)
        before = found.get(root, Named())
        if path.is_dir():
            folder = f"{inside}/" if inside != "." else ""
            found[root] = Named(before.files, (*before.folders, folder))
        else:
            found[root] = Named(before.files | {inside}, before.folders)
    return found


def _is_there(path: Path) -> bool:
    """Whether there is such a file or folder; a document that leads nowhere is a finding, O202."""
    return path.exists() or (path.is_symlink() and vault.is_document(path.name))


def _inside(root: Path, path: Path) -> VaultPath:
    """A path as the vault writes it; a link stands where it is, not where it leads."""
    real = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    inside = real.relative_to(root).as_posix()
    try:
        return VaultPath(unicodedata.normalize("NFC", os.fsencode(inside).decode()))
    except UnicodeDecodeError:
        return VaultPath(vault.spelled(inside))


# ---------------------------------------------------------------- one vault


def check_vault(root: Path, named: Named = Named(folders=("",))) -> Checked:
    """Check what was named of the vault `root`, or all of it.

    Nothing is fetched from the web. Raises Obs2ankiError where the vault, its settings or (if the
    whole vault is named) its ledger cannot be read.
    """
    in_force, contents, found = build.read(Request(root), named.holds)
    planned = plan.make(
        plan.Vault(
            contents.name,
            contents.sources,
            contents.ignored,
            contents.unread,
            contents.closed,
        ),
        in_force,
        harvest.library(contents, in_force, _looked_at),
        plan.Clock.at(reading(os.environ), zone_of(in_force)),
        _entries(root, in_force) if named.whole else (),
        found,
    )
    more = check.heeded(_more(contents, planned, in_force, named), in_force.check)
    told = [one for one in (*planned.diagnostics, *more) if _concerns(one, named)]
    documents = len(contents.sources) + len(contents.ignored)
    separator = report.likely_separator(planned, in_force, ("orphan", "no-separator"))
    orphans = any(one.code == "O401" for one in told)
    return Checked(
        root,
        contents.name,
        documents,
        tuple(sorted(told, key=_place)),
        separator if orphans else None,
    )


def _concerns(found: Diagnostic, named: Named) -> bool:
    """Whether a finding is about what was named: it, a folder around it, or what it embeds."""
    around = f"{found.path}/"
    return (
        named.whole
        or named.holds(found.path)
        or found.code.startswith("O6")
        or any(path.startswith(around) for path in (*named.files, *named.folders))
    )


def _entries(root: Path, in_force: Settings) -> Sequence[Entry]:
    """What the vault's ledger remembers, if it has one."""
    known = ledger.read(place_of_ledger(root, in_force))
    return () if known is None else known.entries


def _looked_at(file: Path) -> tuple[str, int]:
    """In place of a digest, which only a deck needs: whether a medium can be read, its size."""
    with file.open("rb") as stream:
        return "0" * 64, os.fstat(stream.fileno()).st_size


def _more(
    contents: vault.Contents, planned: Plan, in_force: Settings, named: Named
) -> Iterator[Diagnostic]:
    """What only a check tells: infos."""
    if named.whole:
        yield from check.same_questions(one.flashcard for one in planned.planned)
    unread = {d.path for d in planned.diagnostics if d.code in ("O203", "O303", "O703")}
    no_tag = {yields.CAUSES["no-tag"], yields.CAUSES["unreadable-tags"]}
    passed_over = {one.path for one in planned.skipped if one.reason in no_tag} - unread
    for source in contents.sources:
        if source.path in passed_over:
            document, _ = markdown.parse(source)
            flashcards = extract.flashcards(document, in_force.grammar).flashcards
            yield from check.unselected(document, flashcards, in_force.grammar)


def _place(found: Diagnostic) -> tuple[bool, str, Diagnostic]:
    """Vault order, what is about no document first."""
    return found.path.lower().endswith(".md"), vault.order(found.path), found


# ---------------------------------------------------------------- what is said


SCREENFUL = 20
"""More findings than these are summed up by code as well."""


def summary(checked: Sequence[Checked]) -> Iterator[str]:
    """What it came to: `3 documents checked: 1 error, 2 warnings.`, and which ones if many."""
    documents = sum(one.documents for one in checked)
    counted = Counter(d.severity for one in checked for d in one.diagnostics)
    counts = ", ".join(
        quantity(counted[severity], severity) for severity in Severity if counted[severity]
    )
    yield f"{quantity(documents, 'document')} checked: {counts or 'nothing found'}."
    if counted.total() > SCREENFUL:
        codes = Counter(d.code for one in checked for d in one.diagnostics)
        rows = [(f"  {code}", RULES[code].title, f"{n:,}") for code, n in codes.most_common()]
        yield from columns(rows, right=[2])
    for one in checked:
        if one.separator is not None:
            orphans = sum(found.code == "O401" for found in one.diagnostics)
            yield from ("", *prose.to_name(one.separator, orphans))


def as_json(checked: Sequence[Checked], seen: Callable[[Path], str]) -> str:
    """All of it as one JSON object; paths of findings are relative to their vault.

        {"version": 1, "documents": 2, "errors": 0, "warnings": 1, "infos": 0,
         "vaults": [{"vault": "name", "root": "name", "documents": 2,
                     "diagnostics": [{"path": "a.md", "line": 9, ...}]}]}

    `seen` says how the folder of a vault is written.
    """
    counted = Counter(d.severity for one in checked for d in one.diagnostics)
    said = {
        "version": VERSION,
        "documents": sum(one.documents for one in checked),
        "errors": counted[Severity.ERROR],
        "warnings": counted[Severity.WARNING],
        "infos": counted[Severity.INFO],
        "vaults": [
            {
                "vault": one.name,
                "root": seen(one.root),
                "documents": one.documents,
                "diagnostics": [structs.asdict(found) for found in one.diagnostics],
            }
            for one in checked
        ],
    }
    return json.dumps(said, ensure_ascii=False, indent=2)
