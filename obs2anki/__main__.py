"""The command `obs2anki`, and `python -m obs2anki`.

    $ obs2anki --version
    obs2anki 0.1.0

This module is loaded again in every process that helps with a large vault, so it is a small one.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NoReturn

from obs2anki import __version__


def main() -> NoReturn:
    """Run the command of `sys.argv`; to say the version takes no more than this."""
    if sys.argv[1:] == ["--version"]:
        with suppress(OSError):  # nobody reads it, or the disk is full: the command knows more
            print(f"obs2anki {__version__}", flush=True)
            sys.exit(0)
    from obs2anki.stopping import Stopped, heed

    heed()
    try:
        from obs2anki import cli

        cli.main()
    except Stopped as stopped:  # before the command was there to say so
        print("Stopped.", file=sys.stderr)
        sys.exit(stopped.code)


if __name__ == "__main__":
    main()
