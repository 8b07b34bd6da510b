#!/usr/bin/env python3
"""One service of the shop: an HTTP server that calls others, instrumented by the OpenTelemetry SDK.

    shop.py SPEC.json

It stands for one pod: its resource is what a Deployment's environment would give it, and it ends with
the pod (pods.py). SPEC: name, pod, pod_uid, namespace, deployment, identity, transport, endpoint, own_ms,
calls, port_file, endpoints_file, fault_file, times_file.

Whoever listens where stands in endpoints_file ({service: [ports]}), as an EndpointSlice would tell. A pod named
in fault_file ({"pods", "kind", "amount"}) misbehaves. What the run must know of this process's telemetry
goes to times_file, one JSON object a line.
"""
import json
import logging
import os
import random
import signal
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from wire import Watched, fetch

METRIC_INTERVAL_MS = 10_000
# OpenTelemetry's semantic conventions: the boundaries of http.server.request.duration, in seconds.
DURATION_BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]


def resource_of(spec):
    attributes = {"service.name": spec["name"], "service.instance.id": str(uuid.uuid4())}
    if spec["identity"] == "deployment":
        attributes |= {"k8s.namespace.name": spec["namespace"], "k8s.deployment.name": spec["deployment"]}
    if spec["identity"] in ("deployment", "pod"):
        attributes |= {"k8s.pod.name": spec["pod"], "k8s.pod.uid": spec["pod_uid"]}
    return Resource.create(attributes)


class Times:
    """What of this process's telemetry was delivered when."""

    def __init__(self, spec):
        self.spec, self.affected_ns, self.delivered = spec, None, False

    def note(self, what):
        line = json.dumps({"what": what, "service": self.spec["name"], "pod": self.spec["pod"], "at": time.time()})
        with open(self.spec["times_file"], "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def affected(self):
        """A request that the fault has touched has ended."""
        if self.affected_ns is None:
            self.affected_ns = time.time_ns()

    def exported(self, until_ns):
        """The receiver has taken a batch that reaches up to `until_ns`."""
        if not self.delivered and self.affected_ns is not None and until_ns >= self.affected_ns:
            self.delivered = True
            self.note("delivered")


def noting(exporter, times):
    """The span exporter, noting what was delivered."""
    export = exporter.export

    def noted(spans):
        result = export(spans)
        if result is SpanExportResult.SUCCESS and spans:
            times.exported(max(span.end_time for span in spans))
        return result

    exporter.export = noted
    return exporter


def exporters(spec):
    where = spec["endpoint"]
    if spec["transport"] == "grpc":
        return [kind(endpoint=where, insecure=True) for kind in (GrpcSpans, GrpcMetrics, GrpcLogs)]
    return [kind(endpoint=f"http://{where}/v1/{path}", compression=Compression.Gzip)
            for kind, path in ((HttpSpans, "traces"), (HttpMetrics, "metrics"), (HttpLogs, "logs"))]


class Telemetry:
    def __init__(self, spec, times):
        spans, metrics, logs = exporters(spec)
        resource = resource_of(spec)
        self.traces = TracerProvider(resource=resource)  # its sampler keeps every trace
        self.traces.add_span_processor(BatchSpanProcessor(noting(spans, times)))
        reader = PeriodicExportingMetricReader(metrics, export_interval_millis=METRIC_INTERVAL_MS)
        self.meters = MeterProvider([reader], resource)
        self.logs = LoggerProvider(resource=resource)
        self.logs.add_log_record_processor(BatchLogRecordProcessor(logs))
        self.tracer = self.traces.get_tracer("shop")
        self.duration = self.meters.get_meter("shop").create_histogram(
            "http.server.request.duration", "s", "Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=DURATION_BOUNDS_S)
        self.log = logging.getLogger("shop")
        self.log.setLevel(logging.INFO)
        self.log.propagate = False
        self.log.addHandler(LoggingHandler(logger_provider=self.logs))

    def close(self):
        for provider in (self.traces, self.meters, self.logs):
            provider.shutdown()


class Shop:
    def __init__(self, spec):
        self.spec = spec
        self.times = Times(spec)
        self.telemetry = Telemetry(spec, self.times)
        self.endpoints = Watched(spec["endpoints_file"], {})
        self.faults = Watched(spec["fault_file"], {"pods": []})
        self.chance = random.Random()

    def fault(self, kind):
        """How strong a fault of this kind is here and now; 0: none."""
        fault = self.faults.get()
        return fault["amount"] if self.spec["pod"] in fault["pods"] and fault["kind"] == kind else 0

    def call(self, name):
        """Asks another service; its status, or 503 when nobody is there."""
        with self.telemetry.tracer.start_as_current_span(f"GET /{name}", kind=trace.SpanKind.CLIENT) as span:
            span.set_attributes({"http.request.method": "GET", "server.address": name, "url.path": f"/{name}"})
            headers = {}
            propagate.inject(headers)
            ports = self.endpoints.get().get(name, [])
            status = fetch(self.chance.choice(ports), f"/{name}", headers) if ports else 503
            span.set_attribute("http.response.status_code", status)
            if status >= 400:
                span.set_attribute("error.type", str(status))
                span.set_status(trace.StatusCode.ERROR)
            return status

    def work(self):
        """Its own work, then its calls; a failed call fails it too. Returns the status."""
        began = time.perf_counter()
        time.sleep(self.spec["own_ms"] / 1000 * self.chance.lognormvariate(0, 0.2))
        if self.chance.random() < self.fault("errors"):
            self.times.affected()
            self.telemetry.log.error("cannot read /%s: connection pool exhausted", self.spec["name"])
            return 500
        statuses = [self.call(name) for name in self.spec["calls"]]
        slow = self.fault("latency")
        if slow:
            time.sleep((slow - 1) * (time.perf_counter() - began))
            self.times.affected()
        if any(status >= 400 for status in statuses):
            self.telemetry.log.warning("a call of /%s failed", self.spec["name"])
            return 502
        return 200

    def serve(self, headers):
        route = "/" + self.spec["name"]
        attributes = {"http.request.method": "GET", "http.route": route, "url.scheme": "http"}
        began = time.perf_counter()
        with self.telemetry.tracer.start_as_current_span(f"GET {route}", propagate.extract(headers), trace.SpanKind.SERVER,
                                                         attributes) as span:
            status = self.work()
            span.set_attribute("http.response.status_code", status)
            attributes["http.response.status_code"] = status
            if status >= 500:
                attributes["error.type"] = str(status)
                span.set_status(trace.StatusCode.ERROR)
            elif self.chance.random() < 0.05:
                self.telemetry.log.info("served %s in %.0f ms", route, 1000 * (time.perf_counter() - began))
        self.telemetry.duration.record(time.perf_counter() - began, attributes)
        return status


class Server(ThreadingHTTPServer):
    daemon_threads = False  # requests under way are finished before the end
    request_queue_size = 128


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        shop = Shop(json.load(file))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status = shop.serve(self.headers)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    with open(shop.spec["port_file"] + ".new", "w", encoding="utf-8") as file:
        file.write(str(server.server_address[1]))
    os.replace(shop.spec["port_file"] + ".new", shop.spec["port_file"])
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    shop.telemetry.close()


if __name__ == "__main__":
    main()
