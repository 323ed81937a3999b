"""Why a case stands where it does, in one sentence for people."""

from flagrank.triage.explanation import cut
from flagrank.triage.review import QueueCase

MOST_REASON_CHARS = 60


def tell_why(case: QueueCase) -> str:
    """What its priority is made of: who reported it for what, how likely it is, and how far it reaches.

    Of texts it holds the reason alone, cut and printable, whatever somebody has put into it.
    """
    worst = "without a reason" if case.reason is None else f"for {cut(case.reason, MOST_REASON_CHARS)}"
    return (
        f"Reported {_tell_reporters(case)} {worst} (severity {case.severity:g}); "
        f"{_tell_chance(case.score)} likely to deserve action, {_tell_views(case.exposure)} expected."
    )


def _tell_reporters(case: QueueCase) -> str:
    reporters = "one reporter" if case.n_reporters == 1 else f"{case.n_reporters:,} reporters"
    times = "" if case.n_reports == case.n_reporters else f"{case.n_reports:,} times "
    at_worst = "" if case.reason is None or case.n_reports == 1 else ", at worst"
    return f"{times}by {reporters}{at_worst}"


def _tell_chance(score: float) -> str:
    percent = round(100 * score)
    if percent == 0:
        return "under 1 %"
    return "over 99 %" if percent == 100 else f"{percent} %"


def _tell_views(exposure: float) -> str:
    views = round(exposure)
    if views > 1:
        return f"{views:,} further views"
    return "one further view" if views else "no further view"
