"""A small OTLP receiver of our own: what the shop sends, kept for the rehearsal to look at."""
import gzip
import threading
from collections import Counter, namedtuple
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

Span = namedtuple("Span", "service pod trace id parent kind start_s seconds failed")
SERVER = 2
ERROR = 2


class Sink:
    def __init__(self):
        self.lock = threading.Lock()
        self.spans, self.logs, self.ways = [], Counter(), {}
        self.histograms = {}  # (service, name) -> unit
        self.resources = {}   # service -> the last attributes
        self._start_grpc()
        self._start_http()
        self.receiver = {"grpc": f"127.0.0.1:{self.grpc_port}", "http": f"127.0.0.1:{self.http.server_address[1]}"}

    def close(self):
        self.grpc.stop(0)
        self.http.shutdown()

    # --- what came -------------------------------------------------------------------------------

    def take(self, request, way):
        with self.lock:
            kind = type(request).__name__
            if kind == "ExportTraceServiceRequest":
                self._take_spans(request.resource_spans, way)
            elif kind == "ExportMetricsServiceRequest":
                self._take_metrics(request.resource_metrics, way)
            else:
                for group in request.resource_logs:
                    self.logs[self._source(group, way)] += sum(len(scope.log_records) for scope in group.scope_logs)

    def _source(self, group, way):
        attributes = {item.key: item.value.string_value for item in group.resource.attributes}
        service = attributes.get("service.name", "")
        self.resources[service] = attributes
        self.ways.setdefault(service, set()).add(way)
        return service

    def _take_spans(self, groups, way):
        for group in groups:
            service = self._source(group, way)
            pod = self.resources[service].get("service.instance.id", "")
            for span in (span for scope in group.scope_spans for span in scope.spans):
                self.spans.append(Span(service, pod, span.trace_id, span.span_id, span.parent_span_id, span.kind,
                                       span.start_time_unix_nano / 1e9,
                                       (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                                       span.status.code == ERROR))

    def _take_metrics(self, groups, way):
        for group in groups:
            service = self._source(group, way)
            for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
                if metric.WhichOneof("data") == "histogram":
                    self.histograms[service, metric.name] = metric.unit

    # --- what it means ---------------------------------------------------------------------------

    def served(self, service, since_s, until_s):
        """The service's server spans that began in that time."""
        with self.lock:
            return [s for s in self.spans if s.service == service and s.kind == SERVER and since_s <= s.start_s < until_s]

    def edges(self):
        """{(caller, callee)} as the spans' parents tell."""
        with self.lock:
            by_id = {span.id: span for span in self.spans}
        pairs = ((by_id.get(span.parent), span) for span in by_id.values())
        return {(parent.service, span.service) for parent, span in pairs if parent and parent.service != span.service}

    # --- ports -----------------------------------------------------------------------------------

    def _start_grpc(self):
        def servicer(base, response):
            def export(_self, request, _context):
                self.take(request, "grpc")
                return response()
            return type("Servicer", (base,), {"Export": export})()

        self.grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
            servicer(trace_service_pb2_grpc.TraceServiceServicer, trace_service_pb2.ExportTraceServiceResponse), self.grpc)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
            servicer(metrics_service_pb2_grpc.MetricsServiceServicer, metrics_service_pb2.ExportMetricsServiceResponse), self.grpc)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
            servicer(logs_service_pb2_grpc.LogsServiceServicer, logs_service_pb2.ExportLogsServiceResponse), self.grpc)
        self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        self.grpc.start()

    def _start_http(self):
        sink = self
        kinds = {"/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
                 "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
                 "/v1/logs": logs_service_pb2.ExportLogsServiceRequest}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                zipped = self.headers.get("Content-Encoding") == "gzip"
                sink.take(kinds[self.path].FromString(gzip.decompress(body) if zipped else body),
                          "http gzip" if zipped else "http")
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
