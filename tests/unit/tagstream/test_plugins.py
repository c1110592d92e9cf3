"""Plug-ins of other packages: found without being imported, blamed by name, and harmless where they are broken."""

import json
import sys
from pathlib import Path

import pytest
from terminal import Terminal

from ingest.sources.open import open_source
from search.open import open_index
from tagstream.errors import BadSettings, Fatal
from tagstream.plugins import BUILT_IN, Plugin, PluginKind, find_plugin, installed_plugins, plugin_fault
from tagstream.settings import Settings

GOOD_SOURCE = """
from ingest.sources.simulate.source import SimulatedSource

def open_source(argument, settings):
    return SimulatedSource(int(argument), 5)
"""


class Site:
    """A folder of installed packages, each of one module with entry points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, package: str, program: str, **entry_points: str) -> None:
        """Installs a package; each entry point is `kind=name = module:attribute`."""
        module = package.replace("-", "_")
        (self.folder / f"{module}.py").write_text(program, encoding="utf-8")
        metadata = self.folder / f"{module}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8")
        lines = [f"[{PluginKind[kind].group}]\n{line}\n" for kind, line in entry_points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(tmp_path)
    return Site(tmp_path)


@pytest.fixture
def terminal(capsysbinary: pytest.CaptureFixture[bytes]) -> Terminal:
    return Terminal(capsysbinary)


def plugins_of(kind: PluginKind) -> list[Plugin]:
    return [plugin for plugin in installed_plugins(kind) if plugin.package.startswith("test-")]


def test_an_entry_point_is_found_without_being_imported(site: Site) -> None:
    site.install("test-lazy", "raise RuntimeError('imported')", SOURCE="lazy = test_lazy:open_source")
    (plugin,) = plugins_of(PluginKind.SOURCE)
    assert (plugin.kind, plugin.name, plugin.package, plugin.version) == (
        PluginKind.SOURCE,
        "lazy",
        "test-lazy",
        "1.2",
    )
    assert find_plugin(PluginKind.SOURCE, "lazy") == plugin
    assert find_plugin(PluginKind.INDEX, "lazy") is None
    assert "test_lazy" not in sys.modules


async def test_a_source_is_opened_by_its_scheme(site: Site) -> None:
    site.install("test-feed", GOOD_SOURCE, SOURCE="invented = test_feed:open_source")
    source = open_source("invented:7", Settings())
    await source.open(None)
    assert [received.event.source for received in await source.next_batch(2)] == ["simulate"] * 2
    await source.close()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "import nothing_of_that_name",
            "ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("import sys; sys.exit(3)", "cannot be loaded: SystemExit: 3"),
        ("open_source = 5", "is int, which cannot be called"),
        ("", "cannot be loaded: AttributeError"),
    ],
)
def test_a_broken_plug_in_is_named_with_its_fault(site: Site, program: str, said: str) -> None:
    site.install("test-broken", program, SOURCE="broken = test_broken:open_source")
    sys.modules.pop("test_broken", None)
    with pytest.raises(BadSettings, match=r"the source plug-in 'broken' of test-broken 1\.2") as refused:
        open_source("broken:1", Settings())
    assert said in str(refused.value)
    assert plugin_fault(plugins_of(PluginKind.SOURCE)[0]) == str(refused.value)


def test_an_error_of_the_plug_in_itself_is_blamed_on_it(site: Site) -> None:
    site.install("test-raising", "def open_source(a, s): return 1 / 0", SOURCE="raising = test_raising:open_source")
    with pytest.raises(Fatal, match=r"'raising' of test-raising 1\.2 failed: ZeroDivisionError"):
        open_source("raising:1", Settings())


def test_a_plug_in_that_would_end_the_process_is_blamed_too(site: Site) -> None:
    program = "import sys\ndef open_source(a, s): sys.exit(0)"
    site.install("test-leaving", program, SOURCE="leaving = test_leaving:open_source")
    with pytest.raises(Fatal, match=r"'leaving' of test-leaving 1\.2 failed: SystemExit: 0"):
        open_source("leaving:1", Settings())


def test_something_that_is_no_source_is_refused(site: Site) -> None:
    site.install("test-odd", "def open_source(a, s): return 'text'", SOURCE="odd = test_odd:open_source")
    with pytest.raises(BadSettings, match="gave str, which lacks name, open, next_batch, close, counts"):
        open_source("odd:1", Settings())


async def test_an_index_is_opened_by_its_scheme(site: Site, tmp_path: Path) -> None:
    program = (
        "from search.sqlite.index import SqliteIndex\n"
        "async def open_index(address, settings, *, create):\n    return await SqliteIndex.open(address, create=create)"
    )
    site.install("test-index", program, INDEX="files = test_index:open_index")
    index = await open_index(f"files:{tmp_path / 'posts.db'}", settings=Settings())
    assert await index.cursor("nothing") is None
    await index.close()


def test_two_packages_of_one_name_are_told_apart_by_nobody(site: Site) -> None:
    site.install("test-first", GOOD_SOURCE, SOURCE="twice = test_first:open_source")
    site.install("test-second", GOOD_SOURCE, SOURCE="twice = test_second:open_source")
    with pytest.raises(BadSettings, match="several packages offer the source 'twice': test-first, test-second"):
        open_source("twice:1", Settings())


def test_the_names_of_our_own_kinds_stay_ours(site: Site) -> None:
    site.install("test-impostor", GOOD_SOURCE, SOURCE="simulate = test_impostor:open_source")
    assert find_plugin(PluginKind.SOURCE, "simulate") is None
    assert "never used" in str(plugin_fault(plugins_of(PluginKind.SOURCE)[0]))


def test_every_kind_that_ships_is_reserved() -> None:
    for name in BUILT_IN[PluginKind.SOURCE]:
        with pytest.raises(BadSettings) as refused:
            open_source("unheard-of:1", Settings())
        assert f"{name}:" in str(refused.value)


def test_the_command_lists_good_and_bad_ones(site: Site, terminal: Terminal) -> None:
    site.install("test-good", GOOD_SOURCE, SOURCE="good = test_good:open_source")
    site.install("test-bad", "print('loud'); import nothing_here", CAPTIONER="bad = test_bad:open_captioner")
    assert terminal("plugins", "--json") == 0
    listed = [document for document in terminal.documents if document["package"].startswith("test-")]
    assert [(one["kind"], one["name"], one["loads"]) for one in listed] == [
        ("source", "good", True),
        ("captioner", "bad", False),
    ]
    assert "No module named 'nothing_here'" in listed[1]["fault"]
    assert json.loads(terminal.output.splitlines()[0])["fault"] is None
    assert terminal("plugins") == 0
    assert b"ready" in terminal.output
    assert terminal("segment", "NewYorkCity") == 0


def test_without_plug_ins_the_command_says_so(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    monkeypatch.setattr("tagstream.cli.plugins.installed_plugins", list)
    assert terminal("plugins") == 0
    assert terminal.output == b""
    assert "no plug-ins are installed" in terminal.notes


def test_a_module_that_a_plug_in_needs_is_named_where_it_is_missing(site: Site, terminal: Terminal) -> None:
    program = (
        "from tagstream.plugins import needs\n"
        "@needs({'json': 'Python', 'absent_library': 'the extra (install it)'})\n"
        "def open_captioner(argument, settings): import absent_library\n"
    )
    site.install("test-needy", program, CAPTIONER="needy = test_needy:open_captioner")
    assert terminal("plugins") == 0
    assert b"absent_library" in terminal.output
    (plugin,) = plugins_of(PluginKind.CAPTIONER)
    assert plugin_fault(plugin) == f"{plugin} needs the extra (install it); there is no absent_library"


def test_our_captioners_are_not_ready_without_the_train_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [plugin for plugin in installed_plugins(PluginKind.CAPTIONER) if plugin.package == "tagstream"]
    assert {plugin.name for plugin in ours} == {"recurrent", "transformers"}
    monkeypatch.setattr("tagstream.plugins.find_spec", lambda _: None)
    for plugin in ours:
        assert plugin_fault(plugin) == (f"{plugin} needs the train extra (install tagstream[train]); there is no torch")
