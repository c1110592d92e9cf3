"""What to say to whoever found nothing."""

from search.query import Named, ParsedQuery


def advice(query: ParsedQuery) -> str | None:
    """What to say to whoever asked for a whole name and found nothing, None for who asked for none."""
    names = [one for one in query.clauses if isinstance(one, Named)]
    if not names:
        return None
    written = " ".join(f"{one.key} type:{one.type}" if one.type else f"{one.key} has:entity" for one in names)
    return f"person:, place:, entity: and the like ask for a whole name; a part of one is found by its word: {written}"
