"""The worker: claims tasks, scores many of them in one model call, and writes what came of it."""

from flagrank.worker.batch import BatchScoring, Outcome
from flagrank.worker.ranker import Ranker
from flagrank.worker.worker import Worker, WorkRules

__all__ = ["BatchScoring", "Outcome", "Ranker", "WorkRules", "Worker"]
