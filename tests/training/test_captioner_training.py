"""TriMod's captioner learns what photos show."""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tagstream.errors import BadSettings, CorruptState, UnreadableInput
from training.captioner.decoder import END, PADDING, START, UNKNOWN, CaptionDecoder, CaptionWords
from training.captioner.measure import captions_per_second, made_pictures, untrained
from training.captioner.photos import CaptionedPhoto, read_photos
from training.captioner.recurrent import RecurrentCaptioner
from training.captioner.train import CaptionerRecipe, CaptionerTraining, train
from training.datasets import data_folder
from training.image.network import FEATURE_WIDTH, ResidualNetwork, ServedNetwork
from training.inputs.captions import load_captions
from training.loop import fit
from training.run_folder import open_run
from workers.images.classifier import ImageEncoder
from workers.models.image_repository import ImageDescription

CAPTIONS = ["a dog on a beach", "two men play tennis", "a red bus", "a dog and a red ball on a green field"]
BY_HEART = CaptionerRecipe(epochs=60, batch=16, learning_rate=3e-3, least_count=1, word_width=32, size=64, dropout=0.0)


class LocalNetwork:
    """A network of random weights, which nonetheless tells pictures apart."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.served = ServedNetwork(ResidualNetwork(classes=4)).eval()

    @torch.inference_mode()
    def __call__(self, pictures, *, regions):
        logits, features = self.served(torch.from_numpy(np.stack(pictures)))
        return logits.numpy(), features.numpy() if regions else None


def encoder_of(generation: int = 3) -> ImageEncoder:
    description = ImageDescription(
        labels=["a", "b", "c", "d"],
        side=56,
        region_width=FEATURE_WIDTH,
        temperature=1.0,
        threshold=0.5,
        precision=None,
        generation=generation,
    )
    return ImageEncoder(description, LocalNetwork())


def jpeg(seed: int, side: int = 64) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((side, side)).save(buffer, "JPEG")
    return buffer.getvalue()


PHOTOS = [CaptionedPhoto(jpeg(number), caption) for number, caption in enumerate(CAPTIONS)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Layers this small are slower on two, and much slower where others work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Trained:
    captioner: RecurrentCaptioner
    regions: list[np.ndarray]
    loss: float
    folder: Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioner")
    with open_run(folder) as run:
        task = CaptionerTraining(encoder_of(), PHOTOS, BY_HEART)
        progress = fit(task, run)
    return Trained(task.captioner, task.regions, progress.last_loss, folder)


def test_captions_that_were_learnt_are_given_back_word_for_word(trained):
    captioner = trained.captioner
    assert trained.loss < 0.05
    assert captioner.captions([photo.thumbnail for photo in PHOTOS]) == CAPTIONS


def test_a_caption_depends_on_its_own_picture_alone(trained):
    captioner = trained.captioner
    one, other = PHOTOS[3].thumbnail, PHOTOS[2].thumbnail
    assert captioner.captions([one]) == captioner.captions([other, one])[1:]
    assert captioner.captions([]) == []


@pytest.mark.parametrize("data", [b"", b"not a picture", PHOTOS[0].thumbnail[:200], b"\xff\xd8" + bytes(70_000)])
def test_what_is_no_picture_has_no_caption_and_the_others_keep_theirs(trained, data):
    captioner = trained.captioner
    assert captioner.captions([data, PHOTOS[2].thumbnail, data]) == ["", CAPTIONS[2], ""]


def test_pictures_of_other_captions_are_learnt_worse(trained):
    captioner = trained.captioner
    numbers = captioner.words.numbers(CAPTIONS, 24)
    longest = max(map(len, numbers))
    rows = torch.tensor([row + [PADDING] * (longest - len(row)) for row in numbers])
    seen = torch.from_numpy(np.stack(trained.regions))
    with torch.inference_mode():
        own, shuffled = (captioner.decoder.loss(regions, rows).item() for regions in (seen, seen.flip(0)))
    assert shuffled > own + 1.0


def test_padding_changes_no_loss_and_every_weight_learns():
    torch.manual_seed(1)
    decoder = CaptionDecoder(12, 8, word_width=6, size=10)
    regions, rows = torch.randn(2, 5, 8), torch.tensor([[START, 5, 6, END], [START, 7, END, PADDING]])
    loss = decoder.loss(regions, rows)
    wider = decoder.loss(regions, torch.nn.functional.pad(rows, (0, 4)))
    assert torch.allclose(loss, wider)
    torch.autograd.backward(loss)
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in decoder.parameters())


def test_the_decoder_never_says_marks_and_stops():
    torch.manual_seed(1)
    decoder = CaptionDecoder(7, 8, word_width=6, size=10)
    decoder.score.bias.data[[PADDING, START, UNKNOWN]] = 50.0
    said = decoder.say(torch.randn(3, 5, 8), 9)
    assert len(said[0]) <= 9
    assert {word for row in said for word in row}.isdisjoint({PADDING, START, UNKNOWN})


def test_words_are_numbers_and_back():
    words = CaptionWords.of(["A dog", "a cat", "a dog runs"], least_count=2)
    assert words.words == ("a", "dog")
    [numbers] = words.numbers(["a DOG barks at a dog"], 3)
    assert numbers == [START, 4, 5, UNKNOWN, END]
    assert words.sentence(numbers[1:]) == "a dog"


def test_an_interrupted_training_ends_as_an_unbroken_one(tmp_path):
    few = CaptionerRecipe(epochs=4, batch=2, least_count=1, word_width=8, size=8)
    unbroken, _ = train(encoder_of(), PHOTOS, few, tmp_path / "unbroken")
    train(encoder_of(), PHOTOS, replace(few, epochs=2), tmp_path / "broken")
    resumed, _ = train(encoder_of(), PHOTOS, few, tmp_path / "broken")
    states = [one.decoder.state_dict() for one in (unbroken, resumed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    with pytest.raises(BadSettings, match="other photos"):
        train(encoder_of(), PHOTOS[:3], few, tmp_path / "broken")
    with pytest.raises(BadSettings, match="another image encoder"):
        train(encoder_of(generation=5), PHOTOS, few, tmp_path / "broken")


def test_a_captioner_is_loaded_with_the_image_encoder_that_it_was_trained_with(trained):
    loaded = RecurrentCaptioner.load(trained.folder / "last.pt", encoder_of())
    assert loaded.captions([photo.thumbnail for photo in PHOTOS]) == CAPTIONS
    with pytest.raises(BadSettings, match="another image encoder"):
        RecurrentCaptioner.load(trained.folder / "last.pt", encoder_of(generation=5))


@pytest.mark.parametrize("content", [None, b"", b"garbage", "cut"])
def test_a_captioner_that_cannot_be_read_is_named(tmp_path, trained, content):
    path = tmp_path / "captioner.pt"
    if content is not None:
        path.write_bytes((trained.folder / "last.pt").read_bytes()[:500] if content == "cut" else content)
    with pytest.raises(CorruptState, match=r"captioner\.pt"):
        RecurrentCaptioner.load(path, encoder_of())


def test_photos_and_captions_are_read_and_what_cannot_be_read_is_counted(tmp_path):
    (tmp_path / "1.jpg").write_bytes(jpeg(1, 400))
    (tmp_path / "broken.jpg").write_bytes(jpeg(2)[:100])
    captions = tmp_path / "captions.json"
    names = ("1.jpg", "broken.jpg", "missing.jpg")
    captions.write_text("\n".join(json.dumps({"image_id": name, "caption": "a dog"}) for name in names) + "\n\n")
    photos, left_out = read_photos(tmp_path, captions)
    assert [photo.caption for photo in photos] == ["a dog"]
    assert left_out == 2
    with Image.open(io.BytesIO(photos[0].thumbnail)) as image:
        assert max(image.size) == 256


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"image_id": 1, "caption": "a"}', '{"image_id": "a.jpg"}', '{"image_id": "../a", "caption": ""}'],
)
def test_captions_of_another_form_are_refused(tmp_path, line):
    path = tmp_path / "captions.json"
    path.write_text(line)
    with pytest.raises(UnreadableInput, match=r"captions\.json"):
        read_photos(tmp_path, path)


def test_no_photo_at_all_is_refused(tmp_path):
    (tmp_path / "captions.json").write_text('{"image_id": "a.jpg", "caption": "a"}')
    with pytest.raises(UnreadableInput, match="none of the photos"):
        read_photos(tmp_path, tmp_path / "captions.json")
    with pytest.raises(BadSettings, match="no photo"):
        train(encoder_of(), [CaptionedPhoto(b"none", "a")], BY_HEART, tmp_path / "run")


def test_the_captions_of_the_real_photos_are_learnt_by_heart(tmp_path):
    folder = data_folder() / "mner/photo_samples"
    if not folder.exists():
        pytest.skip(f"no photos with captions at {folder}: set TAGSTREAM_DATA")
    photos = []
    for captions in sorted(folder.glob("*/captions/*/*.json")):
        images = captions.parents[2] / "images" / captions.parent.name
        read, left_out = read_photos(images, captions)
        assert left_out == 0
        photos += read
    lone = tmp_path / "lone.json"
    lone.write_text(
        json.dumps({"image_id": "16_05_01_127.jpg", "caption": load_captions("twitter2017")["16_05_01_127"]})
    )
    photos += read_photos(folder / "riveg_one", lone)[0]
    assert len(photos) == 31
    captioner, progress = train(encoder_of(), photos, replace(BY_HEART, epochs=50, batch=6), tmp_path)
    assert progress.last_loss < 0.05
    assert captioner.captions([photo.thumbnail for photo in photos]) == [photo.caption for photo in photos]


def test_what_is_measured_is_one_caption_of_the_length_for_each_picture():
    pictures = made_pictures(3)
    assert len(set(pictures)) == 3
    say = untrained(encoder_of(), words=30, length=7)
    assert [len(say(picture)[0]) for picture in pictures] == [8, 8, 8]
    asked = []
    assert captions_per_second(lambda picture: asked.append(say(picture)), pictures) > 0
    assert len(asked) == 4
