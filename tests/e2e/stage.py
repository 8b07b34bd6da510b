"""What the scenarios of one invocation share: the cluster, and a folder for everything they write."""
import contextlib
import time
from pathlib import Path

from cluster import Cluster
from pods import Shop


class Stage:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.cluster = Cluster(self.directory / "kube")

    def folder(self, *names):
        path = self.directory.joinpath(*names)
        path.mkdir(parents=True)
        return path

    @contextlib.contextmanager
    def shop(self, report, receiver):
        """The shop of the report's plan, up and ready, which sends its telemetry to `receiver`."""
        plan, folder = report.plan, self.folder(report.name, "shop")
        names = [service.deployment for service in plan.services] + list(plan.decoys)
        self.cluster.create_shop(plan.namespace, names)
        shop = Shop(self.cluster, plan, folder, receiver)
        try:
            self.cluster.wait_ready(plan.namespace)
            shop.wait_ready()
            yield shop
            if shop.error:
                raise RuntimeError(f"the shop's pods were no longer looked after: {shop.error}")
        finally:
            shop.close()
            self.cluster.delete_shop(plan.namespace)


def soon(seconds, look, every_s=0.2):
    """The first true answer of `look`, or None after that time."""
    until = time.monotonic() + seconds
    while True:
        if answer := look():
            return answer
        if time.monotonic() >= until:
            return None
        time.sleep(every_s)
