"""Captioners of tests: our own with random weights, and small image-to-text models of `transformers`."""

import torch
from transformers import (
    BertConfig,
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipTextConfig,
    BlipVisionConfig,
    GitConfig,
    GitForCausalLM,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessorPil,
)

from training.captioner.decoder import CaptionWords
from training.captioner.recurrent import RecurrentCaptioner
from workers.models.captioner_version import RUN

THINGS = ("angela", "beach", "berlin", "boat", "merkel", "paris", "radiohead", "sings", "stage")
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "a", "dog", "cat", "on", "the", "beach", "red"]
_SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def write_run(folder, encoder, seed=1):
    """A run of our own captioner, as training leaves it, that says some of `THINGS` of any picture."""
    torch.manual_seed(seed)
    captioner = RecurrentCaptioner(encoder, CaptionWords(THINGS), {"word_width": 8, "size": 16})
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(captioner.state(), folder / RUN)
    return folder


def write_tokenizer(folder):
    """What every model below needs besides itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def write_joined(folder):
    """An encoder and a decoder joined."""
    torch.manual_seed(2)
    sees = ViTConfig(**_SMALL, image_size=32, patch_size=8)
    says = BertConfig(**_SMALL, vocab_size=len(WORDS), is_decoder=True, add_cross_attention=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(sees, says)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 1, 0, 2
    model = VisionEncoderDecoderModel(config)
    model.generation_config.decoder_start_token_id = 1
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = 0, 2
    model.save_pretrained(write_tokenizer(folder))
    return folder


def write_blip(folder):
    """BLIP."""
    torch.manual_seed(2)
    says = BlipTextConfig(
        **_SMALL, vocab_size=len(WORDS), encoder_hidden_size=16, projection_dim=16, bos_token_id=1, sep_token_id=2
    )
    sees = BlipVisionConfig(**_SMALL, image_size=32, patch_size=8, projection_dim=16)
    config = BlipConfig(text_config=says.to_dict(), vision_config=sees.to_dict(), projection_dim=16)
    BlipForConditionalGeneration(config).save_pretrained(write_tokenizer(folder))
    return folder


def write_git(folder):
    """GIT, which has no encoder of its own for text."""
    torch.manual_seed(2)
    sees = {**_SMALL, "image_size": 32, "patch_size": 8}
    marks = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = GitConfig(**_SMALL, vision_config=sees, vocab_size=len(WORDS), **marks)
    GitForCausalLM(config).save_pretrained(write_tokenizer(folder))
    return folder
