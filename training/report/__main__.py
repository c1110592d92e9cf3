"""Writes `docs/reference/results.md` and its pictures from the records: `python -m training.report`.

`--check` writes nothing, and fails where the page or a picture shows anything else than the records.
"""

import argparse
import sys

from training.report.table import write_page
from training.script import run_script


def main() -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing: say whether the page shows the records")
    sys.exit(write_page(check=parser.parse_args().check))


if __name__ == "__main__":
    run_script(main)
