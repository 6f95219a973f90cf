"""What sync services call the copy of a file that was edited on two computers.

    Cells.sync-conflict-20240412-101112-ABCDEFG.md      Syncthing
    Cells (laptop's conflicted copy 2024-04-12).md      Dropbox, Nextcloud, ownCloud
    Cells (Conflicted copy laptop 202404121011).md      Obsidian Sync

Each stands beside the file itself, `Cells.md`.
"""

from __future__ import annotations

import re

_MARKED = re.compile(
    r"(?P<before>.+?)"
    r"(?:\.sync-conflict-\d{8}-\d{6}(?:-[A-Z\d]{7})?|\([^()/]*\bconflicted copy\b[^()/]*\))"
    r"(?P<ending>\.[^./]+)",
    re.IGNORECASE,
)


def copied_from(path: str) -> str | None:
    """The path of the file that a copy was made of; None where the name is not that of one."""
    named = _MARKED.fullmatch(path)
    return None if named is None else named["before"].rstrip() + named["ending"]
