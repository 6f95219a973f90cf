"""Where Anki keeps its collections: a folder for each profile.

    ~/.local/share/Anki2/User 1/collection.anki2     ->  {"User 1": Path(".../collection.anki2")}

The places are those of Anki's manual (Linux, also as a Flatpak, macOS and Windows), and the one
that the variable ANKI_BASE names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from obs2anki.diagnostics import Obs2ankiError

COLLECTION = "collection.anki2"


def find(
    profile: str | None, environment: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Path:
    """The collection of a profile; of the only one if none is named.

    Raises Obs2ankiError, with what there is, where that is not exactly one.
    """
    folders = list(dict.fromkeys(_folders(environment, platform)))
    found = {path.parent.name: path for folder in reversed(folders) for path in _in(folder)}
    names = ", ".join(sorted(found))
    if not found:
        places = " or ".join(map(str, folders))
        raise Obs2ankiError(
            f"No Anki profile was found in {places}. Start Anki once, or name the collection: "
            f"--collection PATH/{COLLECTION}"
        )
    if profile is None and len(found) > 1:
        raise Obs2ankiError(f"Anki has several profiles: {names}. Name one: --profile NAME")
    if profile is not None and profile not in found:
        raise Obs2ankiError(f"Anki has no profile {profile}. There is: {names}.")
    return found[profile] if profile is not None else next(iter(found.values()))


def _in(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.glob(f"*/{COLLECTION}"))
    except OSError:
        return


def _folders(environment: Mapping[str, str], platform: str) -> Iterator[Path]:
    """Where Anki's folder may be, the likeliest first."""
    if environment.get("ANKI_BASE"):
        yield Path(environment["ANKI_BASE"]).expanduser()
        return
    home = Path(environment.get("HOME") or Path.home())
    if platform == "win32":
        yield Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / "Anki2"
    elif platform == "darwin":
        yield home / "Library" / "Application Support" / "Anki2"
    else:
        yield Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share") / "Anki2"
        yield home / ".var" / "app" / "net.ankiweb.Anki" / "data" / "Anki2"
