"""What moves in the queue, told to every page that is open."""

from collections.abc import Callable

import msgspec

from flagrank.console.review_parts import MOST_COUNTED, ReviewParts, tell_count
from flagrank.console.watched import Watched
from flagrank.triage.review import QueueQuery

TOP_CASES = 20
FRESH_SECONDS = 2.0


class News(msgspec.Struct, frozen=True):
    """How many cases are open, in words too, and which stand at the top of the queue."""

    open: int
    words: str
    top: tuple[str, ...]


def watch_queue(parts: ReviewParts, is_ending: Callable[[], bool]) -> Watched[News]:
    """The news of the queue, two seconds old at most."""

    def look() -> News:
        count = parts.reading.count_cases(MOST_COUNTED)
        top = parts.reading.list_cases(QueueQuery(limit=TOP_CASES)).cases
        return News(count, tell_count(count), tuple(case.case_id for case in top))

    return Watched(lambda: parts.ask(look), msgspec.json.encode, is_ending, fresh_seconds=FRESH_SECONDS)
