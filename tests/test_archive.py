"""The zip that a package is, as whoever opens it reads it."""

from __future__ import annotations

import errno
import gc
import io
import struct
import sys
import zipfile
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki.destinations import archive

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

PIECES = st.lists(st.binary(max_size=2000) | st.integers(0, 1 << 20).map(bytes), max_size=5)


def written(pieces: list[bytes], others: dict[str, bytes], size: int | None = None) -> bytes:
    """A zip of `pieces`, to which others were added."""
    file = io.BytesIO()
    whole = sum(map(len, pieces)) if size is None else size
    with archive.begun(file, "first", iter(pieces), whole) as package:
        for name, content in others.items():
            package.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


@pytest.fixture(params=["fast", "zlib"])
def deflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the library that deflates fast, where there is one, and without."""
    if request.param == "zlib":
        monkeypatch.setattr(archive, "isal_zlib", None)


@pytest.mark.usefixtures("deflater")
@given(PIECES, st.dictionaries(st.sampled_from(["media", "0", "1"]), st.binary()))
def test_every_member_is_read_as_it_was_written(
    pieces: list[bytes], others: dict[str, bytes]
) -> None:
    members = {"first": b"".join(pieces), **others}
    with zipfile.ZipFile(io.BytesIO(written(pieces, others))) as package:
        assert package.testzip() is None
        assert {name: package.read(name) for name in package.namelist()} == members
        assert package.namelist() == list(members)


class Full(io.BytesIO):
    """A file on a disk that takes `room` bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Buffer) -> int:
        if self.tell() + memoryview(data).nbytes > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.usefixtures("deflater")
@pytest.mark.parametrize("room", [0, 40, 1000])
def test_a_full_disk_is_said_once(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip that was left open would say it again, with a traceback, when it is forgotten."""
    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    pieces = [bytes(range(256)) * 99, Random(1).randbytes(99_000)]
    with (
        pytest.raises(OSError, match="No space left"),
        Full(room) as file,
        archive.begun(file, "first", pieces, sum(map(len, pieces))),
    ):
        pass
    gc.collect()
    assert said == []


@given(PIECES)
def test_what_is_told_of_the_first_member_is_what_zipfile_would_tell(pieces: list[bytes]) -> None:
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(package_info := zipfile.ZipInfo("first"), b"".join(pieces))
    with zipfile.ZipFile(io.BytesIO(written(pieces, {}))) as package:
        (info,) = package.infolist()
    package_info.compress_type, package_info.compress_size = info.compress_type, info.compress_size
    for told in ("date_time", "create_system", "external_attr", "flag_bits", "CRC", "file_size"):
        assert getattr(info, told) == getattr(package_info, told), told
    assert info.compress_type == zipfile.ZIP_DEFLATED


def test_who_reads_from_the_front_is_told_the_same() -> None:
    made = written([b"some bytes"], {"media": b"{}"})
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        info = package.getinfo("first")
    flags, method, _, _, crc, packed, size = struct.unpack_from("<6xHHHHIII", made)
    assert (flags, method, crc) == (info.flag_bits, info.compress_type, info.CRC)
    assert (packed, size) == (info.compress_size, info.file_size)


def test_a_member_that_needs_zip64_is_left_to_zipfile() -> None:
    made = written([b"some bytes"], {"media": b"{}"}, zipfile.ZIP64_LIMIT + 1)
    assert int.from_bytes(made[4:6], "little") <= zipfile.ZIP64_VERSION
    assert made[30 + len("first") :][:2] == b"\1\0"  # the field that has room for its sizes
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        assert package.testzip() is None and package.read("first") == b"some bytes"
