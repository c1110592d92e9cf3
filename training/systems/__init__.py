"""Every system by the name that recipes use."""

from importlib import import_module

from tagstream.errors import BadSettings
from training.inputs.batch import Sizes
from training.systems.base import System

_CLASSES = {
    "bilstm_crf": "BiLstmCrf",
    "gvatt_hbilstm_crf": "GvattHBiLstmCrf",
    "acn": "Acn",
    "cwi": "Cwi",
    "mner_ma": "MnerMa",
    "trimod": "TriMod",
    "bert_crf": "BertCrf",
    "gvatt_bert_crf": "GvattBertCrf",
    "adacan_bert_crf": "AdacanBertCrf",
    "mt_bert_crf": "MtBertCrf",
    "umt_bert_crf": "UmtBertCrf",
    "msb": "Msb",
}
NAMES = tuple(_CLASSES)


def build(name: str, sizes: Sizes, options: dict[str, object]) -> System:
    """Builds a new system with random weights, but for its pretrained parts.

    Raises:
        BadSettings: no such system, or an option that it does not have.
    """
    if name not in _CLASSES:
        raise BadSettings(f"{name}: no such system; there are {', '.join(NAMES)}")
    kind = getattr(import_module(f"training.systems.{name}"), _CLASSES[name])
    try:
        system: System = kind(sizes, **options)
    except TypeError as error:
        raise BadSettings(f"{name}: {error}") from error
    return system
