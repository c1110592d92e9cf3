"""The tagger: posts in, posts with entities out. The order of the work is the order of this file.

    post ─▶ words ─▶ hashtags segmented ─▶ rows of pieces ─▶ emissions ─▶ tags by the CRF ─▶ entities with offsets

Owns everything between a `Post` and a `TaggedPost` but the network itself, which is any `Network`: OpenVINO in this
process, Triton elsewhere, torch in training. Keeps invariant 8.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from tagstream.posts import Entity, EntityType, Post, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import NameKeys
from workers.tagger.crf_decoder import IMPOSSIBLE, TAGS, Decoded, Decoder, FloatArray
from workers.tagger.emission_cache import EmissionCache
from workers.tagger.encoding import EncodedSequence, Encoder, ModelInput, stack_sequences
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext, PreparedPost, answer_generation
from workers.tagger.words import Kind, Word, by_lines, split_words

_TYPES: tuple[EntityType | None, ...] = (None, "PER", "PER", "LOC", "LOC", "ORG", "ORG", "MISC", "MISC")
_OUTSIDE = np.array([0.0] + [IMPOSSIBLE] * (len(TAGS) - 1), np.float32)
_CONTINUING = [place for place, tag in enumerate(TAGS) if tag.startswith("I-")]
_BULLETS = frozenset("•‣⁃◦∙●○■□▪▫◆◇►▶▸❖✦➤→|")


class Network(Protocol):
    """The network: a score for each tag at each word piece."""

    def __call__(self, batch: ModelInput) -> FloatArray:
        """Emissions (rows, length, 9) of a batch of one length bucket."""
        ...


@dataclass(frozen=True, slots=True)
class Payload:
    """What `prepare` finds out about a post and `tag` needs again."""

    words: list[Word]
    hashtags: tuple[SegmentedHashtag, ...]
    sequences: list[EncodedSequence]
    line_starts: list[int]
    untagged: Literal["language", "length"] | None = None


class ModelTagger:
    """A `Tagger` around a network, the `network`. `model` and `generation` are stamped on every answer.

    The `emission_cache` answers for the network where a row has come before.
    """

    def __init__(
        self,
        *,
        model: str,
        generation: int,
        encoder: Encoder,
        network: Network,
        decoder: Decoder,
        segment: Callable[[str], Sequence[str]],
        languages: frozenset[str],
        emission_cache: EmissionCache | None = None,
    ) -> None:
        self.model = model
        self.generation = generation
        self._encoder = encoder
        self.network = network
        self.emission_cache = emission_cache
        self._decoder = decoder
        self._segment = segment
        self._languages = languages

    def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
        """Words, segmented hashtags and rows of each post; a post in a language we do not read gets no rows."""
        contexts = [NO_IMAGE_CONTEXT] * len(posts) if contexts is None else contexts
        return [self._prepare(post, image_context) for post, image_context in zip(posts, contexts, strict=True)]

    def _prepare(self, post: Post, image_context: ImageContext) -> PreparedPost:
        hashtags = tuple(
            SegmentedHashtag(
                text=hashtag.text, start=hashtag.start, end=hashtag.end, words=tuple(self._segment(hashtag.text))
            )
            for hashtag in post.hashtags
        )
        if not reads(post, self._languages):
            return PreparedPost(post, 0, 0, Payload([], hashtags, [], [], "language"), image_context)
        words = split_words(post.text)
        # The author's own words first: they say more, and the segment has an end.
        image_words = " ".join((*(media.alt for media in post.media if media.alt), *image_context.words))
        words, line_starts = by_lines(post.text, words)
        rows = self._encoder.encode(words, [hashtag.words for hashtag in hashtags], image_words)
        read = rows[-1].first_word + len(rows[-1].first_pieces) if rows else 0
        untagged: Literal["length"] | None = None
        if read < len(words):
            words, line_starts = words[:read], [start for start in line_starts if start < read]
            untagged = "length"
        payload = Payload(words, hashtags, rows, line_starts, untagged)
        length = max((row.bucket for row in rows), default=0)
        return PreparedPost(post, length, len(rows), payload, image_context)

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """The tagged posts, in order."""
        payloads: list[Payload] = [post.payload for post in prepared]
        seen = [number for number, payload in enumerate(payloads) if payload.sequences]
        emissions = self._emissions([payloads[number] for number in seen])
        decoded = dict(zip(seen, self._decoder.decode(emissions), strict=True))
        return [
            self._tagged(post, payload, decoded.get(number))
            for number, (post, payload) in enumerate(zip(prepared, payloads, strict=True))
        ]

    def _emissions(self, payloads: Sequence[Payload]) -> list[FloatArray]:
        """Emissions at the first piece of each word, of each post: (words, 9)."""
        answers: list[FloatArray] = [np.empty((len(payload.words), len(TAGS)), np.float32) for payload in payloads]
        buckets: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, payload in enumerate(payloads):
            for place, row in enumerate(payload.sequences):
                buckets[row.bucket].append((number, place))
        for length, places in buckets.items():
            rows = [payloads[number].sequences[place] for number, place in places]
            for (number, place), row, scores in zip(places, rows, self._scores(rows, length), strict=True):
                start, end = _answered_words(payloads[number].sequences, place)
                first_pieces = row.first_pieces[start - row.first_word : end - row.first_word]
                answers[number][start:end] = scores[first_pieces]
        for payload, scores in zip(payloads, answers, strict=True):
            _rule_out(payload, scores)
        return answers

    def _scores(self, rows: Sequence[EncodedSequence], length: int) -> Sequence[FloatArray]:
        """Emissions (pieces, 9) of each of the rows, which are of one length bucket."""
        if self.emission_cache is None:
            return list(self.network(stack_sequences(rows, length)))
        keys = [row.columns.tobytes() for row in rows]
        known = self.emission_cache.recall(keys)
        fresh = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
        if fresh:
            output = self.network(stack_sequences(list(fresh.values()), length))
            # Copied: a slice would keep the whole batch in memory.
            answers = {
                key: scores[: len(row.columns)].copy() for (key, row), scores in zip(fresh.items(), output, strict=True)
            }
            self.emission_cache.keep(answers)
            known |= answers
        return [known[key] for key in keys]

    def _tagged(self, prepared: PreparedPost, payload: Payload, decoded: Decoded | None) -> TaggedPost:
        post, image_context = prepared.post, prepared.image_context
        # The fields come from a validated Post: validating them again would cost more than segmentation does.
        fields = {name: getattr(post, name) for name in _SHARED_FIELDS}
        fields["media"] = tuple(media.without_bytes() for media in post.media)
        return TaggedPost.model_construct(
            **fields,
            hashtags=payload.hashtags,
            entities=tuple(find_entities(post.text, payload, decoded)) if decoded else (),
            image_labels=image_context.labels,
            model=self.model,
            generation=answer_generation(self.generation, image_context),
            degraded=image_context.degraded,
            untagged=payload.untagged,
        )


def _rule_out(payload: Payload, scores: FloatArray) -> None:
    """Makes impossible what the network knows nothing of: names that hold an address or a bullet, or cross a line."""
    for place, (surface, _, _, kind) in enumerate(payload.words):
        if kind is _WORD:  # nearly all: this loop is a tenth of what surrounds the network
            continue
        if kind is _URL or kind is _MENTION or kind is _SHORTCODE or (kind is _SYMBOL and surface[0] in _BULLETS):
            scores[place] = _OUTSIDE
    for place in payload.line_starts:
        scores[place, _CONTINUING] = IMPOSSIBLE


_WORD, _SYMBOL, _URL, _MENTION, _SHORTCODE = Kind.WORD, Kind.SYMBOL, Kind.URL, Kind.MENTION, Kind.SHORTCODE
_SHARED_FIELDS = tuple(name for name in TaggedPost.model_fields if name in Post.model_fields and name != "hashtags")


def reads(post: Post, languages: frozenset[str]) -> bool:
    """Whether the post is tagged: it is in any of the languages, primary subtags; one that names none is in `und`."""
    named = post.langs or (post.lang or "und",)
    return any(one.split("-")[0].split("_")[0].lower() in languages for one in named)


def _answered_words(rows: Sequence[EncodedSequence], place: int) -> tuple[int, int]:
    """The words that row `place` answers for: of an overlap each row has the half that lies further from its cut."""
    row = rows[place]
    end = row.first_word + len(row.first_pieces)
    start = row.first_word
    if place:
        before = rows[place - 1].first_word + len(rows[place - 1].first_pieces)
        start = (row.first_word + before) // 2
    if place + 1 < len(rows):
        end = (rows[place + 1].first_word + end) // 2
    return start, end


def find_entities(text: str, payload: Payload, decoded: Decoded) -> list[Entity]:
    """The entities that the tags spell, in order. A name's score is the least probable of its tags."""
    entities: list[Entity] = []
    tags = decoded.tags.tolist()
    if not any(tags):
        return entities
    words, keys = payload.words, NameKeys(text, payload.hashtags)
    place = 0
    while place < len(tags):
        tag = tags[place]
        first = place
        place += 1
        if tag == 0:
            continue
        while place < len(tags) and tags[place] and tags[place] == tag + tag % 2:
            place += 1
        entity = _entity(text, keys, words[first:place], tag, float(decoded.probabilities[first:place].min()))
        if entity is not None:
            entities.append(entity)
    return entities


def _entity(text: str, keys: NameKeys, words: Sequence[Word], tag: int, score: float) -> Entity | None:
    """One entity without the marks around it (`#`, `@`, quotes); None where nothing but marks is left."""
    while words and words[0].kind is Kind.SYMBOL:
        words = words[1:]
    while words and words[-1].kind is Kind.SYMBOL:
        words = words[:-1]
    kind = _TYPES[tag]
    if not words or kind is None:
        return None
    start = words[0].start + (words[0].kind is Kind.HASHTAG)
    surface = text[start : words[-1].end]
    return Entity(
        text=surface,
        type=kind,
        start=start,
        end=words[-1].end,
        score=round(score, 4),
        in_hashtag=all(word.kind is Kind.HASHTAG for word in words),
        key=keys.key(start, words[-1].end),
    )
