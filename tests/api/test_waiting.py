"""The minute of silence: it began with the first test; this file comes last, so little of it is left."""

from concurrent.futures import Future

import pytest

from tests.api.running_server import Answer


@pytest.mark.timeout(180)
def test_an_idle_connection_outlives_the_balancers_sixty_seconds(
    answer_after_silence: Future[Answer],
) -> None:
    """CASES G01."""
    assert answer_after_silence.result().status == 200
