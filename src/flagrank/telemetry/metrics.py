"""The metrics of flagrank: who counts what, under which name."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import product

from flagrank.telemetry.instruments import Counter, Gauge, Histogram
from flagrank.telemetry.slots import Slots
from flagrank.triage.review import Verdict
from flagrank.triage.task import TaskStatus

OTHER = "other"  # a route or a status that is none of those known
STATUSES = (
    *(200, 201, 202, 204, 303, 304, 307, 308),
    *(400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431),
    *(500, 503),
)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class RequestMetrics:
    """What the server's entrance counts."""

    def __init__(self, slots: Slots, routes: Iterable[str]) -> None:
        """`routes` are those that requests are counted by; any other counts as `other`."""
        names = (*dict.fromkeys(routes), OTHER)
        statuses = (*map(str, STATUSES), OTHER)
        self.answers = Counter(
            slots,
            "flagrank_http_requests",
            "Requests answered.",
            labels=("route", "status"),
            keys=list(product(names, statuses)),
        )
        self.seconds = Histogram(
            slots,
            "flagrank_http_request_seconds",
            "Time from a request's head to the head of its answer.",
            SECONDS,
            labels=("route",),
            keys=[(name,) for name in names],
        )
        self._own = slots.own
        self._sum = self.seconds.sum_offset
        self._places = {
            (name, status): self._find_places(name, str(status)) for name, status in product(names, STATUSES)
        }

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Take one answered request; for one thread, the event loop's.

        The slots are looked up at once and written without a lock: .35 us instead of 1.1 (measured).
        """
        places = self._places.get((route, status))
        answers, buckets = places or self._find_other(route, status)
        own = self._own
        own[answers] += 1
        own[buckets + bisect_left(SECONDS, seconds)] += 1
        own[buckets + self._sum] += seconds

    def _find_other(self, route: str, status: int) -> tuple[int, int]:
        known = route if (route, STATUSES[0]) in self._places else OTHER
        return self._places.get((known, status)) or self._find_places(known, OTHER)

    def _find_places(self, route: str, status: str) -> tuple[int, int]:
        return self.answers.find_place((route, status)), self.seconds.find_place((route,))


class TaskMetrics:
    """What intake, scorer and worker count."""

    def __init__(self, slots: Slots) -> None:
        self.model_calls = Histogram(
            slots, "flagrank_model_call_reports", "Reports scored in one call of the model.", SIZES
        )
        self.commits = Histogram(slots, "flagrank_commit_tasks", "Tasks accepted in one commit.", SIZES)
        self.claims = Histogram(slots, "flagrank_claim_tasks", "Tasks claimed at once, where any was.", SIZES)
        self.finished = Counter(
            slots,
            "flagrank_tasks_finished",
            "Tasks that became final.",
            labels=("status",),
            keys=[(str(status),) for status in TaskStatus if status.is_final],
        )
        self.failed_attempts = Counter(
            slots, "flagrank_task_failed_attempts", "Attempts that failed, those that are tried again too."
        )
        self.lease_losses = Counter(
            slots, "flagrank_lease_losses", "Tasks whose lease was lost before their result was written."
        )
        self.workers = Gauge(
            slots,
            "flagrank_workers",
            "Workers of this server, by how they learn what other processes submit.",
            labels=("mode",),
            keys=[("listening",), ("polling",)],
        )

    def set_worker_mode(self, *, is_listening: bool | None) -> None:
        """Tell how this process's worker learns of work; None where it has stopped."""
        self.workers.set(("listening",), is_listening is True)
        self.workers.set(("polling",), is_listening is False)


class ModelMetrics:
    """What is counted of the models at work."""

    def __init__(self, slots: Slots) -> None:
        self.refused = Gauge(
            slots,
            "flagrank_model_refused",
            "Processes of this server that can't load a model which has a role, by that role.",
            labels=("role",),
            keys=[("champion",), ("challenger",), ("shadow",)],
        )
        self.challenger_reports = Counter(
            slots,
            "flagrank_challenger_reports",
            "Reports that the challenger scored in the champion's place.",
        )
        self.challenger_failures = Counter(
            slots,
            "flagrank_challenger_failures",
            "Reports that the challenger failed on, and the champion scored.",
        )
        self.shadow_reports = Counter(
            slots,
            "flagrank_shadow_reports",
            "Sampled reports that the shadow was to score, by what came of it.",
            labels=("result",),
            keys=[("logged",), ("failed",)],
        )


class ReviewMetrics:
    """What is counted of moderators' work."""

    def __init__(self, slots: Slots) -> None:
        self.leases = Counter(slots, "flagrank_cases_leased", "Cases leased to moderators.")
        self.decisions = Counter(
            slots,
            "flagrank_decisions",
            "Decisions taken, the same one again counted too.",
            labels=("decision",),
            keys=[(str(verdict),) for verdict in Verdict],
        )


class DatabaseMetrics:
    """What the storage counts."""

    def __init__(self, slots: Slots) -> None:
        self.waits = Histogram(
            slots,
            "flagrank_database_wait_seconds",
            "Time until a connection, or SQLite's one writer, was free.",
            SECONDS,
        )
        self.transactions = Histogram(
            slots,
            "flagrank_database_transaction_seconds",
            "Time that a transaction took after that wait, its commit included.",
            SECONDS,
            labels=("kind",),
            keys=[("read",), ("write",)],
        )


class Metrics:
    """All that one process counts; any thread may count, and each time takes under a microsecond."""

    def __init__(self, slots: Slots | None = None, routes: Iterable[str] = ()) -> None:
        """`slots` are shared where the server has several processes: all give the same `routes`."""
        slots = slots or Slots()
        self.requests = RequestMetrics(slots, routes)
        self.tasks = TaskMetrics(slots)
        self.models = ModelMetrics(slots)
        self.review = ReviewMetrics(slots)
        self.database = DatabaseMetrics(slots)

    @property
    def instruments(self) -> tuple[Counter | Gauge | Histogram, ...]:
        """Every one, in the order of a scrape."""
        requests, tasks, models, database = self.requests, self.tasks, self.models, self.database
        return (
            *(requests.answers, requests.seconds),
            *(tasks.model_calls, tasks.commits, tasks.claims, tasks.finished),
            *(tasks.failed_attempts, tasks.lease_losses, tasks.workers),
            *(models.refused, models.challenger_reports, models.challenger_failures, models.shadow_reports),
            *(self.review.leases, self.review.decisions),
            *(database.waits, database.transactions),
        )
