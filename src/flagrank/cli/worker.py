"""`flagrank worker`: scores what was submitted."""

import sys

from flagrank.cli.output import AsJson, print_json


def worker(*, as_json: AsJson = False) -> None:
    """Score submitted tasks until stopped; any number, anywhere, given FLAGRANK_DATABASE_URL."""
    from flagrank.service.worker_process import run_worker_alone
    from flagrank.settings import load_settings

    def announce() -> None:
        if as_json:
            print_json({"role": "worker"})
        else:
            sys.stderr.write("flagrank worker looks for tasks   stop with Ctrl-C\n")

    run_worker_alone(load_settings({}), announce)
