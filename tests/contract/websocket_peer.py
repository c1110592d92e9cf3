"""The server's end of a WebSocket, written from RFC 6455 and RFC 7692 byte by byte.

No library: so that nothing of what a test sends is tidied up on its way, and a client is not tried against its own
library's other half.
"""

import asyncio
import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class WebSocketPeer:
    """One client. `target` is what it asked for; `headers` are its own, in lower case."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._deflate: zlib._Compress | None = None
        self.target: SplitResult = urlsplit("")
        self.headers: Mapping[str, str] = {}
        self.answers_pings = True
        self.pings = 0
        self.pongs = 0
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()

    async def read_request(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        self.target = urlsplit(head[0].split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}

    async def refuse(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} No", *(f"{name}: {value}" for name, value in headers.items())]
        await self._write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        self._writer.close()

    async def accept(self, *, deflate: bool) -> None:
        """Upgrades; with `deflate`, takes up permessage-deflate if the client offers it."""
        key = base64.b64encode(hashlib.sha1(self.headers["sec-websocket-key"].encode() + _GUID).digest()).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        lines.append(f"Sec-WebSocket-Accept: {key}")
        if deflate and "permessage-deflate" in self.headers.get("sec-websocket-extensions", ""):
            lines.append("Sec-WebSocket-Extensions: permessage-deflate")
            self._deflate = zlib.compressobj(wbits=-15)
        await self._write("\r\n".join([*lines, "", ""]).encode())

    @property
    def deflates(self) -> bool:
        return self._deflate is not None

    async def send(self, payload: bytes, kind: int = TEXT) -> None:
        """One whole message."""
        if self._deflate is None:
            await self.frame(kind, payload)
            return
        squeezed = self._deflate.compress(payload) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self.frame(kind, squeezed.removesuffix(b"\x00\x00\xff\xff"), reserved=0x40)

    async def frame(self, kind: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> None:
        await self._write(frame_head(kind, len(payload), final=final, reserved=reserved) + payload)

    async def raw(self, data: bytes) -> None:
        await self._write(data)

    async def close(self, code: int, reason: str = "") -> None:
        await self.frame(CLOSE, struct.pack("!H", code) + reason.encode())
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self._writer.write(data)
        await self._writer.drain()

    async def listen(self) -> None:
        """Answers pings and keeps messages, until the client is gone."""
        try:
            while True:
                kind, payload = await self._read_frame()
                if kind == PING:
                    self.pings += 1
                    if self.answers_pings:
                        await self.frame(PONG, payload)
                elif kind == PONG:
                    self.pongs += 1
                elif kind == CLOSE:
                    if self.answers_pings:
                        await self.frame(CLOSE, payload[:2])
                    return
                elif kind == TEXT:
                    self.messages.put_nowait(payload)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def _read_frame(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4)
        masked = await self._reader.readexactly(length)
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
        if first & 0x40:
            payload = zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff")
        return first & 0xF, payload


def frame_head(kind: int, length: int, *, final: bool = True, reserved: int = 0) -> bytes:
    """The beginning of a frame that says it is that long."""
    first = bytes([(0x80 if final else 0) | reserved | kind])
    if length < 126:
        return first + bytes([length])
    return first + (b"\x7e" + struct.pack("!H", length) if length < 65536 else b"\x7f" + struct.pack("!Q", length))
