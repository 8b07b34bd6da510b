"""Stands between the governor and the API server and holds one write, so that its author can be killed meanwhile."""
import re
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 65536


class Proxy:
    """https://127.0.0.1:PORT, with the API server's own certificate; HTTP/1.1, one connection behind each."""

    def __init__(self, cluster):
        upstream = urlsplit(cluster.server)
        self.upstream = (upstream.hostname, upstream.port)
        self.outward = ssl.create_default_context(cafile=cluster.ca)
        self.inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pki = Path(cluster.directory, "pki")
        self.inward.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
        self.armed, self.land = True, False
        self.held, self.released, self.answered = threading.Event(), threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.server = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def release(self, land):
        """Lets the held write reach the server, or drops it with its connection. Returns once that is done."""
        self.land = land
        self.released.set()
        if land and not self.answered.wait(30):
            raise RuntimeError("the API server has not answered the write that was held")

    def close(self):
        self.released.set()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            with self.inward.wrap_socket(plain, server_side=True) as client:
                with socket.create_connection(self.upstream) as out, self.outward.wrap_socket(
                        out, server_hostname=self.upstream[0]) as server:
                    threading.Thread(target=pump, args=(server, client), daemon=True).start()
                    self._requests(client, server)
        except OSError:
            pass  # either side has gone; the other learns it by its connection's end

    def _requests(self, client, server):
        while data := client.recv(CHUNK):
            if self.armed and is_effect(data):
                self.armed = False
                data = whole(client, data)
                self.held.set()
                self.released.wait()
                if self.land:
                    self._land(data)
                return
            server.sendall(data)

    def _land(self, data):
        """On a connection of its own, whose answer nobody is there to read."""
        with socket.create_connection(self.upstream) as out, self.outward.wrap_socket(
                out, server_hostname=self.upstream[0]) as server:
            server.sendall(data)
            if server.recv(CHUNK):
                self.answered.set()


def is_effect(data):
    """Does this request begin a write to a Deployment that is not a dry run?"""
    line = data.split(b"\r\n", 1)[0]
    return line.startswith((b"PATCH ", b"PUT ")) and b"/deployments/" in line and b"dryRun" not in line


def whole(client, data):
    """The request's bytes to the end of its body."""
    while b"\r\n\r\n" not in data:
        data += client.recv(CHUNK)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    if not length:
        raise RuntimeError("a write without Content-Length; the proxy does not know where it ends")
    while len(body) < int(length[1]):
        body += client.recv(CHUNK)
    return head + b"\r\n\r\n" + body


def pump(source, sink):
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
