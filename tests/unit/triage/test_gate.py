from flagrank.triage.gate import Gate, Verdict


def say(verdict: Verdict, difference: float | None, low: float | None, high: float | None) -> str:
    return Gate(
        verdict=verdict,
        measure="roc_auc",
        champion_version=3,
        rows=1_200,
        positives=90,
        difference=difference,
        low=low,
        high=high,
    ).sentence


def test_a_gate_says_what_was_found_on_how_much() -> None:
    numbers = "version 3: roc_auc -0.0200 (95 % interval -0.0300 to -0.0100) on 1,200 held-out rows"
    assert say(Verdict.WORSE, -0.02, -0.03, -0.01).startswith(f"It is clearly worse than {numbers}")
    assert "clearly better than version 3" in say(Verdict.BETTER, 0.02, 0.01, 0.03)
    assert "no clear loss against version 3" in say(Verdict.ALIKE, 0.0, -0.01, 0.01)


def test_a_gate_says_why_nothing_could_be_compared() -> None:
    assert say(Verdict.UNKNOWN, None, None, None) == (
        "Nothing could be compared with version 3: the two packages share 1,200 held-out rows with 90 "
        "positives, and 50 are needed."
    )
