"""Stands between the governor and the API server and holds one write, so that its author can be killed meanwhile."""
import asyncio
import re
import ssl
import threading
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 65536


class Proxy:
    """https://127.0.0.1:PORT, with the API server's own certificate; HTTP/1.1, one connection behind each.

    Its loop runs in a thread of its own; `held` and what release() waits for cross over.
    """

    def __init__(self, cluster):
        upstream = urlsplit(cluster.server)
        self.upstream = (upstream.hostname, upstream.port)
        self.outward = ssl.create_default_context(cafile=cluster.ca)
        self.inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pki = Path(cluster.directory, "pki")
        self.inward.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
        self.armed, self.request = True, b""
        self.held = threading.Event()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.inward))
        self.server = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def release(self, land):
        """Lets the held write reach the server, or drops it. Returns once that is done."""
        if land:
            self._run(self._land())

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _serve(self, reader, writer):
        try:
            behind_reader, behind_writer = await asyncio.open_connection(*self.upstream, ssl=self.outward)
            answers = asyncio.create_task(pump(behind_reader, writer))
            await self._requests(reader, behind_writer)
            behind_writer.close()
            await answers
        except OSError:
            pass  # either side has gone; the other learns it by its connection's end
        finally:
            writer.close()

    async def _requests(self, reader, writer):
        while data := await reader.read(CHUNK):
            if self.armed and is_effect(data):
                self.armed, self.request = False, await whole(reader, data)
                self.held.set()
                await reader.read()  # no answer; it is over when its author is
                return
            writer.write(data)
            await writer.drain()

    async def _land(self):
        """On a connection of its own, whose answer nobody is there to read."""
        reader, writer = await asyncio.open_connection(*self.upstream, ssl=self.outward)
        writer.write(self.request)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


def is_effect(data):
    """Does this request begin a write to a Deployment that is not a dry run?"""
    line = data.split(b"\r\n", 1)[0]
    return line.startswith((b"PATCH ", b"PUT ")) and b"/deployments/" in line and b"dryRun" not in line


async def whole(reader, data):
    """The request's bytes to the end of its body."""
    while b"\r\n\r\n" not in data:
        data += await reader.read(CHUNK)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    if not length:
        raise RuntimeError("a write without Content-Length; the proxy does not know where it ends")
    body += await reader.readexactly(int(length[1]) - len(body))
    return head + b"\r\n\r\n" + body


async def pump(reader, writer):
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()
