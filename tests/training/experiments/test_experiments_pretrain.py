"""Masked words: what is hidden, that it is learnt, and that a killed run ends as an unbroken one."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import BertConfig, BertTokenizerFast
from tweets import batch_of

from tagstream.errors import BadSettings, UnreadableInput
from training import loop
from training.experiments import pretrain as module
from training.experiments.pretrain import (
    EncoderPretraining,
    PretrainingPlan,
    PretrainingStage,
    pretrain,
    train_encoder,
)
from training.experiments.pretraining_text import order, pad, read_pieces, without_urls
from training.inputs.batch import Sizes
from training.layers.masked_words import HIDDEN, MaskedWords, hide
from training.layers.piece_encoder import load_encoder
from training.loop import fit
from training.run_folder import open_run
from training.script import run_script
from training.systems import build

MASK, PIECES = 4, 40


@pytest.fixture
def tokenizer_folder(tmp_path):
    letters = [chr(code) for code in range(ord("a"), ord("a") + 17)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    folder = tmp_path / "tokenizer"
    BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"), model_max_length=128).save_pretrained(folder)
    return folder


@pytest.fixture
def plan(tokenizer_folder):
    return PretrainingPlan(
        size="tiny", tokenizer=str(tokenizer_folder), epochs=2, ner_epochs=1, batch=4, learning_rate=1e-3
    )


def stages():
    chance = torch.Generator().manual_seed(1)
    tweets = [[2, *torch.randint(5, 39, (4 + row % 5,), generator=chance).tolist(), 3] for row in range(18)]
    return [PretrainingStage("tweets", tweets, 2), PretrainingStage("ner text", tweets[:6], 1)]


def test_what_is_hidden_is_shown_in_three_ways():
    pieces = torch.randint(5, PIECES, (200, 100), generator=torch.Generator().manual_seed(2))
    may_hide = torch.ones_like(pieces, dtype=torch.bool)
    may_hide[:, 0] = False
    shown, hidden = hide(pieces, may_hide, MASK, 10**6, torch.Generator().manual_seed(3))
    assert not hidden[:, 0].any()
    assert torch.equal(shown[~hidden], pieces[~hidden])
    assert hidden[:, 1:].float().mean().item() == pytest.approx(HIDDEN, abs=0.01)
    asked = shown[hidden]
    assert (asked == MASK).float().mean().item() == pytest.approx(0.8, abs=0.03)
    assert (asked == pieces[hidden]).float().mean().item() == pytest.approx(0.1, abs=0.03)


def test_nothing_hidden_costs_nothing():
    torch.manual_seed(1)
    model = masked()
    pieces, mask = pad([[2, 3]])
    loss = model.loss(pieces, mask, torch.zeros_like(mask), pieces)
    assert loss.item() == 0.0
    loss.backward()


def masked():
    config = BertConfig(
        vocab_size=PIECES, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    return MaskedWords(load_encoder(config))


def test_hidden_pieces_are_learnt_by_heart_and_every_parameter_with_them():
    torch.manual_seed(1)
    model = masked().eval()
    pieces, mask = pad([[2, 5, 6, 7, 3], [2, 8, 9, 3]])
    hidden = torch.tensor([[False, True, False, True, False], [False, False, True, False, False]])
    shown = pieces.masked_fill(hidden, MASK)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(shown, mask, hidden, pieces)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    segments = "encoder.embeddings.token_type_embeddings.weight"
    assert [name for name, value in model.named_parameters() if not value.grad.any() and name != segments] == []


def test_a_killed_run_ends_as_an_unbroken_one(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "STEPS_BETWEEN_CHECKPOINTS", 2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    held_out = [[2, 7, 8, 9, 10, 3]] * 3
    train_encoder(plan, stages(), held_out, whole)
    torch.rand(7)  # whatever else happens in between must not matter
    for killed_after in (3, 4, 1):
        attempt = EncoderPretraining(plan, stages(), held_out)
        backpropagate, batches = attempt.backpropagate, []

        def dies(batch, backpropagate=backpropagate, batches=batches, killed_after=killed_after):
            if len(batches) == killed_after:
                raise KeyboardInterrupt
            batches.append(batch)
            return backpropagate(batch)

        monkeypatch.setattr(attempt, "backpropagate", dies)
        with pytest.raises(KeyboardInterrupt), open_run(broken) as run:
            fit(attempt, run)
    train_encoder(plan, stages(), held_out, broken)
    assert (whole / "log.jsonl").read_bytes() == (broken / "log.jsonl").read_bytes()
    weights = [(folder / "encoder/model.safetensors").read_bytes() for folder in (whole, broken)]
    assert weights[0] == weights[1]
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["epoch"]) for line in lines] == [("tweets", 1), ("tweets", 2), ("ner text", 1)]


def test_two_processes_do_not_train_one_encoder(plan, tmp_path):
    with open_run(tmp_path / "run"), pytest.raises(BadSettings, match="run: another process is training there"):
        train_encoder(plan, stages(), [], tmp_path / "run")
    assert not (tmp_path / "run" / "encoder").exists()


def test_a_finished_run_is_not_trained_again(plan, tmp_path):
    run = tmp_path / "run"
    train_encoder(plan, stages(), [], run)
    log, checkpoint = (run / "log.jsonl").read_bytes(), (run / "last.pt").stat().st_mtime_ns
    train_encoder(plan, stages(), [], run)
    assert (run / "log.jsonl").read_bytes() == log
    assert (run / "last.pt").stat().st_mtime_ns == checkpoint


def test_a_run_of_other_arguments_is_not_gone_on_with(plan, tmp_path):
    run = tmp_path / "run"
    train_encoder(plan, stages()[1:], [], run)
    with pytest.raises(BadSettings, match="other arguments"):
        train_encoder(replace(plan, seed=2), stages(), [], run)


def test_msb_begins_with_what_was_learnt(plan, tmp_path):
    folder = train_encoder(plan, stages(), [], tmp_path / "run")
    sizes = Sizes(9, 9, 9, 10, folder)
    learnt, scratch = (build("msb", sizes, {"weights": weights}) for weights in (str(folder), ""))
    table = load_encoder(folder).get_input_embeddings().weight
    assert torch.equal(learnt.encoder.model.get_input_embeddings().weight, table)
    assert not torch.equal(scratch.encoder.model.get_input_embeddings().weight, table)
    batch = batch_of([3])
    batch.pieces.clamp_(max=len(table) - 1)
    assert learnt.encode(batch).isfinite().all()
    # And training goes on from it.
    again = EncoderPretraining(replace(plan, size="", weights=str(folder)), stages(), [])
    assert torch.equal(again.model.encoder.get_input_embeddings().weight, table)


def test_every_tweet_once_an_epoch_in_another_order_each_time():
    tweets = [[2] * (3 + row % 20) for row in range(101)]
    first, second = (order(tweets, 8, seed) for seed in (1, 2))
    assert sorted(row for batch in first for row in batch) == list(range(101))
    assert first == order(tweets, 8, 1) != second
    assert max(abs(len(tweets[a]) - len(tweets[b])) for batch in first for a in batch for b in batch) <= 6


def test_texts_lose_their_urls_and_empty_ones_are_dropped(plan):
    assert without_urls("so  http good https://t.co/a1 @user #http") == "so good @user #http"
    tokenizer = BertTokenizerFast.from_pretrained(plan.tokenizer)
    long = " ".join(["a"] * 500)
    pieces = read_pieces(["", "http", "abba https://t.co/x", "\t", long], tokenizer)
    assert [len(one) for one in pieces] == [6, 128]
    assert all((one[0], one[-1]) == (2, 3) for one in pieces)


def test_one_of_size_and_weights(plan, tmp_path):
    for wrong in (replace(plan, size=""), replace(plan, weights="somewhere")):
        with pytest.raises(BadSettings, match="one of the two"):
            pretrain(wrong, tmp_path)


def test_absent_tweets_are_named(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("TAGSTREAM_DATA", str(tmp_path))
    with pytest.raises(UnreadableInput, match="tweeteval"):
        pretrain(plan, tmp_path / "run")


def test_the_command_reads_tweets_and_training_text_alone(plan, tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    (data / "text/tweeteval").mkdir(parents=True)
    (data / "text/tweeteval/joy_train_text.txt").write_text("abba cafe\nabba cafe\nbead\n", encoding="utf-8")
    (data / "text/tweeteval/README.txt").write_text("dead\n", encoding="utf-8")
    for corpus in ("twitter2015", "twitter2017"):
        (data / "mner" / corpus).mkdir(parents=True)
        for part in ("train", "valid"):
            (data / "mner" / corpus / f"{part}.txt").write_text(f"IMGID:1\n{part[0]}\tO\nhad\tB-PER\n\n")
    monkeypatch.setenv("TAGSTREAM_DATA", str(data))
    monkeypatch.setattr(module, "PretrainingPlan", lambda: replace(plan, batch=2))
    read = []

    def recording(_, stages, held_out, folder):
        read.extend([stages, held_out])
        return folder

    monkeypatch.setattr(module, "train_encoder", recording)
    module.main(["--size", "tiny", "--run", str(tmp_path / "run"), "--ner-epochs", "3"])
    (stages_read, held_out) = read
    assert [(stage.name, len(stage.tweets), stage.epochs) for stage in stages_read] == [
        ("tweets", 2, 2),
        ("ner text", 2, 3),
    ]
    assert len(held_out) == 2
    assert str(tmp_path / "run") in capsys.readouterr().out


def test_the_command_says_what_is_wrong_and_fails(tmp_path):
    with pytest.raises(SystemExit, match=r"error: --size .* one of the two"):
        run_script(lambda: module.main(["--run", str(tmp_path / "run")]))
    assert not (tmp_path / "run").exists()
