"""A batch of any size on a Triton server: cut into requests, of which only those that came too late are asked again."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tagstream.errors import ModelUnavailable
from workers.triton.client import ATTEMPTS, TritonClient
from workers.triton.contract import Tensors

# The answer to a part, or why there is none.
_Ended = list[npt.NDArray[Any]] | BaseException


async def infer_in_parts(
    client: TritonClient, rows: Tensors, outputs: Sequence[str], rows_a_request: int | None = None
) -> list[npt.NDArray[Any]]:
    """Returns those outputs, in that order, of any number of rows; one request has at most `rows_a_request`.

    A server that is too slow for such requests is asked for fewer rows at a time. As long as it answers some of them
    the others are asked for again, so that what it did is not thrown away.

    Raises:
        ModelUnavailable, UntaggablePost, BadSettings, CorruptState: as `TritonClient.infer`.
    """
    if not client.max_rows:
        await client.open(ATTEMPTS)  # the server was away when the connection began
    most = min(client.max_rows, rows_a_request or client.max_rows)
    window = client.window_of(rows)
    answered: dict[int, list[npt.NDArray[Any]]] = {}
    missing = [range(len(next(iter(rows.values()))))]
    while missing:
        step = max(1, int(most * window.share))
        parts = [part for rest in missing for part in _cut(rest, step)]
        ended = await asyncio.gather(
            *[client.infer(_rows_of(rows, part), outputs) for part in parts], return_exceptions=True
        )
        missing = _late(parts, ended)
        answered |= {part.start: answer for part, answer in zip(parts, ended, strict=True) if isinstance(answer, list)}
    return [np.concatenate(arrays) for arrays in zip(*[answered[start] for start in sorted(answered)], strict=True)]


def _cut(rest: range, step: int) -> list[range]:
    return [range(start, min(start + step, rest.stop)) for start in range(rest.start, rest.stop, step)]


def _rows_of(rows: Tensors, part: range) -> Tensors:
    return {name: array[part.start : part.stop] for name, array in rows.items()}


def _late(parts: Sequence[range], ended: Sequence[_Ended]) -> list[range]:
    """Returns the parts that the server had no time for; raises a failure of another kind, or if all were late."""
    errors = [answer for answer in ended if isinstance(answer, BaseException)]
    for error in errors:
        if not isinstance(error, ModelUnavailable) or len(errors) == len(parts):
            raise error
    return [part for part, answer in zip(parts, ended, strict=True) if isinstance(answer, ModelUnavailable)]
