"""Counters, gauges and histograms on slots; safe to use from any thread, read by a scrape only."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from flagrank.telemetry.slots import Slots

Key = tuple[str, ...]  # the values of the labels, in their order


class Counter:
    """A number that only grows, for each combination of labels; those that stayed 0 are not shown."""

    def __init__(
        self,
        slots: Slots,
        name: str,
        meaning: str,
        *,
        labels: Sequence[str] = (),
        keys: Sequence[Key] = ((),),
    ) -> None:
        self.name = name
        self._meaning = meaning
        self._labels = labels
        self._slots = slots
        self._own = slots.own
        self._lock = Lock()
        first = slots.deal(len(keys))
        self._places = {key: first + position for position, key in enumerate(keys)}

    def add(self, key: Key = (), amount: float = 1) -> None:
        """Count."""
        place = self._places[key]
        with self._lock:
            self._own[place] += amount

    def find_place(self, key: Key) -> int:
        """The slot that counts for these labels."""
        return self._places[key]

    def collect(self) -> CounterMetricFamily:
        """What all processes have counted."""
        family = CounterMetricFamily(self.name, self._meaning, labels=self._labels)
        for key, place in self._places.items():
            total = self._slots.sum(place)
            if total or not key:
                family.add_metric(key, total)
        return family


class Gauge:
    """A number of each process that may fall; a scrape shows their sum. A process begins with 0."""

    def __init__(
        self,
        slots: Slots,
        name: str,
        meaning: str,
        *,
        labels: Sequence[str] = (),
        keys: Sequence[Key] = ((),),
    ) -> None:
        self.name = name
        self._meaning = meaning
        self._labels = labels
        self._slots = slots
        first = slots.deal(len(keys))
        self._places = {key: first + position for position, key in enumerate(keys)}
        for key in keys:
            self.set(key, 0)

    def set(self, key: Key, value: float) -> None:
        """Replace this process's number."""
        self._slots.own[self._places[key]] = value

    def collect(self) -> GaugeMetricFamily:
        """The sums over all processes."""
        family = GaugeMetricFamily(self.name, self._meaning, labels=self._labels)
        for key, place in self._places.items():
            family.add_metric(key, self._slots.sum(place))
        return family


class Histogram:
    """How often values were how large; `bounds` rise, each the largest value of its bucket."""

    def __init__(
        self,
        slots: Slots,
        name: str,
        meaning: str,
        bounds: Sequence[float],
        *,
        labels: Sequence[str] = (),
        keys: Sequence[Key] = ((),),
    ) -> None:
        self.name = name
        self._meaning = meaning
        self._labels = labels
        self._bounds = tuple(bounds)
        self.sum_offset = (
            len(self._bounds) + 1
        )  # its place behind the buckets, of which the last has no bound
        self._slots = slots
        self._own = slots.own
        self._lock = Lock()
        width = self.sum_offset + 1
        first = slots.deal(width * len(keys))
        self._places = {key: first + position * width for position, key in enumerate(keys)}

    def observe(self, value: float, key: Key = ()) -> None:
        """Take one value."""
        place = self._places[key]
        bucket = place + bisect_left(self._bounds, value)
        with self._lock:
            self._own[bucket] += 1
            self._own[place + self.sum_offset] += value

    def find_place(self, key: Key) -> int:
        """The slot of the first bucket for these labels; the others follow, and the sum at `sum_offset`."""
        return self._places[key]

    def collect(self) -> HistogramMetricFamily:
        """What all processes have taken; of a combination of labels that took nothing, nothing."""
        family = HistogramMetricFamily(self.name, self._meaning, labels=self._labels)
        for key, place in self._places.items():
            counts = [self._slots.sum(place + offset) for offset in range(self.sum_offset)]
            if any(counts) or not key:
                family.add_metric(
                    key, list(self._cumulate(counts)), sum_value=self._slots.sum(place + self.sum_offset)
                )
        return family

    def _cumulate(self, counts: Sequence[float]) -> Iterator[tuple[str, float]]:
        names = (*map(floatToGoString, self._bounds), "+Inf")
        return zip(names, accumulate(counts), strict=True)
