"""What a photo shows: the model's input of any picture, labels by the threshold, and what is no picture of ours."""

import io
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tagstream.errors import BadSettings, CorruptState
from tagstream.settings import REPOSITORY
from workers.images import classifier
from workers.images.classifier import (
    NOT_A_PICTURE,
    ImageEncoder,
    model_input,
    open_local_encoder,
    probabilities,
    read_thumbnail,
)
from workers.models.image_rejection import REJECTION, Rejection, RejectionRule
from workers.models.image_repository import LABELS, NAME, ImageDescription, open_image_version
from workers.models.repository import open_version
from workers.models.version_folder import MODEL

MODELS = REPOSITORY / "triton_models"

pytestmark = pytest.mark.skipif(not (MODELS / NAME).is_dir(), reason="no image encoder ships in triton_models/ yet")


def picture(width: int = 256, height: int = 192, seed: int = 1) -> Image.Image:
    """Blobs of colour."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def encoder():
    return open_local_encoder(open_image_version(MODELS), threads=1)


@pytest.fixture
def repository(tmp_path):
    shutil.copytree(MODELS / NAME, tmp_path / NAME)
    return tmp_path


def with_description(encoder: ImageEncoder, **changes) -> ImageEncoder:
    return ImageEncoder(encoder.description.model_copy(update=changes), encoder.network)


def test_a_thumbnail_gives_labels_by_probability_and_the_features_of_49_regions(encoder):
    (seen,) = encoder.see([jpeg(picture())], threshold=0.0)
    assert len(seen.labels) == 5
    chances = [chance for _, chance in seen.labels]
    assert chances == sorted(chances, reverse=True)
    assert 0 < sum(chances) <= 1
    assert {name for name, _ in seen.labels} <= set(encoder.description.labels)
    assert seen.regions.shape == (49, encoder.description.region_width)
    assert np.isfinite(seen.regions).all()


def test_only_labels_from_the_threshold_on_are_given(encoder):
    data = jpeg(picture())
    (seen,) = encoder.see([data], threshold=0.0)
    (first, chance), (_, second) = seen.labels[:2]
    assert with_description(encoder, threshold=chance)([data]) == [(first,)]
    assert with_description(encoder, threshold=np.nextafter(chance, 1))([data]) == [()]
    assert second < chance
    (silent,) = encoder.see([data], threshold=1.0)
    assert silent.labels == ()
    assert np.array_equal(silent.regions, seen.regions)


def test_a_picture_that_is_not_known_has_no_label_and_its_regions_all_the_same(encoder):
    data = jpeg(picture())
    unsure = with_description(encoder, threshold=0.001)
    statistics = encoder.rejection.statistics
    for least, some in ((-1e9, True), (1e9, False)):
        rule = RejectionRule(weights=[1, 1, 1], least=least, share=0.05)
        rejecting = ImageEncoder(unsure.description, encoder.network, Rejection(rule, statistics))
        assert (rejecting([data]) != [()]) is some
        (seen,) = rejecting.see([data])
        assert (seen.labels != ()) is some
        assert seen.regions.shape == (49, encoder.description.region_width)
        (given,) = rejecting.see([data], threshold=0.0)
        assert len(given.labels) == 5


def test_what_is_no_photo_of_a_thing_gets_no_label_from_the_version_that_ships(encoder):
    """Text, stars and noise, of which each had one by its probability alone."""
    known = with_description(encoder)
    drawn = []
    for seed in range(8):
        chance = np.random.default_rng(seed)
        stars = Image.new("RGB", (256, 192))
        for x, y in chance.integers(0, 190, (150, 2)).tolist():
            stars.putpixel((x, y), (255, 255, 255))
        page = Image.new("L", (256, 192), 250)
        for top in range(10, 180, 9):
            words = np.where(chance.random(60) < 0.8, 40, 250).astype(np.uint8)
            page.paste(Image.fromarray(words[None]).resize((240, 5), Image.Resampling.NEAREST), (8, top))
        drawn += [jpeg(stars), jpeg(page.convert("RGB")), jpeg(Image.new("RGB", (256, 192), (90, 120, 30 * seed)))]
    assert sum(labels != () for labels in known(drawn)) >= 5
    assert encoder(drawn) == [()] * len(drawn)


def test_a_picture_is_seen_alike_alone_in_any_company_and_by_any_thread(encoder):
    thumbnails = [jpeg(picture(seed=seed)) for seed in range(6)]
    together = encoder.see(thumbnails, threshold=0.0)
    alone = [encoder.see([thumbnail], threshold=0.0)[0] for thumbnail in reversed(thumbnails)][::-1]
    started = threading.Barrier(3)

    def by_a_thread(_):
        started.wait(10)
        return encoder.see(thumbnails, threshold=0.0)

    with ThreadPoolExecutor(3) as pool:
        others = list(pool.map(by_a_thread, range(3)))
    for answers in (alone, *others):
        for one, other in zip(together, answers, strict=True):
            assert one.labels == other.labels
            assert np.array_equal(one.regions, other.regions)
    assert len({seen.labels for seen in together}) > 1


def test_the_answer_is_kept_when_the_next_picture_comes(encoder):
    (first,) = encoder.see([jpeg(picture(seed=1))])
    before = first.regions.copy()
    encoder.see([jpeg(picture(seed=2))])
    assert np.array_equal(first.regions, before)


@pytest.mark.parametrize(
    ("width", "height"), [(256, 192), (192, 256), (256, 256), (1, 256), (256, 1), (1, 1), (256, 30), (57, 56)]
)
def test_a_picture_of_any_shape_becomes_the_models_input(width, height):
    pixels = model_input(picture(width, height), 56)
    assert pixels.shape == (3, 56, 56)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


def test_the_middle_of_a_wide_picture_is_seen_and_all_of_an_ordinary_one():
    wide = Image.new("RGB", (256, 64), (255, 0, 0))
    wide.paste((0, 0, 255), (84, 0, 172, 64))
    assert (model_input(wide, 56)[2] > 200).all()
    ordinary = Image.new("RGB", (256, 192), (0, 0, 255))
    ordinary.paste((255, 0, 0), (0, 0, 12, 192))
    ordinary.paste((0, 255, 0), (0, 180, 256, 192))
    pixels = model_input(ordinary, 56)
    assert (pixels[0, :50, 0] > 200).all()
    assert (pixels[1, 55] > 200).all()


def test_grey_and_four_colour_pictures_are_pictures():
    colour = read_thumbnail(jpeg(picture()), 56)
    for mode in ("L", "CMYK"):
        assert read_thumbnail(jpeg(picture().convert(mode)), 56).shape == colour.shape


def broken() -> dict[str, bytes]:
    whole = jpeg(picture())
    png = io.BytesIO()
    picture().save(png, "PNG")
    sizes = whole.index(b"\xff\xc0") + 5
    return {
        "nothing": b"",
        "text": b"not a picture",
        "cut off": whole[: len(whole) // 2],
        "header alone": whole[:40],
        "another format": png.getvalue(),
        "wider than ours": jpeg(picture(257, 20)),
        "heavier than ours": whole + bytes(classifier.MAX_BYTES),
        "says that it is huge": whole[:sizes] + b"\xff\xff\xff\xff" + whole[sizes + 4 :],
        "says that it is empty": whole[:sizes] + b"\x00\x00\x00\x00" + whole[sizes + 4 :],
        "noise after the header": whole[:160] + bytes(range(256)) * 8,
    }


@pytest.mark.parametrize("name", broken())
def test_what_is_no_thumbnail_of_ours_shows_nothing_and_harms_no_neighbour(encoder, name):
    good = jpeg(picture())
    seen = encoder.see([good, broken()[name], good], threshold=0.0)
    assert seen[1] is NOT_A_PICTURE
    assert seen[0].labels == seen[2].labels != ()
    assert encoder([broken()[name]]) == [()]


def test_whatever_bytes_stand_in_a_thumbnail_nothing_is_raised():
    whole = bytearray(jpeg(picture(64, 48)))
    chance = np.random.default_rng(9)
    for _ in range(300):
        hostile = bytearray(whole)
        for place in chance.integers(0, len(whole), 6):
            hostile[place] = int(chance.integers(0, 256))
        pixels = read_thumbnail(bytes(hostile), 56)
        assert pixels is None or pixels.shape == (3, 56, 56)


def test_a_picture_that_takes_the_memory_is_not_called_broken(monkeypatch):
    def no_memory(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(Image, "open", no_memory)
    with pytest.raises(MemoryError):
        read_thumbnail(jpeg(picture()), 56)


def test_probabilities_are_calibrated_by_the_temperature_and_never_overflow():
    logits = np.array([[2.0, 0.0], [1e6, -1e6]], np.float32)
    hot = probabilities(logits, 2.0)
    assert hot[0] == pytest.approx([np.e / (np.e + 1), 1 / (np.e + 1)])
    assert hot[1].tolist() == [1.0, 0.0]


def test_no_pictures_are_no_answers(encoder):
    assert encoder([]) == []


def test_the_newest_version_or_the_one_that_is_named(repository):
    assert open_image_version(repository).version == 1
    with pytest.raises(BadSettings, match="no version 3: there are 1"):
        open_image_version(repository, 3)
    with pytest.raises(BadSettings, match="no model here"):
        open_image_version(repository / NAME)


@pytest.mark.parametrize("name", [LABELS, REJECTION, MODEL])
def test_a_file_of_another_export_is_fatal(repository, name):
    path = repository / NAME / "1" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CorruptState, match="not of one export"):
        open_image_version(repository)


@pytest.mark.parametrize("change", [(b'"labels"', b'"names"'), (b'"side": 56', b'"side": 57'), (b"{", b"[")])
def test_a_description_that_is_not_ours_is_fatal(repository, change):
    path = repository / NAME / "1" / LABELS
    path.write_bytes(path.read_bytes().replace(*change, 1))
    with pytest.raises(CorruptState, match="not a whole model version"):
        open_image_version(repository)


def test_a_name_for_two_classes_is_refused():
    with pytest.raises(ValueError, match="two classes"):
        ImageDescription(
            labels=["a", "a"], side=56, region_width=1, temperature=1, threshold=0.5, precision=0.9, generation=3
        )


def test_a_network_that_is_not_the_described_one_is_fatal(repository):
    version = open_image_version(repository)
    fewer = version.description.model_copy(update={"labels": version.description.labels[:-1]})
    with pytest.raises(CorruptState, match=r"has 200 classes and 256 .* description 199"):
        open_local_encoder(replace(version, description=fewer), threads=1)
    wider = version.description.model_copy(update={"side": 112})
    with pytest.raises(CorruptState, match="not of 112 x 112 pixels"):
        open_local_encoder(replace(version, description=wider), threads=1)
    (version.folder / MODEL).write_bytes(b"no network")
    with pytest.raises(CorruptState, match="cannot run it"):
        open_local_encoder(version, threads=1)
    shutil.copyfile(open_version(MODELS).folder / MODEL, version.folder / MODEL)
    with pytest.raises(CorruptState, match="cannot run it"):
        open_local_encoder(version, threads=1)
