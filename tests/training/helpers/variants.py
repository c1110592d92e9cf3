"""Every system and every option of it that the common suite looks at. A new system adds its rows here."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    """A system with options, small enough to be trained in a test.

    Attributes:
        name: unique.
        system: as in `training.systems.NAMES`.
        options: beyond those that make it small.
        small: options that make it small.
        parent: the name of the variant that it departs from, for an ablation.
        sees: what it knows of the photo: a field of `TweetBatch`, or nothing. `segments` are words about it that are
            read as pieces after the tweet.
        rate: the learning rate at which it learns by heart.
    """

    name: str
    system: str
    options: dict[str, Any] = field(default_factory=dict)
    small: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    sees: str = ""
    rate: float = 0.01

    @property
    def all_options(self) -> dict[str, Any]:
        """What the system is built with."""
        return {**self.small, **self.options}


SMALL = {"size": 16}

RECURRENT = [
    Variant("bilstm_crf", "bilstm_crf", {"characters": "none"}, SMALL),
    Variant("cnn_bilstm_crf", "bilstm_crf", {"characters": "cnn"}, SMALL, parent="bilstm_crf"),
    Variant("hbilstm_crf", "bilstm_crf", {"characters": "lstm"}, SMALL, parent="bilstm_crf"),
    Variant("gvatt_hbilstm_crf", "gvatt_hbilstm_crf", {}, SMALL, sees="visual"),
    Variant("gvatt_no_gate", "gvatt_hbilstm_crf", {"visual_gate": False}, SMALL, "gvatt_hbilstm_crf", "visual"),
    Variant("acn", "acn", {}, SMALL, sees="visual"),
    Variant("cbcfufi", "acn", {"crf": False}, SMALL, "acn", "visual"),
    Variant("cbcfic", "acn", {"fusion_gate": False}, SMALL, "acn", "visual"),
    Variant("cbcfuc", "acn", {"filtration_gate": False}, SMALL, "acn", "visual"),
    Variant("acn_as_printed", "acn", {"as_printed": True}, SMALL, "acn", "visual"),
    Variant("acn_no_dropout", "acn", {"dropout": 0.0}, SMALL, "acn", "visual"),
    Variant("cwi", "cwi", {}, {**SMALL, "word_width": 16}, sees="labels"),
    Variant("cwi_attention", "cwi", {"attention": "words"}, {**SMALL, "word_width": 16}, "cwi", "labels"),
    Variant("cwi_modalities", "cwi", {"attention": "modalities"}, {**SMALL, "word_width": 16}, "cwi", "labels"),
    Variant("cwi_no_dropout", "cwi", {"targeted_dropout": False}, {**SMALL, "word_width": 16}, "cwi", "labels"),
    Variant("cwi_relu", "cwi", {"sine_relu": False}, {**SMALL, "word_width": 16}, "cwi", "labels"),
    Variant("cwi_no_norm", "cwi", {"group_norm": False}, {**SMALL, "word_width": 16}, "cwi", "labels"),
    Variant("mner_ma", "mner_ma", {}, SMALL, sees="visual"),
    Variant("mner_ma_text", "mner_ma", {"visual": False}, SMALL, "mner_ma"),
]

TRIMOD = [
    Variant("trimod", "trimod", {}, SMALL, sees="caption"),
    Variant("trimod_text", "trimod", {"caption": False, "hashtags": False}, SMALL, "trimod"),
    Variant("trimod_caption", "trimod", {"hashtags": False}, SMALL, "trimod", "caption"),
    Variant("trimod_hashtags", "trimod", {"caption": False}, SMALL, "trimod"),
    Variant("trimod_unregularised", "trimod", {"dropout": 0.0}, SMALL, "trimod", "caption"),
    Variant("trimod_batch_norm", "trimod", {"dropout": 0.0, "batch_norm": True}, SMALL, "trimod", "caption"),
]

TRANSFORMER = [
    Variant("bert_crf", "bert_crf"),
    Variant("bert", "bert_crf", {"crf": False}, parent="bert_crf"),
    Variant("gvatt_bert_crf", "gvatt_bert_crf", sees="visual"),
    Variant("gvatt_bert_no_gate", "gvatt_bert_crf", {"visual_gate": False}, {}, "gvatt_bert_crf", "visual"),
    Variant("adacan_bert_crf", "adacan_bert_crf", sees="visual"),
    Variant("adacan_bert_no_fusion", "adacan_bert_crf", {"fusion_gate": False}, {}, "adacan_bert_crf", "visual"),
    Variant("adacan_bert_no_filter", "adacan_bert_crf", {"filtration_gate": False}, {}, "adacan_bert_crf", "visual"),
    Variant("adacan_bert_as_printed", "adacan_bert_crf", {"as_printed": True}, {}, "adacan_bert_crf", "visual"),
    Variant("mt_bert_crf", "mt_bert_crf", sees="visual"),
    Variant("mt_four_heads", "mt_bert_crf", {"heads": 4}, {}, "mt_bert_crf", "visual"),
    Variant("mt_no_image_aware", "mt_bert_crf", {"image_aware_words": False}, {}, "mt_bert_crf", "visual"),
    Variant("mt_no_gate", "mt_bert_crf", {"visual_gate": False}, {}, "mt_bert_crf", "visual"),
    Variant("umt_bert_crf", "umt_bert_crf", {}, {}, "mt_bert_crf", "visual"),
    Variant("umt_four_heads", "umt_bert_crf", {"heads": 4}, {}, "umt_bert_crf", "visual"),
    Variant("umt_no_conversion", "umt_bert_crf", {"conversion_matrix": False}, {}, "umt_bert_crf", "visual"),
    Variant("umt_no_image_aware", "umt_bert_crf", {"image_aware_words": False}, {}, "umt_bert_crf", "visual"),
    Variant("umt_no_gate", "umt_bert_crf", {"visual_gate": False}, {}, "umt_bert_crf", "visual"),
    Variant("umt_heavy_spans", "umt_bert_crf", {"span_weight": 0.9}, {}, "umt_bert_crf", "visual"),
    Variant("msb", "msb", {"weights": ""}, sees="segments", rate=0.001),
    Variant("msb_crf", "msb", {"crf": True}, {}, "msb", "segments", rate=0.001),
]

VARIANTS = {variant.name: variant for variant in [*TRANSFORMER, *RECURRENT, *TRIMOD]}
# The first of each system.
FAMILIES = list({variant.system: variant for variant in reversed(VARIANTS.values())}.values())
