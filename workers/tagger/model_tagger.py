"""The tagger: posts in, posts with entities out. This file follows the order of the work.

::

    post ─▶ words, also in hashtags ─▶ sequences of pieces ─▶ emissions ─▶ tags by the CRF ─▶ entities with offsets

The network is any `Network`: OpenVINO in this process, Triton on a server, torch in training. Everything else between a
`Post` and a `TaggedPost` is here. Keeps invariant 8.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from tagstream.posts import Entity, EntityType, Post, SegmentedHashtag, TaggedPost
from tagstream.text.entity_keys import NameKeys
from workers.tagger.borders import words_outside_names
from workers.tagger.crf_decoder import IMPOSSIBLE, TAGS, Decoded, Decoder, DoubleArray, FloatArray
from workers.tagger.emission_cache import EmissionCache
from workers.tagger.encoding import EncodedSequence, Encoder, ModelInput, stack_sequences
from workers.tagger.hashtag_words import read_words
from workers.tagger.interface import NO_IMAGE_CONTEXT, ImageContext, PreparedPost, answer_generation
from workers.tagger.scoring import Scoring
from workers.tagger.words import Kind, Word

_TYPES: dict[int, EntityType] = {1: "PER", 2: "PER", 3: "LOC", 4: "LOC", 5: "ORG", 6: "ORG", 7: "MISC", 8: "MISC"}
_OUTSIDE = np.array([0.0] + [IMPOSSIBLE] * (len(TAGS) - 1), np.float32)
_CONTINUING = [index for index, tag in enumerate(TAGS) if tag.startswith("I-")]


class Network(Protocol):
    """The tagger's network, which scores each tag at each word piece. Several threads may call it at once."""

    def __call__(self, batch: ModelInput) -> FloatArray:
        """Returns emissions (sequences, length, 9) of a batch of one length bucket.

        Raises:
            ModelUnavailable: the network does not answer now, whatever the batch.
            UntaggablePost: the network fails on this batch and on no other.
        """
        ...


@dataclass(frozen=True, slots=True)
class Payload:
    """The results of `prepare` that `tag` needs: words, hashtags and input sequences.

    `line_starts` are the words that begin a line, `outside` those that no name holds.
    `untagged` tells why the post, or its end, is not tagged.
    """

    words: list[Word]
    hashtags: tuple[SegmentedHashtag, ...]
    sequences: list[EncodedSequence]
    line_starts: list[int]
    outside: list[int]
    untagged: Literal["language", "length"] | None = None


class ModelTagger:
    """A `Tagger` around a network. `model` and `generation` stand on every answer.

    The `emission_cache` answers in place of the network where a sequence has come before. `scoring` gives each name its
    score; a name that scores less than its `min_score` is not given.
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
        scoring: Scoring | None = None,
        emission_cache: EmissionCache | None = None,
    ) -> None:
        self.model = model
        self.generation = generation
        self._encoder = encoder
        self.network = network
        self.emission_cache = emission_cache
        self.scoring = scoring or Scoring()
        self._decoder = decoder
        self._segment = segment
        self._languages = languages

    def prepare(self, posts: Sequence[Post], contexts: Sequence[ImageContext] | None = None) -> list[PreparedPost]:
        """Returns the model input of each post; a post in a language that is not read has no sequences."""
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
            return PreparedPost(post, 0, 0, Payload([], hashtags, [], [], [], "language"), image_context)
        # The author's own words come first: they tell more, and the segment is cut after a few words.
        image_words = " ".join((*(media.alt for media in post.media if media.alt), *image_context.words))
        words, line_starts = read_words(post.text, self._segment)
        listed = [hashtag.words for hashtag in hashtags if hashtag.span is None]
        sequences = self._encoder.encode(words, listed, image_words)
        read = sequences[-1].first_word + len(sequences[-1].first_pieces) if sequences else 0
        untagged: Literal["length"] | None = None
        if read < len(words):
            words, line_starts = words[:read], [start for start in line_starts if start < read]
            untagged = "length"
        payload = Payload(words, hashtags, sequences, line_starts, words_outside_names(post.text, words), untagged)
        length = max((sequence.bucket for sequence in sequences), default=0)
        return PreparedPost(post, length, len(sequences), payload, image_context)

    def tag(self, prepared: Sequence[PreparedPost]) -> list[TaggedPost]:
        """Returns the tagged posts, in order."""
        payloads: list[Payload] = [post.payload for post in prepared]
        read = [index for index, payload in enumerate(payloads) if payload.sequences]
        emissions = self._emissions([payloads[index] for index in read])
        decoded = dict(zip(read, self._decoder.decode(emissions), strict=True))
        return [
            self._tagged(post, payload, decoded.get(index))
            for index, (post, payload) in enumerate(zip(prepared, payloads, strict=True))
        ]

    def marginals(self, prepared: Sequence[PreparedPost]) -> list[DoubleArray]:
        """Returns the probability of each tag at each word of each post, (words, 9), in order; each has words."""
        return self._decoder.marginals(self._emissions([post.payload for post in prepared]))

    def _emissions(self, payloads: Sequence[Payload]) -> list[FloatArray]:
        """Returns the emissions at the first piece of each word of each post: (words, 9)."""
        answers: list[FloatArray] = [np.empty((len(payload.words), len(TAGS)), np.float32) for payload in payloads]
        buckets: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for post, payload in enumerate(payloads):
            for part, sequence in enumerate(payload.sequences):
                buckets[sequence.bucket].append((post, part))
        for length, members in buckets.items():
            sequences = [payloads[post].sequences[part] for post, part in members]
            scored = zip(members, sequences, self._scores(sequences, length), strict=True)
            for (post, part), sequence, scores in scored:
                start, end = _answered_words(payloads[post].sequences, part)
                first_pieces = sequence.first_pieces[start - sequence.first_word : end - sequence.first_word]
                answers[post][start:end] = scores[first_pieces]
        for payload, scores in zip(payloads, answers, strict=True):
            _rule_out(payload, scores)
        return answers

    def _scores(self, sequences: Sequence[EncodedSequence], length: int) -> Sequence[FloatArray]:
        """Returns the emissions (pieces, 9) of each sequence; all are of one length bucket."""
        if self.emission_cache is None:
            return list(self.network(stack_sequences(sequences, length)))
        keys = [sequence.columns.tobytes() for sequence in sequences]
        known = self.emission_cache.recall(keys)
        fresh = {key: sequence for key, sequence in zip(keys, sequences, strict=True) if key not in known}
        if fresh:
            output = self.network(stack_sequences(list(fresh.values()), length))
            # Copied: a slice would keep the whole batch in memory.
            answers = {
                key: scores[: len(sequence.columns)].copy()
                for (key, sequence), scores in zip(fresh.items(), output, strict=True)
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
            entities=tuple(find_entities(post.text, payload, decoded, self.scoring)) if decoded else (),
            image_labels=image_context.labels,
            model=self.model,
            generation=answer_generation(self.generation, image_context),
            degraded=image_context.degraded,
            untagged=payload.untagged,
        )


def _rule_out(payload: Payload, scores: FloatArray) -> None:
    """Makes names impossible that hold a word of no name, or that cross a line: the network knows neither."""
    scores[payload.outside] = _OUTSIDE
    for word in payload.line_starts:
        scores[word, _CONTINUING] = IMPOSSIBLE


_SHARED_FIELDS = tuple(name for name in TaggedPost.model_fields if name in Post.model_fields and name != "hashtags")


def reads(post: Post, languages: frozenset[str]) -> bool:
    """Tells whether the post is in one of the languages, given as primary subtags; `und` if it names none."""
    tags = post.langs or (post.lang or "und",)
    return any(tag.split("-")[0].split("_")[0].lower() in languages for tag in tags)


def _answered_words(sequences: Sequence[EncodedSequence], part: int) -> tuple[int, int]:
    """Returns the words that sequence `part` answers for: of an overlap each takes the half further from its cut."""
    sequence = sequences[part]
    end = sequence.first_word + len(sequence.first_pieces)
    start = sequence.first_word
    if part:
        before = sequences[part - 1].first_word + len(sequences[part - 1].first_pieces)
        start = (sequence.first_word + before) // 2
    if part + 1 < len(sequences):
        end = (sequences[part + 1].first_word + end) // 2
    return start, end


def find_entities(text: str, payload: Payload, decoded: Decoded, scoring: Scoring) -> list[Entity]:
    """Returns the entities that the tags spell, in order, but for those that score too little."""
    entities: list[Entity] = []
    tags = decoded.tags.tolist()
    if not any(tags):
        return entities
    words, keys = payload.words, NameKeys(text, payload.hashtags)
    end = 0
    while end < len(tags):
        start, tag = end, tags[end]
        end += 1
        if tag == 0:
            continue
        while end < len(tags) and tags[end] and tags[end] == tag + tag % 2:
            end += 1
        kind = _TYPES[tag]
        score = scoring.score(math.prod(decoded.probabilities[start:end].tolist()), kind)
        if score < scoring.min_score:
            continue
        entity = _entity(text, keys, words[start:end], kind, score)
        if entity is not None:
            entities.append(entity)
    return entities


def _entity(text: str, keys: NameKeys, words: Sequence[Word], kind: EntityType, score: float) -> Entity | None:
    """Returns the entity without the marks around it (`#`, `@`, quotes); None where only marks are left."""
    while words and words[0].kind is Kind.SYMBOL:
        words = words[1:]
    while words and words[-1].kind is Kind.SYMBOL:
        words = words[:-1]
    if not words:
        return None
    start, end = words[0].start, words[-1].end
    return Entity(
        text=text[start:end],
        type=kind,
        start=start,
        end=end,
        score=score,
        in_hashtag=all(word.kind is Kind.HASHTAG for word in words),
        key=keys.key(start, end),
    )
