#!/usr/bin/env python3
"""A warm program in Python. jobd starts it once and gives it one job after another: a line of
JSON on standard input. Its answers are lines of JSON on descriptor 3; what it prints is a log."""
import json
import os
import sys

answers = os.fdopen(int(os.environ["JOBD_FD"]), "w", buffering=1)


def say(**members):
    answers.write(json.dumps(members) + "\n")


# What takes long to set up is set up here, once: a model, a connection, a cache.
say(ready=True)
for line in sys.stdin:
    job = json.loads(line)
    try:
        text = job["args"]["text"]
        say(id=job["id"], progress=0.5, message="breathing in")
        print("shouting", text, flush=True)
        say(id=job["id"], result={"shout": text.upper() + "!"})
    except Exception as error:
        say(id=job["id"], error={"message": repr(error)})
