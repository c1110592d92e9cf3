"""Sources of ours and of plug-ins are opened alike, by their scheme."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ingest.sources.open import OPENERS, open_source
from tagstream.errors import BadSettings
from tagstream.plugins import BUILT_IN, PluginKind
from tagstream.settings import Settings


def test_our_schemes_are_those_that_no_plug_in_may_have() -> None:
    assert set(OPENERS) == BUILT_IN[PluginKind.SOURCE]


@pytest.mark.parametrize("scheme", OPENERS)
def test_every_opener_is_there(scheme: str) -> None:
    assert callable(EntryPoint(scheme, OPENERS[scheme], PluginKind.SOURCE.group).load())


@pytest.mark.parametrize("spec", ["jsonl", "jsonl:", "mastodon:", "rss:", "nothing:x", "nothing:x.csv", ""])
def test_a_specification_without_what_it_needs_names_no_source(spec: str) -> None:
    with pytest.raises(Exception, match="names no source; there are bluesky"):
        open_source(spec, Settings())


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        ("a.csv", "csv:a.csv"),
        ("data/A.TSV.gz", "csv:data/A.TSV.gz"),
        ("a.jsonl", "jsonl:a.jsonl"),
        ("a.json", "jsonl:a.json"),
        ("a.ndjson", "jsonl:a.ndjson"),
        ("12:30.csv", "csv:12:30.csv"),
        ("export", "jsonl:export"),
    ],
)
def test_a_path_without_its_scheme_is_answered_with_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, spec: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("12:30.csv", "export"):
        (tmp_path / name).touch()
    with pytest.raises(BadSettings) as refused:
        open_source(path, Settings())
    assert str(refused.value) == f"{path!r} names no source: did you mean {spec}?"


def test_a_file_waits_for_no_client_of_a_network() -> None:
    program = (
        "import sys; from ingest.sources.open import open_source; open_source('jsonl:a.jsonl'); "
        "print(sorted({'aiohttp', 'httpx', 'ingest.sources.rss.source'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
