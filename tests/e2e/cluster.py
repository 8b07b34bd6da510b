"""A real Kubernetes control plane with fake kubelets (kube/), and what a run asks of it."""
import json
import os
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

KUBE = Path(__file__).parent / "kube"
ACCOUNTS = "governor"  # the namespace of the accounts
READY_DELAY_S = 10

READ = ["get", "list", "watch"]
# No more than the README asks for.
RIGHTS = {
    "observe": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": READ},
        {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": READ},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": READ},
    ],
}
RIGHTS["auto"] = RIGHTS["observe"] + [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
]


def deployment(namespace, name):
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"kubetest/ready-delay": f"{READY_DELAY_S}s"}},
                "spec": {"containers": [{"name": "main", "image": "example.invalid/app:1"}]}}}}


class Cluster:
    def __init__(self, directory):
        self.directory = str(directory)
        environment = os.environ | {"KUBETEST_OWNER": str(os.getpid()), "KUBETEST_AUDIT": "1"}
        subprocess.run([KUBE / "start.sh", self.directory], env=environment, check=True)
        self.env = dict(line.removeprefix("export ").split("=", 1) for line in Path(directory, "env").read_text().splitlines()
                        if line.startswith("export "))
        self.env = {name: value.strip("'") for name, value in self.env.items()}
        self.server, self.ca = self.env["KUBETEST_SERVER"], self.env["KUBETEST_CA"]
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.tls.load_cert_chain(self.env["KUBETEST_CERT"], self.env["KUBETEST_KEY"])
        self.kubectl("create", "namespace", ACCOUNTS)

    def close(self):
        subprocess.run([KUBE / "stop.sh", self.directory], check=False)

    def get(self, path):
        with urllib.request.urlopen(self.server + path, context=self.tls, timeout=10) as response:
            return json.load(response)

    def kubectl(self, *arguments, text=None):
        run = subprocess.run([self.env["KUBECTL"], "--kubeconfig", self.env["KUBECONFIG"], *arguments], input=text,
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {run.stderr.strip()}")
        return run.stdout

    def apply(self, *objects):
        self.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def create_shop(self, namespace, names):
        """The namespace and its Deployments; their pods are ready READY_DELAY_S later (wait_ready)."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        self.apply(*(deployment(namespace, name) for name in names))

    def wait_ready(self, namespace):
        self.kubectl("-n", namespace, "wait", "--for=condition=Available", "deployment", "--all", "--timeout=120s")

    def delete_shop(self, namespace):
        self.kubectl("delete", "namespace", namespace, "--wait=false")

    def deployments(self, namespace):
        """{name: object}"""
        items = self.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"]
        return {item["metadata"]["name"]: item for item in items}

    def pods(self, namespace):
        return self.get(f"/api/v1/namespaces/{namespace}/pods")["items"]

    def account(self, name, rights):
        """A service account with RIGHTS[rights]; returns its token and its user name."""
        meta = {"name": name, "namespace": ACCOUNTS}
        rbac = "rbac.authorization.k8s.io"
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": RIGHTS[rights]},
            {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
             "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
             "subjects": [{"kind": "ServiceAccount", **meta}]})
        token = self.kubectl("-n", ACCOUNTS, "create", "token", name, "--duration=2h").strip()
        user = f"system:serviceaccount:{ACCOUNTS}:{name}"
        self._await_rights(user)
        return token, user

    def _await_rights(self, user):
        """The authorizer learns of a new binding by a watch, a moment after it was written."""
        for _ in range(100):
            try:
                self.kubectl("auth", "can-i", "list", "pods", "--all-namespaces", "--as", user, "--quiet")
                return
            except RuntimeError:
                time.sleep(0.1)
        raise RuntimeError(f"{user} may not list pods: its binding has not taken effect")

    def kubeconfig(self, token, server=None):
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": server or self.server, "certificate-authority": self.ca}}],
            "users": [{"name": "e2e", "user": {"token": token}}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}]}, indent=1)

    def audit(self, user):
        """What this user asked the server for, from its audit log, oldest first."""
        found = []
        with open(Path(self.directory, "log", "audit.log"), encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # it is being written
                entry = json.loads(line)
                if entry["user"].get("username") == user:
                    found.append(entry)
        return found


def is_write(entry):
    """Does this audit entry ask for a change? Questions about one's own rights are POSTs that change nothing."""
    resource = entry.get("objectRef", {}).get("resource", "")
    return entry["verb"] not in READ and resource not in ("selfsubjectaccessreviews", "selfsubjectrulesreviews")


def is_dry(entry):
    return "dryRun=All" in entry["requestURI"]
