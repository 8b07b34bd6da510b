"""What is done to the real cluster while it is recorded. A pod is held (not ready) until the scenario lets it be, so that each step stands alone."""


def deployment(name, replicas, hold=True, image="example.invalid/app:1", requests=None, delay=None, pool="main", **spec):
    notes = {"kubetest/hold": "true"} if hold else {}
    if delay:
        notes["kubetest/ready-delay"] = delay
    container = {"name": "main", "image": image}
    if requests:
        container["resources"] = {"requests": requests}
    template = {"metadata": {"labels": {"app": name}, "annotations": notes}, "spec": {"nodeSelector": {"pool": pool}, "containers": [container]}}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}}


def rolling(surge, unavailable):
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def image(tag):
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": f"example.invalid/app:{tag}"}]}}}}


def replicas(count):
    return {"spec": {"replicas": count}}


def autoscaler(target, least, most, percent=None, **spec):
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}]
    return {"metadata": {"name": target}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "minReplicas": least, "maxReplicas": most,
        **({"metrics": metrics} if percent else {}), **spec}}


def pods(prefix, first, last):
    return [f"{prefix}.{i}" for i in range(first, last + 1)]


# ---- rollouts ----

def rollout_default(r):
    """25 % and 25 % of four: one more, one fewer."""
    r.create("deployments", deployment("web", 4))
    r.ready(*pods("web.1", 1, 4))
    r.patch("deployments", "web", image(2))
    r.ready(*pods("web.2", 1, 4))
    r.patch("deployments", "web", image(1))  # back: the first ReplicaSet again
    r.ready(*pods("web.1", 5, 8))


def rollout_surge_only(r):
    r.create("deployments", deployment("web", 3, strategy=rolling(1, 0)))
    r.ready(*pods("web.1", 1, 3))
    r.patch("deployments", "web", image(2))
    r.ready(*pods("web.2", 1, 3))


def rollout_all_at_once(r):
    r.create("deployments", deployment("web", 3, strategy=rolling("100%", 0)))
    r.ready(*pods("web.1", 1, 3))
    r.patch("deployments", "web", image(2))
    r.ready(*pods("web.2", 1, 3))


def rollout_unavailable_only(r):
    r.create("deployments", deployment("web", 4, strategy=rolling(0, 2)))
    r.ready(*pods("web.1", 1, 4))
    r.patch("deployments", "web", image(2))
    r.ready(*pods("web.2", 1, 4))


def rollout_turned_back(r):
    """Three templates at once, then scaled in their midst."""
    r.create("deployments", deployment("web", 6, strategy=rolling(2, 1)))
    r.ready(*pods("web.1", 1, 6))
    r.patch("deployments", "web", image(2))
    r.ready("web.2.1")
    r.patch("deployments", "web", image(3))
    r.ready("web.3.1")
    r.patch("deployments", "web", replicas(10))
    r.patch("deployments", "web", replicas(5))
    r.patch("deployments", "web", image(1))
    while r.held("web"):
        r.ready(r.held("web")[0])


def recreate(r):
    r.create("deployments", deployment("web", 3, strategy={"type": "Recreate"}))
    r.ready(*pods("web.1", 1, 3))
    r.patch("deployments", "web", image(2))
    r.ready(*pods("web.2", 1, 3))


def paused(r):
    r.create("deployments", deployment("web", 2))
    r.ready(*pods("web.1", 1, 2))
    r.patch("deployments", "web", {"spec": {"paused": True}})
    r.patch("deployments", "web", image(2))
    r.patch("deployments", "web", replicas(4))
    r.ready(*pods("web.1", 3, 4))
    r.patch("deployments", "web", {"spec": {"paused": False}})
    r.ready("web.2.1", "web.2.2")


def stuck(r):
    """A rollout that does not progress within its deadline."""
    r.create("deployments", deployment("web", 2, progressDeadlineSeconds=8))
    r.ready(*pods("web.1", 1, 2))
    r.patch("deployments", "web", image(2))
    r.wait(9)
    r.ready(*pods("web.2", 1, 2))


def slow_to_trust(r):
    """minReadySeconds: ready is not yet available."""
    r.create("deployments", deployment("web", 2, minReadySeconds=8, strategy=rolling(1, 0)))
    r.ready("web.1.1")
    r.wait(8)
    r.ready("web.1.2")
    r.wait(8)
    r.patch("deployments", "web", image(2))
    r.ready("web.2.1")
    r.wait(8)


def history(r):
    """Old ReplicaSets beyond the limit go."""
    r.create("deployments", deployment("web", 1, hold=False, revisionHistoryLimit=2))
    for tag in (2, 3, 4, 5):
        r.patch("deployments", "web", image(tag))


def slow_to_go(r):
    """Pods that take their time to end."""
    d = deployment("web", 3, strategy=rolling(1, 1))
    d["spec"]["template"]["metadata"]["annotations"]["kubetest/delete-delay"] = "6s"
    r.create("deployments", d)
    r.ready(*pods("web.1", 1, 3))
    r.patch("deployments", "web", replicas(1))
    r.wait(6)
    r.patch("deployments", "web", replicas(2))
    r.ready("web.1.4")
    r.patch("deployments", "web", image(2))
    r.wait(6)


# ---- pods ----

def who_goes_first(r):
    """Not ready before ready, the cheap before the dear, the crowded before the alone, the young before the old."""
    r.create("deployments", deployment("web", 5))
    r.ready(*pods("web.1", 1, 4))
    r.patch("deployments", "web", replicas(4))
    r.cost("web.1.2", -5)
    r.patch("deployments", "web", replicas(3))
    r.annotate("web.1.3", "not-ready", "true")
    r.patch("deployments", "web", replicas(2))
    r.patch("deployments", "web", replicas(0))


who_goes_first.which = True


def who_goes_first_of_the_ready(r):
    """The one that shares its node, of those the younger; of pods that stand alone the youngest."""
    r.create("deployments", deployment("web", 4))
    r.ready(*pods("web.1", 1, 4))
    r.patch("deployments", "web", replicas(3))
    r.wait(6)
    r.delete("pods", "web.1.2")
    r.ready("web.1.5")
    r.patch("deployments", "web", replicas(2))


who_goes_first_of_the_ready.which = True


def pods_come_and_go(r):
    r.create("deployments", deployment("web", 3))
    r.ready(*pods("web.1", 1, 3))
    r.annotate("web.1.1", "not-ready", "true")
    r.annotate("web.1.1", "not-ready", None)
    r.delete("pods", "web.1.2")
    r.ready("web.1.4")
    r.annotate("web.1.3", "fail", "exit")
    r.ready("web.1.5")
    r.patch("deployments", "web", replicas(0))
    r.patch("deployments", "web", replicas(1))
    r.ready("web.1.6")
    r.delete("deployments", "web")


# ---- budgets and nodes ----

def budget_least(r):
    """minAvailable, as a number: evictions, a rollout under it, a budget that grows."""
    r.create("deployments", deployment("web", 3))
    budget = {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}}
    r.create("pdbs", budget)
    r.ready(*pods("web.1", 1, 3))
    r.evict("web.1.1")
    r.evict("web.1.2")
    r.ready("web.1.4")
    r.evict("web.1.2")
    r.evict("web.1.5")  # it does not run yet: no budget is asked
    r.ready("web.1.6")
    r.patch("pdbs", "web", {"spec": {"minAvailable": 3}})
    r.evict("web.1.3")
    r.annotate("web.1.3", "not-ready", "true")
    r.evict("web.1.3")
    r.patch("pdbs", "web", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    r.evict("web.1.3")


def budget_most(r):
    """maxUnavailable in percent, minAvailable in percent, and two budgets on one pod."""
    r.create("deployments", deployment("web", 5))
    r.create("pdbs", {"metadata": {"name": "web"}, "spec": {"maxUnavailable": "30%", "selector": {"matchLabels": {"app": "web"}}}})
    r.ready(*pods("web.1", 1, 5))
    r.evict("web.1.1")
    r.evict("web.1.2")
    r.evict("web.1.3")
    r.ready("web.1.6", "web.1.7")
    r.delete("pdbs", "web")
    r.create("pdbs", {"metadata": {"name": "web"}, "spec": {"minAvailable": "70%", "selector": {"matchLabels": {"app": "web"}}}})
    r.evict("web.1.3")
    r.evict("web.1.4")
    r.create("pdbs", {"metadata": {"name": "all"}, "spec": {"maxUnavailable": 5, "selector": {}}})
    r.evict("web.1.4")
    r.patch("deployments", "web", replicas(2))


def drained(r):
    """As `kubectl drain`: cordon, then evict what is there, again where the budget says no."""
    r.create("deployments", deployment("web", 4, pool="spare"))
    r.create("pdbs", {"metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}})
    r.ready(*pods("web.1", 1, 4))
    r.node("node-4", {"spec": {"unschedulable": True}})
    come = 5
    for alias in r.pods_on("node-4", "web"):
        r.evict(alias)
        for other in r.pods_on("node-4", "web")[:1]:
            r.evict(other)
        r.ready(f"web.1.{come}")
        come += 1
    r.patch("deployments", "web", replicas(6))
    r.node("node-5", {"spec": {"unschedulable": True}})
    r.patch("deployments", "web", replicas(7))
    r.node("node-4", {"spec": {"unschedulable": False}})
    r.node("node-5", {"spec": {"unschedulable": False}})


def node_lost(r):
    """A node whose kubelet says that it is not ready: its pods are not either, and after 300 s they go."""
    r.create("deployments", deployment("web", 4, pool="lost"))
    r.ready(*pods("web.1", 1, 4))
    r.node("node-6", {"metadata": {"annotations": {"kubetest/node-not-ready": "true"}}})
    r.wait(280)
    r.wait(25)
    r.ready("web.1.5", "web.1.6")
    r.node("node-6", {"metadata": {"annotations": {"kubetest/node-not-ready": None}}})


# ---- the autoscaler ----

REQUESTS = {"cpu": "200m", "memory": "64Mi"}


def autoscale_up_and_down(r):
    """Up at once and by at most doubling; within the tolerance nothing; down when 300 s have said so."""
    r.create("deployments", deployment("web", 2, hold=False, requests=REQUESTS))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 2, 10, 50))
    r.syncs("web", 3)
    r.use(web=107)
    r.syncs("web", 2)
    r.use(web=190)
    r.syncs("web", 6)
    r.use(web=60)
    r.syncs("web", 24)
    r.use(web=20)
    r.syncs("web", 24)


def autoscale_from_one(r):
    """From one pod to four at once, then to no more than twice as many."""
    r.create("deployments", deployment("web", 1, hold=False, requests=REQUESTS))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 1, 12, 50))
    r.syncs("web", 2)
    r.use(web=900)
    r.syncs("web", 5)


def autoscale_bounds(r):
    """Above maxReplicas, below minReplicas, at zero, without a target."""
    r.create("deployments", deployment("web", 6, hold=False, requests=REQUESTS))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 2, 4, 50))
    r.syncs("web", 2)
    r.use(web=200)
    r.syncs("web", 2)
    r.patch("deployments", "web", replicas(1))
    r.syncs("web", 2)
    r.patch("deployments", "web", replicas(0))
    r.syncs("web", 2)
    r.patch("deployments", "web", replicas(3))
    r.syncs("web", 2)
    r.patch("hpas", "web", {"spec": {"minReplicas": 5, "maxReplicas": 8}})
    r.syncs("web", 2)
    r.delete("deployments", "web")
    r.syncs("web", 2)
    r.create("deployments", deployment("web", 5, hold=False, requests=REQUESTS))
    r.syncs("web", 3)


def autoscale_policies(r):
    """Pods and percent a minute, the smaller change; a minute's stabilisation upwards, two downwards, one pod a minute."""
    behaviour = {"scaleUp": {"stabilizationWindowSeconds": 40, "selectPolicy": "Min", "policies": [
        {"type": "Pods", "value": 2, "periodSeconds": 50}, {"type": "Percent", "value": 60, "periodSeconds": 50}]},
                 "scaleDown": {"stabilizationWindowSeconds": 100, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 40}]}}
    r.create("deployments", deployment("web", 2, hold=False, requests=REQUESTS))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 1, 12, 50, behavior=behaviour))
    r.syncs("web", 3)
    r.use(web=180)
    r.syncs("web", 14)
    r.use(web=30)
    r.syncs("web", 22)


def autoscale_fast_down(r):
    """No stabilisation downwards, percent, and a tolerance of its own; later scaling down is forbidden."""
    behaviour = {"scaleUp": {"tolerance": "0.3", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 20}]},
                 "scaleDown": {"stabilizationWindowSeconds": 0, "tolerance": "0.02", "policies": [
                     {"type": "Percent", "value": 50, "periodSeconds": 20}, {"type": "Pods", "value": 1, "periodSeconds": 20}]}}
    r.create("deployments", deployment("web", 4, hold=False, requests=REQUESTS))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 1, 12, 50, behavior=behaviour))
    r.syncs("web", 4)
    r.use(web=125)
    r.syncs("web", 3)
    r.use(web=150)
    r.syncs("web", 6)
    r.use(web=95)
    r.syncs("web", 3)
    r.use(web=25)
    r.syncs("web", 8)
    r.use(web=170)
    r.syncs("web", 6)
    r.patch("hpas", "web", {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}})
    r.use(web=10)
    r.syncs("web", 3)


def autoscale_missing(r):
    """Samples that lack: of one pod, of all; and pods that are not ready."""
    r.create("deployments", deployment("web", 4, hold=False, requests=REQUESTS))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 1, 10, 50, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}))
    r.syncs("web", 3)
    r.use(web=150, web__1__1=None)
    r.syncs("web", 2)
    r.use(web=105)
    r.syncs("web", 2)
    r.use(web=60)
    r.syncs("web", 2)
    r.use(web=None, web__1__1=None)
    r.syncs("web", 3)
    r.use(web=40, web__1__1=40)
    r.syncs("web", 4)
    r.use(web=100, web__1__1=100)
    r.patch("deployments", "web", {"spec": {"replicas": 3}})
    r.syncs("web", 4)


def autoscale_not_ready(r):
    """New pods that do not get ready count as idle upwards, and not at all downwards."""
    r.create("deployments", deployment("web", 2, requests=REQUESTS))
    r.ready("web.1.1", "web.1.2")
    r.use(web=100)
    r.create("hpas", autoscaler("web", 1, 10, 50, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}))
    r.syncs("web", 3)
    r.use(web=160)
    r.syncs("web", 4)
    r.use(web=250)
    r.syncs("web", 3)
    r.annotate("web.1.3", "hold", None)
    r.syncs("web", 4)
    r.annotate("web.1.1", "not-ready", "true")
    r.syncs("web", 3)
    r.use(web=70)
    r.syncs("web", 4)


def autoscale_values(r):
    """An average value instead of a share, two metrics, and a metric that cannot be had."""
    two = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "120m"}}},
           {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 60}}}]
    r.create("deployments", deployment("web", 3, hold=False, requests=REQUESTS))
    r.use(web=[100, 40000000])
    r.create("hpas", autoscaler("web", 2, 9, metrics=two))
    r.syncs("web", 3)
    r.use(web=[200, 40000000])
    r.syncs("web", 4)
    r.use(web=[100, 62000000])
    r.syncs("web", 4)
    three = two + [{"type": "Resource", "resource": {"name": "example.com/gpu", "target": {"type": "AverageValue", "averageValue": "1"}}}]
    r.patch("hpas", "web", {"spec": {"metrics": three}})
    r.use(web=[160, 40000000])
    r.syncs("web", 4)
    r.use(web=[20, 10000000])
    r.syncs("web", 4)


def autoscale_no_requests(r):
    """A share of a request that nobody made."""
    r.create("deployments", deployment("web", 2, hold=False))
    r.use(web=100)
    r.create("hpas", autoscaler("web", 1, 5, 50))
    r.syncs("web", 4)
    r.patch("hpas", "web", {"spec": {"metrics": [{"type": "Resource", "resource": {
        "name": "cpu", "target": {"type": "AverageValue", "averageValue": "40m"}}}]}})
    r.syncs("web", 3)


def autoscale_rollout(r):
    """A rollout while it scales: its pods come slowly."""
    r.create("deployments", deployment("web", 3, hold=False, delay="4s", requests=REQUESTS))
    r.wait(3)
    r.use(web=100)
    r.create("hpas", autoscaler("web", 2, 10, 50))
    r.syncs("web", 3)
    r.use(web=150)
    r.patch("deployments", "web", image(2))
    r.syncs("web", 6)
    r.use(web=100)
    r.syncs("web", 4)


ALL = [rollout_default, rollout_surge_only, rollout_all_at_once, rollout_unavailable_only, rollout_turned_back, recreate, paused, stuck,
       slow_to_trust, history, slow_to_go, who_goes_first, who_goes_first_of_the_ready,
       pods_come_and_go, budget_least, budget_most, drained, node_lost,
       autoscale_up_and_down, autoscale_from_one, autoscale_bounds, autoscale_policies, autoscale_fast_down, autoscale_missing, autoscale_not_ready,
       autoscale_values, autoscale_no_requests, autoscale_rollout]
