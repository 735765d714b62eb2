"""Clients and workers for beanstalkd and gearmand, as lean as Python lets them be: bare sockets, and what can be
said in one packet is. Each function is given the port of a server that has nothing else to do. For bench/peers."""
import contextlib
import multiprocessing
import socket
import statistics
import struct
import time

WORKERS = 2
AHEAD = 64  # submits on their way, as many as connections to jobd
ONE_AT_A_TIME = 300
STOP = b"stop"
REPLY = b"wait"
CAN_DO, PRE_SLEEP, NOOP, SUBMIT, CREATED, GRAB, NO_JOB, ASSIGN, COMPLETE, SUBMIT_BG = 1, 4, 6, 7, 8, 9, 10, 11, 13, 18


class Wire:
    """A connection, and what has come over it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.send = self.socket.sendall

    def line(self, expected):
        line = self.file.readline()
        if not line.startswith(expected):
            raise RuntimeError("answered %r, not %r" % (line, expected))
        return line.split()

    def packet(self):
        kind, length = struct.unpack(">II", self.file.read(12)[4:])
        return kind, self.file.read(length)


@contextlib.contextmanager
def workers(run, port):
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=run, args=(port,), daemon=True) for _ in range(WORKERS)]
    for worker in running:
        worker.start()
    try:
        yield running
    finally:
        for worker in running:
            worker.kill()
            worker.join()


def joined(running):
    for worker in running:
        worker.join(60)
        if worker.exitcode != 0:
            raise RuntimeError("a worker did not end")


def p50_us(one):
    times = []
    for _ in range(ONE_AT_A_TIME):
        started = time.monotonic()
        one()
        times.append((time.monotonic() - started) * 1e6)
    return statistics.median(times)


# ---- beanstalkd ---------------------------------------------------------------------------


def beanstalk_worker(port):
    wire = Wire(port)
    wire.send(b"use ended\r\n")
    wire.line(b"USING")
    wire.send(b"reserve\r\n")
    while True:
        _, job, length = wire.line(b"RESERVED")
        body = wire.file.read(int(length) + 2)[:-2]
        if body == STOP:
            wire.send(b"delete %s\r\n" % job)
            wire.line(b"DELETED")
            return
        if body == REPLY:
            wire.send(b"put 0 0 60 2\r\nok\r\n")
            wire.line(b"INSERTED")
        wire.send(b"delete %s\r\nreserve\r\n" % job)
        wire.line(b"DELETED")


def beanstalk_put(wire, bodies):
    for at in range(0, len(bodies), AHEAD):
        some = bodies[at:at + AHEAD]
        wire.send(b"".join(b"put 0 0 60 %d\r\n%s\r\n" % (len(b), b) for b in some))
        for _ in some:
            wire.line(b"INSERTED")


def beanstalk_one(wire):
    beanstalk_put(wire, [REPLY])
    wire.send(b"reserve\r\n")
    _, job, length = wire.line(b"RESERVED")
    wire.file.read(int(length) + 2)
    return job


def beanstalk(port, jobs):
    wire = Wire(port)
    wire.send(b"watch ended\r\nignore default\r\n")
    wire.line(b"WATCHING")
    wire.line(b"WATCHING")

    def one():
        wire.send(b"delete %s\r\n" % beanstalk_one(wire))
        wire.line(b"DELETED")

    with workers(beanstalk_worker, port) as running:
        p50 = p50_us(one)
        started = time.monotonic()
        beanstalk_put(wire, [b'{"args":{"n":1}}'] * jobs + [STOP] * WORKERS)
        joined(running)
        return {"per_second": jobs / (time.monotonic() - started), "p50_us": p50}


# ---- gearmand -----------------------------------------------------------------------------


def gearman_packet(kind, *fields):
    data = b"\0".join(fields)
    return b"\0REQ" + struct.pack(">II", kind, len(data)) + data


def gearman_worker(port):
    wire = Wire(port)
    grab = gearman_packet(GRAB)
    wire.send(gearman_packet(CAN_DO, b"noop") + grab)
    while True:
        kind, data = wire.packet()
        if kind == ASSIGN:
            handle, _, body = data.split(b"\0", 2)
            wire.send(gearman_packet(COMPLETE, handle, b"ok") + (b"" if body == STOP else grab))
            if body == STOP:
                return
        else:
            wire.send(gearman_packet(PRE_SLEEP) if kind == NO_JOB else grab)


def gearman_submit(wire, bodies):
    """In the background, which is what gearmand keeps."""
    for at in range(0, len(bodies), AHEAD):
        some = bodies[at:at + AHEAD]
        wire.send(b"".join(gearman_packet(SUBMIT_BG, b"noop", b"%d" % (at + n), b)
                           for n, b in enumerate(some)))
        for _ in some:
            if wire.packet()[0] != CREATED:
                raise RuntimeError("a job was refused")


def gearman(port, jobs):
    wire = Wire(port)

    def one():
        wire.send(gearman_packet(SUBMIT, b"noop", b"", b"1"))
        while wire.packet()[0] != COMPLETE:
            pass

    with workers(gearman_worker, port) as running:
        p50 = p50_us(one)
        started = time.monotonic()
        gearman_submit(wire, [b'{"args":{"n":1}}'] * jobs + [STOP] * WORKERS)
        joined(running)
        return {"per_second": jobs / (time.monotonic() - started), "p50_us": p50}
