"""A stand-in for metrics.k8s.io: the CPU and memory of pods are what the recorder says they are."""
import http.server
import json
import ssl
import threading
import time
import urllib.parse

GROUP = "metrics.k8s.io"
WINDOW_S = 20  # over which a sample was taken; metrics-server's are 10 to 30 s


class MetricsApi:
    """Serves HTTPS on a free loopback port. `usage(namespace, labels)` gives {pod: {resource: milli}}."""

    def __init__(self, certificate, key, usage):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                code, body = api.answer(self.path)
                raw = json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args):
                pass

        self.usage = usage
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, target):
        url = urllib.parse.urlsplit(target)
        path = url.path.strip("/").split("/")
        if path == ["apis", GROUP, "v1beta1"]:
            return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP + "/v1beta1", "resources": [
                {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}]}
        if path[:4] != ["apis", GROUP, "v1beta1", "namespaces"] or len(path) != 6:
            return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
        selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
        labels = dict(term.split("=", 1) for term in selector.split(",") if "=" in term)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        items = [{"metadata": {"name": name, "namespace": path[4], "labels": labels}, "timestamp": now, "window": f"{WINDOW_S}s",
                  "containers": [{"name": "main", "usage": {
                      resource: f"{value}m" if resource == "cpu" else str(value // 1000) for resource, value in used.items()}}]}
                 for name, used in self.usage(path[4], labels).items()]
        return 200, {"kind": "PodMetricsList", "apiVersion": GROUP + "/v1beta1", "metadata": {}, "items": items}

    def objects(self):
        """What makes the API server ask here."""
        return [
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics", "namespace": "kube-system"},
             "spec": {"type": "ExternalName", "externalName": "localhost"}},
            {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1." + GROUP},
             "spec": {"group": GROUP, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
                      "insecureSkipTLSVerify": True,
                      "service": {"name": "metrics", "namespace": "kube-system", "port": self.server.server_address[1]}}}]
