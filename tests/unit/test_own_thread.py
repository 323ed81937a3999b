import threading

import pytest

from flagrank.own_thread import OwnThread


class Turning(OwnThread):
    """Counts its turns."""

    def __init__(self) -> None:
        super().__init__("turning")
        self.turned = threading.Event()
        self.has_ended = False

    def _run(self) -> None:
        while not self._closing.wait(0.001):
            self.turned.set()
        self.has_ended = True


def test_the_thread_works_within_the_block_and_has_ended_after_it() -> None:
    with Turning() as turning:
        assert turning.turned.wait(60)
        assert not turning.has_ended
    assert turning.has_ended


def test_an_error_in_the_block_ends_the_thread_and_goes_on() -> None:
    turning = Turning()
    with pytest.raises(ZeroDivisionError), turning:
        raise ZeroDivisionError
    assert turning.has_ended
