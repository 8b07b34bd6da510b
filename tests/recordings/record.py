#!/usr/bin/env python3
"""Records what a real kube-controller-manager does, step by step, for src/sim/kube/replay_test.c to compare the simulated one with.

    record.py [--state DIR] [--only NAME[,NAME...]] [--out DIR]

Needs what `make e2e` builds (tests/e2e/kube/build.sh). One control plane serves all scenarios (scenarios.py), each in a namespace and
a thread of its own; the autoscaler's take their quarter of an hour each, since the controllers run with the production times. A recording
is a file of JSON lines: the first says how it was made, each further one what was done (`do`) or that the autoscaler has looked (`sync`),
and what then happened until the cluster was quiet again: `ordered` (scalings of ReplicaSets, in order), `free` (in any order),
`is` (the settled state of what changed), `nodes` (where the scheduler put new pods). The words are in lines.py.
"""
import argparse
import json
import os
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from cluster import Cluster  # noqa: E402
from cluster_log import WATCHED, ClusterLog  # noqa: E402
import lines  # noqa: E402
from metrics_api import WINDOW_S, MetricsApi  # noqa: E402
import scenarios  # noqa: E402

CONTROLLER_FLAGS = ["--horizontal-pod-autoscaler-sync-period=15s", "--horizontal-pod-autoscaler-downscale-stabilization=300s",
                    "--node-monitor-period=5s", "--node-monitor-grace-period=50s", "--vmodule=horizontal=4"]
API_FLAGS = ["--default-not-ready-toleration-seconds=300", "--default-unreachable-toleration-seconds=300"]
NODES = {"main": 3, "spare": 2, "lost": 2}
QUIET_S = 3.5  # without a change: then it has settled
PATIENCE_S = 120

PATCHES = {"merge": "application/merge-patch+json", "strategic": "application/strategic-merge-patch+json"}


class Rig:
    """The cluster, and what is seen of it."""

    def __init__(self, directory):
        os.environ["KUBETEST_CONTROLLER_FLAGS"] = " ".join(CONTROLLER_FLAGS)
        os.environ["KUBETEST_API_FLAGS"] = " ".join(API_FLAGS)
        os.environ["KUBETEST_NODES"] = str(sum(NODES.values()))
        self.cluster = Cluster(directory)
        self.log = ClusterLog(self.cluster, Path(directory, "log", "kube-controller-manager.log"))
        self.usage = {}  # namespace -> what its pods use
        pki = Path(directory, "pki")
        self.metrics = MetricsApi(pki / "apiserver.crt", pki / "apiserver.key", self._usage)
        self.cluster.apply(*self.metrics.objects())
        pools = [pool for pool, count in NODES.items() for _ in range(count)]
        for i, pool in enumerate(pools):
            self.ask("PATCH", f"/api/v1/nodes/node-{i + 1}", {"metadata": {"labels": {"pool": pool}}}, "merge")
        self._await_metrics()

    def ask(self, method, path, body=None, patch=None):
        """Status and answer."""
        request = urllib.request.Request(self.cluster.server + path, method=method, data=json.dumps(body).encode() if body is not None else None)
        request.add_header("Content-Type", PATCHES[patch] if patch else "application/json")
        try:
            with urllib.request.urlopen(request, context=self.cluster.tls, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def _await_metrics(self):
        for _ in range(200):
            if self.ask("GET", "/apis/metrics.k8s.io/v1beta1")[0] == 200:
                return
            time.sleep(0.2)
        raise RuntimeError("the API server does not reach the stand-in for metrics.k8s.io")

    def _usage(self, namespace, labels):
        recording = self.usage.get(namespace)
        return recording.usage_of(labels) if recording else {}


class Recording:
    """One scenario's namespace, and the lines written of it."""

    def __init__(self, rig, name, which):
        self.rig, self.name = rig, name
        self.names, self.used, self.rows, self.told = lines.Names(), {}, [], {}
        self.which = which
        self.next_change, self.next_node_change = 0, len(rig.log.of("", 0)[0])
        self.began = time.monotonic()
        self.synced = 0
        rig.usage[name] = self
        self.rows.append({"recording": name, "kubernetes": "v1.36.3", "kube-controller-manager": CONTROLLER_FLAGS, "kube-apiserver": API_FLAGS,
                          "nodes": NODES, "metrics_window_s": WINDOW_S, "which": which})
        rig.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        for _ in range(100):
            if rig.ask("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default")[0] == 200:
                break
            time.sleep(0.1)
        self.next_change = rig.log.of(name, 0)[1]

    # ---- what the stand-in for metrics.k8s.io tells ----

    def usage_of(self, labels):
        """{"web": 300, "web.1.2": None}: by the longest name that fits; None: no sample. A pair is CPU and memory (bytes)."""
        found = {}
        for (namespace, name), pod in list(self.rig.log.objects["pods"].items()):
            if namespace != self.name or pod.get("status", {}).get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
                continue
            if any(pod["metadata"]["labels"].get(key) != value for key, value in labels.items()):
                continue
            alias = self.names.pods.get(name, name)
            while alias not in self.used and "." in alias:
                alias = alias.rsplit(".", 1)[0]
            value = self.used.get(alias)
            if value is None:
                continue
            cpu, memory = value if isinstance(value, list) else (value, 0)
            found[name] = {"cpu": cpu, "memory": memory * 1000}
        return found

    # ---- writing ----

    def _since(self):
        changes, self.next_change = self.rig.log.of(self.name, self.next_change)
        return [c for c in changes if c.kind in WATCHED]

    def _row(self, row, at, more=()):
        changes = self._since()
        ordered, free = lines.decisions(changes, self.names, self.which)
        is_now = [line for line in lines.states(changes, self.rig.log.objects, self.names) if self._is_news(line)]
        is_now += [line for line in more if line not in is_now]
        nodes = {}
        for change in changes:
            if change.kind == "pods" and change.now["spec"].get("nodeName") and not (change.before and change.before["spec"].get("nodeName")):
                nodes[self.names.pods[change.now["metadata"]["name"]]] = change.now["spec"]["nodeName"]
        row = {"t": round(at - self.began, 3), "until": round(time.monotonic() - self.began, 3), **row}
        row.update({key: value for key, value in (("nodes", nodes), ("ordered", ordered), ("free", sorted(free)), ("is", sorted(is_now))) if value})
        self.rows.append(row)

    def _is_news(self, line):
        """Not what was told of that object before: it may have changed and changed back in the meantime."""
        key = " ".join(line.split()[:2])
        news = self.told.get(key) != line
        self.told[key] = line
        return news

    def settle(self, seconds=QUIET_S):
        begun = time.monotonic()
        while time.monotonic() - max(begun, self.rig.log.last_change(self.name)) < seconds:
            if time.monotonic() - begun > PATIENCE_S:
                raise RuntimeError(f"{self.name} does not get quiet")
            time.sleep(0.05)

    def _ask(self, method, path, body=None, patch=None):
        """The moment of an answer, its status, and it."""
        code, answer = self.rig.ask(method, path, body, patch)
        return time.monotonic(), code, answer

    def _done(self, row, at, more=()):
        self.settle()
        self._row(row, at, more)

    def wait(self, seconds):
        """Time goes by; what then has happened."""
        at = time.monotonic()
        time.sleep(seconds)
        self._done({"do": "wait", "seconds": seconds}, at)

    # ---- doing ----

    def path(self, kind, name=None, sub=None):
        base = WATCHED[kind]
        if kind != "nodes":
            root, plural = base.rsplit("/", 1)
            base = f"{root}/namespaces/{self.name}/{plural}"
        return base + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")

    def create(self, kind, item):
        at, code, answer = self._ask("POST", self.path(kind), item)
        assert code == 201, answer
        self._done({"do": "create", "type": kind, "object": item}, at)

    def patch(self, kind, name, patch):
        at, code, answer = self._ask("PATCH", self.path(kind, name), patch, "strategic" if kind == "deployments" else "merge")
        assert code == 200, answer
        self._done({"do": "patch", "type": kind, "name": name, "patch": patch}, at)

    def delete(self, kind, alias):
        at, code, answer = self._ask("DELETE", self.path(kind, self.names.pod_names.get(alias, alias)))
        assert code == 200, answer
        self._done({"do": "delete", "type": kind, "name": alias}, at)

    def evict(self, alias):
        name = self.names.pod_names[alias]
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": self.name}}
        at, code, answer = self._ask("POST", self.path("pods", name, "eviction"), body)
        cause = (answer.get("details", {}).get("causes") or [{}])[0].get("message", "")
        self._done({"do": "evict", "name": alias, "code": code, "cause": cause}, at)
        return code

    def annotate(self, alias, key, value):
        """Steers the fake kubelet (tests/e2e/kube/kwok.yaml): "hold" to None is ready, "not-ready" to "true" is unready."""
        patch = {"metadata": {"annotations": {f"kubetest/{key}": value}}}
        at, code, answer = self._ask("PATCH", self.path("pods", self.names.pod_names[alias]), patch, "merge")
        assert code == 200, answer
        self._done({"do": "kubelet", "pod": alias, "key": key, "value": value}, at)

    def ready(self, *aliases):
        for alias in aliases:
            self.annotate(alias, "hold", None)

    def cost(self, alias, cost):
        note = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": str(cost)}}}
        at, code, answer = self._ask("PATCH", self.path("pods", self.names.pod_names[alias]), note, "merge")
        assert code == 200, answer
        self._done({"do": "patch", "type": "pods", "name": alias, "patch": note}, at)

    def node(self, name, patch):
        """A node's controllers look every 5 s (--node-monitor-period)."""
        at, code, answer = self._ask("PATCH", self.path("nodes", name), patch, "merge")
        assert code == 200, answer
        time.sleep(8)
        self.settle()
        self._row({"do": "patch", "type": "nodes", "name": name, "patch": patch}, at,
                  [lines.node_line(self.rig.log.objects["nodes"]["", name])])

    def use(self, **used):
        """What pods use from now on; names' dots are written as two underscores."""
        at = time.monotonic()
        self.used.update({name.replace("__", "."): value for name, value in used.items()})
        self._row({"do": "use", "used": dict(self.used)}, at)

    def held(self, deployment):
        """Pods of a Deployment that wait to be let ready."""
        return sorted(self.names.pods[name] for (namespace, name), pod in self.rig.log.objects["pods"].items()
                      if namespace == self.name and pod.get("status", {}).get("phase") == "Pending"
                      and self.names.pods[name].startswith(deployment + "."))

    def pods_on(self, node, deployment):
        return sorted(self.names.pods[name] for (namespace, name), pod in self.rig.log.objects["pods"].items()
                      if namespace == self.name and pod["spec"].get("nodeName") == node and "deletionTimestamp" not in pod["metadata"]
                      and self.names.pods[name].startswith(deployment + "."))

    # ---- the autoscaler's syncs ----

    def syncs(self, deployment, count):
        """Writes down the next `count` looks of the autoscaler at a Deployment."""
        key = f"{self.name}/{deployment}"
        for _ in range(count):
            begun = time.monotonic()
            while self.rig.log.sync_count(key) <= self.synced:
                if time.monotonic() - begun > PATIENCE_S:
                    raise RuntimeError(f"{self.name}: the autoscaler does not look")
                time.sleep(0.05)
            self.synced += 1
            at = self.rig.log.syncs[key][self.synced - 1]
            time.sleep(max(0.0, at + 3.5 - time.monotonic()))
            self.settle(1.0)
            self._row({"sync": self.synced}, at, [lines.hpa_line(self.rig.log.objects["hpas"][self.name, deployment])])


def run(rig, scenario, out, failures):
    name = scenario.__name__.replace("_", "-")
    try:
        recording = Recording(rig, name, getattr(scenario, "which", False))
        scenario(recording)
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in recording.rows)
        Path(out, name + ".jsonl").write_text(text, encoding="utf-8")
        steps = sum(len(row.get(key, ())) for row in recording.rows for key in ("ordered", "free", "is"))
        print(f"{name}: {len(recording.rows) - 1} moments, {steps} lines, {time.monotonic() - recording.began:.0f} s", flush=True)
    except Exception:  # noqa: BLE001 - a scenario that fails must not end the others
        traceback.print_exc()
        failures.append(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", default="/tmp/flyball-recording")
    parser.add_argument("--out", default=str(HERE))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    wanted = [name.replace("-", "_") for name in options.only.split(",") if name]
    chosen = [s for s in scenarios.ALL if not wanted or s.__name__ in wanted]
    rig, failures = Rig(options.state), []
    try:
        threads = [threading.Thread(target=run, args=(rig, scenario, options.out, failures)) for scenario in chosen]
        for thread in threads:
            thread.start()
            time.sleep(0.3)
        for thread in threads:
            thread.join()
    finally:
        rig.cluster.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
