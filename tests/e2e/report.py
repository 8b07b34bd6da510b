"""What a scenario found: its checks, told as they are made, and its times."""
import sys

# Seconds from the onset of the fault.
TIMES = ["delivered", "detected", "cause", "decided", "action", "verified"]


class Failed(Exception):
    """What follows cannot be tried."""


class Report:
    """Of one scenario of one seed; `plan` is None where nothing is drawn."""

    def __init__(self, scenario, plan=None):
        self.scenario, self.plan, self.checks, self.times = scenario, plan, [], {}
        self.name = f"{scenario}-{plan.seed}" if plan else scenario

    def say(self, text):
        """In one write: scenarios run side by side."""
        sys.stdout.write(f"{self.name:16} {text}\n")
        sys.stdout.flush()

    def check(self, what, good, otherwise=""):
        self.checks.append(bool(good))
        self.say(f"ok    {what}" if good else f"FAIL  {what}: {otherwise}")
        return good

    def need(self, what, value, otherwise=""):
        """A check without which the rest makes no sense."""
        if not self.check(what, value, otherwise):
            raise Failed(what)
        return value

    def time(self, name, seconds):
        self.times[name] = seconds


def table(reports):
    """The times as lines of Markdown; none where no shop was looked at."""
    shops = [report for report in reports if report.plan]
    if not shops:
        return []

    def row(first, second, third, cells):
        return f"| {first:9} | {second:>6} | {third:7} | " + " | ".join(f"{cell:>9}" for cell in cells) + " |"

    lines = [row("scenario", "seed", "fault", TIMES), row("-" * 9, "-" * 5 + ":", "-" * 7, ["-" * 8 + ":" for _ in TIMES])]
    for report in shops:
        cells = [f"{report.times[name]:.1f}" if name in report.times else "-" for name in TIMES]
        lines.append(row(report.scenario, report.plan.seed, report.plan.kind, cells))
    return ["seconds from the onset of the fault to"] + lines
