"""The events of the network, in order: the ground truth, of which a reader sees only deliveries.

Makes one chapter at a time: exactly `posts` new posts (or 250), and their later edits and deletions. Each kind of
content and each fate has a quota of the chapter, so that every full chapter holds all of them.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ingest.sources.simulate import clock, hostile
from ingest.sources.simulate.bursts import Burst, plan_burst
from ingest.sources.simulate.network_events import (
    AccountClosed,
    AccountRestored,
    AccountSuspended,
    Garbage,
    NetworkEvent,
    PostPhoto,
    PostPublished,
    PostRemoved,
)
from ingest.sources.simulate.pictures import POOL
from ingest.sources.simulate.random import Random
from ingest.sources.simulate.vocabulary import everyday, sentences, topics
from ingest.sources.simulate.witnesses import Witnesses
from ingest.sources.simulate.world import Person, World
from ingest.sources.simulate.writing import Draft, addressed, fill, marked, plain, reposted, untidy

POSTS_PER_CHAPTER = 250
POSITIONS_PER_CHAPTER = 1024

CONTENTS = (("repost", 16), ("reply", 15), ("foreign", 20), ("hostile", 12))
FATES = (
    ("edited", 9),
    ("edited_twice", 3),
    ("deleted", 6),
    ("deleted_up_to_revision", 4),
    ("created_again", 5),
    ("deleted_before_arrival", 4),
    ("account_closed", 1),
)
ODDITIES = (("strange_id", 3), ("strange_date", 3), ("no_author", 5))
GARBAGE_PER_CHAPTER = 3
# Neither the busiest accounts, without which little would be left to see, nor those that hardly write.
_EVER_SUSPENDED = slice(4, 100)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One stretch of the feed: its events, in order, and the planted event, if there is one."""

    number: int
    events: tuple[NetworkEvent, ...]
    burst: Burst | None


def chapter_of(world: World, number: int, posts: int = POSTS_PER_CHAPTER) -> Chapter:
    """Makes chapter `number` of the feed, with that many new posts. Costs the same for every number."""
    return _ChapterWriter(world, number, posts).write()


class _ChapterWriter:
    """Writes one chapter. Looks back on at most that chapter's own posts."""

    def __init__(self, world: World, number: int, posts: int) -> None:
        self._world = world
        self._number = number
        self._posts = posts
        self._generator = Random(f"{world.seed}/{number}")
        self._events: list[NetworkEvent] = []
        self._alive: dict[str, PostPublished] = {}
        self._recent: deque[PostPublished] = deque(maxlen=60)
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._returning: list[Person] = []
        self._now_ms = 0

    def write(self) -> Chapter:
        random = self._generator
        burst = plan_burst(random, self._world.seed, self._number)
        witnesses = None if burst is None else self._witnesses(burst)
        contents = random.deal(CONTENTS, "plain", POSTS_PER_CHAPTER)
        fates = random.deal(FATES, "kept", POSTS_PER_CHAPTER)
        oddities = random.deal(ODDITIES, "none", POSTS_PER_CHAPTER)
        garbage_at = {random.between(0, self._posts - 1) for _ in range(GARBAGE_PER_CHAPTER)}
        for count, (time_ms, in_burst) in enumerate(self._times(burst)):
            self._now_ms = time_ms
            content = "burst" if in_burst else contents[count]
            post = self._new_post(witnesses if in_burst else None, content, fates[count], oddities[count])
            self._events.append(post)
            self._alive[post.id] = post
            self._recent.append(post)
            self._plan(count, post)
            if count in garbage_at:
                position = self._position()
                self._events.append(Garbage(position, random.pick(hostile.GARBAGE)(f"{self._world.seed}-g{position}")))
            self._let_happen(until=count)
        self._let_happen(until=2 * POSTS_PER_CHAPTER)
        self._suspend_and_restore()
        return Chapter(self._number, tuple(self._events), burst)

    def _times(self, burst: Burst | None) -> list[tuple[int, bool]]:
        """Draws when each new post is written, and whether it is about the planted event."""
        random = self._generator
        busy = min(random.between(45, 60), self._posts // 4) if burst else 0
        times = [(clock.time_ms(self._number, random.share()), False) for _ in range(self._posts - busy)]
        if burst is not None:
            times += [(burst.draw_time_ms(random), True) for _ in range(busy)]
        return sorted(times)

    def _position(self) -> int:
        return self._number * POSITIONS_PER_CHAPTER + len(self._events) + 1

    def _witnesses(self, burst: Burst) -> Witnesses:
        return Witnesses(Random(f"{self._world.seed}/{self._number}/witnesses"), self._world, burst)

    # --- posts -----------------------------------------------------------------------------------------------------

    def _new_post(self, witnesses: Witnesses | None, content: str, fate: str, oddity: str) -> PostPublished:
        random, position = self._generator, self._position()
        stem = f"{self._world.seed}-{position}"
        target = random.pick(self._recent) if self._recent and content in ("repost", "reply") else None
        draft, lang, known = self._draft(witnesses, content, target)
        nobody = oddity == "no_author" and fate != "account_closed"
        return PostPublished(
            position=position,
            id=hostile.hostile_id(random, stem) if oddity == "strange_id" else stem,
            author=None if nobody else self._author(is_witness=witnesses is not None),
            created_at_ms=hostile.hostile_date(random, self._now_ms) if oddity == "strange_date" else self._now_ms,
            revision=0,
            text=draft.text,
            names=draft.names if known else (),
            known=known,
            lang=lang,
            photos=_photos(random, draft) if random.chance(0.25) else (),
            reply_to=target.id if target and content == "reply" else None,
            content=content,
            fate=fate,
        )

    def _author(self, *, is_witness: bool) -> Person:
        if self._returning:
            return self._returning.pop()
        return self._generator.pick(self._world.authors) if is_witness else self._world.pick_author(self._generator)

    def _draft(
        self, witnesses: Witnesses | None, content: str, target: PostPublished | None
    ) -> tuple[Draft, str | None, bool]:
        """Drafts a text; returns it with its language, and whether all names in it are known."""
        random, world = self._generator, self._world
        if witnesses is not None:
            return witnesses.draft(), "en", True
        if content == "hostile":
            return plain(random.pick(hostile.TEXTS)[1](random)), None, False
        if content == "foreign":
            language = random.pick(topics("language"))
            return untidy(random, fill(random, world, random.pick(sentences()[f"language:{language}"]))), language, True
        handle = target.author.handle if target and target.author else world.pick_author(random).handle
        if target is not None and content == "repost":
            return reposted(handle, marked(target.text, target.names)), target.lang, target.known
        draft = untidy(random, fill(random, world, random.pick(everyday())))
        language_known = None if random.chance(0.2) else "en"
        return (addressed(handle, draft) if content == "reply" else draft), language_known, True

    # --- what becomes of them --------------------------------------------------------------------------------------

    def _plan(self, count: int, post: PostPublished) -> None:
        random = self._generator
        soon, later = count + random.between(2, 25), count + random.between(26, 90)
        match post.fate:
            case "edited":
                self._schedule(later, lambda: self._edit(post.id))
            case "edited_twice":
                self._schedule(soon, lambda: self._edit(post.id))
                self._schedule(later, lambda: self._edit(post.id))
            case "deleted":
                self._schedule(later, lambda: self._remove(post.id, up_to_revision=False))
            case "deleted_before_arrival":
                self._schedule(soon, lambda: self._remove(post.id, up_to_revision=False))
            case "deleted_up_to_revision":
                self._schedule(soon, lambda: self._remove(post.id, up_to_revision=True))
            case "created_again":
                self._schedule(soon, lambda: self._remove(post.id, up_to_revision=True))
                self._schedule(later, lambda: self._create_again(post))
            case "account_closed":
                self._schedule(soon, lambda: self._close(post.author))

    def _schedule(self, count: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (count, len(self._due) + len(self._events) * POSTS_PER_CHAPTER, action))

    def _let_happen(self, until: int) -> None:
        while self._due and self._due[0][0] <= until:
            heapq.heappop(self._due)[2]()

    def _revision(self) -> int:
        """Returns microseconds, by which networks tell edits apart; they rise with every event."""
        return self._now_ms * 1000 + len(self._events) % 1000

    def _edit(self, post_id: str) -> None:
        post = self._alive.get(post_id)
        if post is None:  # the account was closed meanwhile
            return
        random = self._generator
        draft = untidy(random, fill(random, self._world, random.pick(everyday())))
        self._publish_again(post, draft, lang="en", created_at_ms=post.created_at_ms)

    def _create_again(self, post: PostPublished) -> None:
        if post.author in self._closed_since(post):
            return
        random = self._generator
        draft = untidy(random, fill(random, self._world, random.pick(everyday())))
        self._publish_again(post, draft, lang="en", created_at_ms=self._now_ms)

    def _publish_again(self, post: PostPublished, draft: Draft, *, lang: str, created_at_ms: int) -> None:
        changed = replace(
            post,
            position=self._position(),
            created_at_ms=created_at_ms,
            revision=self._revision(),
            text=draft.text,
            names=draft.names,
            known=True,
            lang=lang,
        )
        self._events.append(changed)
        self._alive[post.id] = changed

    def _remove(self, post_id: str, *, up_to_revision: bool) -> None:
        if self._alive.pop(post_id, None) is not None:
            revision = self._revision() if up_to_revision else None
            self._events.append(PostRemoved(self._position(), post_id, revision))

    def _close(self, author: Person | None) -> None:
        if author is None:
            return
        self._events.append(AccountClosed(self._position(), author))
        self._alive = {post_id: post for post_id, post in self._alive.items() if post.author != author}
        self._returning.append(author)

    def _suspend_and_restore(self) -> None:
        """Ends the chapter by suspending three accounts.

        One is suspended by mistake, one until the end of the next chapter, one for good.
        """
        mistaken, for_a_while, for_good = _suspended_by(self._world, self._number)
        self._events.append(AccountSuspended(self._position(), mistaken))
        self._events.append(AccountRestored(self._position(), mistaken))
        if self._number > 0:
            _, back, _ = _suspended_by(self._world, self._number - 1)
            self._events.append(AccountRestored(self._position(), back))
        self._events.append(AccountSuspended(self._position(), for_a_while))
        self._events.append(AccountSuspended(self._position(), for_good))

    def _closed_since(self, post: PostPublished) -> Sequence[Person]:
        return [
            event.author
            for event in self._events
            if isinstance(event, AccountClosed) and event.position > post.position
        ]


def _suspended_by(world: World, number: int) -> list[Person]:
    """Returns the three accounts that a chapter suspends, without writing the chapter."""
    choice = list(world.authors[_EVER_SUSPENDED])
    Random(f"{world.seed}/{number}/suspended").shuffle(choice)
    return choice[:3]


def _photos(random: Random, draft: Draft) -> tuple[PostPhoto, ...]:
    """Draws one to four images, now and then more than a post may have; some authors describe them."""
    count = 1 if random.chance(0.8) else random.between(2, 6)
    names = [piece.text for piece in draft.pieces if piece.type is not None]
    photos = []
    for _ in range(count):
        number = None if random.chance(0.03) else random.between(0, POOL - 1)
        alt = f"{random.pick(names)}, seen from afar" if names and random.chance(0.3) else None
        photos.append(PostPhoto(number, alt))
    return tuple(photos)
