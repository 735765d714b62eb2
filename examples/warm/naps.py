#!/usr/bin/env python3
"""A warm program that holds several jobs at once: it says for how many it has room. A line
{"cancel": "<id>"} asks it to drop one of them; the answer to that job is then an error."""
import asyncio
import json
import os
import sys
answers = os.fdopen(int(os.environ["JOBD_FD"]), "w", buffering=1)
naps = {}


def say(**members):
    answers.write(json.dumps(members) + "\n")


async def nap(args):
    await asyncio.sleep(args["seconds"])  # a database, a network: anything to wait for
    return {"slept": args["seconds"], "together": len(naps), "pid": os.getpid()}


def end(id, task):
    del naps[id]
    error = "canceled" if task.cancelled() else task.exception()
    say(id=id, error=str(error)) if error else say(id=id, result=task.result())


async def main():
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say(ready=True, concurrency=8)
    async for job in (json.loads(line) async for line in lines):
        if "cancel" not in job:
            naps[job["id"]] = loop.create_task(nap(job["args"]))
            naps[job["id"]].add_done_callback(lambda task, id=job["id"]: end(id, task))
        elif job["cancel"] in naps:
            naps[job["cancel"]].cancel()

asyncio.run(main())
