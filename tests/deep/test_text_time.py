"""Fuzzing of what touches text: whatever it is given, it answers in bounded time, never raises, and lets others run.

The interpreter's lock is watched by a thread that ticks: what it measures is the processor time that the process spent
between two ticks, so that a busy machine does not count.
"""

import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sources.formats.html_text import html_to_text
from search.query import MalformedQuery, parse
from tagstream.posts import MAX_TEXT_LENGTH, Post, clean_text
from tagstream.settings import Settings
from tagstream.text.analysis import phrase, post_terms, tag, terms
from tagstream.text.entity_keys import fold_key
from tagstream.text.hashtags import hashtags_named, hashtags_of
from tagstream.text.safe_text import normalise, unescape
from workers.hashtags.segmenter import HashtagSegmenter
from workers.models.repository import VOCABULARY, open_version
from workers.open_models import open_tagger
from workers.tagger.borders import words_outside_names
from workers.tagger.encoding import Encoder
from workers.tagger.words import by_lines, split_words

SECONDS = 6
LOCK_SECONDS = 0.05

# fmt: off
PATTERNS = (
    "a", "a ", "A", "Aa", "AaB", "aB", "a1", "1", "1,", "1.", "_", "a_", "a-", "-", "(", ".", "a.", "a.b ", "A.",
    "U.S. ", "'", "l'", "d’", "'s", "&", "&#", "&#1", "&#1;", "&#x", "&amp;", "&a", "#", "#a", "#a ", "\uff03a",
    "#\u0301", "a\u0301#", "#1", "@", "@a", "@a.b", "x@", "a@b.c ", "http://", "http://a ", "https://a?", "www.",
    "a.co", "a.co/", "bbc.co.uk/", ":a", ":ab:", ":", "\u0301", "a\u0301", "\u0327\u0301", "\u0344", "\u0f73",
    "\uff9e", "\uff76\uff9e", "\ufdfa", "\ufb01", "ᄀ", "ᅡ", "가", "가", "東", "ก", "क\u094dष", "क", "Ж", "жЖ", "İ",
    "ß", "\ufb00", "ı", "Σ", "ς", "\U0001f1e6", "👍\U0001f3fd", "👩\u200d", "\u200d", "\u200b", "\u00ad", "a\u00ad",
    "\ufe0f", "1\ufe0f\u20e3", "\U000e0067", "\U0001f3f4", "\U0001f3f4\U000e0067", "\ud800", "\0", "\n", "\r\n",
    " ", "\u2028", "• ", "Oslo ", "Oslo\n", "Oslo, Rome ", "<", "<a", "<a ", "<a b='", "</", "</a", "<p>", "<br",
    "<!--", "<!", "<![", "<?", "<a b=c ", "<a b", "<script>", "\"", "\"a", "a:", "-a ", "OR ", "a* ", "person:",
    "“", "🅰", "🅰\ufe0f", "ᴀ", "ǫᴀ", "𝗔", "a\u0336", "aʼs ", "&amp;", "&amp;#39;s", "1) ", "a) ", "(a)", "1.\n", "[x]",
)
# fmt: on

REPOSITORY = Path(__file__).parents[2] / "triton_models"
SEGMENTER = HashtagSegmenter.load()


def of_length(pattern: str, length: int = MAX_TEXT_LENGTH) -> str:
    return (pattern * (length // len(pattern) + 1))[:length]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(open_version(REPOSITORY).folder / VOCABULARY)


def measured(call: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds of a call, and the most of them that passed between two ticks of another thread."""
    longest, stop, ready = 0.0, False, threading.Event()

    def tick() -> None:
        nonlocal longest
        last = time.process_time()
        ready.set()
        while not stop:
            time.sleep(0.001)
            now = time.process_time()
            longest, last = max(longest, now - last), now

    thread = threading.Thread(target=tick)
    thread.start()
    ready.wait()
    began = time.process_time()
    try:
        call()
        return time.process_time() - began, longest
    finally:
        stop = True
        thread.join()


def check(call: Callable[[], object]) -> None:
    """Fails if a call takes too long, or holds the lock for too long in each of five tries."""
    gc.collect()
    gc.freeze()  # as a run does
    longest = []
    for _ in range(5):
        seconds, held = measured(call)
        assert seconds < SECONDS
        longest.append(held)
        if held < LOCK_SECONDS:
            return
    raise AssertionError(f"the lock was held for {min(longest) * 1_000:.0f} ms")


def _query(text: str) -> None:
    with suppress(MalformedQuery):
        parse(text[:2_000])


# What the words of a text take is measured by itself; two functions more need them.
_words = lru_cache(maxsize=1)(split_words)

FUNCTIONS: dict[str, Callable[[str], object]] = {
    "clean_text": clean_text,
    "unescape": unescape,
    "normalise": lambda text: normalise("NFKD", text),
    "split_words": split_words,
    "terms": terms,
    "phrase": phrase,
    "tag": tag,
    "fold_key": fold_key,
    "hashtags_of": hashtags_of,
    "hashtags_named": lambda text: hashtags_named(
        text := clean_text(text), [(text[n : n + 9], n, n + 9) for n in range(1_024)]
    ),
    "words_outside_names": lambda text: words_outside_names(text, _words(text)),
    "by_lines": lambda text: by_lines(text, _words(text)),
    "segment": SEGMENTER.segment,
    "html_to_text": html_to_text,
    "query": _query,
}


@pytest.mark.parametrize(("pattern", "name"), [*product(PATTERNS, FUNCTIONS)])
def test_a_repeated_pattern(name: str, pattern: str) -> None:
    text = of_length(pattern)
    check(lambda: FUNCTIONS[name](text))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PATTERNS) | st.characters(), min_size=1, max_size=6), st.text(max_size=5))
def test_mixed_patterns(name: str, parts: list[str], end: str) -> None:
    text = of_length("".join(parts), 60_000) + end
    seconds, _ = measured(lambda: FUNCTIONS[name](text))
    assert seconds < SECONDS


@pytest.mark.parametrize("pattern", PATTERNS)
def test_encoding_a_repeated_pattern(encoder: Encoder, pattern: str) -> None:
    text = clean_text(of_length(pattern))
    hashtags = [SEGMENTER.segment(hashtag.text) for hashtag in hashtags_of(text)[:1_024]]
    words = split_words(text)
    check(lambda: encoder.encode(words, hashtags, text[:10_000]))


@pytest.fixture(scope="module")
def tagger():
    return open_tagger(Settings())


@pytest.mark.parametrize("pattern", PATTERNS)
def test_tagging_a_repeated_pattern(tagger, pattern: str) -> None:
    text = clean_text(of_length(pattern))
    post = Post(
        id="jsonl:1",
        source="jsonl",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        text=text,
        hashtags=hashtags_of(text)[:1_024],
    )
    tagged = []
    seconds, _ = measured(lambda: tagged.extend(tagger.tag(tagger.prepare([post]))))
    assert seconds < 60  # of all threads
    assert all(entity.text == text[entity.start : entity.end] for entity in tagged[0].entities)
    check(lambda: post_terms(tagged[0]))
