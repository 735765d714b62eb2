"""What Celery runs, and the client that hands it over: `peer_celery.py JOBS`, with PEERS_REDIS=PORT.
Prints the rate and the time of one, as JSON. For bench/peers."""
import json
import os
import statistics
import sys
import time

import celery

REDIS = "redis://127.0.0.1:" + os.environ["PEERS_REDIS"]
app = celery.Celery("peer_celery", broker=REDIS + "/0", backend=REDIS + "/1")
ONE_AT_A_TIME = 200


@app.task(name="noop")
def noop(n):
    return n


def one():
    started = time.monotonic()
    noop.delay(1).get(timeout=30)
    return (time.monotonic() - started) * 1e6


def main():
    one()  # the workers are there
    started = time.monotonic()
    for result in [noop.delay(1) for _ in range(int(sys.argv[1]))]:
        result.get(timeout=60)
    rate = int(sys.argv[1]) / (time.monotonic() - started)
    print(json.dumps({"per_second": rate, "p50_us": statistics.median(one() for _ in range(ONE_AT_A_TIME))}))


if __name__ == "__main__":
    main()
