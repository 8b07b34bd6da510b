"""Everything but the governor: is the shop what a run takes it for, and does kubectl's restart cure it?"""
import statistics
import time

from cluster import READY_DELAY_S
from sink import Sink

SETTLE_S = 17  # the exporters' longest interval (metrics, 10 s), and a batch of spans (5 s) after it


def failed_share(spans):
    return sum(span.failed for span in spans) / len(spans)


def typical_s(spans):
    return statistics.median(span.seconds for span in spans)


def check_telemetry(report, sink, plan, began):
    now = time.time() - 6
    for service in plan.services:
        attributes = sink.resources.get(service.name, {})
        told = {"deployment": {"k8s.namespace.name", "k8s.deployment.name", "k8s.pod.uid", "k8s.pod.name"},
                "pod": {"k8s.pod.uid", "k8s.pod.name"}, "none": set()}[service.identity]
        has = {key for key in attributes if key.startswith("k8s.")}
        way = "grpc" if service.transport == "grpc" else "http gzip"
        report.check(f"{service.name} tells of itself as planned ({service.identity})", has == told, f"has {sorted(has)}")
        report.check(f"{service.name} sends over {way} alone", sink.ways.get(service.name) == {way}, sink.ways.get(service.name))
        report.check(f"{service.name} sends the duration histogram in seconds",
                     sink.histograms.get((service.name, "http.server.request.duration")) == "s", sink.histograms)
    report.check("logs arrive", sum(sink.logs.values()) > 0, sink.logs)
    planned = {(service.name, callee) for service in plan.services for callee in service.calls}
    report.check("the spans tell who calls whom", sink.edges() == planned, f"{sink.edges()} against {planned}")
    rate = len(sink.served(plan.entry().name, began, now)) / (now - began)
    report.check("the entry serves 20 requests a second", rate >= 20, f"{rate:.1f}/s")
    slow = typical_s(sink.served(plan.innocent, began, now))
    report.check("the innocent caller is slow by its nature", slow >= 0.055, f"{1000 * slow:.0f} ms")


def check_fault(report, plan, before, during, after):
    if plan.kind == "latency":
        ratio = typical_s(during) / typical_s(before)
        report.check("the fault slows its service three times at least", ratio >= 3, f"{ratio:.1f} times")
        ratio = typical_s(after) / typical_s(before)
        report.check("after the restart it is as fast as before", ratio < 1.6, f"{ratio:.1f} times")
    else:
        share = failed_share(during)
        report.check("the fault fails a fifth of the requests at least", share >= 0.2, f"{share:.0%}")
        share = failed_share(after)
        report.check("after the restart they succeed as before", share < 0.02, f"{share:.0%}")
    report.check("a new pod answers after the restart", not {s.pod for s in after} & {s.pod for s in before}, "the same instance")


def run(report, stage, rate):
    sink, plan = Sink(), report.plan
    try:
        with stage.shop(report, sink.receiver) as shop:
            shop.start_load(rate)
            began = time.time()
            time.sleep(SETTLE_S)
            check_telemetry(report, sink, plan, began)
            onset = shop.begin_fault()
            time.sleep(SETTLE_S)
            report.check("an affected sample is delivered", shop.delivered_at() is not None, "none within the time")
            if shop.delivered_at():
                report.time("delivered", shop.delivered_at() - onset)

            target = plan.service(plan.faulty).deployment
            restarted = time.time()
            stage.cluster.kubectl("-n", plan.namespace, "rollout", "restart", f"deployment/{target}")
            stage.cluster.kubectl("-n", plan.namespace, "rollout", "status", f"deployment/{target}", "--timeout=60s")
            rolled = time.time()
            report.check("a new pod is ready after its delay", rolled - restarted >= READY_DELAY_S, f"{rolled - restarted:.1f} s")
            time.sleep(SETTLE_S)
            check_fault(report, plan, sink.served(plan.faulty, began, onset), sink.served(plan.faulty, onset + 1, restarted),
                        sink.served(plan.faulty, rolled + 2, time.time()))
    finally:
        sink.close()
