"""Any image-to-text model of `transformers` says what photos show, and what is none is refused in one line."""

import json
import shutil

import pytest
import torch
from captioners import WORDS, write_blip, write_git, write_joined, write_tokenizer
from image_models import blobs, jpeg

from tagstream.errors import BadSettings
from training.captioner.pretrained import PretrainedCaptioner


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Layers this small are slower on two, and much slower where others work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    return write_joined(tmp_path_factory.mktemp("joined"))


@pytest.mark.parametrize("write", [write_joined, write_blip, write_git])
def test_an_image_to_text_model_says_what_each_picture_shows(tmp_path, write):
    captioner = PretrainedCaptioner.load(str(write(tmp_path)))
    pictures = [jpeg(blobs()), b"not a picture", *(jpeg(blobs(seed=seed)) for seed in range(2, 12))]
    said = captioner.captions(pictures)
    assert said[1] == ""
    assert all(set(caption.split()) <= set(WORDS) for caption in said)
    assert any(said)
    assert captioner.captions(pictures) == said
    assert captioner.captions([]) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\xff", jpeg(blobs())[:300], jpeg(blobs(257, 10)), jpeg(blobs()) + bytes(64 * 1024)],
    ids=["nothing", "a start", "cut off", "too wide", "too many bytes"],
)
def test_what_is_none_of_our_thumbnails_is_not_decoded(joined, data):
    captioner = PretrainedCaptioner.load(str(joined))
    assert captioner.captions([data]) == [""]


def test_a_model_with_the_older_name_of_its_image_processor_is_read(joined, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(joined, old)
    path = old / "preprocessor_config.json"
    config = json.loads(path.read_text())
    del config["image_processor_type"]
    path.write_text(json.dumps({**config, "feature_extractor_type": "ViTFeatureExtractor"}))
    pictures = [jpeg(blobs())]
    assert PretrainedCaptioner.load(str(old)).captions(pictures) == PretrainedCaptioner.load(str(joined)).captions(
        pictures
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"{}"),
        ("config.json", b'{"model_type": "bert"}'),
        ("model.safetensors", b"garbage"),
        ("preprocessor_config.json", b'{"image_processor_type": "None"}'),
        ("preprocessor_config.json", b"[]"),
        ("tokenizer.json", b"{}"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_named(joined, tmp_path, name, content):
    model = tmp_path / "model"
    shutil.copytree(joined, model)
    (model / name).write_bytes(content)
    with pytest.raises(BadSettings, match=r"model: no image-to-text model"):
        PretrainedCaptioner.load(str(model))


def test_a_folder_without_weights_and_an_empty_one_are_named(tmp_path):
    for folder in (tmp_path, write_tokenizer(tmp_path / "tokenizer")):
        with pytest.raises(BadSettings, match="image-to-text"):
            PretrainedCaptioner.load(str(folder))


def test_code_that_comes_with_a_model_is_not_run(joined, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(joined, model)
    path = model / "config.json"
    config = json.loads(path.read_text()) | {
        "model_type": "ours",
        "auto_map": {"AutoConfig": "ours.Ours", "AutoModelForImageTextToText": "ours.Ours"},
    }
    path.write_text(json.dumps(config))
    (model / "ours.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w').close()\nclass Ours: pass\n")
    with pytest.raises(BadSettings, match="contains custom code"):
        PretrainedCaptioner.load(str(model))
    assert not (tmp_path / "run").exists()


def test_a_model_that_says_nothing_of_pixels_alone_is_refused_before_any_photo(joined, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("input_ids are needed")

    monkeypatch.setattr("transformers.VisionEncoderDecoderModel.generate", refuse)
    with pytest.raises(BadSettings, match="input_ids are needed"):
        PretrainedCaptioner.load(str(joined))
