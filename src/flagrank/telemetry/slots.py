"""Where numbers are counted: float64 slots in memory that all processes of one server share, a row each.

A scrape reaches one process, which adds up all rows: the answer is the same whichever process gives it, and
no number waits to be written anywhere. A process that takes the row of a dead one goes on counting there, so
that no counter ever falls.
"""

import mmap
from pathlib import Path

ROW_SLOTS = 4_096
_SLOT_BYTES = 8


def create_slots_file(path: Path, rows: int) -> None:
    """Make the file that `rows` processes share; whoever starts them makes it, and deletes it at the end."""
    path.write_bytes(bytes(rows * ROW_SLOTS * _SLOT_BYTES))


class Slots:
    """One process's row, and the sums over all rows; deals slots out in the same order in each process."""

    def __init__(self, path: Path | None = None, row: int = 0) -> None:
        """`path` is a file by `create_slots_file`, `row` from 0 this process's own; without, there is one."""
        if path is None:
            memory = mmap.mmap(-1, ROW_SLOTS * _SLOT_BYTES)
        else:
            with path.open("r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
        self._all = memoryview(memory).cast("d")
        self.own = self._all[row * ROW_SLOTS : (row + 1) * ROW_SLOTS]  # (ROW_SLOTS,) float64
        self._dealt = 0

    def deal(self, count: int) -> int:
        """The first of `count` slots that nothing else uses."""
        first = self._dealt
        self._dealt += count
        if self._dealt > ROW_SLOTS:
            raise ValueError(f"{self._dealt} slots are asked for, and a row has {ROW_SLOTS}")
        return first

    def sum(self, slot: int) -> float:
        """What all processes have counted in this slot."""
        return sum(self._all[slot::ROW_SLOTS])
