"""The Python API: `tagstream.load()` gives a tagger of texts.

::

    tagstream.load(models) ─▶ EntityTagger ─▶ tagger("…") ─▶ TaggedText: entities with offsets, types and scores
                                              tagger(["…", "…"]) ─▶ a list of them

The answers are those of `tagstream tag`. The models are imported when they are loaded, so that `import tagstream` is
cheap, and so that this package needs nothing of the packages above it.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, overload

from tagstream.shadowing import refuse_shadowed_packages
from tagstream.text.terminal_text import visible_lines

if TYPE_CHECKING:
    from tagstream.posts import EntityType, TaggedPost

# `module:function` of the package that has the models.
_OPENER = "workers.open_models:open_text_tagger"
# A character is at most one word piece, and the tagger reads so many pieces of one post: none of a passage is left out.
LONGEST_PASSAGE = 8_000
_PASSAGES_AT_ONCE = 512
# Where a long text is best cut, the best first.
_CUTS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…。！？])\s*"), re.compile(r"\s"))
_COLOURS = {"PER": "#cfe8fc", "LOC": "#d3f3d8", "ORG": "#f5d9f2", "MISC": "#fdf0c4"}


@dataclass(frozen=True, slots=True)
class TextEntity:
    """A name in a text.

    `start` and `end` count code points of the text; `text` is what stands there. `type` is PER, LOC, ORG or MISC;
    `score` is the probability that all of this is right, from 0 to 1; `in_hashtag` says that the name is a part of a
    hashtag.
    """

    text: str
    type: "EntityType"
    start: int
    end: int
    score: float
    in_hashtag: bool = False


@dataclass(frozen=True, slots=True)
class TaggedText(Sequence[TextEntity]):
    """A text and the names in it: a sequence of its entities, in order of their offsets.

    In a notebook it is shown as the text with its names marked.
    """

    text: str
    entities: tuple[TextEntity, ...]

    @overload
    def __getitem__(self, index: int) -> TextEntity: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[TextEntity, ...]: ...

    def __getitem__(self, index: int | slice) -> TextEntity | tuple[TextEntity, ...]:
        return self.entities[index]

    def __len__(self) -> int:
        return len(self.entities)

    def __iter__(self) -> Iterator[TextEntity]:
        return iter(self.entities)

    def _repr_html_(self) -> str:
        """Returns HTML for notebooks. The text is hostile: nothing of it is markup or turns the reading order."""
        parts, shown = [], 0
        for entity in self.entities:
            if entity.start < shown:
                continue
            parts += [_html(self.text[shown : entity.start]), _marked(entity)]
            shown = entity.end
        parts.append(_html(self.text[shown:]))
        return f'<div style="white-space: pre-wrap; overflow-wrap: anywhere">{"".join(parts)}</div>'


class _TaggerOfTexts(Protocol):
    @property
    def model(self) -> str: ...

    def tag(self, texts: Iterable[str]) -> "list[TaggedPost]": ...


class EntityTagger:
    """Finds the names in texts. Made by `tagstream.load`; may be called by several threads at once.

    The answer of a text depends on nothing but that text. A process made by `fork` must load a tagger of its own.
    """

    def __init__(self, tagger: _TaggerOfTexts) -> None:
        self._tagger = tagger

    def __repr__(self) -> str:
        return f"<EntityTagger {self.model}>"

    @property
    def model(self) -> str:
        """The name and version of what answers: `mner@1`, with those of the models beside it."""
        return self._tagger.model

    @overload
    def __call__(self, texts: str) -> TaggedText: ...

    @overload
    def __call__(self, texts: list[str] | tuple[str, ...]) -> list[TaggedText]: ...

    def __call__(self, texts: str | list[str] | tuple[str, ...]) -> TaggedText | list[TaggedText]:
        """Finds the names in a text; in each text of a list, and returns a list.

        A text may have any length. One of more than 8,000 characters is read passage by passage, cut between
        paragraphs, lines or sentences where there are any. A lone surrogate is read as U+FFFD.

        Raises:
            TypeError: something other than a string, or a list or tuple of strings.
            ModelUnavailable: the models run on a server that does not answer now.
        """
        if isinstance(texts, str):
            return self._tag([texts])[0]
        if not isinstance(texts, list | tuple):
            raise TypeError(f"a text, or a list of texts, is needed, and not {type(texts).__name__}")
        for position, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"text {position} of the list is {type(text).__name__}, and not a string")
        return self._tag(texts)

    def _tag(self, texts: Sequence[str]) -> list[TaggedText]:
        from tagstream.posts import clean_text

        cleaned = [clean_text(text) for text in texts]
        passages = [(number, *passage) for number, text in enumerate(cleaned) for passage in passages_of(text)]
        found: list[list[TextEntity]] = [[] for _ in cleaned]
        for begin in range(0, len(passages), _PASSAGES_AT_ONCE):
            group = passages[begin : begin + _PASSAGES_AT_ONCE]
            posts = self._tagger.tag([passage for _, _, passage in group])
            for (number, offset, _), post in zip(group, posts, strict=True):
                found[number] += _entities(post, offset)
        return [TaggedText(text, tuple(entities)) for text, entities in zip(cleaned, found, strict=True)]


def load(models: str | os.PathLike[str] | None = None, *, min_score: float | None = None) -> EntityTagger:
    """Loads the models and returns a tagger of texts. Takes a second or two; a program does so once.

    `models` is the folder of a model repository, `grpc://HOST:PORT` of a Triton server, or `stub:` for a tagger that
    finds fixed words; None stands for the models that ship with tagstream. Names that score less than `min_score` (0 to
    1; 0 keeps all) are not given; None stands for the score that the model's version names. Everything else
    is said by the settings: the `TAGSTREAM_*` variables and the file that `TAGSTREAM_CONFIG` names.

    Raises:
        BadSettings: no such models, or a setting makes no sense.
        CorruptState: the files of the models do not belong together.
        ServiceUnavailable: the Triton server does not answer.
        ShadowedPackage: since tagstream was imported, another package has taken the name of one of its own.
    """
    refuse_shadowed_packages(os.path.dirname(os.path.dirname(__file__)))
    from tagstream.errors import BadSettings
    from tagstream.settings import limits, load_settings

    settings = load_settings(os.environ)
    if models is not None:
        settings = settings.model_copy(update={"models": os.fspath(models)})
    if min_score is not None:
        if not 0 <= min_score <= 1:
            raise BadSettings(f"min_score = {min_score}: it may be {limits('min_score')}")
        settings = settings.model_copy(update={"min_score": float(min_score)})
    module, _, name = _OPENER.partition(":")
    opened: Any = getattr(import_module(module), name)(settings)
    return EntityTagger(opened)


def passages_of(text: str) -> list[tuple[int, str]]:
    """The passages of a text, each with its offset: the whole text where it is short enough."""
    passages = []
    offset = 0
    while len(text) - offset > LONGEST_PASSAGE:
        end = offset + _cut(text[offset : offset + LONGEST_PASSAGE])
        passages.append((offset, text[offset:end]))
        offset = end
    passages.append((offset, text[offset:]))
    return passages


def _cut(window: str) -> int:
    """Returns the offset after the last paragraph, line, sentence or word that ends in the window's second half."""
    for kind in _CUTS:
        ends = [found.end() for found in kind.finditer(window, len(window) // 2) if found.end() > len(window) // 2]
        if ends:
            return ends[-1]
    return len(window)


def _entities(post: "TaggedPost", offset: int) -> list[TextEntity]:
    return [
        TextEntity(
            entity.text, entity.type, entity.start + offset, entity.end + offset, entity.score, entity.in_hashtag
        )
        for entity in post.entities
    ]


def _marked(entity: TextEntity) -> str:
    colour = _COLOURS.get(entity.type, "#e4e4e4")
    return (
        f'<mark style="background: {colour}; color: #1a1a1a; padding: 0.1em 0.3em; border-radius: 0.3em" '
        f'title="{escape(entity.type)} {entity.score:.2f}">{_html(entity.text)}'
        f'<small style="padding-left: 0.4em; opacity: 0.7">{escape(entity.type)}</small></mark>'
    )


def _html(text: str) -> str:
    return escape(visible_lines(text))
