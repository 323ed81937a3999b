import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from flagrank.storage.writer_queue import WriterQueue

HOLD = (
    "import sys, time; from pathlib import Path; from flagrank.storage.writer_queue import WriterQueue\n"
    "with WriterQueue(Path(sys.argv[1])).turn(5): print('mine', flush=True); time.sleep(60)"
)


def test_a_killed_process_leaves_its_turn_to_the_next(tmp_path: Path) -> None:
    queue = WriterQueue(tmp_path / "writers")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "writers")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        with pytest.raises(TimeoutError), queue.turn(0.1):
            pass
        threading.Timer(0.3, holder.kill).start()
        with queue.turn(30):
            pass
        assert holder.wait(30) != 0


def test_a_turn_given_up_for_late_is_passed_on(tmp_path: Path) -> None:
    first, second = (WriterQueue(tmp_path / "writers") for _ in range(2))
    with first.turn(1):
        for _ in range(5):
            with pytest.raises(TimeoutError), second.turn(0.05):
                pass
    for _ in range(3):
        with second.turn(10), pytest.raises(TimeoutError), first.turn(0.05):
            pass


def test_turns_come_in_the_order_of_asking(tmp_path: Path) -> None:
    served: list[int] = []

    def ask(number: int) -> None:
        with WriterQueue(tmp_path / "writers").turn(30):
            served.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    with WriterQueue(tmp_path / "writers").turn(1):
        for thread in threads:
            thread.start()
            time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert served == sorted(served)


def test_a_thread_that_asks_again_at_once_stands_behind_those_that_wait(tmp_path: Path) -> None:
    queue = WriterQueue(tmp_path / "writers")
    served: list[int] = []

    def ask(number: int) -> None:
        with queue.turn(30):
            served.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    with queue.turn(1):
        for thread in threads:
            thread.start()
            time.sleep(0.05)
    ask(len(threads))
    for thread in threads:
        thread.join()
    assert served == sorted(served)


def test_a_turn_ends_with_an_error_in_it(tmp_path: Path) -> None:
    queue = WriterQueue(tmp_path / "writers")
    with pytest.raises(ZeroDivisionError), queue.turn(1):
        raise ZeroDivisionError
    with queue.turn(1):
        pass
