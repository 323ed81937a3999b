"""`flagrank policy fit`: the coefficients of the pool, fitted to a history."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from flagrank.cli.histories import HistoryPath, PolicyPath, ScoringModel, load_histories, read_policy_text
from flagrank.cli.output import AsJson, print_json
from flagrank.cli.progress import show_progress


def fit(
    *,
    history: HistoryPath,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Where to write the whole policy, with all other numbers as they were."
        ),
    ],
    model: ScoringModel = None,
    policy: PolicyPath = None,
    as_json: AsJson = False,
) -> None:
    """Fit how the reports of a case become its chance, and write a policy with these coefficients.

    Moderators decide cases of the history drawn at random; the fit is judged, beside the coefficients before,
    on a quarter of them that it did not see.
    """
    from flagrank.files.output import write_whole
    from flagrank.replay.fitted_policy import replace_pool
    from flagrank.replay.pooling import draw_decisions, judge_fit
    from flagrank.triage.policy_file import parse_policy

    text, source = read_policy_text(policy), str(policy or "default_policy.toml")
    before = parse_policy(text, source, version=1)
    histories = load_histories(history, model, before)
    parts = []
    with show_progress("Deciding", "histories") as on_history:
        for scored in histories.values():
            parts.append(draw_decisions(scored, before))
            on_history(len(parts), len(histories))
    found = judge_fit(parts, before.pool)
    written = replace_pool(text, found.pool, source)
    with write_whole(out, is_gzip=False) as stream:
        stream.write(written.encode())
    pool = parse_policy(written, source, version=1).pool
    if as_json:
        print_json(
            {
                "models": list(histories),
                "decided": found.decided,
                "held_out": found.held_out,
                "log_loss": found.log_loss,
                "log_loss_before": found.log_loss_before,
                "pool": pool,
                "pool_before": before.pool,
                "out": str(out),
            }
        )
        return
    old = msgspec.structs.asdict(before.pool)
    for name, value in msgspec.structs.asdict(pool).items():
        typer.echo(f"{name:<14}{value:>9.4f}   before {old[name]:>8.4f}")
    typer.echo(
        f"Log loss on {found.held_out:,} decisions held out: {found.log_loss:.4f}, before "
        f"{found.log_loss_before:.4f}. Fitted on {found.decided:,} decisions, scored by "
        f"{' and '.join(histories)}; {out} has the whole policy."
    )
