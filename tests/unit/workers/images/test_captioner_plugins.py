"""A captioner in the pipeline: what it says is what the tagger reads, and nothing that it does ends a feed."""

import asyncio
import json
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from captioners import THINGS, write_joined, write_run
from image_models import blobs, jpeg
from pipeline_fakes import CREATED, ListSource, MemoryIndex, post

import workers.local
from tagstream.cli.commands import application
from tagstream.cli.errors import run_guarded
from tagstream.errors import BadSettings, CorruptState, Fatal, ModelUnavailable, UntaggablePost
from tagstream.posts import Media, stored_version
from tagstream.runtime.daemon_thread_pool import DaemonThreadPool
from tagstream.runtime.metrics import EventOutcome
from tagstream.settings import REPOSITORY, Settings
from training.image.triton_config import write_configuration
from workers.faust.steps import open_pools
from workers.images.captioner import RememberedCaptions, open_captioner
from workers.images.classifier import open_local_encoder
from workers.images.interface import CaptionedImageModel, captions_of
from workers.images.step import CAPTIONED_AT_A_TIME, IMAGE_MODEL, image_context_of, see
from workers.local import run_pipeline
from workers.models.captioner_version import FIRST_GENERATION, RUN, find_captioner
from workers.models.generation import generation_of
from workers.models.image_repository import NAME, open_image_version
from workers.models.repository import open_version
from workers.models.version_folder import MAX_GENERATION
from workers.open_models import open_image_model, open_tagger
from workers.pipeline.runner import StageLimits
from workers.pipeline.settings import StageSettings
from workers.pipeline.steps import Arrival
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext
from workers.tagger.stub import StubTagger

TEXT = "Radiohead in Paris with Angela"
MODELS = REPOSITORY / "triton_models"
PHOTO = jpeg(blobs())


@pytest.fixture(scope="module", autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder():
    return open_local_encoder(open_image_version(MODELS), 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory, encoder):
    """Our own captioner for the image model that ships."""
    return write_run(tmp_path_factory.mktemp("captioner"), encoder)


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    return write_joined(tmp_path_factory.mktemp("joined"))


def settings(captioner=None, **others):
    return Settings(inference_threads=1, captioner=None if captioner is None else str(captioner), **others)


def rows(tagger, *posts, contexts=None):
    return [
        [row.columns.tolist() for row in prepared.payload.sequences] for prepared in tagger.prepare(posts, contexts)
    ]


class Scripted:
    """Says of a picture what is written in it; fails on those that say so."""

    def __init__(self, failure=None):
        self.failure = failure
        self.asked = []

    def __call__(self, thumbnail):
        self.asked.append(thumbnail)
        if self.failure is not None and b"fail" in thumbnail:
            raise self.failure
        return thumbnail.decode()


def labelled(thumbnails):
    return [("thing",)] * len(thumbnails)


def arrival(number, *pictures):
    media = tuple(Media(thumbnail=picture) for picture in pictures)
    return Arrival(post(number, media=media), f"test@{number}", str(number), CREATED)


async def contexts_of(image_model, *arrivals, **options):
    with ThreadPoolExecutor(2) as pool:
        stage = see(image_model, pool, StageLimits(concurrency=2), **options)
        return [(await stage.work([one]))[0].image_context for one in arrivals]


async def test_each_post_gets_what_is_said_of_its_own_photos_beside_their_labels():
    caption = Scripted()
    contexts = await contexts_of(
        CaptionedImageModel(labelled, caption),
        arrival(1, b"a dog on a beach", b"a red bus"),
        arrival(2),
        arrival(3, b"a cat", b"", b"a cat"),
    )
    assert contexts == [
        ImageContext(("thing",), (), ("a dog on a beach", "a red bus")),
        NO_IMAGE_CONTEXT,
        ImageContext(("thing",), (), ("a cat",)),
    ]
    assert len(caption.asked) == 5


async def test_posts_of_one_batch_keep_their_own_captions():
    with ThreadPoolExecutor(1) as pool:
        stage = see(CaptionedImageModel(labelled, Scripted()), pool, StageLimits())
        seen = await stage.work([arrival(1, b"one", b"two"), arrival(2), arrival(3, b"three")])
    assert [one.image_context.captions for one in seen] == [("one", "two"), (), ("three",)]


async def test_a_captioner_needs_no_image_model_beside_it():
    assert await contexts_of(CaptionedImageModel(None, Scripted()), arrival(1, b"a dog")) == [
        ImageContext((), (), ("a dog",))
    ]


@pytest.mark.parametrize("failure", [ModelUnavailable("away"), ZeroDivisionError(), MemoryError()])
async def test_a_photo_that_it_fails_on_degrades_its_own_post_which_keeps_its_labels(failure):
    image_model = CaptionedImageModel(labelled, Scripted(failure))
    contexts = await contexts_of(image_model, arrival(1, b"fail"), arrival(2, b"a dog", b"fail"), arrival(3, b"a cat"))
    assert contexts == [
        ImageContext(("thing",), (IMAGE_MODEL,)),
        ImageContext(("thing",), (IMAGE_MODEL,), ("a dog",)),
        ImageContext(("thing",), (), ("a cat",)),
    ]


async def test_bad_settings_that_show_late_still_end_the_run():
    with pytest.raises(Fatal, match="other model"):
        await contexts_of(CaptionedImageModel(labelled, Scripted(BadSettings("other model"))), arrival(1, b"fail"))


@pytest.mark.parametrize("threads", [1, 2])
async def test_a_captioner_that_stands_still_is_waited_for_once_and_labels_go_on(threads):
    go_on = threading.Event()
    asked = []

    def standing(thumbnail):
        asked.append(thumbnail)
        assert go_on.wait(60)
        return "late"

    pool = DaemonThreadPool(threads + 1, "see")
    try:
        stage = see(
            CaptionedImageModel(labelled, standing), pool, StageLimits(concurrency=threads), longest_seconds=0.2
        )
        for number in range(50):  # 50 posts that each waited for all their photos would take 40 s
            (seen,) = await stage.work([arrival(number, b"a", b"b", b"c", b"d")])
            assert seen.image_context == ImageContext(("thing",), (IMAGE_MODEL,))
        assert len(asked) == 1
    finally:
        go_on.set()
        pool.shutdown()


@pytest.mark.parametrize("threads", [1, 2])
async def test_an_image_model_that_stands_still_costs_no_photo_its_caption_nor_later_ones_time(threads):
    go_on = threading.Event()
    looks = []

    def standing(thumbnails):
        looks.append(thumbnails)
        assert go_on.wait(60)
        return [()] * len(thumbnails)

    pool = DaemonThreadPool(threads + 1, "see")
    try:
        image_model = CaptionedImageModel(standing, lambda thumbnail: thumbnail.decode())
        stage = see(image_model, pool, StageLimits(concurrency=threads), longest_seconds=0.2)
        for number in range(50):
            (seen,) = await stage.work([arrival(number, b"a", b"b", b"c", b"d")])
            assert seen.image_context == ImageContext((), (IMAGE_MODEL,), ("a", "b", "c", "d"))
        assert len(looks) == threads
    finally:
        go_on.set()
        pool.shutdown()


def test_a_worker_has_a_thread_more_for_captions_than_for_looks():
    before = set(threading.enumerate())
    settings = Settings()
    pools = open_pools(settings)
    try:
        seeing = [one for one in set(threading.enumerate()) - before if one.name.startswith("see_")]
        assert len(seeing) == settings.threads + 1
    finally:
        pools.shutdown()


async def test_batches_take_turns_at_the_captioner_away_from_the_clock_of_their_photos():
    """What waits in the queue of the threads, or for a lock of the model, would be taken for standing still."""
    at_once, most = 0, 0
    lock = threading.Lock()

    def counting(thumbnail):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.01)
        with lock:
            at_once -= 1
        return thumbnail.decode()

    with ThreadPoolExecutor(4) as pool:
        stage = see(CaptionedImageModel(labelled, counting), pool, StageLimits(concurrency=4))
        seen = await asyncio.gather(*(stage.work([arrival(number, b"a", b"b")]) for number in range(8)))
    assert [one.image_context.captions for (one,) in seen] == [("a", "b")] * 8
    assert most == 1


def test_batches_with_a_captioner_are_as_small_as_the_largest_post():
    with ThreadPoolExecutor(1) as pool:
        assert see(labelled, pool, StageLimits(batch_tokens=32)).limits.batch_tokens == 32
        limits = see(CaptionedImageModel(labelled, Scripted()), pool, StageLimits(batch_tokens=32)).limits
    assert limits == StageLimits(batch_tokens=CAPTIONED_AT_A_TIME)


@pytest.mark.parametrize("failure", [ModelUnavailable("away"), MemoryError(), UntaggablePost("no")])
async def test_whatever_the_captioner_does_every_text_is_indexed_and_every_failure_counted(failure, monkeypatch):
    monkeypatch.setattr(workers.local, "see", partial(see, longest_seconds=5))
    posts = [post(number, media=(Media(thumbnail=b"fail" if number % 3 == 0 else b"ok"),)) for number in range(60)]
    index = MemoryIndex()
    image_model = CaptionedImageModel(labelled, Scripted(failure))
    report = await run_pipeline(
        ListSource(posts), StubTagger(), index, image_model=image_model, settings=StageSettings()
    )
    assert report.ended
    assert len(index.posts) == 60
    degraded = {int(one.id.rpartition(":")[2]) for one in index.posts.values() if one.degraded}
    assert degraded == set(range(0, 60, 3))
    assert report.progress.outcomes[EventOutcome.DEGRADED] == 20
    assert index.letters == {}


@pytest.mark.parametrize("kind", ["run", "joined"])
def test_the_tagger_reads_the_caption_in_place_of_labels_after_the_authors_words(kind, request):
    where = settings(request.getfixturevalue(kind))
    image_model, tagger, plain = open_image_model(where), open_tagger(where), open_tagger(settings())
    (caption,) = captions_of(image_model, [PHOTO])
    assert caption
    pictured = post(1, text=TEXT, media=(Media(thumbnail=PHOTO, alt="Ed sings"),))
    image_context = image_context_of(pictured, [("lakeside",)], [caption])
    assert (image_context.labels, image_context.words) == (("lakeside",), (caption,))
    described = post(1, text=TEXT, media=(Media(alt=f"Ed sings {caption}"),))
    assert rows(tagger, pictured, contexts=[image_context]) == rows(plain, described)
    labels_alone = image_context_of(pictured, [("lakeside",)])
    assert rows(plain, pictured, contexts=[labels_alone]) != rows(plain, described)
    (tagged,) = tagger.tag(tagger.prepare([pictured], [image_context]))
    assert tagged.image_labels == ("lakeside",)


def test_a_caption_that_is_empty_leaves_the_labels():
    seen = image_context_of(post(1, media=(Media(thumbnail=b""),)), [("boat",)], [""])
    assert (seen.words, seen.degraded) == (("boat",), ())


def test_without_the_setting_nothing_is_otherwise():
    image_model, tagger = open_image_model(settings()), open_tagger(settings())
    version, image = open_version(MODELS), open_image_version(MODELS)
    assert not isinstance(image_model, CaptionedImageModel)
    assert (tagger.model, tagger.generation) == (
        f"mner@{version.version}+image_encoder@{image.version}",
        generation_of(version, image).number,
    )
    assert captions_of(image_model, [PHOTO]) == []


def test_answers_with_a_captioner_bear_its_name_and_replace_those_without(run, joined):
    plain = open_tagger(settings())
    taggers = [open_tagger(settings(captioner)) for captioner in (run, joined)]
    for tagger in taggers:
        name, _, mark = tagger.model.rpartition("+captioner@")
        assert (name, len(mark)) == (plain.model, 8)
        (before,) = plain.tag(plain.prepare([post(1, text=TEXT)]))
        (degraded,) = tagger.tag(tagger.prepare([post(1, text=TEXT)], [ImageContext((), (IMAGE_MODEL,))]))
        (after,) = tagger.tag(tagger.prepare([post(1, text=TEXT)]))
        versions = [stored_version(0, one.generation) for one in (before, degraded, after)]
        assert versions == sorted(set(versions))
    assert taggers[0].model != taggers[1].model


def test_another_captioner_has_another_name_and_with_a_higher_generation_replaces(run, encoder, tmp_path):
    other = write_run(tmp_path, encoder, seed=2)
    assert find_captioner(str(run)).name != find_captioner(str(other)).name
    first, second = (open_tagger(settings(name)) for name in (run, f"{other}?generation=5"))
    assert second.generation == first.generation + 2
    assert find_captioner("hub:a/b").name != find_captioner("hub:a/c").name
    assert find_captioner("hub:a/b").generation == FIRST_GENERATION


def test_the_file_of_a_run_decides_the_name_and_nothing_beside_it(run, tmp_path):
    (tmp_path / RUN).write_bytes((run / RUN).read_bytes())
    (tmp_path / "log.jsonl").write_text("{}\n")
    assert find_captioner(str(tmp_path)).name == find_captioner(str(run)).name
    with (tmp_path / RUN).open("ab") as file:
        file.write(b"\0")
    assert find_captioner(str(tmp_path)).name != find_captioner(str(run)).name


@pytest.mark.parametrize("generation", ["0", "1", "4", "4095", "99999"])
def test_generations_that_cannot_be_stored_or_counted_are_refused(run, generation):
    with pytest.raises(BadSettings, match=f"generation={generation}: a generation is odd, 3 at least and 4093"):
        find_captioner(f"{run}?generation={generation}")


def test_the_generations_of_all_three_are_bounded_together(run):
    with pytest.raises(BadSettings, match="the generation of the models together is 40"):
        open_tagger(settings(f"{run}?generation={MAX_GENERATION}"))


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("/nowhere/at/all", "no folder that can be read; a model of the hub is named hub:OWNER/NAME"),
        ("Salesforce/blip-image-captioning-base", "a model of the hub is named hub:OWNER/NAME"),
        ("a\0b", "no folder that can be read"),
        ("x" * 5000, "no folder that can be read"),
        ("?generation=3", "no folder that can be read"),
        ("hub:", "expected hub:OWNER/NAME"),
        ("hub:../../etc", "expected hub:OWNER/NAME"),
        ("hub:a/b/c", "expected hub:OWNER/NAME"),
        ("hub:a/b?generation=x", "expected hub:OWNER/NAME"),
        (str(MODELS), "neither last.pt of our own captioner"),
    ],
)
def test_what_names_no_captioner_is_refused_by_tagger_and_image_model_alike(specification, message):
    for opened in (open_tagger, open_image_model):
        with pytest.raises(BadSettings, match=message):
            opened(settings(specification))


def test_a_model_of_the_hub_is_asked_for_by_its_name(monkeypatch):
    from training.captioner import pretrained

    asked = []

    class Model:
        @staticmethod
        def load(name):
            asked.append(name)
            return Model()

        def captions(self, pictures):
            return ["a dog"] * len(pictures)

    monkeypatch.setattr(pretrained, "PretrainedCaptioner", Model)
    assert captions_of(open_image_model(settings("hub:owner/name?generation=5")), [PHOTO]) == ["a dog"]
    assert asked == ["owner/name"]


@pytest.mark.parametrize("content", [b"", b"garbage", "cut"])
def test_a_run_that_cannot_be_read_stops_the_start(run, tmp_path, content):
    (tmp_path / RUN).write_bytes((run / RUN).read_bytes()[:500] if content == "cut" else content)
    with pytest.raises(CorruptState, match=r"last\.pt: cannot be read as a captioner") as caught:
        open_image_model(settings(tmp_path))
    assert "\n" not in str(caught.value)


def test_our_own_captioner_stops_the_start_without_the_image_model_that_it_knows(run, tmp_path):
    with pytest.raises(BadSettings, match="the model repository has none"):
        open_captioner(find_captioner(str(run)), settings(models=str(tmp_path)))
    other = tmp_path / NAME
    shutil.copytree(MODELS / NAME, other)
    (labels,) = other.glob("*/labels.json")
    labels.write_text(json.dumps({**json.loads(labels.read_text()), "threshold": 0.99}))
    write_configuration(other)
    with pytest.raises(BadSettings, match="trained with another image encoder"):
        open_captioner(find_captioner(str(run)), settings(models=str(tmp_path)))


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_without_the_train_extra_a_worker_refuses_to_start_and_says_what_to_install(
    missing, joined, monkeypatch, capsys
):
    monkeypatch.setattr("tagstream.kafka.admin.ensure_topics", lambda *_: None)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "training.captioner.pretrained", raising=False)
    monkeypatch.setenv("TAGSTREAM_CAPTIONER", str(joined))
    assert run_guarded(application, ("worker", "--index", "sqlite:unused.db")) == 2
    notes = capsys.readouterr().err
    assert f"needs the train extra, and there is no {missing}: install tagstream[train]" in notes
    assert "Traceback" not in notes
    assert not Path("unused.db").exists()


def test_a_stub_reads_no_words_of_photos_and_opens_no_captioner():
    where = settings("/nowhere", models="stub:")
    assert open_image_model(where) is None
    assert open_tagger(where).model == "stub@1"


class Counting:
    def __init__(self):
        self.asked = []

    def captions(self, pictures):
        self.asked += pictures
        if pictures == [b"fail"]:
            raise RuntimeError("no\nsuch luck")
        return [picture.decode() for picture in pictures]


def test_a_photo_is_captioned_once_alone_and_memory_is_bounded():
    captioner = Counting()
    remembered = RememberedCaptions(captioner, most=2)
    assert [remembered(one) for one in (b"a", b"b", b"a", b"c", b"a", b"b")] == ["a", "b", "a", "c", "a", "b"]
    assert captioner.asked == [b"a", b"b", b"c", b"b"]


def test_a_failure_is_not_remembered_and_comes_as_one_line():
    captioner = Counting()
    remembered = RememberedCaptions(captioner)
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="failed on a picture: no such luck"):
            remembered(b"fail")
    assert len(captioner.asked) == 2


@pytest.mark.parametrize("answer", [None, 3, b"a cat"])
def test_a_caption_that_is_no_text_is_a_failure(answer):
    captioner = Counting()
    captioner.captions = lambda _: [answer]
    with pytest.raises(ModelUnavailable, match=f"gave {type(answer).__name__} for a picture"):
        RememberedCaptions(captioner)(b"a")


def test_many_threads_get_the_captions_of_one(run):
    pictures = [jpeg(blobs(seed=seed)) for seed in range(12)]
    caption = open_captioner(find_captioner(str(run)), settings())
    alone = [caption(picture) for picture in pictures]
    assert all(set(one.split()) <= set(THINGS) for one in alone)
    again = open_captioner(find_captioner(str(run)), settings())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(again, pictures[::-1])) == alone[::-1]


@pytest.mark.parametrize("data", [b"", b"no picture", PHOTO[:200], b"\xff\xd8" + bytes(70_000)])
def test_hostile_bytes_have_no_caption(run, joined, data):
    for folder in (run, joined):
        assert open_captioner(find_captioner(str(folder)), settings())(data) == ""


@pytest.fixture
def tag(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("TAGSTREAM_")]:
        monkeypatch.delenv(variable)
    blobs(300, 200).save("photo.png")

    def tag(*arguments):
        code = run_guarded(application, ("tag", TEXT, "--photo", "photo.png", "--json", *arguments))
        output, notes = capsys.readouterr()
        return code, json.loads(output) if code == 0 else {}, notes

    return tag


@pytest.mark.parametrize("kind", ["run", "joined"])
def test_the_command_tags_a_photo_by_its_caption(tag, kind, request, monkeypatch):
    plain = tag()[1]
    monkeypatch.setenv("TAGSTREAM_CAPTIONER", str(request.getfixturevalue(kind)))
    code, captioned, notes = tag()
    assert code == 0
    (line,) = [one for one in notes.splitlines() if "the captioner says: " in one]
    caption = line.rpartition("the captioner says: ")[2]
    assert captioned["model"].startswith(plain["model"] + "+captioner@")
    assert captioned["generation"] == plain["generation"] + 2
    assert (captioned["image_labels"], captioned["media"]) == (plain["image_labels"], plain["media"])
    assert captioned["degraded"] == []
    monkeypatch.delenv("TAGSTREAM_CAPTIONER")
    described = tag("--alt", caption)[1]
    assert captioned["entities"] == described["entities"] != plain["entities"]


def test_a_captioner_that_fails_leaves_the_command_its_text(tag, run, monkeypatch):
    from training.captioner.recurrent import RecurrentCaptioner

    def fail(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(RecurrentCaptioner, "captions", fail)
    monkeypatch.setenv("TAGSTREAM_CAPTIONER", str(run))
    code, tagged, notes = tag()
    assert (code, tagged["degraded"], tagged["generation"] % 2) == (0, [IMAGE_MODEL], 0)
    assert tagged["entities"]
    assert "out of luck" in notes


def test_posts_that_the_captioner_failed_on_are_found_and_made_good_by_retag(tmp_path, run, monkeypatch, capsys):
    from training.captioner.recurrent import RecurrentCaptioner

    def fail(*_):
        raise RuntimeError("out of luck")

    def degraded():
        capsys.readouterr()
        assert run_guarded(application, ("search", f"degraded:{IMAGE_MODEL}", "--json", "--all")) in (0, 1)
        return {post["id"]: post for post in map(json.loads, capsys.readouterr().out.splitlines())}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAGSTREAM_CAPTIONER", str(run))
    monkeypatch.setenv("TAGSTREAM_INFERENCE_THREADS", "1")
    with monkeypatch.context() as failing:
        failing.setattr(RecurrentCaptioner, "captions", fail)
        assert run_guarded(application, ("run", "--source", "simulate:7?posts=40", "--until-end")) == 0
    before = degraded()
    assert before
    assert {post["generation"] % 2 for post in before.values()} == {0}
    assert run_guarded(application, ("retag",)) == 0
    assert degraded() == {}


def test_a_name_of_the_hub_is_never_a_folder_here(tmp_path, monkeypatch):
    (tmp_path / "owner" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadSettings, match="without hub:"):
        find_captioner("hub:owner/model")
    assert find_captioner("hub:owner/another").argument == "owner/another"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package of one module whose entry point is a captioner."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name, program):
        module = f"test_captions_of_{name}"
        (tmp_path / f"{module}.py").write_text(program)
        metadata = tmp_path / f"{module}-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[tagstream.captioners]\n{name} = {module}:opened\n")

    return install


def test_a_captioner_of_another_package_stands_in_the_pipeline(install):
    install(
        "echo",
        "class Echo:\n    def __init__(self, words): self.words = words\n"
        "    def captions(self, pictures): return [self.words] * len(pictures)\n"
        "def opened(argument, settings): return Echo(f'{argument} {settings.threads}')\n",
    )
    image_model = open_image_model(settings("echo:a dog?generation=5"))
    assert captions_of(image_model, [PHOTO]) == ["a dog 1"]
    version = find_captioner("echo:a dog?generation=5")
    assert (version.plugin, version.argument, version.generation) == ("echo", "a dog", 5)
    assert version.name != find_captioner("echo:a cat").name
    assert "test_captions_of_echo" in sys.modules


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ("import no_such_module", BadSettings, "cannot be loaded: ModuleNotFoundError.*no_such_module"),
        ("def opened(argument, settings): raise KeyError('lost')", Fatal, "failed: KeyError: 'lost'"),
        ("def opened(argument, settings): return 7", BadSettings, "gave int, which lacks captions"),
    ],
)
def test_a_plug_in_that_fails_stops_the_start_and_is_named(install, program, error, message):
    install("broken", program)
    with pytest.raises(error, match=f"the captioner plug-in 'broken' of test_captions_of_broken 1.2 {message}"):
        open_image_model(settings("broken:"))
    sys.modules.pop("test_captions_of_broken", None)


def test_a_plug_in_that_is_gone_is_named_with_the_cure(run, monkeypatch):
    monkeypatch.setattr("workers.images.captioner.find_plugin", lambda *_: None)
    with pytest.raises(BadSettings, match=r"no installed package offers the captioner 'recurrent'.*install tagstream"):
        open_image_model(settings(run))
