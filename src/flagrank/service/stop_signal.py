"""SIGTERM and SIGINT as something to look at."""

import signal


class StopSignal:
    """How often a signal to stop has come; heeds them from its making on, in the main thread."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.note())

    @property
    def came(self) -> bool:
        """Whether it is time to stop."""
        return self.count > 0

    def note(self) -> None:
        """Count one. Nothing but this: a signal may come while this very thread holds any lock."""
        self.count += 1
