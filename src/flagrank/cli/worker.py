"""`flagrank worker`: scores what was submitted."""

import sys

from flagrank.cli.output import AsJson, print_json


def worker(*, as_json: AsJson = False) -> None:
    """Score submitted tasks until stopped; any number, anywhere, given FLAGRANK_DATABASE_URL."""
    from flagrank.service.worker_process import run_worker_alone
    from flagrank.settings import load_settings

    def announce(address: str | None) -> None:
        if as_json:
            print_json({"role": "worker", "url": address})
        else:
            told = f"\n  {address}/metrics" if address else ""
            sys.stderr.write(f"flagrank worker looks for tasks{told}   stop with Ctrl-C\n")

    run_worker_alone(load_settings({}), announce)
