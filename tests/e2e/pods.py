"""Keeps one process of the shop for each pod: born with it, in use while it is ready, ended after it.

A kubelet's part, since the fake one runs no containers: whatever replaces a pod (a rollout, a deletion)
replaces its process, and with it the fault that lived in it.
"""
import json
import sys
import threading
import time
from pathlib import Path

import parts

LOOK_S = 0.25
DRAIN_S = 1  # how long callers may still use the port of a pod that is gone


class Pod:
    def __init__(self, shop, service, name, uid):
        self.name, self.service = name, service.name
        self.port_file = shop.path(f"{name}.port")
        spec = {"name": service.name, "pod": name, "pod_uid": uid, "namespace": shop.plan.namespace,
                "deployment": service.deployment, "identity": service.identity, "transport": service.transport,
                "endpoint": shop.receiver[service.transport], "own_ms": service.own_ms, "calls": service.calls,
                "port_file": self.port_file, "endpoints_file": shop.endpoints_file, "fault_file": shop.fault_file,
                "times_file": shop.times_file}
        spec_file = shop.path(f"{name}.json")
        parts.replace(spec_file, json.dumps(spec))
        program = str(Path(__file__).parent / "shop.py")
        self.process = parts.start([sys.executable, program, spec_file], shop.path(f"{name}.log"))

    def port(self):
        """Where it listens; None until it does."""
        try:
            return int(Path(self.port_file).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None


class Shop:
    """The processes of one plan's services. `receiver`: {"grpc": "HOST:PORT", "http": "HOST:PORT"}."""

    def __init__(self, cluster, plan, directory, receiver):
        self.cluster, self.plan, self.directory, self.receiver = cluster, plan, Path(directory), receiver
        self.endpoints_file, self.fault_file = self.path("endpoints.json"), self.path("fault.json")
        self.times_file = self.path("times.jsonl")
        self.by_deployment = {service.deployment: service for service in plan.services}
        self.pods, self.draining, self.ready = {}, [], {}
        self.ended, self.error, self.load = threading.Event(), None, None
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.thread.start()

    def path(self, name):
        return str(self.directory / name)

    def _keep(self):
        try:
            while not self.ended.is_set():
                self._look()
                self.ended.wait(LOOK_S)
        except Exception as error:  # told to whoever uses the shop
            self.error = error
        finally:
            self._end_all()

    def _look(self):
        seen = {}
        for item in self.cluster.pods(self.plan.namespace):
            service = self.by_deployment.get(item["metadata"]["labels"].get("app"))
            if service and "deletionTimestamp" not in item["metadata"]:
                seen[item["metadata"]["uid"]] = (service, item)
        for uid, (service, item) in seen.items():
            if uid not in self.pods:
                self.pods[uid] = Pod(self, service, item["metadata"]["name"], uid)
        self._publish({uid for uid, (_, item) in seen.items() if is_ready(item)})
        for uid in [uid for uid in self.pods if uid not in seen]:
            self.draining.append((time.monotonic() + DRAIN_S, self.pods.pop(uid)))
        self._drain()

    def _publish(self, ready):
        ports = {}
        for uid in ready:
            pod = self.pods[uid]
            if pod.port() is not None:
                ports.setdefault(pod.service, []).append(pod.port())
        if ports != self.ready:
            parts.replace(self.endpoints_file, json.dumps(ports))
            self.ready = ports

    def _drain(self):
        for due, pod in list(self.draining):
            if time.monotonic() >= due:
                pod.process.terminate()  # it finishes its requests and its exports by itself
                self.draining.remove((due, pod))

    def _end_all(self):
        processes = [pod.process for pod in self.pods.values()] + [pod.process for _, pod in self.draining]
        for process in processes:
            process.terminate()
        for process in processes:
            parts.end(process)

    def wait_ready(self, seconds=60):
        until = time.monotonic() + seconds
        while set(self.ready) != {service.name for service in self.plan.services}:
            if self.error or time.monotonic() > until:
                raise RuntimeError(f"the shop is not up; listening: {sorted(self.ready)}") from self.error
            time.sleep(0.1)

    def start_load(self, requests_per_s):
        program = str(Path(__file__).parent / "load.py")
        self.load = parts.start([sys.executable, program, self.endpoints_file, self.plan.entry().name, str(requests_per_s),
                                 str(self.plan.seed), self.path("load.json")], self.path("load.log"))

    def begin_fault(self):
        """Now, in every pod that the faulty service has now. Returns the moment, in Unix seconds."""
        sick = [pod.name for pod in self.pods.values() if pod.service == self.plan.faulty]
        parts.replace(self.fault_file, json.dumps({"pods": sick, "kind": self.plan.kind, "amount": self.plan.amount}))
        return time.time()

    def delivered_at(self):
        """When the first batch with an affected sample had been taken by the receiver; None: not yet."""
        path = Path(self.times_file)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return min((entry["at"] for entry in map(json.loads, lines) if entry["what"] == "delivered"), default=None)

    def close(self):
        """Ends everything. What the users counted is then in load.json."""
        if self.load:
            parts.end(self.load)
        self.ended.set()
        self.thread.join()


def is_ready(item):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions", []))
