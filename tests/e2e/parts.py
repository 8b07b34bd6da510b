"""Processes that end with this one, and free ports."""
import os
import socket
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("FLYBALL_BUILD", Path(__file__).parents[2] / "build"))  # where the programs under test are


def start(arguments, log):
    """A child that is killed when the thread that started it ends, however it ends; its output goes to the file `log`."""
    with open(log, "ab") as out:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT)


def end(process, seconds=10):
    """Asks a child to end, and kills it when it does not in time. Returns its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def replace(path, text):
    """Writes a file that others read at any moment."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)
