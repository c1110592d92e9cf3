"""Real Kafka, Elasticsearch and Triton as local processes on 127.0.0.1: no Docker, no root, nothing in the clone.

::

    shared.env, kafka.env ─▶ what docker-compose.yml uses too
    jars.lock, *.txt ─▶ cache.py ─▶ maven.py, wheels.py ─▶ ~/.cache/tagstream/stack-<hash of the pins>/
    stack.py ─▶ kafka.py, elasticsearch.py, triton.py: each a Part ─▶ process.py, in .stack/<name>/<part>/

A `Part` is one server: start, wait, stop, kill, pause, resume, restart, on the same ports and data. Tests and the
command line (`python -m ops.stack`) use the same objects, and two processes may hold objects of the same server: all
state is in its folder. Standard library only, so that it runs before anything is installed. It knows nothing of the
product but the names of three settings; the product never imports it. Linux only: it reads /proc.
"""

from ops.stack.errors import NotInstallable, StackError
from ops.stack.part import Part
from ops.stack.stack import PARTS, Stack

__all__ = ["PARTS", "NotInstallable", "Part", "Stack", "StackError"]
