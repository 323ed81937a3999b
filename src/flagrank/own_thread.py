"""Work that goes on beside everything else: a thread that begins and ends with a block."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class OwnThread(ABC):
    """A context manager with a thread, which runs `_run` until that sees `_closing`; to be entered once."""

    def __init__(self, name: str) -> None:
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Work until `_closing` is set, waiting for nothing but that."""
