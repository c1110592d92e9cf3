"""The image encoder learns: its data is whole, its views are fair, and an interrupted run ends as an unbroken one."""

import io
import json
import signal
from dataclasses import replace

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from signals import deliver

from tagstream.errors import BadSettings
from training.image import teacher
from training.image.augment import Augmentation, views
from training.image.dataset import Pictures, data_folder, halves, load_names, load_pictures
from training.image.network import FEATURE_WIDTH, ResidualNetwork, ServedNetwork, normalise
from training.image.recipe import RECIPE, ImageRecipe, LearningRate, Phase
from training.image.train import ImageTraining, train
from training.loop import Progress, fit
from training.run_folder import open_run

CLASSES = 5
STILL = Augmentation(smallest_area=1.0, colour=0.0, erase=0.0)


def pictures(count: int, seed: int = 1) -> Pictures:
    chance = np.random.default_rng(seed)
    return Pictures(chance.integers(0, 256, (count, 64, 64, 3), np.uint8), chance.integers(0, CLASSES, count))


@pytest.fixture
def recipe() -> ImageRecipe:
    strong = Augmentation(smallest_area=0.4, colour=0.2, erase=0.5)
    rate = LearningRate(peak=0.3, warmup=0.2, begins=0, horizon=3)
    phases = (Phase(1, 16, rate, strong), Phase(2, 24, rate, replace(strong, erase=0.0)))
    return replace(ImageRecipe.read(RECIPE), batch=8, phases=phases)


def data(recipe: ImageRecipe):
    targets = torch.randn(20, CLASSES, generator=torch.Generator().manual_seed(2)).half()
    return recipe, pictures(20), targets, pictures(6, seed=3), 2


def train_in(recipe: ImageRecipe, folder) -> Progress:
    read, *rest = data(recipe)
    return train(read, folder, *rest)


def test_an_interrupted_run_ends_as_an_unbroken_one(recipe, tmp_path):
    """The interruption comes in the middle of an epoch, where the generators of both threads are under way."""
    unbroken = train_in(recipe, tmp_path / "unbroken")
    broken = ImageTraining(*data(recipe))
    real, batches = broken.after_step, []

    def stop_at_the_third(progress):
        batches.append(1)
        if len(batches) == 3:
            deliver(signal.SIGINT)
        real(progress)

    broken.after_step = stop_at_the_third
    with pytest.raises(KeyboardInterrupt, match="after epoch 1 and 1 batches"), open_run(tmp_path / "broken") as run:
        fit(broken, run)
    assert train_in(recipe, tmp_path / "broken").epoch == unbroken.epoch == 3
    states = [torch.load(tmp_path / run / "last.pt", weights_only=True)["weights"] for run in ("unbroken", "broken")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("unbroken", "broken")]
    losses = [[json.loads(line)["loss"] for line in lines] for lines in logs]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 3


def test_the_learning_rate_rises_falls_to_zero_and_falls_sooner_where_the_horizon_comes_nearer():
    rate = LearningRate(peak=0.4, warmup=0.2, begins=5, horizon=10)
    assert rate.at(5) == 0
    assert rate.at(6) == pytest.approx(0.2)
    assert rate.at(7) == pytest.approx(0.4)
    assert rate.at(11) == pytest.approx(0.2)
    assert rate.at(15) == pytest.approx(0)
    sooner = replace(rate, horizon=8)
    assert all(sooner.at(epoch) < rate.at(epoch) for epoch in range(8, 13))


def test_each_phase_has_the_rate_that_its_part_of_the_plan_gives(recipe):
    first, second = recipe.phases
    restart = LearningRate(peak=0.1, warmup=0.5, begins=1, horizon=2)
    task = ImageTraining(*data(replace(recipe, phases=(first, replace(second, rate=restart)))))
    rates = [task.learning_rate_share(Progress(epoch=epoch, batch=1)) for epoch in range(3)]
    half = 0.5 / (20 // recipe.batch)
    assert rates == pytest.approx([first.rate.at(half), restart.at(1 + half), restart.at(2 + half)])


def test_a_run_is_not_gone_on_with_by_another_recipe(recipe, tmp_path):
    train_in(replace(recipe, phases=recipe.phases[:1]), tmp_path)
    with pytest.raises(BadSettings, match="another recipe"):
        train_in(recipe, tmp_path)


def test_the_replicas_share_their_weights_and_a_batch_takes_the_gradient_of_both_halves(recipe):
    task = ImageTraining(*data(recipe))
    first, second = task.replicas
    rows = next(task.batches(0))
    halves = []

    def gradient(replica, rows, chance, real=task._gradient):
        loss = real(replica, rows, chance)
        halves.append(replica.score.weight.grad.clone())
        return loss

    task._gradient = gradient
    task.backpropagate(rows)
    assert torch.allclose(first.score.weight.grad, (halves[0] + halves[1]) / 2)
    assert not torch.equal(halves[0], halves[1])
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_every_parameter_gets_a_gradient_once_the_blocks_have_opened():
    torch.manual_seed(1)
    network = ResidualNetwork(CLASSES)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        logits, features = network(normalise(torch.from_numpy(pictures(4).pixels).permute(0, 3, 1, 2)))
        torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
        optimizer.step()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in network.parameters())
    assert features.shape == (4, FEATURE_WIDTH, 8, 8)
    assert sum(value.numel() for value in network.parameters()) <= 3_000_000


def test_a_picture_alone_is_seen_as_in_company():
    torch.manual_seed(1)
    network = ServedNetwork(ResidualNetwork()).eval()
    pixels = torch.randint(0, 256, (3, 3, 56, 56), dtype=torch.uint8)
    with torch.no_grad():
        logits, regions = network(pixels)
        alone = network(pixels[1:2])
    assert logits.shape == (3, 200)
    assert regions.shape == (3, 49, FEATURE_WIDTH)
    assert torch.allclose(alone[0][0], logits[1], atol=1e-4)
    assert torch.allclose(alone[1][0], regions[1], atol=1e-4)


def test_a_view_shows_the_picture_the_right_way_round_or_mirrored_and_never_upside_down():
    ramp = torch.arange(64) * 2
    across = ramp.view(1, 1, 64, 1).expand(12, 64, 64, 1)
    down = ramp.view(1, 64, 1, 1).expand(12, 64, 64, 1)
    pixels = torch.cat([across, down, torch.full((12, 64, 64, 1), 77)], 3).byte()
    seen = views(pixels, 48, STILL, torch.Generator().manual_seed(3))
    steps = (seen[:, 0] - seen[:, 0].roll(1, 2))[:, :, 2:-2]
    rising, falling = (steps > 0).all((1, 2)), (steps < 0).all((1, 2))
    assert (rising | falling).all()
    assert rising.any()
    assert falling.any()
    assert ((seen[:, 1] - seen[:, 1].roll(1, 1))[:, 2:-2] > 0).all()
    # Nothing is recoloured, and at least three quarters of either side are seen.
    assert torch.allclose(seen[:, 2], torch.tensor(77.0))
    assert (seen[:, 0].amax((1, 2)) - seen[:, 0].amin((1, 2)) > 0.75 * 126).all()


def test_views_follow_from_the_generator_and_stay_pictures():
    strong = Augmentation(smallest_area=0.2, colour=0.5, erase=1.0)
    pixels = torch.from_numpy(pictures(6).pixels)
    one, same, other = (views(pixels, 40, strong, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == (6, 3, 40, 40)
    assert one.min() >= 0
    assert one.max() <= 255


def test_the_teachers_target_of_a_picture_comes_from_a_layer_that_never_saw_it():
    """With as many features as pictures a layer learns labels by heart: only those that it was not given stay open."""
    chance = np.random.default_rng(5)
    features = chance.normal(size=(600, 700)).astype(np.float16)
    classes = torch.from_numpy(chance.integers(0, 4, 600))
    everything = torch.arange(600)
    by_heart = teacher.LinearHead(features, classes, everything, seed=1)(features, everything)
    fitted = teacher.cross_fitted(features, classes, seed=1)
    assert (by_heart.argmax(1) == classes).float().mean() > 0.7
    assert (fitted.argmax(1) == classes).float().mean() < 0.35


def test_the_teacher_gives_features_of_three_depths(tmp_path):
    weights = data_folder().parent / "weights/mobilenet_v2_tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite"
    if not weights.exists():
        pytest.skip(f"the teacher's weights are not at {weights}: set TAGSTREAM_DATA")
    features = teacher.load_features(pictures(3), weights, tmp_path, "train", threads=1)
    assert features.shape == (3, 1280 + 960 + 576)
    assert np.isfinite(features).all()
    assert not np.array_equal(features[0], features[1])
    assert np.array_equal(features, np.load(tmp_path / "train_teacher.npy"))


def encoded(side: int, value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (value, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_part(folder, part: str, rows: list[tuple[int, int, str, str]]) -> None:
    folder.mkdir(exist_ok=True)
    columns = {
        "image": [encoded(side, value) for side, value, _, _ in rows],
        "wnid": [identity for _, _, identity, _ in rows],
        "words": [words for _, _, _, words in rows],
    }
    parquet.write_table(arrow.table(columns), folder / f"{part}.parquet")


def test_pictures_are_decoded_once_in_their_order_with_classes_by_wordnet_id(tmp_path):
    data, cache = tmp_path / "data", tmp_path / "cache"
    write_part(data, "val", [(64, 10, "n2", "tabby, tabby cat"), (64, 20, "n1", "goldfish")])
    write_part(data, "train", [(64, 30, "n1", "goldfish"), (64, 40, "n2", "tabby, tabby cat"), (64, 50, "n1", "")])
    names = load_names(data)
    assert names.wordnet_ids == ("n1", "n2")
    assert names.words == (("goldfish",), ("tabby", "tabby cat"))
    train = load_pictures(data, "train", cache)
    assert train.pixels[:, 0, 0, 0].tolist() == [30, 40, 50]
    assert train.classes.tolist() == [0, 1, 0]
    (data / "train.parquet").unlink()
    assert load_pictures(data, "train", cache).classes.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("row", "message"),
    [((32, 1, "n1", ""), r"row 1: a picture of 32 x 32"), ((64, 1, "n9", ""), r"row 1: class n9 is not")],
)
def test_a_picture_that_is_not_of_the_set_is_refused_and_leaves_nothing_that_looks_whole(tmp_path, row, message):
    data, cache = tmp_path / "data", tmp_path / "cache"
    write_part(data, "val", [(64, 10, "n1", "goldfish")])
    write_part(data, "train", [(64, 30, "n1", "goldfish"), row])
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            load_pictures(data, "train", cache)


def test_halves_are_disjoint_whole_and_always_the_same():
    first, second = halves(11, seed=4)
    assert sorted(first + second) == list(range(11))
    assert (first, second) == halves(11, seed=4)
    assert (first, second) != halves(11, seed=5)
