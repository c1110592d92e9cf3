"""`tagstream tag --photo`: a file is decoded and seen as a photo of a feed is, and refused in one line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from image_models import SHADES, blobs, shade, write_version

from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.errors import ModelUnavailable, UntaggablePost
from workers.cli import tag_photo
from workers.images.classifier import ImageEncoder

TEXT = "Angela Merkel in Paris"


class Shades:
    """A network that tells a picture's shade."""

    failure = None

    def __call__(self, pictures, *, regions):
        assert not regions
        if self.failure is not None:
            raise self.failure
        brightness = np.array([picture.mean() // 64 for picture in pictures])
        return (20 * (np.arange(4) == brightness[:, None])).astype(np.float32), None


@pytest.fixture
def network(tmp_path, monkeypatch):
    network = Shades()
    description = write_version(tmp_path / "models").description
    monkeypatch.setattr(tag_photo, "open_image_model", lambda _: ImageEncoder(description, network))
    return network


@pytest.fixture
def tag(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TAGSTREAM_MODELS", "stub:")

    def tag(*arguments):
        code = run_guarded(application, ("tag", *arguments))
        return code, *capsys.readouterr()

    return tag


@pytest.mark.usefixtures("network")
def test_what_the_photo_shows_is_told_and_kept_with_the_post(tag):
    Path("photo.jpg").write_bytes(shade(2, 1200, 900))
    code, output, _ = tag(TEXT, "--photo", "photo.jpg", "--alt", "a pale wall", "--json")
    post = json.loads(output)
    assert code == 0
    assert (post["image_labels"], post["degraded"]) == ([SHADES[2]], [])
    (media,) = post["media"]
    assert (media["width"], media["height"], media["alt"]) == (1200, 900, "a pale wall")
    assert media.get("thumbnail") is None
    assert [entity["text"] for entity in post["entities"]] == ["Angela Merkel", "Paris"]
    assert "photo: pale" in tag(TEXT, "--photo", "photo.jpg")[1]


@pytest.mark.usefixtures("network")
def test_any_format_of_a_feed_will_do(tag):
    for name in ("a.png", "b.webp", "c.gif"):
        blobs(300, 200).save(name)
        assert tag(TEXT, "--photo", name, "--json")[0] == 0


@pytest.mark.parametrize("failure", [ModelUnavailable("away"), UntaggablePost("no")])
def test_while_the_image_model_fails_the_text_is_tagged_and_says_so(tag, network, failure):
    network.failure = failure
    Path("photo.jpg").write_bytes(shade(1))
    code, output, notes = tag(TEXT, "--photo", "photo.jpg", "--json")
    post = json.loads(output)
    assert (code, post["degraded"], post["generation"]) == (0, ["image_model"], 0)
    assert len(post["entities"]) == 2
    assert "so the text is tagged without it" in notes


def test_without_an_image_model_the_photo_is_kept_and_nothing_is_degraded(tag):
    Path("photo.jpg").write_bytes(shade(1))
    code, output, notes = tag(TEXT, "--photo", "photo.jpg", "--json")
    post = json.loads(output)
    assert (code, post["degraded"], post["image_labels"], len(post["media"])) == (0, [], [], 1)
    assert "there is no image model here" in notes


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 3, "cannot be read: No such file"),
        (b"", 2, "neither JPEG, PNG, WebP nor GIF"),
        (b"not a photo", 2, "neither JPEG, PNG, WebP nor GIF"),
        (shade(1)[:200], 2, "undecodable"),
        (shade(1) + bytes(10 * 1024 * 1024), 2, "more than 10,485,760 bytes"),
    ],
)
@pytest.mark.usefixtures("network")
def test_what_is_no_photo_is_refused_in_one_line(tag, content, code, message):
    if content is not None:
        Path("photo.jpg").write_bytes(content)
    found, output, notes = tag(TEXT, "--photo", "photo.jpg")
    assert (found, output) == (code, "")
    assert message in notes
    assert len(notes.strip().splitlines()) == 1


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
@pytest.mark.usefixtures("network")
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tag, make):
    make("photo.jpg")
    code, output, notes = tag(TEXT, "--photo", "photo.jpg")
    assert (code, output) == (3, "")
    assert "photo.jpg: no regular file" in notes
    assert len(notes.strip().splitlines()) == 1


def test_a_photo_goes_with_a_text(tag):
    code, _, notes = tag("--input", "-", "--photo", "photo.jpg")
    assert code == 2
    assert "--photo goes with TEXT" in notes
