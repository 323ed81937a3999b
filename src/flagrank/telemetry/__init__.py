"""What operators see: structured logs and Prometheus metrics; no other room knows their libraries."""

from flagrank.telemetry.exposition import Exposition, QueueReadings, Readings, render_metrics
from flagrank.telemetry.logs import Log, LogStyle, configure_logs, get_logger, set_request_id
from flagrank.telemetry.metrics import (
    DatabaseMetrics,
    Metrics,
    ModelMetrics,
    RequestMetrics,
    ReviewMetrics,
    TaskMetrics,
)
from flagrank.telemetry.slots import Slots, create_slots_file

__all__ = [
    "DatabaseMetrics",
    "Exposition",
    "Log",
    "LogStyle",
    "Metrics",
    "ModelMetrics",
    "QueueReadings",
    "Readings",
    "RequestMetrics",
    "ReviewMetrics",
    "Slots",
    "TaskMetrics",
    "configure_logs",
    "create_slots_file",
    "get_logger",
    "render_metrics",
    "set_request_id",
]
