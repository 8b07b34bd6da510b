"""The scenarios in which the governor watches a shop: observe, auto, crash."""
import math
import time
from contextlib import contextmanager
from datetime import datetime

from cluster import is_dry, is_write
from governor import Governor
from proxy import Proxy
from stage import soon

DETECT_S = 180   # how long a fault may stay unseen before the run fails
REMEDY_S = 180   # from there to the verified end
QUIET_S = 20     # how long it must do nothing more afterwards


class Run:
    """One governor over one shop, with the questions that the scenarios ask."""

    def __init__(self, report, stage, mode, server=None):
        self.report, self.plan, self.stage, self.cluster = report, report.plan, stage, stage.cluster
        token, self.user = self.cluster.account(report.name, mode)
        self.governor = Governor(stage.folder(report.name, "flyball"), self.plan, mode, self.cluster.kubeconfig(token, server))
        self.target = self.plan.service(self.plan.faulty).deployment
        self.onset = self.incident = self.before = None
        self.ended = math.inf

    def events(self, kind):
        """The events of that type that belong to the incident of the fault."""
        return [event for event in self.governor.events(kind) if event["data"]["incident"] == self.incident]

    def since(self, moment=None):
        return (moment or time.time()) - self.onset

    # --- the story --------------------------------------------------------------------------------

    def begin(self, shop, rate):
        """Load, the time to learn, then the fault."""
        shop.start_load(rate)
        time.sleep(self.plan.onset_s)
        opened = self.governor.events("INCIDENT_OPENED")
        self.report.check("no incident before the fault", not opened, [event["subject"] for event in opened])
        self.before = self.cluster.deployments(self.plan.namespace)
        self.onset = shop.begin_fault()

    def detect(self):
        """Waits for the incident and for its cause, which must be the faulty service."""
        def opened():
            late = [e for e in self.governor.events("INCIDENT_OPENED") if seconds_of(e["time"]) >= self.onset]
            return late[0] if late else None

        event = self.report.need("the fault opens an incident", soon(DETECT_S, opened), f"none within {DETECT_S} s")
        self.report.time("detected", self.since())
        self.incident = event["data"]["incident"]

        def blamed():
            return next((r for r in self.events("RCA_REPORT") if suspect(r) == self.plan.faulty), None)

        cause = soon(60, blamed)
        reports = [suspect(report) for report in self.events("RCA_REPORT")]
        self.report.need("the cause is the faulty service", cause, f"reports blame {reports}, not {self.plan.faulty}")
        self.report.time("cause", self.since())

    def planned(self, decision):
        """Waits for the plan of an action with that decision."""
        def look():
            return next((e for e in self.events("ACTION_PLANNED") if e["data"]["decision"] == decision), None)

        event = soon(60, look)
        seen = [(e["data"]["decision"], e["data"]["summary"]) for e in self.events("ACTION_PLANNED")]
        self.report.need(f"it decides to {decision}", event, f"decisions: {seen}")
        self.report.time("decided", self.since())
        target = event["data"]["target"]
        self.report.check("its target is the faulty service's Deployment",
                          (target["kind"], target["namespace"], target["name"]) == ("Deployment", self.plan.namespace, self.target),
                          target)
        self.report.check("its action is a rollout restart", event["data"]["kind"] == "rollout_restart", event["data"]["kind"])
        gates = [gate["name"] for gate in event["data"]["gates"]]
        self.report.check("every gate is on record, the mode last", len(gates) >= 9 and gates[-1] == "mode", gates)

    def verify(self):
        """Waits for the verified end of the action and of the incident."""
        def verified():
            return [e for e in self.events("ACTION_LOG") if e["data"]["state"] == "verified"]

        done = soon(REMEDY_S, verified)
        states = [e["data"]["state"] for e in self.events("ACTION_LOG")]
        self.report.need("the action is verified by the signals", done, f"its states were {states}")
        self.report.time("verified", self.since())
        resolved = soon(60, lambda: self.events("INCIDENT_RESOLVED"))
        self.report.check("the incident is closed", resolved, "no INCIDENT_RESOLVED within 60 s of it")
        self.ended = seconds_of(resolved[0]["time"]) if resolved else math.inf

    # --- what the API server saw ------------------------------------------------------------------

    def writes(self):
        return [entry for entry in self.cluster.audit(self.user) if is_write(entry)]

    def effects(self):
        """Writes that the server took and that were no dry run."""
        return [e for e in self.writes() if not is_dry(e) and 200 <= e.get("responseStatus", {}).get("code", 0) < 300]

    def changed(self):
        """{Deployment: by how many generations}, of those whose specification has changed since the fault."""
        now = self.cluster.deployments(self.plan.namespace)
        steps = {name: now[name]["metadata"]["generation"] - old["metadata"]["generation"] for name, old in self.before.items()}
        return {name: step for name, step in steps.items() if step}

    def check_nothing_changed(self):
        """Looked at after a quiet time."""
        time.sleep(QUIET_S)
        writes = [f"{e['verb']} {e['requestURI']}" for e in self.writes()]
        self.report.check("the API server saw no write of it", not writes, writes)
        self.report.check("the API server saw it read", self.cluster.audit(self.user), "no request at all")
        self.report.check("every Deployment is as it was", self.changed() == {}, self.changed())

    def check_acted_once(self):
        """That Deployment, once, and nothing else; looked at after a quiet time."""
        time.sleep(QUIET_S)
        effects = self.effects()
        touched = {(e["objectRef"]["resource"], e["objectRef"].get("namespace"), e["objectRef"].get("name")) for e in effects}
        self.report.check("it wrote to that Deployment and to nothing else",
                          touched == {("deployments", self.plan.namespace, self.target)}, sorted(map(str, touched)))
        self.report.check("that Deployment was restarted once, no other at all", self.changed() == {self.target: 1}, self.changed())
        if effects:
            self.report.time("action", self.since(seconds_of(effects[0]["requestReceivedTimestamp"])))
        # What opens after it was closed is no part of the cascade: a busy machine has slow seconds of its own.
        opened = [e for e in self.governor.events("INCIDENT_OPENED") if self.onset <= seconds_of(e["time"]) <= self.ended]
        self.report.check("one cascade is one incident", len(opened) == 1, [event["subject"] for event in opened])

    def check_records(self, shop):
        status, out = self.governor.cli("audit", "verify")
        self.report.check("flyball audit verify finds the chain whole", status == 0, out.strip())
        status, out = self.governor.cli("explain", self.incident)
        self.report.check("flyball explain tells of the incident", status == 0 and self.target in out, out.strip())
        for action in {e["data"]["action"] for e in self.events("ACTION_PLANNED")} - {None}: # None: an escalation
            status, out = self.governor.cli("explain", action)
            self.report.check("flyball explain tells of the action", status == 0 and self.target in out, out.strip())
        if shop.delivered_at():
            self.report.time("delivered", self.since(shop.delivered_at()))

    def close(self):
        self.report.check("it ends in good order when asked to", self.governor.close() == 0, self.governor.last_words())


def suspect(report):
    """Which service a report blames first; None: none."""
    causes = report["data"]["root_causes"]
    return ((causes[0]["target"] or {}).get("service") or causes[0]["entity"].rpartition("/")[2]) if causes else None


def seconds_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# --- scenarios ------------------------------------------------------------------------------------


@contextmanager
def detected(report, stage, rate, mode, server=None):
    """A run up to its detection, and its shop; closed at the end, however it went."""
    run = Run(report, stage, mode, server)
    try:
        run.governor.start()
        with stage.shop(report, run.governor.receiver) as shop:
            run.begin(shop, rate)
            run.detect()
            yield run, shop
    finally:
        run.close()


def observe(report, stage, rate):
    with detected(report, stage, rate, "observe") as (run, shop):
        run.planned("tell")
        run.check_nothing_changed()
        run.check_records(shop)
        # Somebody else restarts it: the incident ends as theirs does.
        stage.cluster.kubectl("-n", run.plan.namespace, "rollout", "restart", f"deployment/{run.target}")
        resolved = soon(REMEDY_S, lambda: run.events("INCIDENT_RESOLVED"))
        report.check("the incident ends when a person restarts it", resolved, f"open after {REMEDY_S} s")


def auto(report, stage, rate):
    with detected(report, stage, rate, "auto") as (run, shop):
        run.planned("do")
        run.verify()
        run.check_acted_once()
        run.check_records(shop)


def crash(report, stage, rate):
    proxy = Proxy(stage.cluster)
    try:
        with detected(report, stage, rate, "auto", proxy.server) as (run, shop):
            intents = crash_between(run, proxy)
            run.planned("do")
            run.verify()
            run.check_acted_once()
            acted = {e["data"]["action"] for e in run.events("ACTION_LOG")}
            report.check("the action that was interrupted is the one that ended", acted == intents, acted)
            run.check_records(shop)
    finally:
        proxy.close()


def crash_between(run, proxy):
    """Kills the governor while its write is on the way, and starts it again. Returns the ids of the actions that it meant to do."""
    run.report.need("its write is on the way", proxy.held.wait(60), "none within 60 s of the cause")
    intents = {action["id"] for action in run.governor.actions() if action["incident"] == run.incident}
    run.report.check("its intent was on record before", intents and not run.effects(), intents)
    run.governor.kill()
    run.report.say(f"killed; its write {'reaches the server all the same' if run.plan.crash_lands else 'is lost'}")
    proxy.release(run.plan.crash_lands)
    run.governor.start()
    return intents
