"""A graph in a process of its own: it scores as it does in ours, and what it does there stays there."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from flagrank.scoring import isolated_session
from flagrank.scoring.isolated_session import IsolatedSession
from flagrank.scoring.session import ModelSession
from flagrank.triage.errors import PackageRefused
from tests.contracts.test_scorer import make_picky_graph
from tests.hostile.graphs import NAMES, WIDTH, build_greedy_for_long_texts, build_slow_for_long_texts
from tests.packages import make_graph

ROWS = np.random.default_rng(1).normal(size=(300, WIDTH)).astype(np.float32)
ROWS[::7, 2] = np.nan
LONG = np.full((1, WIDTH), 900_000, np.float32)


def test_it_scores_as_a_session_does_to_the_bit() -> None:
    graph = make_graph(WIDTH)
    expected = ModelSession(graph, NAMES).score(ROWS)
    with IsolatedSession(graph, NAMES) as session:
        assert np.array_equal(session.score(ROWS), expected)
        assert np.array_equal(session.score(ROWS[:1]), expected[:1])
        assert session.score(ROWS[:0]).shape == (0,)


@pytest.mark.parametrize("graph", [b"", b"\x80\x04\x95", make_graph(WIDTH + 1)])
def test_a_graph_that_can_not_be_loaded_is_refused_at_the_entrance(graph: bytes) -> None:
    with pytest.raises(PackageRefused), IsolatedSession(graph, NAMES):
        raise AssertionError


@pytest.mark.parametrize("graph", [make_picky_graph(), build_greedy_for_long_texts()])
def test_after_rows_that_it_fails_on_it_scores_on(graph: bytes) -> None:
    with IsolatedSession(graph, NAMES) as session:
        before = session.score(ROWS)
        for _ in range(3):
            with pytest.raises(PackageRefused):
                session.score(LONG)
        assert not session.is_over
        assert np.array_equal(session.score(ROWS), before)


def test_what_takes_too_long_is_over() -> None:
    with IsolatedSession(build_slow_for_long_texts(), NAMES) as session:
        begin = time.monotonic()
        with pytest.raises(PackageRefused, match="took over 5 s"):
            session.score(LONG)
        assert time.monotonic() - begin < 3 * isolated_session.CALL_SECONDS
        assert session.is_over


def test_a_child_that_died_is_over() -> None:
    with IsolatedSession(make_graph(WIDTH), NAMES) as session:
        children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        with pytest.raises(PackageRefused):
            session.score(ROWS)
        assert session.is_over
