"""Reading what a server or a worker shows at /metrics."""

from prometheus_client.parser import text_string_to_metric_families

from tests.api.running_server import RunningServer


def scrape(server: RunningServer) -> dict[tuple[str, str], float]:
    """The totals by name and by the values of the labels but for bucket bounds."""
    totals: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(server.get("/metrics").body.decode()):
        for sample in family.samples:
            labels = " ".join(value for name, value in sorted(sample.labels.items()) if name != "le")
            key = (sample.name, labels)
            totals[key] = totals.get(key, 0) + sample.value
    return totals
