#!/usr/bin/env python3
"""A warm program: how easy is a text to read?

jobd starts this program ahead and keeps it. Each job is one line of JSON on standard input; the
answer is one line of JSON on descriptor 3. Standard output and standard error are the job's logs.

    in    {"id": "0190...", "attempt": 1, "args": {"text": "Four score and seven..."}}
    out   {"id": "0190...", "progress": 0.5, "message": "syllables"}      (as often as you like)
    out   {"id": "0190...", "result": {...}}    or    {"id": "0190...", "error": {"message": "..."}}
"""
import json
import os
import re
import sys

VOWELS = re.compile(r"[aeiouy]+")  # what a big program would load once, and keep: a model, say
answers = os.fdopen(int(os.environ.get("JOBD_FD", "3")), "w", buffering=1)
served = 0


def answer(job, **members):
    answers.write(json.dumps({"id": job["id"], **members}) + "\n")


def syllables(word):
    count = len(VOWELS.findall(word))
    return max(1, count - (word.endswith("e") and not word.endswith("le")))


def flesch(job, text):
    """Flesch reading ease: 100 is a children's book, 0 is a contract."""
    words = re.findall(r"[a-z']+", text.lower())
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    if not words:
        raise ValueError("no words in args.text")
    answer(job, progress=0.3, message=f"{len(words)} words")
    total = sum(syllables(word) for word in words)
    answer(job, progress=0.9, message=f"{total} syllables")
    return round(206.835 - 1.015 * len(words) / sentences - 84.6 * total / len(words), 1)


for line in sys.stdin:
    job = json.loads(line)
    served += 1
    try:
        args = job.get("args")
        if not isinstance(args, dict) or not isinstance(args.get("text"), str):
            raise ValueError('args must be {"text": "..."}')
        ease = flesch(job, args["text"])
        print(f"job {job['id']}: reading ease {ease}")
        sys.stdout.flush()
        answer(job, result={"reading_ease": ease, "pid": os.getpid(), "served": served})
    except ValueError as error:
        answer(job, error={"message": str(error)})
