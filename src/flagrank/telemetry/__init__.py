"""What operators see: structured logs and Prometheus metrics; no other room knows their libraries."""

from flagrank.telemetry.logs import LogStyle, configure_logs, get_logger, set_request_id
from flagrank.telemetry.metrics import Exposition, Metrics, Readings
from flagrank.telemetry.slots import Slots, create_slots_file

__all__ = [
    "Exposition",
    "LogStyle",
    "Metrics",
    "Readings",
    "Slots",
    "configure_logs",
    "create_slots_file",
    "get_logger",
    "set_request_id",
]
