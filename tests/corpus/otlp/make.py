#!/usr/bin/env python3
"""Makes the recordings beside it: export requests of the real OpenTelemetry SDK, and what is to be read from them.

    python3 -m venv venv && venv/bin/pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-common
    venv/bin/python make.py

NAME.bin is the request as the SDK's exporter encodes it. NAME.txt is the expectation, one record a line,
written from the request as Google's protobuf library reads it, by the rules of docs/design; nothing of
Flyball is used. NAME.rejected is how many records are to be left out.
"""
import json
import logging
import math
import random
from pathlib import Path

from opentelemetry import context, metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

HERE = Path(__file__).resolve().parent
RESOURCE = Resource.create({
    "service.name": "payment", "service.namespace": "shop", "service.version": "2.0.1", "host.name": "node-3",
    "k8s.pod.uid": "0b6f6a2e-1111-4222-8333-944455556666", "k8s.deployment.name": "payment-v2",
    "process.pid": 4711, "process.command_args": ["python", "-m", "payment", "--größe=5"], "debug": True, "share": 0.25,
})

# --- the expectation --------------------------------------------------------------------------------------


def text(s):
    raw = s.encode() if isinstance(s, str) else s
    return '"' + "".join(chr(c) if 0x20 <= c <= 0x7E and c not in b'"\\' else f"\\x{c:02x}" for c in raw) + '"'


def json_of(v):
    kind = v.WhichOneof("value")
    if kind == "array_value":
        return [json_of(x) for x in v.array_value.values]
    if kind == "kvlist_value":
        return {kv.key: json_of(kv.value) for kv in v.kvlist_value.values}
    if kind is None:
        return None
    value = getattr(v, kind)
    return int(value) if kind == "double_value" and value == int(value) else value


def value_of(v):
    kind = v.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "string_value":
        return v.string_value
    if kind == "bool_value":
        return "true" if v.bool_value else "false"
    if kind == "int_value":
        return str(v.int_value)
    if kind == "double_value":
        return repr(v.double_value).removesuffix(".0")
    return json.dumps(json_of(v), separators=(",", ":"), ensure_ascii=False)


def attrs(pairs):
    last = {}
    for key, value in pairs:
        last[key.encode()] = value
    return "{" + ",".join(f"{text(k)}={text(last[k])}" for k in sorted(last)) + "}"


def values(attributes):
    return [(kv.key, value_of(kv.value)) for kv in attributes]


def number(v):
    return "none" if math.isnan(v) else "%.17g" % v


def scoped(scope):
    """What a series has of its scope: the attributes, the name, the version."""
    pairs = [("otel.scope." + k, v) for k, v in values(scope.attributes)]
    pairs += [("otel.scope.name", scope.name)] if scope.name else []
    return pairs + ([("otel.scope.version", scope.version)] if scope.version else [])


def metric_lines(request):
    lines, rejected = [], 0
    for group in request.resource_metrics:
        resource = attrs(values(group.resource.attributes))
        for scope in group.scope_metrics:
            named = scoped(scope.scope)
            for metric in scope.metrics:
                data = metric.WhichOneof("data")
                points = getattr(metric, data).data_points
                if data in ("exponential_histogram", "summary"):
                    rejected += len(points)
                    continue
                if data == "gauge":
                    kind = "gauge"
                elif data == "sum":
                    delta = metric.sum.aggregation_temporality == 1
                    kind = "delta" if delta else "cumulative" if metric.sum.is_monotonic else "updown"
                else:
                    kind = "histogram_" + ("delta" if metric.histogram.aggregation_temporality == 1 else "cumulative")
                for p in points:
                    head = f"{kind} {text(metric.name)} {text(metric.unit)} r{resource} a{attrs(named + values(p.attributes))}"
                    times = f"{p.start_time_unix_nano} {p.time_unix_nano}"
                    if data == "histogram":
                        bounds = "".join(" " + number(b) for b in p.explicit_bounds)
                        counts = "".join(f" {c}" for c in p.bucket_counts)
                        lines.append(f"histogram {head} {times} {p.count} {number(p.sum)} [{bounds} ] [{counts} ]")
                    else:
                        v = p.as_double if p.WhichOneof("value") == "as_double" else float(p.as_int)
                        lines.append(f"point {head} {times} {number(v)}")
    return lines, rejected


KEPT = ("http.request.method", "http.route", "http.response.status_code", "server.address", "server.port", "peer.service",
        "db.system.name", "db.namespace", "messaging.destination.name", "rpc.service", "rpc.method", "error.type",
        "http.method", "http.status_code", "net.peer.name")


def weight(span):
    for member in span.trace_state.split(","):
        if not member.strip().startswith("ot="):
            continue
        for item in member.strip()[3:].split(";"):
            if item.startswith("th:"):
                threshold = int(item[3:].ljust(14, "0"), 16)
                if int(span.trace_id[-7:].hex(), 16) >= threshold:
                    return 2**56 / (2**56 - threshold)
    return 0.0


def span_lines(request):
    lines = []
    for group in request.resource_spans:
        resource = attrs(values(group.resource.attributes))
        for scope in group.scope_spans:
            for s in scope.spans:
                kept = [(k, v) for k, v in values(s.attributes) if k in KEPT]
                for event in s.events:
                    if event.name == "exception":
                        kept += [(k, v) for k, v in values(event.attributes) if k == "exception.type"]
                lines.append(f"span r{resource} {s.trace_id.hex()} {s.span_id.hex()} {(s.parent_span_id or bytes(8)).hex()} "
                             f"{s.kind} {s.status.code} {s.start_time_unix_nano} {s.end_time_unix_nano} "
                             f"{number(weight(s))} {text(s.name)} a{attrs(kept)}")
    return lines, 0


def log_lines(request):
    lines = []
    for group in request.resource_logs:
        resource = attrs(values(group.resource.attributes))
        for scope in group.scope_logs:
            named = [("otel.scope.name", scope.scope.name)] if scope.scope.name else []
            for l in scope.log_records:
                pairs = named + values(l.attributes) + ([("event.name", l.event_name)] if l.event_name else [])
                lines.append(f"log r{resource} {l.time_unix_nano or l.observed_time_unix_nano} {l.severity_number} "
                             f"{(l.trace_id or bytes(16)).hex()} {(l.span_id or bytes(8)).hex()} "
                             f"{text(value_of(l.body))} a{attrs(pairs)}")
    return lines, 0


# --- the requests -------------------------------------------------------------------------------------------


def save(name, request, kind, lines_of):
    raw = request.SerializeToString()
    lines, rejected = lines_of(kind.FromString(raw))
    (HERE / f"{name}.bin").write_bytes(raw)
    (HERE / f"{name}.txt").write_text("".join(line + "\n" for line in lines))
    (HERE / f"{name}.rejected").write_text(f"{rejected}\n")
    print(name, len(raw), "bytes,", len(lines), "records,", rejected, "left out")


def measured(temporality=None, views=()):
    reader = InMemoryMetricReader(preferred_temporality=temporality or {})
    provider = MeterProvider(metric_readers=[reader], resource=RESOURCE, views=list(views))
    return reader, provider


def metrics_of(name, temporality=None, views=()):
    reader, provider = measured(temporality, views)
    meter = provider.get_meter("opentelemetry.instrumentation.asgi", "0.50b0")
    other = provider.get_meter("payment.stock")
    requests = meter.create_counter("http.requests", unit="{request}", description="Requests, größer als null.")
    active = meter.create_up_down_counter("http.server.active_requests", unit="{request}")
    duration = meter.create_histogram("http.server.request.duration", unit="s",
                                      explicit_bucket_boundaries_advisory=[0.005, 0.01, 0.05, 0.1, 0.5, 1, 5])
    sizes = other.create_histogram("http.server.request.duration", unit="s")  # the same name from another scope
    other.create_observable_gauge("queue.depth", callbacks=[lambda _: [
        metrics.Observation(17, {"queue": "mail"}), metrics.Observation(-2.5, {"queue": "größe"})]])
    other.create_observable_counter("bytes.read", unit="By", callbacks=[lambda _: [metrics.Observation(2**40 + 1)]])
    rng = random.Random(7)
    for i in range(40):
        where = {"http.request.method": rng.choice(["GET", "POST"]), "http.route": "/pay/{id}", "http.response.status_code": 200}
        requests.add(1 + i % 3, where)
        active.add(1 if i % 2 else -1, {"http.request.method": "GET"})
        duration.record(rng.expovariate(20), where)
        sizes.record(rng.expovariate(2), where)
    save(name, encode_metrics(reader.get_metrics_data()), ExportMetricsServiceRequest, metric_lines)


DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA,
         UpDownCounter: AggregationTemporality.CUMULATIVE}
metrics_of("metrics-cumulative")
metrics_of("metrics-delta", DELTA)
metrics_of("metrics-exponential", None, [View(instrument_name="http.server.request.duration",
                                              aggregation=ExponentialBucketHistogramAggregation())])

exporter = InMemorySpanExporter()
provider = TracerProvider(resource=RESOURCE)
provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = provider.get_tracer("opentelemetry.instrumentation.flask", "0.50b0")


def parent_with(state, tail):
    span = SpanContext(trace_id=(0x111122223333444455 << 56) + tail, span_id=0x77, is_remote=True,
                       trace_flags=TraceFlags(1), trace_state=TraceState(state))
    return trace.set_span_in_context(NonRecordingSpan(span), context.Context())


with tracer.start_as_current_span("GET /pay/{id}", kind=SpanKind.SERVER, attributes={
        "http.request.method": "GET", "http.route": "/pay/{id}", "http.response.status_code": 500, "url.path": "/pay/7",
        "user_agent.original": "curl/8", "server.address": "payment", "server.port": 8080}) as span:
    with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes={
            "db.system.name": "postgresql", "db.namespace": "orders", "db.query.text": "SELECT secret", "server.address": "db"}):
        pass
    with tracer.start_as_current_span("call cart", kind=SpanKind.CLIENT, attributes={
            "peer.service": "cart", "rpc.service": "Cart", "rpc.method": "Get", "http.status_code": 200}) as call:
        call.add_event("retry", {"attempt": 2, "exception.type": "not one"})
    span.record_exception(ValueError("no money"))
    span.set_status(Status(StatusCode.ERROR, "no money"))
with tracer.start_as_current_span("quarter", context=parent_with([("ot", "th:c")], 0xff000000000000)):
    pass
with tracer.start_as_current_span("dropped by its own threshold", context=parent_with([("ot", "th:c")], 0xbfffffffffffff)):
    pass
with tracer.start_as_current_span("all", context=parent_with([("vendor", "x"), ("ot", "th:0")], 0x5)):
    pass
with tracer.start_as_current_span("send", kind=SpanKind.PRODUCER, attributes={"messaging.destination.name": "mail"},
                                  links=[Link(SpanContext(5, 6, True), {"http.route": "of a link"})]) as span:
    span.set_status(Status(StatusCode.OK))
save("traces", encode_spans(exporter.get_finished_spans()), ExportTraceServiceRequest, span_lines)

lines = InMemoryLogRecordExporter()
logs = LoggerProvider(resource=RESOURCE)
logs.add_log_record_processor(SimpleLogRecordProcessor(lines))
set_logger_provider(logs)
log = logging.getLogger("payment.stock")
log.setLevel(logging.DEBUG)
log.propagate = False
log.addHandler(LoggingHandler(level=logging.NOTSET, logger_provider=logs))
# Compiled under a name of its own, which goes into the records.
exec(compile('''log.info("charged %d for %s", 17, "größe")
log.warning("slow", extra={"ms": 412.5, "hosts": ["a", "b"], "deep": {"k": [1, True, None]}})
with tracer.start_as_current_span("within a span"):
    log.error("failed")
try:
    raise KeyError("stock")
except KeyError:
    log.exception("no stock")
''', "payment.py", "exec"))
save("logs", encode_logs(lines.get_finished_logs()), ExportLogsServiceRequest, log_lines)
