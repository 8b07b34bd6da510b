"""The words of a recording: what a cluster did, in lines that two clusters can be compared by.

src/sim/kube/replay.c writes the same lines of the simulated cluster. What may differ between two runs of the same
controllers is not in them: UIDs, versions, names' random suffixes (a ReplicaSet is DEPLOYMENT.N, the N-th that its Deployment
made; a pod is DEPLOYMENT.N.M, the M-th that its ReplicaSet made), times, and which of several pods that are equal in the
order of deletion goes. A rollout's reasons for progressing are one ("Progresses"): after a new ReplicaSet was made, the real controller writes
its status from what it knew before or from what it knows since, as the two writes fall, and says one or the other. What an object was before and is
again is not told.
"""


PROGRESSING = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated")


def owner(item, kind):
    for reference in item["metadata"].get("ownerReferences", []):
        if reference.get("controller") and reference["kind"] == kind:
            return reference
    return None


def condition(item, kind):
    for entry in item.get("status", {}).get("conditions") or []:
        if entry["type"] == kind:
            reason = entry.get("reason", "")
            return f'{kind}={entry["status"]}/{"Progresses" if reason in PROGRESSING else reason}'
    return f"{kind}=-"


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions") or [])


class Names:
    """Aliases, in the order in which the objects were made."""

    def __init__(self):
        self.sets, self.pods, self.made = {}, {}, {}  # name -> alias; alias or deployment -> how many it made
        self.pod_names = {}

    def _next(self, parent):
        self.made[parent] = self.made.get(parent, 0) + 1
        return f"{parent}.{self.made[parent]}"

    def meet(self, change):
        name = change.now["metadata"]["name"]
        if change.kind == "replicasets" and name not in self.sets:
            above = owner(change.now, "Deployment")
            self.sets[name] = self._next(above["name"]) if above else name
        if change.kind == "pods" and name not in self.pods:
            above = owner(change.now, "ReplicaSet")
            self.pods[name] = self._next(self.sets.get(above["name"], above["name"])) if above else name
            self.pod_names[self.pods[name]] = name

    def in_text(self, text):
        for names in (self.pods, self.sets):  # pods first: their names begin with their sets'
            for name, alias in names.items():
                text = text.replace(name, alias)
        return text


def deployment_line(item):
    spec, status = item["spec"], item.get("status", {})
    numbers = " ".join(f"{key}={status.get(key + 'Replicas', 0) if key != 'replicas' else status.get(key, 0)}"
                       for key in ("replicas", "updated", "ready", "available", "unavailable", "terminating"))
    revision = item["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", "-")
    observed = "seen" if status.get("observedGeneration") == item["metadata"]["generation"] else "unseen"
    return (f'deployment {item["metadata"]["name"]} spec={spec["replicas"]} revision={revision} {observed} {numbers} '
            f'{condition(item, "Available")} {condition(item, "Progressing")}')


def set_line(item, names):
    spec, status, notes = item["spec"], item.get("status", {}), item["metadata"].get("annotations", {})
    numbers = " ".join(f"{short}={status.get(key, 0)}" for short, key in (
        ("replicas", "replicas"), ("labeled", "fullyLabeledReplicas"), ("ready", "readyReplicas"),
        ("available", "availableReplicas"), ("terminating", "terminatingReplicas")))
    marks = " ".join(f'{short}={notes.get("deployment.kubernetes.io/" + key, "-")}' for short, key in (
        ("revision", "revision"), ("desired", "desired-replicas"), ("max", "max-replicas")))
    return f'set {names.sets[item["metadata"]["name"]]} spec={spec["replicas"]} {numbers} {marks}'


def pdb_line(item):
    status = item.get("status", {})
    return (f'budget {item["metadata"]["name"]} healthy={status.get("currentHealthy", 0)} wanted={status.get("desiredHealthy", 0)} '
            f'expected={status.get("expectedPods", 0)} allowed={status.get("disruptionsAllowed", 0)} '
            f'disrupted={len(status.get("disruptedPods") or {})} {condition(item, "DisruptionAllowed")}')


def metrics_text(status):
    parts = []
    for metric in status.get("currentMetrics") or []:
        current = metric.get("resource", {}).get("current")
        if current:
            share = f'{current["averageUtilization"]}%' if "averageUtilization" in current else ""
            parts.append(f'{metric["resource"]["name"]}:{share}/{current.get("averageValue", "")}')
        else:
            parts.append("-")
    return ",".join(parts) or "-"


def hpa_line(item):
    status = item.get("status", {})
    conditions = " ".join(condition(item, kind) for kind in ("AbleToScale", "ScalingActive", "ScalingLimited"))
    return (f'autoscaler {item["metadata"]["name"]} current={status.get("currentReplicas", 0)} desired={status.get("desiredReplicas", 0)} '
            f'metrics={metrics_text(status)} {conditions}')


def pod_state(pod):
    phase = pod.get("status", {}).get("phase", "")
    return phase + ("/ready" if is_ready(pod) else "") + ("" if pod["spec"].get("nodeName") else "/unassigned")


def parent(alias):
    return alias.rsplit(".", 1)[0] if alias.count(".") >= 2 else alias


def node_line(item):
    taints = ",".join(sorted(f'{t["key"]}:{t["effect"]}' for t in item["spec"].get("taints", []))) or "-"
    return f'node {item["metadata"]["name"]} unschedulable={str(item["spec"].get("unschedulable", False)).lower()} taints={taints} {condition(item, "Ready").split("/")[0]}'


TOLD = {"ScalingReplicaSet", "SuccessfulRescale", "FailedGetScale", "FailedGetResourceMetric", "FailedComputeMetricsReplicas",
        "FailedRescale", "NoPods", "TaintManagerEviction", "FailedCreate"}


def event_line(change, names):
    """A Kubernetes Event that is new or was counted up."""
    now, before = change.now, change.before
    if now.get("reason") not in TOLD or (before and before.get("count") == now.get("count")):
        return None
    about = now["involvedObject"]
    text = names.in_text(now.get("message", "")) if now["reason"] in ("ScalingReplicaSet", "SuccessfulRescale") else ""
    return f'event {about["kind"]} {names.in_text(about["name"])} {now["reason"]} x{now.get("count", 1)} {text}'.rstrip()


def decisions(changes, names, which):
    """Two lists: scalings of ReplicaSets, in order; pods made and deleted (`which`: by name), and events, in any order."""
    ordered, free = [], []
    for kind in ("replicasets", "pods"):  # each kind comes by a watch of its own: what is named may come after what names it
        for change in changes:
            if change.kind == kind:
                names.meet(change)
    for change in changes:
        now, before = change.now, change.before
        name = now["metadata"]["name"]
        if change.kind == "replicasets" and change.verb != "DELETED":
            was = before["spec"]["replicas"] if before else 0
            if was != now["spec"]["replicas"]:
                ordered.append(f'scale {names.sets[name]} {was} to {now["spec"]["replicas"]}')
        if change.kind == "replicasets" and change.verb == "DELETED":
            free.append(f"forget {names.sets[name]}")
        if change.kind == "pods":
            alias = names.pods[name]
            going = "deletionTimestamp" in now["metadata"] and not (before and "deletionTimestamp" in before["metadata"])
            if change.verb == "ADDED":
                free.append(f"create {parent(alias)}")
            elif going or (change.verb == "DELETED" and before and "deletionTimestamp" not in before["metadata"]):
                free.append(f"delete {alias if which else parent(alias)} {pod_state(before or now)}")
        if change.kind == "events" and change.verb != "DELETED":
            line = event_line(change, names)
            if line:
                free.append(line)
    return ordered, free


def states(changes, objects, names):
    """The settled state of each object that changed."""
    lines, seen = [], set()
    for change in changes:
        key = change.kind, change.now["metadata"].get("namespace", ""), change.now["metadata"]["name"]
        item = objects[change.kind].get(key[1:])
        if key in seen or not item:
            continue
        seen.add(key)
        if change.kind == "deployments":
            lines.append(deployment_line(item))
        elif change.kind == "replicasets":
            lines.append(set_line(item, names))
        elif change.kind == "pdbs":
            lines.append(pdb_line(item))
        elif change.kind == "hpas":
            lines.append(hpa_line(item))
    return lines
