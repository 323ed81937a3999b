"""The command line: one module a command group, each importing what it needs when it runs."""

import typer

from flagrank.cli import (
    db,
    doctor,
    evaluate,
    keys,
    model,
    policy,
    replay,
    score,
    serve,
    simulate,
    train,
    worker,
)
from flagrank.cli.output import CommandGroup

application = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Rank user reports by the harm that waiting would cause.",
    epilog="Start here: `flagrank serve --demo`, then open http://127.0.0.1:8081/docs.",
)
application.command()(serve.serve)
application.command()(worker.worker)
application.command()(simulate.simulate)
application.command()(train.train)
application.command()(evaluate.evaluate)
application.command()(score.score)
application.add_typer(model.application, name="model")
application.add_typer(policy.application, name="policy")
application.command()(replay.replay)
application.add_typer(keys.application, name="keys")
application.add_typer(db.application, name="db")
application.command()(doctor.doctor)
