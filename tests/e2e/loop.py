#!/usr/bin/env python3
"""The loop on real parts: a shop on OpenTelemetry's SDK, a real Kubernetes API server, a drawn fault.

    loop.py [--seeds N|A..B] [--scenario NAME]... [--jobs N] [--rate R]

Scenarios, all unless named:
  contract   no shop: the real API server keeps every promise that the simulated one is held to
  rehearsal  no governor: what the others take for granted about the shop, the cluster and the fault
  observe    with read-only rights: says what it would do, changes nothing
  auto       restarts the faulty service's Deployment and no other, verifies, closes
  crash      as auto, but killed between deciding and acting, and started again: acts once

The seed draws services, Deployments, fault and moment for each scenario; it is printed, and repeats the plan. Ends with a
table of times and "N passed, N failed".
"""
import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor

import contract
import governed
import plan as plans
import rehearsal
from report import Failed, Report, table
from stage import Stage

SHOPS = {"rehearsal": rehearsal.run, "observe": governed.observe, "auto": governed.auto, "crash": governed.crash}


def play(report, scenario, *arguments):
    try:
        scenario(report, *arguments)
    except Failed:
        pass
    except Exception:  # one scenario's end is not the others'
        report.check("the scenario runs to its end", False, traceback.format_exc())
    return report


def play_shop(stage, scenario, seed, rate):
    plan = plans.draw(seed, scenario)
    report = Report(scenario, plan)
    report.say("\n".join([f"--scenario {scenario} --seeds {seed} repeats it", *(f"    {line}" for line in plan.describe())]))
    return play(report, SHOPS[scenario], stage, rate)


def play_all(stage, scenarios, seeds, options):
    with ThreadPoolExecutor(options.jobs) as pool:
        plays = [pool.submit(play, Report("contract"), contract.run, stage)] if "contract" in scenarios else []
        plays += [pool.submit(play_shop, stage, scenario, seed, options.rate)
                  for seed in seeds for scenario in SHOPS if scenario in scenarios]
        return [each.result() for each in plays]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", help="one number, or A..B: every scenario for each (default: one, drawn)")
    parser.add_argument("--scenario", action="append", choices=["contract", *SHOPS], help="only this (repeatable)")
    parser.add_argument("--jobs", type=int, default=1, help="how many scenarios side by side; one takes a third of a core (default 1)")
    parser.add_argument("--rate", type=float, default=25, help="requests a second at the entry (default 25)")
    return parser.parse_args()


def main():
    options = arguments()
    first, _, last = (options.seeds or str(random.SystemRandom().randrange(1, 1_000_000))).partition("..")
    seeds = range(int(first), int(last or first) + 1)

    directory = tempfile.mkdtemp(prefix="flyball-e2e-")
    print(f"logs and states are in {directory}, which goes when all has passed", flush=True)
    stage = Stage(directory)
    try:
        reports = play_all(stage, options.scenario or ["contract", *SHOPS], seeds, options)
    finally:
        stage.cluster.close()

    passed = sum(sum(report.checks) for report in reports)
    failed = sum(len(report.checks) for report in reports) - passed
    print(*table(reports), sep="\n")
    if failed:
        for report in reports:
            if not all(report.checks):
                print(f"{report.name} failed; its logs and states: {directory}/{report.name}")
    else:
        shutil.rmtree(directory)
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    os.environ.pop("KUBECONFIG", None)
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # every process under this one ends with it
    main()
