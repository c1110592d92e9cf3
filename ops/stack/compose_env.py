"""Writes `.env` for docker-compose.yml: the shared versions and digests, and passwords that exist nowhere else.

What the operator changed there stays; versions follow `shared.env`, so that an upgrade of the clone reaches the file.
"""

import os
import secrets
from pathlib import Path

from ops.stack.shared import REPOSITORY, SHARED, read_env

SECRETS = ("ELASTIC_PASSWORD", "KIBANA_PASSWORD", "INDEX_PASSWORD", "KIBANA_ENCRYPTION_KEY")
DEFAULTS = {"SOURCE": "simulate:1", "TAGGER": "mner"}


def write_compose_env(path: Path = REPOSITORY / ".env") -> None:
    """Makes the file or brings it up to date; nobody but its owner may read it."""
    present = read_env(path) if path.exists() else {}
    values = SHARED | DEFAULTS | {name: secrets.token_urlsafe(32) for name in SECRETS} | present
    values |= {name: value for name, value in SHARED.items() if name.endswith(("_VERSION", "_DIGEST"))}
    draft = path.with_name(".env.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(
            "# By `make compose-env`: never commit it. Yours to change, but for the versions and their digests.\n"
        )
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    draft.replace(path)
    print(f"written: {path}")
