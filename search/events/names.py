"""Names that count as one: `NYC`, `#NewYorkCity` and `new york city`; and one name that means several.

Learnt from what trends, so that two names become one only where a feed shows it. Nothing that is stored changes: keys
stay as they are, an alias is a view upon them, and `why` tells the reasons. A name that is `separate` takes no part in
the rule of initials; names of the same letters are one wherever trends are detected, so they are one here.

Rules, in order:

- *same key*: one key under several types, as a place and as a hashtag;
- *same letters*: keys that differ in spaces, dots, dashes and apostrophes alone (`hongkong`, `hong kong`; `o'brien`);
- *initials*: a short key that is the initials of a longer one (`nyc`), if both are mentioned with the same subjects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import networkx

from search.events.same_letters import letters_of
from tagstream.detections import SubjectForm, TrendState
from tagstream.text.entity_keys import fold_key

Rule = Literal["same key", "same letters", "initials"]

MAX_NAMES = 10_000
MAX_COMPANIONS = 64
SHARED_COMPANIONS = 2
"""The companions that initials and the name must have in common, beside each other."""
INITIALS = range(2, 7)
MIN_FACET = 2
"""The companions that make a facet: one alone may stand for anything."""
_SEED = 7
_NAME_TYPES = frozenset(["PER", "LOC", "ORG", "MISC", "HASHTAG"])


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule by which a key counts as another one, and the companions that speak for it."""

    alias: str
    canonical: str
    rule: Rule
    companions: tuple[str, ...] = ()


@dataclass(slots=True)
class KnownName:
    """Facts about one key: types, the most authors at once by spelling, and the most posts by companion."""

    authors: int = 0
    types: set[str] = field(default_factory=set)
    spellings: dict[str, int] = field(default_factory=dict)
    companions: dict[str, int] = field(default_factory=dict)


class NameAliases:
    """Aliases that are learnt from trends; the same for the same set of trends, whatever their order.

    Args:
        separate: the names that are neither the initials of another one nor have any, whatever the trends show.
    """

    def __init__(self, separate: Iterable[str] = ()) -> None:
        self._names: dict[str, KnownName] = {}
        self._separate = frozenset(fold_key(name.removeprefix("#")) for name in separate)
        self._reasons: dict[str, Reason] | None = None

    def learn(self, trends: Iterable[TrendState]) -> None:
        """Learns the names, spellings and companions of trends; those seen before change nothing."""
        for trend in trends:
            for form in forms_of(trend):
                if form.type in _NAME_TYPES:
                    self._learn(form, trend)
        if len(self._names) > MAX_NAMES:
            kept = sorted(self._names, key=lambda key: (-self._names[key].authors, key))[:MAX_NAMES]
            self._names = {key: self._names[key] for key in kept}
        self._reasons = None

    def _learn(self, form: SubjectForm, trend: TrendState) -> None:
        authors = min(trend.authors, form.posts)
        name = self._names.setdefault(form.key, KnownName())
        name.authors = max(name.authors, authors)
        name.types.add(form.type)
        name.spellings[form.text] = max(name.spellings.get(form.text, 0), authors)
        for companion in trend.companions:
            name.companions[companion.key] = max(name.companions.get(companion.key, 0), companion.posts)
        ranked = sorted(name.companions.items(), key=lambda item: (-item[1], item[0]))
        name.companions = dict(ranked[:MAX_COMPANIONS])

    def is_separate(self, name: str) -> bool:
        """Returns whether the name counts for itself because it is one of those that are kept so."""
        return fold_key(name.removeprefix("#")) in self._separate and len(self.aliases(name)) == 1

    def canonical(self, name: str) -> str:
        """Returns the key under which a name counts: its own, unless it is an alias."""
        key = fold_key(name)
        reason = self._all_reasons().get(key)
        while reason is not None:
            key = reason.canonical
            reason = self._all_reasons().get(key)
        return key

    def aliases(self, name: str) -> tuple[str, ...]:
        """Returns the keys that count as the name, itself first."""
        key = self.canonical(name)
        return (key, *sorted(alias for alias in self._all_reasons() if self.canonical(alias) == key))

    def spelling(self, name: str) -> str:
        """Returns the commonest spelling of a name and its aliases: the one of most words, a hashtag's last."""
        texts: dict[str, int] = {}
        for key in self.aliases(name):
            for text, authors in self._names.get(key, KnownName()).spellings.items():
                texts[text] = max(texts.get(text, 0), authors)
        return min(texts, key=lambda text: (text.startswith("#"), -len(text.split()), -texts[text], text), default=name)

    def why(self, name: str) -> tuple[Reason, ...]:
        """Returns the reasons for which keys count as one with the name, by alias; none if it counts alone."""
        canonical = self.canonical(name)
        found = [reason for alias, reason in self._all_reasons().items() if self.canonical(alias) == canonical]
        known = self._names.get(canonical)
        if known is not None and len(known.types) > 1:
            found.append(Reason(canonical, canonical, "same key", tuple(sorted(known.types))))
        return tuple(sorted(found, key=lambda reason: (reason.alias, reason.rule)))

    def facets(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Returns the groups of companions that tell the bearers of one name apart; one group if there is one bearer.

        Companions that trend together without the name are of one group.
        """
        companions: dict[str, int] = {}
        for key in self.aliases(name):
            for other, posts in self._names.get(key, KnownName()).companions.items():
                companions[other] = max(companions.get(other, 0), posts)
        graph = networkx.Graph()
        for other in sorted(companions):
            for further, posts in self._names.get(other, KnownName()).companions.items():
                if further in companions and further != other:
                    graph.add_edge(other, further, weight=posts)
        if not graph:
            return ()
        groups = networkx.community.louvain_communities(graph, weight="weight", seed=_SEED)
        ordered = [
            sorted(group, key=lambda key: (-companions[key], key)) for group in groups if len(group) >= MIN_FACET
        ]
        return tuple(tuple(group) for group in sorted(ordered, key=lambda group: (-companions[group[0]], group)))

    def folded(self, trends: Sequence[TrendState]) -> list[TrendState]:
        """Returns one trend a name: of those that count as one, that with most authors, under the best spelling."""
        best: dict[str, TrendState] = {}
        for trend in trends:
            key = self.canonical(trend.key)
            known = best.get(key)
            if known is None or (-trend.authors, trend.type, trend.key) < (-known.authors, known.type, known.key):
                best[key] = trend
        kept = [trend.model_copy(update={"text": self.spelling(trend.key)}) for trend in best.values()]
        return sorted(kept, key=lambda trend: (-trend.score, trend.type, trend.key))

    def _all_reasons(self) -> dict[str, Reason]:
        if self._reasons is None:
            self._reasons = self._learnt_reasons()
        return self._reasons

    def _learnt_reasons(self) -> dict[str, Reason]:
        known = sorted(self._names)
        by_letters: dict[str, list[str]] = {}
        for key in known:
            by_letters.setdefault(letters_of(key), []).append(key)
        reasons: dict[str, Reason] = {}
        for keys in by_letters.values():
            canonical = min(keys, key=lambda key: (-len(key.split()), -self._names[key].authors, key))
            for key in keys:
                if key != canonical:
                    reasons[key] = Reason(key, canonical, "same letters", self._shared(key, canonical))
        by_initials: dict[str, list[str]] = {}
        for key in known:
            if key in self._separate:
                continue
            words = key.split()
            if len(words) > 1:
                by_initials.setdefault("".join(word[0] for word in words), []).append(key)
        for key in known:
            if key in reasons or key in self._separate or len(key) not in INITIALS:
                continue
            named = [(self._shared(key, full), full) for full in by_initials.get(key, ())]
            shared, full = max(named, key=lambda item: (len(item[0]), item[1]), default=((), ""))
            if len(shared) >= SHARED_COMPANIONS:
                reasons[key] = Reason(key, full, "initials", shared)
        return reasons

    def _shared(self, first: str, second: str) -> tuple[str, ...]:
        """Returns the companions that both keys have, those of most posts first."""
        one, two = self._names[first].companions, self._names[second].companions
        shared = [key for key in one if key in two and key not in (first, second)]
        return tuple(sorted(shared, key=lambda key: (-min(one[key], two[key]), key))[:MAX_COMPANIONS])


def forms_of(trend: TrendState) -> tuple[SubjectForm, ...]:
    """Returns the forms in which posts mention the subject of a trend: its own, if it was stored without."""
    return trend.forms or (SubjectForm(type=trend.type, key=trend.key, text=trend.text, posts=trend.posts),)
