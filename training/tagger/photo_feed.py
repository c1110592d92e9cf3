"""The labelled tweets that come with their photos, as a recorded feed: `python -m training.tagger.photo_feed FILE`.

For `tagstream bench photos --source jsonl:FILE`. Authors described none of these photos; a machine's caption stands in
for the description.
"""

import base64
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from tagstream.posts import Media, Post
from tagstream.text.hashtags import hashtags_of
from training.datasets import data_folder

_SIDE = 256
_UNDATED = datetime(2017, 1, 1, tzinfo=UTC)


def photo_posts() -> Iterator[Post]:
    """Returns the tweets of both sets, in order of the files."""
    for corpus in ("twitter_2015", "twitter_2017"):
        source = corpus.replace("_", "")
        folder = data_folder() / "mner/photo_samples" / corpus
        for path in sorted(folder.glob("texts/*/*.json")):
            captions = {
                one["id"]: one["caption"] for one in _lines(next((folder / "captions" / path.parent.name).glob("*")))
            }
            for tweet in _lines(path):
                photo = _thumbnail(folder / "images" / path.parent.name / tweet["image_id"])
                media = Media(alt=captions.get(tweet["id"]), sha256=hashlib.sha256(photo).hexdigest(), thumbnail=photo)
                text = " ".join(tweet["tokens"])
                yield Post(
                    id=f"{source}:{path.parent.name}-{tweet['id']}",
                    source=source,
                    created_at=_UNDATED,
                    text=text,
                    hashtags=hashtags_of(text),
                    media=(media,),
                )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _thumbnail(path: Path) -> bytes:
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    store = io.BytesIO()
    small.save(store, "JPEG", quality=80)
    return store.getvalue()


def _recorded(post: Post) -> str:
    values = post.model_dump(mode="json", exclude={"media": {"__all__": {"thumbnail"}}})
    for media, photo in zip(values["media"], post.media, strict=True):
        media["thumbnail"] = base64.b64encode(photo.thumbnail or b"").decode()
    return json.dumps({"recorded": "post", "event": values})


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("".join(f"{_recorded(post)}\n" for post in photo_posts()), encoding="utf-8")
