"""Posts that must not become an event: accounts that repeat themselves, and armies that copy one text."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

_BRANDS = ("Samsung Galaxy", "Nintendo Switch", "Sony Bravia", "Apple Watch")
_SHOPS = ("Walmart in Dallas", "Target in Phoenix", "Costco in Seattle", "Tesco in Leeds")
_SINGERS = ("Jordan Vega from Ohio", "Mia Castellan from Leeds", "Tony Marrow from Detroit", "Lena Okafor from Lagos")
_OPENINGS = ("", "", "omg ", "hey ", "Hey, ", "wow ", "yes! ", "RT ", "ok so ", "guys ")
_ENDINGS = ("", "", "!", "!!", " :)", " ❤", " 🔥🔥", " pls", " now", " lol", " xoxo", " #np")
_TOPICS = (
    ("Senator Harold Brightwell", "Nashville", "a liar", "BrightwellOut"),
    ("Mayor Gloria Stanmore", "Bristol", "a crook", "StanmoreOut"),
)
_SENTENCES = (
    "{who} of {where} is {what} and everybody knows it #{tag}",
    "everyone knows that {who} of {where} is {what} #{tag}",
    "do not believe {who}, {what} from {where} #{tag}",
)


@dataclass(frozen=True, slots=True)
class NoisePost:
    """A post that belongs to no event, `offset` after the start of its feed."""

    offset: timedelta
    text: str
    author: str


def one_account(day: int, chance: Random) -> Iterator[NoisePost]:
    """Yields 300 near-copies that one account posts within three quarters of an hour."""
    begin = timedelta(days=day, hours=chance.randrange(14, 20))
    brand, shop = chance.choice(_BRANDS), chance.choice(_SHOPS)
    for number in range(300):
        text = f"Deal {number}: {brand} at {shop}, {100 + number % 50} dollars! #deals"
        yield NoisePost(begin + timedelta(seconds=9 * number), text, f"bot{day}")


def one_text(day: int, chance: Random) -> Iterator[NoisePost]:
    """Yields one text that 200 accounts post within a quarter of an hour."""
    begin = timedelta(days=day, hours=chance.randrange(1, 5))
    singer = chance.choice(_SINGERS)
    text = f"Everybody follow {singer}, the best singer in America #{singer.split()[1]}Army"
    for number in range(200):
        yield NoisePost(begin + timedelta(seconds=4 * number), text, f"farm{day}_{number}")


def changed_copies(day: int, chance: Random) -> Iterator[NoisePost]:
    """Yields what 500 accounts post within half an hour: one of three sentences, each copy with small changes.

    A change: an opening, an ending, a letter lost, a word doubled, all in capitals, somebody's @name, a number.
    """
    begin = timedelta(days=day, hours=chance.randrange(6, 20))
    who, where, what, tag = chance.choice(_TOPICS)
    for number in range(500):
        text = chance.choice(_SENTENCES).format(who=who, where=where, what=what, tag=tag)
        offset = begin + timedelta(seconds=chance.uniform(0, 1_800))
        yield NoisePost(offset, _changed(text, chance), f"army{day}_{number}")


def _changed(text: str, chance: Random) -> str:
    for change in chance.sample(_CHANGES, chance.randrange(1, 4)):
        text = change(text, chance)
    return chance.choice(_OPENINGS) + text + chance.choice(_ENDINGS)


def _letter_lost(text: str, chance: Random) -> str:
    offset = chance.randrange(len(text) // 2)
    return text[:offset] + text[offset + 1 :]


def _word_doubled(text: str, chance: Random) -> str:
    words = text.split(" ")
    position = chance.randrange(len(words) - 1)
    return " ".join([*words[: position + 1], *words[position:]])


def _shouted(text: str, chance: Random) -> str:
    return text.upper() if chance.random() < 0.5 else text.lower()


def _addressed(text: str, chance: Random) -> str:
    return f"@friend{chance.randrange(10_000)} {text}"


def _numbered(text: str, chance: Random) -> str:
    return f"{text} {chance.randrange(1, 1_000)}"


_CHANGES: tuple[Callable[[str, Random], str], ...] = (
    _letter_lost,
    _word_doubled,
    _shouted,
    _addressed,
    _numbered,
)

NOISE: Mapping[str, Callable[[int, Random], Iterable[NoisePost]]] = {
    maker.__name__: maker for maker in (one_account, one_text, changed_copies)
}


def noise_of(kinds: Iterable[str], days: int, seed: int) -> list[NoisePost]:
    """Makes each kind of noise on every second day."""
    chance = Random(seed)
    return [post for kind in kinds for day in range(0, days, 2) for post in NOISE[kind](day, chance)]
