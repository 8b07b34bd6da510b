"""The program under test: its configuration, its process, what its API says."""
import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import parts

PROGRAM = str(parts.BUILD / "flyball")


def configuration(plan, mode, ports, kubeconfig):
    """flyball.yaml of a run. JSON is YAML, and needs no quoting of ours."""
    workloads = {s.name: {"namespace": plan.namespace, "workload": s.deployment, "kind": "Deployment"}
                 for s in plan.services if s.identity == "none"}
    return json.dumps({
        "listen": {"otlp_grpc": ports[0], "otlp_http": ports[1], "api": ports[2]},
        "target": f"kubernetes:?kubeconfig={kubeconfig}",
        "traces": {"unsampled": True},
        "services": workloads,
        "handlers": [{"name": "restart", "kinds": ["latency", "errors", "saturation", "memory", "unknown"],
                      "action": "rollout_restart", "mode": mode}],
    }, indent=1)


class Governor:
    """`flyball run` with a state directory of its own."""

    def __init__(self, directory, plan, mode, kubeconfig_text):
        self.directory = Path(directory)
        self.ports = parts.free_ports(3)
        self.receiver = {"grpc": f"127.0.0.1:{self.ports[0]}", "http": f"127.0.0.1:{self.ports[1]}"}
        self.url = f"http://127.0.0.1:{self.ports[2]}"
        self.log, self.process = str(self.directory / "flyball.log"), None
        kubeconfig = self.directory / "kubeconfig"
        kubeconfig.write_text(kubeconfig_text, encoding="utf-8")
        kubeconfig.chmod(0o600)
        (self.directory / "flyball.yaml").write_text(configuration(plan, mode, self.ports, kubeconfig), encoding="utf-8")

    def start(self):
        self.process = parts.start([PROGRAM, "run", "-c", str(self.directory / "flyball.yaml"), "--state",
                                    str(self.directory / "state")], self.log)
        until = time.monotonic() + 30
        while not self.answers("/readyz"):
            if self.process.poll() is not None:
                raise RuntimeError(f"flyball run ended with {self.process.returncode}: {self.last_words()}")
            if time.monotonic() > until:
                raise RuntimeError(f"flyball run is not ready after 30 s: {self.last_words()}")
            time.sleep(0.1)

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def close(self):
        """Returns its exit status, None when it was never started."""
        return parts.end(self.process) if self.process else None

    def last_words(self):
        path = Path(self.log)
        return path.read_text(encoding="utf-8", errors="replace")[-2000:].strip() if path.exists() else ""

    def answers(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=5) as response:
            return json.load(response)

    def list(self, path):
        """A collection, whether it comes bare or with a word on what follows."""
        answer = self.get(path)
        return answer if isinstance(answer, list) else next(value for value in answer.values() if isinstance(value, list))

    def events(self, kind):
        """The CloudEvents of a type, oldest first."""
        events = self.list(f"/api/v1/events?type={kind}")
        return sorted((event for event in events if event["type"] == kind), key=lambda event: event["id"])

    def actions(self):
        return self.list("/api/v1/actions")

    def cli(self, *arguments):
        """(exit status, output) of a verb that asks this daemon."""
        run = subprocess.run([PROGRAM, *arguments, "--server", self.url], capture_output=True, text=True, timeout=30, check=False)
        return run.returncode, run.stdout + run.stderr
