"""A warm program for the torture: writes down that it runs, holds the job's lock while it does, answers."""
import fcntl
import json
import os
import sys

directory = sys.argv[1]
answers = os.fdopen(3, "w", buffering=1)
effects = os.open(directory + "/effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
for line in sys.stdin:
    job = json.loads(line)
    lock = os.open("%s/locks/%s" % (directory, job["id"]), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        word = "run"
    except BlockingIOError:
        word = "overlap"
    os.write(effects, ("%s %s %d\n" % (word, job["id"], job["attempt"])).encode())
    print(json.dumps({"id": job["id"], "result": job["args"]}), file=answers)
    os.close(lock)
