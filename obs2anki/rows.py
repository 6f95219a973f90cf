r"""What a document yields as bytes, and back: for another process, or for the next run.

    Yield("cells.md", (Made(flashcard, ...),))  ->  b"\x98\xa8cells.md\x91\x98..."

MessagePack of nested lists, each in the order of its type. Bytes that say anything else are
refused, so they may come from a file that was damaged; nothing in them is ever executed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from obs2anki.yields import Yield

_LOCALE = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
"""How the bytes of a path are read, in this run."""


class Rows:
    """Packs what the documents of one vault yield; media are told by where they lie in it."""

    def __init__(self, root: Path) -> None:
        """`root` is the vault's folder."""
        self._root = root
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._inside)
        self._decoder = msgspec.msgpack.Decoder(Yield, dec_hook=self._outside)

    def packed(self, one: Yield) -> bytes:
        """A yield as bytes."""
        return self._encoder.encode(one)

    def unpacked(self, row: bytes) -> Yield:
        """The yield that `packed` made bytes of. Raises ValueError where they are not such."""
        return self._decoder.decode(row)  # what msgspec raises is a ValueError

    def _inside(self, value: object) -> bytes:
        assert isinstance(value, Path), value
        # The next run may have another locale, in which the same bytes are another text.
        return bytes(value.relative_to(self._root))

    def _outside(self, kind: type, value: object) -> Path:
        if kind is not Path or not isinstance(value, bytes):
            raise ValueError(f"no {kind}: {value!r}")
        return self._root / value.decode(*_LOCALE)
