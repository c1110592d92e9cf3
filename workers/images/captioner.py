"""Captioners: plug-ins that describe a photo in a sentence, which the tagger reads in place of labels.

::

    TAGSTREAM_CAPTIONER        plug-in (entry point of `tagstream.captioners`)
    FOLDER with last.pt        recurrent      ─┐
    FOLDER with config.json    transformers    ├─▶ Captioner ─▶ RememberedCaptions: thumbnail ─▶ sentence
    hub:OWNER/NAME             transformers    │
    NAME:ARGUMENT              NAME           ─┘

A plug-in is imported only where the setting names one, so serving needs none of the libraries that captioners need.
"""

import hashlib
import threading
from collections.abc import Sequence
from typing import Protocol

from cachetools import LRUCache

from tagstream.errors import BadSettings, ModelUnavailable, TagstreamError
from tagstream.plugins import PluginKind, find_plugin
from tagstream.settings import Settings
from workers.models.captioner_version import CaptionerVersion

MOST_REMEMBERED = 4096


class CaptionerOpener(Protocol):
    """The object that an entry point of the group `tagstream.captioners` names.

    `open_captioner` calls it once, in the main thread, before the process reads its first post. `argument` is the part
    of the setting after the name of the plug-in, without `?generation=N`. Loading may take seconds, and may change
    settings of the process for its own libraries, such as their number of threads; `settings.threads` cores are meant
    for models.

    Raises:
        TagstreamError: `BadSettings` where the argument names no captioner, `CorruptState` where files cannot be read.
            The command ends with the message.
        Exception: anything else. The command ends with a message that names the plug-in and its package.
    """

    def __call__(self, argument: str, settings: Settings) -> "Captioner": ...


class Captioner(Protocol):
    """A captioner: pictures in, sentences out.

    The same picture should always have the same caption: tagging a post again then gives the same entities.
    """

    def captions(self, pictures: Sequence[bytes]) -> list[str]:
        """Returns a sentence of lower-case words for each JPEG of at most 64 KiB and 256 x 256 pixels, in order.

        An empty sentence stands for something that is no picture, and leaves the labels of the image model in place.
        Today each call has one picture, because the words of a post must not depend on other posts.

        A pool thread calls it, never the event loop, and not always the same thread. Within one pipeline one call runs
        at a time. After 30 seconds a call is left to itself: its post goes on without a caption, and so do all others
        until the call returns.

        Raises:
            ModelUnavailable: the captioner cannot answer now, or fails on this picture. The post is tagged with the
                labels and marked degraded; `tagstream retag` repairs it later.
            Fatal: the captioner will not answer again. The process stops.
            Exception: any other error counts as `ModelUnavailable`.
        """
        ...


def open_captioner(version: CaptionerVersion, settings: Settings) -> "RememberedCaptions":
    """Opens the captioner by its plug-in.

    Raises:
        BadSettings: no installed package offers the plug-in, the plug-in cannot be loaded, or there is no such model.
        CorruptState: the files of the captioner cannot be read.
        Fatal: the plug-in failed otherwise.
    """
    plugin = find_plugin(PluginKind.CAPTIONER, version.plugin)
    if plugin is None:
        raise BadSettings(
            f"TAGSTREAM_CAPTIONER {version.argument}: no installed package offers the captioner {version.plugin!r}; "
            "`tagstream plugins` lists those there are; if it is one of tagstream's own, install tagstream again"
        )
    opener: CaptionerOpener = plugin.load()
    with plugin.blamed():
        captioner = opener(version.argument, settings)
    plugin.require(captioner, ("captions",))
    return RememberedCaptions(captioner)


class RememberedCaptions:
    """The captions of the photos seen last, by the hash of their thumbnails; at most `most` of them.

    Several threads may call it at once. A picture is captioned alone, because the words of a post must not depend on
    other posts.
    """

    def __init__(self, captioner: Captioner, most: int = MOST_REMEMBERED) -> None:
        self._captioner = captioner
        self._known: LRUCache[bytes, str] = LRUCache(most)
        self._lock = threading.Lock()

    def __call__(self, thumbnail: bytes) -> str:
        """Returns the caption of a thumbnail; an empty one for something that is no picture.

        Raises:
            ModelUnavailable: the captioner fails on the picture, or does not answer now.
        """
        key = hashlib.sha256(thumbnail).digest()
        with self._lock:
            if (known := self._known.get(key)) is not None:
                return known
        try:
            (caption,) = self._captioner.captions([thumbnail])
        except TagstreamError:
            raise
        except Exception as error:  # the libraries of captioners raise errors of many classes
            message = " ".join(str(error).split())[:300]
            raise ModelUnavailable(f"the captioner failed on a picture: {message}") from error
        if not isinstance(caption, str):
            raise ModelUnavailable(f"the captioner gave {type(caption).__name__} for a picture, not a sentence")
        with self._lock:
            self._known[key] = caption
        return caption
