"""`python -m ops.kibana.write [--check]`: writes `objects.ndjson` and `rule.json`, or says whether they are current."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from ops.kibana.charts import NEWSROOM, OPERATIONS
from ops.kibana.dashboards import DASHBOARDS
from ops.kibana.data_views import DATA_VIEWS
from ops.kibana.rule import rule
from ops.kibana.saved_object import SavedObject
from ops.kibana.searches import SEARCHES

FOLDER = Path(__file__).resolve().parent


def objects() -> list[SavedObject]:
    """Returns every saved object, those that are referred to first."""
    return [one.saved() for one in (*DATA_VIEWS, *SEARCHES, *NEWSROOM, *OPERATIONS, *DASHBOARDS)]


def files() -> Mapping[Path, str]:
    """Returns what is to be in each generated file."""
    return {
        FOLDER / "objects.ndjson": "".join(f"{one.line()}\n" for one in objects()),
        FOLDER / "rule.json": json.dumps(rule(), indent=2, ensure_ascii=False) + "\n",
    }


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is not current.")
def main(check: bool) -> None:
    """Writes what Kibana is given."""
    wanted = files()
    if not check:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        return
    stale = [one.name for one, text in wanted.items() if not one.exists() or one.read_text("utf-8") != text]
    if stale:
        raise click.ClickException(f"ops/kibana: not current: {', '.join(stale)}. Write them: make docs")


if __name__ == "__main__":
    main()
