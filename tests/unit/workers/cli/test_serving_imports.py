"""Commands that serve import neither torch nor transformers, nor anything of training."""

import os
import subprocess
import sys

import pytest

from tagstream.settings import REPOSITORY

PROGRAM = """
import asyncio, sys
import tagstream.kafka.admin, workers.worker

async def served(*arguments, stop, say):
    pass

tagstream.kafka.admin.ensure_topics = lambda *_: None
workers.worker.run_worker = served
from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
code = run_guarded(application, tuple(sys.argv[1:]))
heavy = sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "transformers", "training"})
print("imported:", *heavy, file=sys.stderr, flush=True)
sys.exit(code or 0)
"""


@pytest.mark.parametrize(
    "command",
    [
        ("tag", "Angela Merkel in Paris"),
        ("run", "--source", "simulate:7?posts=20", "--until-end"),
        ("worker", "--index", "sqlite:worker.db"),
    ],
    ids=lambda command: command[0],
)
def test_a_serving_command_imports_nothing_of_training(command, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGSTREAM_")}
    environment |= {"TAGSTREAM_INFERENCE_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "imported:\n" in done.stderr
