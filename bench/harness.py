"""What the benchmarks share: a jobd of its own for each figure, and the load on it."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

BIN = "build/release"
JOBD = "build/jobd"
TRUE_BODY = '{"function":"true"}'
NOOP_BODY = '{"function":"noop","args":{"n":1}}'
LATER_BODY = '{"function":"true","delay_seconds":86400,"args":{"path":"%s"}}' % ("x" * 120)
WAIT = ["-H", "Prefer: wait=30"]

CONFIG = """\
listen: ["127.0.0.1:0"]
data_dir: {dir}/data
workers: {workers}
log_level: warn
max_waiting_jobs: 10000000
functions:
  - name: "true"
    command: [/bin/true]
  - name: noop
    program: [{noop}]
    workers: 2
"""


class Jobd:
    """A jobd of its own on a port that it picked, in a directory of its own unless one is given;
    `more` is added to its configuration."""

    def __init__(self, directory=None, more="", workers=2):
        self.own = None if directory else tempfile.TemporaryDirectory(prefix="jobd-bench-")
        self.dir = directory or self.own.name
        self.more = more
        self.workers = workers

    def __enter__(self):
        config = os.path.join(self.dir, "jobd.yaml")
        with open(config, "w") as f:
            f.write(CONFIG.format(dir=self.dir, workers=self.workers,
                                  noop=os.path.abspath(BIN + "/bench/noop")) + self.more)
        listen = os.path.join(self.dir, "data/run/listen")
        if os.path.exists(listen):
            os.unlink(listen)
        started = time.monotonic()
        self.process = subprocess.Popen([JOBD, "--config", config])
        while not os.path.exists(listen):
            if time.monotonic() > started + 60 or self.process.poll() is not None:
                sys.exit("bench: jobd did not start")
            time.sleep(0.001)
        self.ready_seconds = time.monotonic() - started  # the file is there when it is ready
        with open(listen) as f:
            self.address = f.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(60) != 0:
            sys.exit("bench: jobd did not stop cleanly")
        if self.own:
            self.own.cleanup()


def measure(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    line = done.stdout.strip().splitlines()
    if done.returncode != 0 or not line:
        sys.exit("bench: %s failed: %s%s" % (command[0], done.stdout, done.stderr))
    result = json.loads(line[-1])
    return result if isinstance(result, dict) else {"per_second": result}


def load(address, body, *options, path="/v1/jobs"):
    return measure(BIN + "/bench/load", address, path, body, *options)
