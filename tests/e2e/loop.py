#!/usr/bin/env python3
"""The loop on real parts: a shop on OpenTelemetry's SDK, a real Kubernetes API server, a drawn fault.

    loop.py [--seeds N|A..B] [--scenario NAME]... [--rate R]

Scenarios, all four unless named:
  rehearsal  no governor: what the others take for granted about the shop, the cluster and the fault
  observe    with read-only rights: says what it would do, changes nothing
  auto       restarts the faulty service's Deployment and no other, verifies, closes
  crash      as auto, but killed between deciding and acting, and started again: acts once

The seed draws services, Deployments, fault and moment for each scenario; it is printed, and repeats the plan. Ends with a
table of times and "N passed, N failed".
"""
import math
import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import plan as plans
import rehearsal
from cluster import Cluster, is_dry, is_write
from governor import Governor
from pods import Shop
from proxy import Proxy

DETECT_S = 180   # how long a fault may stay unseen before the run fails
REMEDY_S = 180   # from there to the verified end
QUIET_S = 20     # how long it must do nothing more afterwards
TIMES = ["delivered", "detected", "cause", "decided", "action", "verified"]


class Failed(Exception):
    """What follows cannot be tried."""


class Result:
    def __init__(self, scenario, plan):
        self.scenario, self.plan, self.checks, self.times = scenario, plan, [], {}

    def check(self, name, good, otherwise=""):
        self.checks.append(bool(good))
        print(f"  {'ok  ' if good else 'FAIL'}  {name}{'' if good else f': {otherwise}'}", flush=True)
        return good

    def need(self, name, value, otherwise=""):
        """A check without which the rest makes no sense."""
        if not self.check(name, value, otherwise):
            raise Failed(name)
        return value

    def time(self, name, seconds):
        self.times[name] = seconds


class Stage:
    """What the scenarios of one invocation share: the cluster and a folder."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.cluster = Cluster(self.directory / "kube")
        self.count = 0

    def folder(self, name):
        self.count += 1
        path = self.directory / f"{self.count}-{name}"
        path.mkdir()
        return path

    @contextlib.contextmanager
    def shop(self, plan, receiver):
        folder = self.folder("shop")
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


def of_incident(governor, kind, incident):
    return [event for event in governor.events(kind) if event["data"]["incident"] == incident]


# --- the parts of a governed run ------------------------------------------------------------------


class Run:
    """One governor over one shop, with the questions that the scenarios ask."""

    def __init__(self, result, stage, plan, mode, proxy=None):
        self.result, self.plan, self.cluster = result, plan, stage.cluster
        name = f"{result.scenario}-{stage.count}"
        token, self.user = self.cluster.account(name, mode)
        kubeconfig = self.cluster.kubeconfig(token, proxy.server if proxy else None)
        self.governor = Governor(stage.folder("flyball"), plan, mode, kubeconfig)
        self.target = plan.service(plan.faulty).deployment
        self.onset = self.incident = None
        self.ended = math.inf

    def begin(self, shop, rate):
        """Load, the time to learn, then the fault."""
        shop.start_load(rate)
        time.sleep(self.plan.onset_s)
        opened = self.governor.events("INCIDENT_OPENED")
        self.result.check("no incident before the fault", not opened, [event["subject"] for event in opened])
        self.before = self.cluster.deployments(self.plan.namespace)
        self.onset = shop.begin_fault()

    def since(self, moment=None):
        return (moment or time.time()) - self.onset

    def detect(self, shop):
        """Waits for the incident and for its cause, which must be the faulty service."""
        def opened():
            late = [e for e in self.governor.events("INCIDENT_OPENED") if seconds_of(e["time"]) >= self.onset]
            return late[0] if late else None

        event = self.result.need("the fault opens an incident", soon(DETECT_S, opened), f"none within {DETECT_S} s")
        self.result.time("detected", self.since())
        self.incident = event["data"]["incident"]
        if shop.delivered_at():
            self.result.time("delivered", self.since(shop.delivered_at()))

        def blamed():
            reports = of_incident(self.governor, "RCA_REPORT", self.incident)
            return next((r for r in reports if suspect(r) == self.plan.faulty), None)

        cause = soon(60, blamed)
        reports = [suspect(report) for report in of_incident(self.governor, "RCA_REPORT", self.incident)]
        self.result.need("the cause is the faulty service", cause, f"reports blame {reports}, not {self.plan.faulty}")
        self.result.time("cause", self.since())

    def planned(self, decision):
        """Waits for the plan of an action with that decision."""
        def look():
            plans_made = of_incident(self.governor, "ACTION_PLANNED", self.incident)
            return next((e for e in plans_made if e["data"]["decision"] == decision), None)

        event = soon(60, look)
        seen = [(e["data"]["decision"], e["data"]["summary"]) for e in of_incident(self.governor, "ACTION_PLANNED", self.incident)]
        self.result.need(f"it decides to {decision}", event, f"decisions: {seen}")
        self.result.time("decided", self.since())
        target = event["data"]["target"]
        self.result.check("its target is the faulty service's Deployment",
                          (target["kind"], target["namespace"], target["name"]) == ("Deployment", self.plan.namespace, self.target),
                          target)
        self.result.check("its action is a rollout restart", event["data"]["kind"] == "rollout_restart", event["data"]["kind"])
        gates = [gate["name"] for gate in event["data"]["gates"]]
        self.result.check("every gate is on record, the mode last", len(gates) >= 9 and gates[-1] == "mode", gates)
        return event

    def verify(self):
        """Waits for the verified end of the action and of the incident."""
        def verified():
            return [e for e in of_incident(self.governor, "ACTION_LOG", self.incident) if e["data"]["state"] == "verified"]

        done = soon(REMEDY_S, verified)
        states = [e["data"]["state"] for e in of_incident(self.governor, "ACTION_LOG", self.incident)]
        self.result.need("the action is verified by the signals", done, f"its states were {states}")
        resolved = soon(60, lambda: of_incident(self.governor, "INCIDENT_RESOLVED", self.incident))
        self.result.check("the incident is closed", resolved, "no INCIDENT_RESOLVED within 60 s of it")
        self.ended = seconds_of(resolved[0]["time"]) if resolved else math.inf
        self.result.time("verified", self.since())

    # --- what the API server saw ------------------------------------------------------------------

    def writes(self):
        return [entry for entry in self.cluster.audit(self.user) if is_write(entry)]

    def effects(self):
        """Writes that the server took and that were no dry run."""
        return [e for e in self.writes() if not is_dry(e) and 200 <= e.get("responseStatus", {}).get("code", 0) < 300]

    def check_nothing_changed(self):
        writes = [f"{e['verb']} {e['requestURI']}" for e in self.writes()]
        self.result.check("the API server saw no write of it", not writes, writes)
        self.result.check("the API server saw it read", self.cluster.audit(self.user), "no request at all")
        self.result.check("every Deployment is as it was", self.changed() == {}, self.changed())

    def changed(self):
        """{Deployment: by how many generations}, of those whose specification has changed since the fault."""
        now = self.cluster.deployments(self.plan.namespace)
        steps = {name: now[name]["metadata"]["generation"] - old["metadata"]["generation"] for name, old in self.before.items()}
        return {name: step for name, step in steps.items() if step}

    def check_acted_once(self):
        """That Deployment, once, and nothing else; looked at after a quiet time."""
        time.sleep(QUIET_S)
        effects = self.effects()
        touched = {(e["objectRef"]["resource"], e["objectRef"].get("namespace"), e["objectRef"].get("name")) for e in effects}
        self.result.check("it wrote to that Deployment and to nothing else",
                          touched == {("deployments", self.plan.namespace, self.target)}, sorted(map(str, touched)))
        self.result.check("that Deployment was restarted once, no other at all", self.changed() == {self.target: 1}, self.changed())
        if effects:
            self.result.time("action", self.since(seconds_of(effects[0]["requestReceivedTimestamp"])))
        # What opens after it was closed is no part of the cascade: a busy machine has slow seconds of its own.
        opened = [e for e in self.governor.events("INCIDENT_OPENED") if self.onset <= seconds_of(e["time"]) <= self.ended]
        self.result.check("one cascade is one incident", len(opened) == 1, [event["subject"] for event in opened])

    def check_records(self):
        status, out = self.governor.cli("audit", "verify")
        self.result.check("flyball audit verify finds the chain whole", status == 0, out.strip())
        for action in {e["data"]["action"] for e in of_incident(self.governor, "ACTION_PLANNED", self.incident)}:
            status, out = self.governor.cli("explain", action)
            self.result.check("flyball explain tells of the action", status == 0 and self.target in out, out.strip())


def suspect(report):
    """Which service a report blames first; None: none."""
    causes = report["data"]["root_causes"]
    return ((causes[0]["target"] or {}).get("service") or causes[0]["entity"].rpartition("/")[2]) if causes else None


def seconds_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# --- scenarios ------------------------------------------------------------------------------------


def observe(result, stage, plan, rate):
    run = Run(result, stage, plan, "observe")
    try:
        run.governor.start()
        with stage.shop(plan, run.governor.receiver) as shop:
            run.begin(shop, rate)
            run.detect(shop)
            run.planned("tell")
            time.sleep(QUIET_S)
            run.check_nothing_changed()
            run.check_records()
            # Somebody else restarts it: the incident ends as theirs does.
            stage.cluster.kubectl("-n", plan.namespace, "rollout", "restart", f"deployment/{run.target}")
            resolved = soon(REMEDY_S, lambda: of_incident(run.governor, "INCIDENT_RESOLVED", run.incident))
            result.check("the incident ends when a person restarts it", resolved, f"open after {REMEDY_S} s")
    finally:
        result.check("it ends in good order when asked to", run.governor.close() == 0, run.governor.last_words())


def auto(result, stage, plan, rate):
    run = Run(result, stage, plan, "auto")
    try:
        run.governor.start()
        with stage.shop(plan, run.governor.receiver) as shop:
            run.begin(shop, rate)
            run.detect(shop)
            run.planned("do")
            run.verify()
            run.check_acted_once()
            run.check_records()
    finally:
        result.check("it ends in good order when asked to", run.governor.close() == 0, run.governor.last_words())


def crash(result, stage, plan, rate):
    proxy = Proxy(stage.cluster)
    run = Run(result, stage, plan, "auto", proxy)
    try:
        run.governor.start()
        with stage.shop(plan, run.governor.receiver) as shop:
            run.begin(shop, rate)
            run.detect(shop)
            result.need("its write is on the way", proxy.held.wait(60), "none within 60 s of the cause")
            intents = [a for a in run.governor.actions() if a["incident"] == run.incident]
            result.check("its intent was on record before", intents and not run.effects(), intents)
            run.governor.kill()
            print(f"        killed; its write {'reaches the server all the same' if plan.crash_lands else 'is lost'}", flush=True)
            proxy.release(plan.crash_lands)
            run.governor.start()
            run.planned("do")
            run.verify()
            run.check_acted_once()
            acted = {e["data"]["action"] for e in of_incident(run.governor, "ACTION_LOG", run.incident)}
            result.check("the action that was interrupted is the one that ended", acted == {a["id"] for a in intents}, acted)
            run.check_records()
    finally:
        result.check("it ends in good order when asked to", run.governor.close() == 0, run.governor.last_words())
        proxy.close()


SCENARIOS = {"rehearsal": rehearsal.run, "observe": observe, "auto": auto, "crash": crash}


def play(stage, scenario, seed, rate):
    plan = plans.draw(seed, scenario)
    result = Result(scenario, plan)
    print(f"\n{scenario}, seed {seed} (--seeds {seed} repeats it)", *plan.describe(), sep="\n  ", flush=True)
    try:
        SCENARIOS[scenario](result, stage, plan, rate)
    except Failed:
        pass
    except Exception as error:  # one scenario's end is not the others'
        result.check("the scenario runs to its end", False, f"{type(error).__name__}: {error}")
    return result


def print_times(results):
    print(f"\nseconds from the onset to\n{'scenario':10} {'seed':>8} {'fault':8}" + "".join(f"{name:>11}" for name in TIMES))
    for result in results:
        cells = (f"{result.times[name]:11.1f}" if name in result.times else f"{'-':>11}" for name in TIMES)
        print(f"{result.scenario:10} {result.plan.seed:8} {result.plan.kind:8}" + "".join(cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", help="one number, or A..B: every scenario for each (default: one, drawn)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this (repeatable)")
    parser.add_argument("--rate", type=float, default=25, help="requests a second at the entry (default 25)")
    options = parser.parse_args()
    first, _, last = (options.seeds or str(random.SystemRandom().randrange(1, 1_000_000))).partition("..")
    seeds = range(int(first), int(last or first) + 1)

    directory = tempfile.mkdtemp(prefix="flyball-e2e-")
    stage, results = None, []
    try:
        stage = Stage(directory)
        for seed in seeds:
            for scenario in SCENARIOS:
                if not options.scenario or scenario in options.scenario:
                    results.append(play(stage, scenario, seed, options.rate))
    finally:
        if stage:
            stage.cluster.close()
        passed = sum(sum(result.checks) for result in results)
        failed = sum(len(result.checks) for result in results) - passed
        if failed or not results:
            print(f"\nlogs and states are in {directory}")
        else:
            shutil.rmtree(directory)
    print_times(results)
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    os.environ.pop("KUBECONFIG", None)
    main()
