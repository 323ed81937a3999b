"""Runs the benchmarks: python -m benchmarks [start] [serving] [quality] [--install]."""

import argparse

from benchmarks import serving, start


def main() -> None:
    """Run those named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=["start", "serving", "quality"], default=["start", "serving"]
    )
    parser.add_argument(
        "--install", action="store_true", help="measure the size of an install too (a minute)"
    )
    arguments = parser.parse_args()
    if "start" in arguments.parts:
        start.main(with_install=arguments.install)
    if "serving" in arguments.parts:
        serving.main()


if __name__ == "__main__":
    main()
