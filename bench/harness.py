"""What the benchmarks share: a jobd of its own for each figure, the load on it, what the kernel says of it, and
what they write down."""
import contextlib
import datetime
import json
import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import typing
import urllib.request

BIN = "build/release"
JOBD = "build/jobd"
LOAD = BIN + "/bench/load"
TRUE_BODY = '{"function":"true"}'
NOOP_BODY = '{"function":"noop","args":{"n":1}}'
NOOP_16_BODY = '{"function":"noop16","args":{"n":1}}'
LATER_BODY = '{"function":"true","delay_seconds":86400,"args":{"path":"%s"}}' % ("x" * 120)
WAIT = ["-H", "Prefer: wait=30"]
BATCH = 1000  # jobs in a call

SETTINGS = {"listen": ["127.0.0.1:0"], "workers": 2, "log_level": "warn", "max_waiting_jobs": 10_000_000}
TRUE = {"name": "true", "command": ["/bin/true"]}
NOOP = {"name": "noop", "program": [os.path.abspath(BIN + "/bench/noop")], "workers": 2}
# As many lines in the pipe of each program as the bare program keeps there.
NOOP_16 = {"name": "noop16", "program": [os.path.abspath(BIN + "/bench/noop"), "16"], "concurrency": 16, "workers": 2}
ASLEEP = {"name": "asleep", "command": ["sleep", "infinity"]}
START_LIMIT_S = 60
STOP_LIMIT_S = 60


class Jobd:
    """A jobd of its own on a port that it picked, in a directory of its own unless one is given.

    `functions` are objects of the configuration; settings by name replace those above; `lines` are added to the
    configuration as they are; `log` is the path of a file for what it says.
    """

    def __init__(self, directory=None, functions=(TRUE, NOOP), lines="", log=None, program=JOBD, **settings):
        self.own = None if directory else tempfile.TemporaryDirectory(prefix="jobd-bench-")
        self.dir = directory or self.own.name
        self.settings = {"data_dir": self.dir + "/data", **SETTINGS, **settings, "functions": list(functions)}
        self.lines = lines
        self.log = log
        self.program = program

    def __enter__(self):
        config = os.path.join(self.dir, "jobd.yaml")
        with open(config, "w") as f:
            f.writelines("%s: %s\n" % (name, json.dumps(value)) for name, value in self.settings.items())
            f.write(self.lines)
        listen = os.path.join(self.dir, "data/run/listen")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(listen)  # of the jobd before
        with open(self.log, "wb") if self.log else contextlib.nullcontext() as log:
            started = time.monotonic()
            self.process = subprocess.Popen([self.program, "--config", config], stdout=log, stderr=log)
        while not os.path.exists(listen):
            if time.monotonic() > started + START_LIMIT_S or self.process.poll() is not None:
                sys.exit("bench: jobd did not start")
            time.sleep(0.001)
        self.ready_seconds = time.monotonic() - started  # the file is there when it is ready
        self.address = read(listen).splitlines()[0]
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(STOP_LIMIT_S) != 0:
            sys.exit("bench: jobd did not stop cleanly")
        if self.own:
            self.own.cleanup()

    def front(self):
        """The process id of the front, None when there is none at the moment."""
        return next((pid for pid in children(self.process.pid) if name_of(pid) == "jobd-front"), None)

    def rows(self, sql, *values):
        """What the ledger has, read beside jobd."""
        with contextlib.closing(sqlite3.connect("file:%s/data/jobd.db?mode=ro" % self.dir, uri=True,
                                                timeout=10)) as db:
            return db.execute(sql, values).fetchall()

    def number(self, sql, *values):
        return self.rows(sql, *values)[0][0]

    def post(self, path, body, *headers):
        """The answer to a body, which is an object or JSON text."""
        text = body if isinstance(body, str) else json.dumps(body)
        request = urllib.request.Request("http://%s%s" % (self.address, path), text.encode(), {
            "Content-Type": "application/json", **dict(headers)})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def submit_many(self, count, body):
        """Jobs of the same body, a batch at a time; returns the id of the last."""
        for done in range(0, count, BATCH):
            ids = self.post("/v1/jobs:batchCreate", batch_body(body, min(BATCH, count - done)))["ids"]
        return ids[-1]

    def all_ended(self, last):
        """Waits for the job that was submitted last, and for those that another worker still has."""
        with urllib.request.urlopen("http://%s/v1/jobs/%s?wait=55" % (self.address, last)) as answer:
            answer.read()
        deadline = time.monotonic() + 30
        while self.number("SELECT EXISTS (SELECT 1 FROM job WHERE state = 'queued')"
                          " OR EXISTS (SELECT 1 FROM job WHERE state <> 'succeeded' AND state <> 'queued')"):
            if time.monotonic() > deadline:
                raise RuntimeError("not all jobs succeeded")
            time.sleep(0.001)


def batch_body(body, count=BATCH):
    return '{"jobs":[%s]}' % ",".join([body] * count)


# ---- load ---------------------------------------------------------------------------------


def measure(*command):
    """The last line that a command prints: an object, or a number of things a second."""
    done = subprocess.run(command, capture_output=True, text=True)
    line = done.stdout.strip().splitlines()
    if done.returncode != 0 or not line:
        sys.exit("bench: %s failed: %s%s" % (command[0], done.stdout, done.stderr))
    result = json.loads(line[-1])
    return result if isinstance(result, dict) else {"per_second": result}


def load(address, body, *options, path="/v1/jobs"):
    return measure(LOAD, address, path, body, *options)


# ---- processes ----------------------------------------------------------------------------


def read(path):
    with open(path) as f:
        return f.read()


def children(pid):
    found = []
    with contextlib.suppress(OSError):  # it has ended, or its thread
        for task in os.listdir("/proc/%d/task" % pid):
            found += map(int, read("/proc/%d/task/%s/children" % (pid, task)).split())
    return found


def name_of(pid):
    with contextlib.suppress(OSError):
        return read("/proc/%d/comm" % pid).strip()
    return ""


class Task(typing.NamedTuple):
    """What a thread has done so far."""
    name: str
    waits: int     # how often it slept and was woken
    switches: int  # the same, and how often it was made to give way
    cpu_seconds: float


def tasks(pid):
    """The threads of a process, by their ids."""
    found = {}
    for task in os.listdir("/proc/%d/task" % pid):
        with contextlib.suppress(OSError):  # it has ended
            status = read("/proc/%d/task/%s/status" % (pid, task)).splitlines()
            fields = read("/proc/%d/task/%s/stat" % (pid, task)).rsplit(")", 1)[1].split()
            counts = [int(line.split()[1]) for line in status if "ctxt_switches" in line]  # voluntary ones first
            found[int(task)] = Task(status[0].split(None, 1)[1], counts[0], sum(counts),
                                    (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return found


def pss_bytes(pid):
    return sum(int(line.split()[1]) * 1024 for line in read("/proc/%d/smaps_rollup" % pid).splitlines()
               if line.startswith("Pss:"))


# ---- what is written down -----------------------------------------------------------------


def processor():
    names = [line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
             if line.startswith("model name")]
    return "%d x %s" % (os.cpu_count(), names[0] if names else platform.machine())


def commit():
    """Of the sources that this was built from; "+": with changes. "unknown": they are not in a repository."""
    with contextlib.suppress(OSError):  # there is no git
        done = subprocess.run(["git", "describe", "--always", "--dirty=+", "--exclude=*"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    return "unknown"


def circumstances():
    """Where and when: called before a measurement, for the load average to be that of others."""
    return {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "processor": processor(),
            "cpus": os.cpu_count(), "machine": platform.machine(), "kernel": platform.release(),
            "commit": commit(), "load_before": round(os.getloadavg()[0], 2)}


def headline(where):
    return "%s, %s, Linux %s, commit %s, load %.1f before" % (
        where["date"][:10], where["processor"], where["kernel"], where["commit"], where["load_before"])


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def write_json(name, report):
    with open(os.path.join(os.environ.get("JOBD_BENCH_JSON", "build"), name + ".json"), "w") as f:
        json.dump(report, f, indent=1)
