"""How long a sync takes with an Anki that runs: the first, one where nothing changed, an edit.

    python -m benchmarks.connect [NOTES]

It wants an Anki with the add-on AnkiConnect, best with a profile of its own: the notes (10,000
unless told otherwise) stay in it, in a namespace that no other run has. Beside the times stands
what it takes by itself to read the notes from Anki.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from pathlib import Path

from benchmarks import vaults
from benchmarks.sync import run, timed


def main(notes: int) -> None:
    """Measure with a vault of about so many notes."""
    from obs2anki.destinations.ankiconnect import AnkiConnect

    namespace = f"benchmark {secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        vault = Path(folder, "vault")
        vault.mkdir()
        vaults.write(vault, notes)
        (vault / "obs2anki.toml").write_text(f'namespace = "{namespace}"\n', "utf-8")
        arguments = ("sync", str(vault), "--connect", "--yes")
        run("first sync", *arguments)
        run("nothing changed", *arguments)
        run("nothing changed", *arguments)
        with AnkiConnect().session() as anki:
            timed("  read Anki alone", lambda: anki.read(namespace))
        documents = [path for path in sorted(vault.rglob("*.md")) if "::" in path.read_text()]
        for what, some in (("one document edited", documents[:1]), ("all edited", documents)):
            for document in some:
                document.write_text(document.read_text().replace("::", "::another "))
            run(what, *arguments)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
