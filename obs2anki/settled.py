"""What was decided about documents, kept for the next run: it holds until something changes.

    cells.md | digest | checksum | [[1577836800, None], [1767225600, ["vAuSF^~FyQ", "5f1c", ...]]]

Nothing of it is needed, like all that the cache holds. It counts only below the very ledger that
came of it, for the very yield that it was decided about, and under the same settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from zlib import crc32

import msgspec

from obs2anki import cache, harvest
from obs2anki.cache import Cache, SettledRow
from obs2anki.data import VaultPath
from obs2anki.plan import Kept
from obs2anki.settings import Check, Settings

_DECODER = msgspec.msgpack.Decoder(tuple[Kept, ...])
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(slots=True)
class Memory:
    """What the cache keeps of the decisions about a vault, as far as this process knows."""

    mark: str = ""
    """Under which it is kept; empty = that is not known."""
    held: Mapping[VaultPath, tuple[Kept, ...]] = field(default_factory=dict)

    def recall(
        self, store: Cache, documents: harvest.Memory, mark: str
    ) -> Mapping[VaultPath, tuple[Kept, ...]]:
        """What was decided under `mark` about documents that are what they were then."""
        found = store.settled(documents.wanted, mark)
        self.mark, self.held = mark, dict(_decoded(found, documents.rows))
        return self.held

    def keep(
        self,
        store: Cache,
        documents: harvest.Memory,
        decided: Mapping[VaultPath, tuple[Kept, ...]],
        mark: str,
    ) -> None:
        """Keep what was decided, under `mark` from now on; what is kept already is left alone."""
        before, held = self.mark, self.held
        fresh = {path: kept for path, kept in decided.items() if kept is not held.get(path)}
        if fresh or mark != before:
            every = partial(_encoded, decided, documents.rows)
            new = _encoded(fresh, documents.rows)
            store.keep_settled(documents.wanted, before, mark, new, every, decided.keys())
        self.mark, self.held = mark, decided


def mark(in_force: Settings, vault: str, content: bytes) -> str:
    """What else than documents decides: settings, the vault's name and what its ledger holds."""
    counting = replace(in_force, check=Check(), output=None, ledger="", origin=())
    return cache.key(counting, vault, content)


def _encoded(
    decided: Mapping[VaultPath, tuple[Kept, ...]], rows: Mapping[VaultPath, cache.Row]
) -> Iterator[SettledRow]:
    for path, kept in decided.items():
        row = rows.get(path)
        if row is not None and row.digest:
            packed = _ENCODER.encode(kept)
            yield path, row.digest, crc32(packed, row.checksum), packed


def _decoded(
    found: Iterable[SettledRow], rows: Mapping[VaultPath, cache.Row]
) -> Iterator[tuple[VaultPath, tuple[Kept, ...]]]:
    for path, digest, checksum, packed in found:
        row = rows.get(path)
        if row is not None and row.digest == digest and crc32(packed, row.checksum) == checksum:
            yield path, _DECODER.decode(packed)
