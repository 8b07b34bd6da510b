"""What happened in a real cluster, by watch: each change of the watched objects, and the autoscaler's syncs by its log."""
import json
import re
import threading
import time
import urllib.request

WATCHED = {
    "deployments": "/apis/apps/v1/deployments", "replicasets": "/apis/apps/v1/replicasets", "pods": "/api/v1/pods",
    "hpas": "/apis/autoscaling/v2/horizontalpodautoscalers", "pdbs": "/apis/policy/v1/poddisruptionbudgets",
    "events": "/api/v1/events", "nodes": "/api/v1/nodes",
}


class Change:
    def __init__(self, at, kind, verb, before, now):
        self.at, self.kind, self.verb, self.before, self.now = at, kind, verb, before, now


class ClusterLog:
    def __init__(self, cluster, controller_log):
        self.cluster, self.controller_log = cluster, controller_log
        self.lock = threading.Lock()
        self.objects = {kind: {} for kind in WATCHED}  # (namespace, name) -> object
        self.changes = {}  # namespace -> [Change], oldest first; nodes: ""
        self.syncs = {}  # "namespace/name" of a target -> [time]
        for kind in WATCHED:
            threading.Thread(target=self._follow, args=(kind,), daemon=True).start()
        threading.Thread(target=self._read_syncs, daemon=True).start()

    def _take(self, kind, verb, item):
        meta = item["metadata"]
        key = meta.get("namespace", ""), meta["name"]
        with self.lock:
            before = self.objects[kind].get(key)
            if verb == "DELETED":
                self.objects[kind].pop(key, None)
            else:
                self.objects[kind][key] = item
            change = Change(time.monotonic(), kind, verb, before, item)
            self.changes.setdefault(key[0], []).append(change)

    def _follow(self, kind):
        listed = self.cluster.get(WATCHED[kind])
        for item in listed["items"]:
            self._take(kind, "ADDED", item)
        version = listed["metadata"]["resourceVersion"]
        while True:
            try:
                url = f"{self.cluster.server}{WATCHED[kind]}?watch=1&resourceVersion={version}&timeoutSeconds=3600"
                with urllib.request.urlopen(url, context=self.cluster.tls) as stream:
                    for line in stream:
                        event = json.loads(line)
                        version = event["object"]["metadata"]["resourceVersion"]
                        self._take(kind, event["type"], event["object"])
            except OSError:
                time.sleep(0.2)

    def _read_syncs(self):
        """One sync of the autoscaler ends in one of these lines (horizontal.go, reconcileAutoscaler); the line says when."""
        stamp = re.compile(r'^[IEW]\d{4} (\d\d):(\d\d):(\d\d\.\d+)')
        decided = re.compile(r'Decided not to scale.*scaleTarget="Deployment/([^"]+)"')
        rescaled = re.compile(r'Successfully rescaled.*HPA="([^"]+)"')
        failed = re.compile(r'(?:listed metrics for|scale subresource for|failed to rescale) Deployment/([^:]+):')
        with open(self.controller_log, encoding="utf-8", errors="replace") as log:
            while True:
                line = log.readline()
                if not line:
                    time.sleep(0.05)
                    continue
                for pattern in (decided, rescaled, failed):
                    found = pattern.search(line)
                    if not found:
                        continue
                    at = self._moment(stamp.match(line))
                    with self.lock:
                        times = self.syncs.setdefault(found.group(1), [])
                        if not times or at - times[-1] > 5:
                            times.append(at)

    @staticmethod
    def _moment(stamp):
        """A log line's time of day as time.monotonic() counts: it is of the last 24 hours."""
        now = time.time()
        local = time.localtime(now)
        today = local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + now % 1
        said = int(stamp.group(1)) * 3600 + int(stamp.group(2)) * 60 + float(stamp.group(3))
        return time.monotonic() - (today - said) % 86400

    def of(self, namespace, since):
        """Changes from an index on, and the next index."""
        with self.lock:
            changes = self.changes.get(namespace, [])
            return changes[since:], len(changes)

    def last_change(self, namespace):
        with self.lock:
            changes = self.changes.get(namespace, [])
            return changes[-1].at if changes else 0.0

    def sync_count(self, key):
        with self.lock:
            return len(self.syncs.get(key, []))

    def last_sync(self, key):
        with self.lock:
            return self.syncs[key][-1]
