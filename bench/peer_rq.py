"""What RQ runs, and the client that hands it over: `peer_rq.py JOBS`, with PEERS_REDIS=PORT.
Prints the rate, as JSON. For bench/peers."""
import json
import os
import sys
import time

import redis
import rq


def noop(n):
    return n


def until_finished(queue, count):
    while queue.finished_job_registry.count < count:
        if queue.failed_job_registry.count:
            sys.exit("peer_rq: a job failed")
        time.sleep(0.005)


def main():
    from peer_rq import noop as task  # by the name that the workers import
    jobs = int(sys.argv[1])
    queue = rq.Queue("noop", connection=redis.Redis(port=int(os.environ["PEERS_REDIS"])))
    for _ in range(2):
        queue.enqueue(task, 1)
    until_finished(queue, 2)  # the workers are there
    started = time.monotonic()
    for _ in range(jobs):
        queue.enqueue(task, 1)
    until_finished(queue, jobs + 2)
    print(json.dumps({"per_second": jobs / (time.monotonic() - started)}))


if __name__ == "__main__":
    main()
