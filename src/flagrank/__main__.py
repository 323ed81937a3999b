"""`flagrank` and `python -m flagrank`."""

from flagrank.cli import application


def main() -> None:
    """Run the command line."""
    application()


if __name__ == "__main__":
    main()
