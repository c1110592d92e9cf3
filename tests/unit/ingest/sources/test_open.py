"""Sources of ours and of plug-ins are opened alike, by their scheme."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from ingest.sources.open import OPENERS, open_source
from tagstream.plugins import BUILT_IN, PluginKind
from tagstream.settings import Settings


def test_our_schemes_are_those_that_no_plug_in_may_have() -> None:
    assert set(OPENERS) == BUILT_IN[PluginKind.SOURCE]


@pytest.mark.parametrize("scheme", OPENERS)
def test_every_opener_is_there(scheme: str) -> None:
    assert callable(EntryPoint(scheme, OPENERS[scheme], PluginKind.SOURCE.group).load())


@pytest.mark.parametrize("spec", ["jsonl", "jsonl:", "mastodon:", "rss:", "nothing:x", ""])
def test_a_specification_without_what_it_needs_names_no_source(spec: str) -> None:
    with pytest.raises(Exception, match="names no source; there are bluesky"):
        open_source(spec, Settings())


def test_a_file_waits_for_no_client_of_a_network() -> None:
    program = (
        "import sys; from ingest.sources.open import open_source; open_source('jsonl:a.jsonl'); "
        "print(sorted({'aiohttp', 'httpx', 'ingest.sources.rss.source'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
