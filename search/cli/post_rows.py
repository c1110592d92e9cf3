"""Posts as rows of a CSV."""

from search.cli.output import json_time
from tagstream.posts import TaggedPost

POST_HEADER = ("created_at", "id", "author", "text", "url", "entities")


def post_row(post: TaggedPost) -> list[str]:
    """Returns the post as the cells of a CSV."""
    author = (post.author.handle or post.author.id) if post.author else ""
    entities = "; ".join(dict.fromkeys(f"{entity.text} ({entity.type})" for entity in post.entities))
    return [json_time(post.created_at), post.id, author, post.text, post.url or "", entities]
