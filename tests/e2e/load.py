#!/usr/bin/env python3
"""Users: asks the entry of the shop at random moments, whether or not earlier answers have come.

    load.py ENDPOINTS_FILE SERVICE REQUESTS_PER_S SEED COUNTS_FILE

An open loop (exponential gaps), so that a slow shop does not slow its users. At SIGTERM it writes
{"asked", "ok", "failed", "seconds"} to COUNTS_FILE.
"""
import json
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from wire import Watched, fetch


def main():
    endpoints_file, service, rate, seed, counts_file = sys.argv[1:]
    endpoints, rng, ended = Watched(endpoints_file, {}), random.Random(int(seed)), threading.Event()
    counts, lock = {"asked": 0, "ok": 0, "failed": 0}, threading.Lock()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())

    def ask():
        ports = endpoints.get().get(service, [])
        status = fetch(random.choice(ports), f"/{service}", {}) if ports else 503
        with lock:
            counts["ok" if status < 400 else "failed"] += 1

    began = next_at = time.monotonic()
    with ThreadPoolExecutor(max_workers=200) as pool:
        while not ended.wait(max(0.0, next_at - time.monotonic())):
            counts["asked"] += 1
            pool.submit(ask)
            next_at += rng.expovariate(float(rate))
    with open(counts_file, "w", encoding="utf-8") as file:
        json.dump(counts | {"seconds": time.monotonic() - began}, file)


if __name__ == "__main__":
    main()
