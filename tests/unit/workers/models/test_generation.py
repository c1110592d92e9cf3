"""The generation of the two models together: it rises with either, and leaves a bit for degraded answers."""

import json
import shutil
from dataclasses import replace

import pytest
from image_models import write_version

from tagstream.errors import BadSettings, CorruptState
from tagstream.posts import Post, stored_version
from tagstream.settings import REPOSITORY, Settings
from workers.models.generation import generation_of
from workers.models.image_repository import LABELS
from workers.models.repository import open_version
from workers.models.version_folder import MAX_GENERATION
from workers.open_models import open_image_model, open_tagger
from workers.tagger.interface import ImageContext

TAGGER = open_version(REPOSITORY / "triton_models")
NAME, GENERATION = f"mner@{TAGGER.version}", TAGGER.description.generation


def tagger_of(generation):
    return replace(TAGGER, description=TAGGER.description.model_copy(update={"generation": generation}))


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    version = write_version(tmp_path_factory.mktemp("models"))

    def image_of(generation):
        return replace(version, description=version.description.model_copy(update={"generation": generation}))

    return image_of


@pytest.mark.parametrize(
    ("tagger", "image_generation", "pair"), [(1, 3, 3), (1, 5, 5), (3, 3, 5), (3, 5, 7), (2001, 2091, 4091)]
)
def test_the_counters_of_both_models_are_added(image, tagger, image_generation, pair):
    assert generation_of(tagger_of(tagger), image(image_generation)).number == pair


def test_a_tagger_alone_has_its_own_generation(image):
    for generation in (1, 3, 4093):
        assert generation_of(tagger_of(generation), None).number == generation
    assert generation_of(TAGGER, None).model == NAME
    assert generation_of(TAGGER, image(3)).model == f"{NAME}+image_encoder@1"


def test_whatever_is_raised_the_whole_answer_of_the_new_pair_replaces_all_of_the_old_one(image):
    odd = range(1, 30, 2)
    for tagger in odd:
        for seen in (None, *odd[1:]):
            before = generation_of(tagger_of(tagger), None if seen is None else image(seen)).number
            degraded = before & ~1
            assert before % 2 == 1
            assert degraded < before
            higher = generation_of(tagger_of(tagger + 2), None if seen is None else image(seen)).number
            wiser = generation_of(tagger_of(tagger), image((seen or 1) + 2)).number
            assert before < higher & ~1
            assert before < wiser & ~1


def test_a_pair_that_can_be_counted_no_higher_is_refused_with_both_counters(image):
    assert generation_of(tagger_of(1), image(MAX_GENERATION)).number == MAX_GENERATION
    with pytest.raises(BadSettings, match=r"generation of the models together is 4095, and 4093 .*the tagger's is 3"):
        generation_of(tagger_of(3), image(MAX_GENERATION))


@pytest.fixture
def repository(tmp_path):
    shutil.copytree(REPOSITORY / "triton_models" / "mner", tmp_path / "mner")
    return tmp_path


def test_answers_bear_the_generation_of_both_models_and_replace_those_of_the_tagger_alone(repository):
    settings = Settings(models=str(repository), inference_threads=1)
    post = Post(id="jsonl:1", source="jsonl", created_at=0, text="Angela Merkel in Berlin")
    alone = open_tagger(settings)
    (before,) = alone.tag(alone.prepare([post]))
    assert (before.model, before.generation) == (NAME, GENERATION)
    write_version(repository)
    pair = open_tagger(settings)
    (after,) = pair.tag(pair.prepare([post]))
    assert (after.model, after.generation) == (f"{NAME}+image_encoder@1", GENERATION + 2)
    (degraded,) = pair.tag(pair.prepare([post], [ImageContext((), ("image_model",))]))
    numbers = [stored_version(0, one.generation) for one in (before, degraded, after)]
    assert numbers == [GENERATION, GENERATION + 1, GENERATION + 2]


def test_a_stub_has_no_image_model_and_its_own_generation(repository):
    write_version(repository)
    settings = Settings(models="stub:", model_repository=repository)
    assert open_image_model(settings) is None
    assert (open_tagger(settings).model, open_tagger(settings).generation) == ("stub@1", 1)


def test_an_image_model_whose_generation_nobody_knows_stops_the_tagger_too(repository):
    version = write_version(repository)
    document = json.loads((version.folder / LABELS).read_text())
    del document["generation"]
    (version.folder / LABELS).write_text(json.dumps(document))
    with pytest.raises(CorruptState, match="generation"):
        open_tagger(Settings(models=str(repository), inference_threads=1))
