"""What one run does, drawn from its seed alone: the shop, the fault, when it begins."""
import random
from dataclasses import dataclass

SERVICES = ["basket", "billing", "catalog", "coupons", "delivery", "ledger", "offers", "orders", "pricing",
            "profile", "quotes", "reviews", "search", "stock", "tax", "wallet"]
SUFFIXES = ["api", "green", "main", "server", "v2", "web", "workers"]

# How a service's telemetry tells where it runs (shop.py), and so what the governor must do to find out.
IDENTITIES = ["deployment",  # k8s.deployment.name
              "pod",         # k8s.pod.uid and name alone: by the owner references
              "none"]        # nothing: by `services:` in the configuration


@dataclass(frozen=True)
class Service:
    name: str
    deployment: str
    identity: str
    transport: str  # "grpc" or "http" (gzip)
    own_ms: float   # what it takes for its own work, median
    calls: tuple    # names, in order


@dataclass(frozen=True)
class Plan:
    seed: int
    namespace: str
    services: tuple
    decoys: tuple     # Deployments that no telemetry comes from, some named like a service that is elsewhere
    faulty: str
    innocent: str     # calls the faulty one, and is slow by its own nature
    kind: str         # "latency" or "errors"
    amount: float     # latency: times as long; errors: share of requests
    onset_s: float    # after the load began
    crash_lands: bool  # scenario crash: does the write reach the server though its author was killed?

    def service(self, name):
        return next(s for s in self.services if s.name == name)

    def entry(self):
        return self.services[0]

    def describe(self):
        faulty = self.service(self.faulty)
        lines = [f"{s.name:9} Deployment {s.deployment:16} told by {s.identity:10} over {s.transport:4} "
                 f"{s.own_ms:3.0f} ms{' -> ' + ', '.join(s.calls) if s.calls else ''}" for s in self.services]
        fault = f"{self.amount:.0f} times as slow" if self.kind == "latency" else f"{self.amount:.0%} of requests fail"
        lines.append(f"decoy Deployments: {', '.join(self.decoys)}; innocent slow caller: {self.innocent}")
        lines.append(f"fault: {self.faulty} (Deployment {faulty.deployment}): {fault}, {self.onset_s:.0f} s after the load began")
        return lines


def _calls(rng, leaves):
    """What each of the two in the middle calls: every leaf is called by somebody."""
    first = rng.sample(leaves, rng.choice([1, 2]))
    second = [leaf for leaf in leaves if leaf not in first] or rng.sample(leaves, rng.choice([1, 2]))
    return tuple(first), tuple(second)


def draw(seed, scenario, onset_s=(100, 140)):
    """The plan of a seed for a scenario. `onset_s`: between which seconds the fault may begin."""
    rng = random.Random(f"{scenario} {seed}")
    names = rng.sample(SERVICES, 5)
    front, left, right, *leaves = names
    calls = {front: (left, right), **dict(zip((left, right), _calls(rng, leaves)))}
    faulty = rng.choice(names[1:])
    innocent = rng.choice([name for name in names if faulty in calls.get(name, ())])

    identities = IDENTITIES + [rng.choice(IDENTITIES) for _ in names[3:]]
    transports = ["grpc", "http"] + [rng.choice(["grpc", "http"]) for _ in names[2:]]
    rng.shuffle(identities)
    rng.shuffle(transports)
    # The faulty one's Deployment bears its name or not, by chance; another's never does.
    renamed = {rng.choice([name for name in names if name != faulty])} | ({faulty} if rng.random() < 0.6 else set())

    services = tuple(
        Service(name, f"{name}-{rng.choice(SUFFIXES)}" if name in renamed else name, identities[i], transports[i],
                rng.uniform(60, 90) if name == innocent else rng.uniform(12, 25), calls.get(name, ()))
        for i, name in enumerate(names))
    # Whoever maps by equal names restarts a decoy.
    decoys = tuple(sorted(renamed)) + (rng.choice([n for n in SERVICES if n not in names]),)
    kind = rng.choice(["latency", "errors"])
    return Plan(seed, f"{scenario}-{seed}-{rng.randrange(1000, 10000)}", services, decoys, faulty, innocent, kind,
                5.0 if kind == "latency" else rng.uniform(0.3, 0.5), rng.uniform(*onset_s), rng.random() < 0.5)
