"""What Flyball relies on at an API server, asked of the real one: the same questions that the simulated one is held to."""
import re
import subprocess

import parts

PROGRAM = parts.BUILD / "src" / "sim" / "kube" / "kube_contract_real"
SECONDS = 300


def run(report, stage):
    folder, cluster = stage.folder("contract"), stage.cluster
    token, _ = cluster.account("contract", "observe")
    look = folder / "look.token"
    look.touch(0o600)
    look.write_text(token, encoding="utf-8")
    asked = subprocess.run([PROGRAM, cluster.server, cluster.ca, cluster.env["KUBETEST_CERT"], cluster.env["KUBETEST_KEY"], look],
                           capture_output=True, text=True, timeout=SECONDS, check=False)
    (folder / "contract.log").write_text(asked.stderr, encoding="utf-8")
    kept = int((re.findall(r"contract\.end.* kept=(\d+)", asked.stderr) or [0])[-1])
    report.check(f"the real API server keeps the simulated one's contract ({kept} promises)", asked.returncode == 0 and kept,
                 asked.stderr[-4000:])
