"""The lines of a text file, plain or gzipped: UTF-8 without NUL, of bounded length."""

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

from flagrank.triage.errors import FileRefused

MAX_LINE_BYTES = 64 * 2**20  # bounds the memory that a file without line ends takes
_BUFFER_BYTES = 2**17
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def open_bytes(path: Path) -> BinaryIO:
    """Open a regular file to read; raises `FileRefused` where it is none or can't be."""
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            raise FileRefused(f"{path} is no regular file. Name a file.")
        return path.open("rb")
    except OSError as error:
        raise FileRefused(
            f"{path} can't be read: {error.strerror}. Check its name and its permissions."
        ) from error


class TextLines:
    """Gives each line with its end, once, without a byte-order mark. Used in `with`."""

    def __init__(self, path: Path, *, is_gzip: bool) -> None:
        """Open the file; raises `FileRefused` where it can't be."""
        self.path = path
        self._raw = open_bytes(path)
        self._size = path.stat().st_size
        if not self._size:
            raise FileRefused(f"{path} is empty. Write reports into it.")
        self._stream = self._raw
        if is_gzip:  # a GzipFile gives lines by a loop in Python; a buffer over it gives them by one in C
            self._stream = io.BufferedReader(gzip.GzipFile(fileobj=self._raw, mode="rb"), _BUFFER_BYTES)

    @property
    def share_read(self) -> float:
        """How much of the file, as it lies on the disk, has been read: 0 .. 1."""
        return self._raw.tell() / self._size

    def __iter__(self) -> Iterator[str]:
        """Raises `FileRefused` for what is no text, and for gzip that is cut off or has something behind."""
        number = 0
        try:
            for encoded in iter(partial(self._stream.readline, MAX_LINE_BYTES), b""):
                number += 1
                yield self._decode(encoded, number)
        except (EOFError, zlib.error, OSError) as error:
            reason = str(error).rstrip(".")
            raise FileRefused(
                f"{self.path} can't be read to its end: {reason}. Make the file again."
            ) from error

    def _decode(self, encoded: bytes, number: int) -> str:
        if number == 1:
            encoded = encoded.removeprefix(_BYTE_ORDER_MARK)
        if b"\0" in encoded:
            raise FileRefused(
                f"{self.path}: line {number} holds a NUL character, which no text does. Remove it."
            )
        if len(encoded) == MAX_LINE_BYTES:
            limit = MAX_LINE_BYTES // 2**20
            raise FileRefused(
                f"{self.path}: line {number} is longer than {limit} MiB. Split it, or end lines by \\n."
            )
        try:
            return encoded.decode()
        except UnicodeDecodeError as error:
            raise FileRefused(
                f"{self.path}: line {number} is not UTF-8 at its byte {error.start + 1}. Save the file in "
                "UTF-8."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()
        self._raw.close()
