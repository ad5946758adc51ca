"""A loopback HTTP proxy that makes a local S3 server behave like a distant one, and counts what any client asks of it.

    proxy.py --upstream PORT [--listen PORT] [--delay-ms 30] [--connection-rate 60e6] [--total-rate 125e6]

Every request waits --delay-ms before it goes on to the server; bodies of answers (and of requests) pass with at most
--connection-rate bytes a second on one connection and --total-rate over all (125e6 is 1 Gbit/s; 0: unlimited). Messages
pass unchanged, Host too, so signatures hold. Once ready, one line of JSON on standard output names both ports.

Control, over HTTP on a second port:  POST /begin  forget what was seen;  GET /requests  everything that ended since then, as JSON;
GET /open  what has not ended;  PUT /shape  {"delay_ms": ..., "connection_rate": ..., "total_rate": ...}.

`Proxy` starts one and asks it; `summary` counts requests, bytes and waves.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time

PIECE = 64 << 10
HEAD_LIMIT = 1 << 20
SHAPE = {"delay_ms": 30.0, "connection_rate": 60e6, "total_rate": 125e6}
FREE = {"delay_ms": 0.0, "connection_rate": 0.0, "total_rate": 0.0}


# ---- counting --------------------------------------------------------------------------------------------------------


def waves(spans):
    """Rounds of (start, end) spans: a round is what starts before the first of it ends. This is also the length of the
    longest chain of spans that cannot have overlapped, so it times the delay is the least that a client waits."""
    count, first_end = 0, float("-inf")
    for start, end in sorted(spans):
        if start >= first_end:
            count, first_end = count + 1, end
        first_end = min(first_end, end)
    return count


def busy_periods(spans):
    """The lenient count: a round ends only when nothing is on its way any more."""
    count, last_end = 0, float("-inf")
    for start, end in sorted(spans):
        if start >= last_end:
            count += 1
        last_end = max(last_end, end)
    return count


def summary(requests):
    """Of requests as GET /requests gives them. `waves_strict` ends a round with the first answer's first byte."""
    spans = [(one["start"], one["end"]) for one in requests]
    verbs = sorted({one["verb"] for one in requests})
    return {
        "requests": len(requests),
        "by_verb": {verb: sum(one["verb"] == verb for one in requests) for verb in verbs},
        "bytes": sum(one["bytes"] for one in requests),
        "sent_bytes": sum(one["sent_bytes"] for one in requests),
        "waves": waves(spans),
        "waves_strict": waves([(one["start"], one["first_byte"]) for one in requests]),
        "busy_periods": busy_periods(spans),
        "most_at_once": most_at_once(spans),
        "failed": sum(not 200 <= one["status"] < 300 for one in requests),
        "wall_ms": 1000 * (max(end for _, end in spans) - min(start for start, _ in spans)) if spans else 0.0,
    }


def most_at_once(spans):
    events = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    now = most = 0
    for _, change in events:
        now += change
        most = max(most, now)
    return most


# ---- the client's side -----------------------------------------------------------------------------------------------


class Proxy:
    """A proxy of its own process, before the server on a port; `with proxy.counting() as seen` fills `seen`."""

    def __init__(self, upstream, listen=0):
        command = [
            sys.executable,
            "-B",
            os.path.abspath(__file__),
            "--upstream",
            str(upstream),
            "--listen",
            str(listen),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        ports = json.loads(self._process.stdout.readline() or "null")
        if ports is None:
            raise RuntimeError("the proxy did not start")
        self.port, self._control = ports["listen"], ports["control"]
        self.shape = dict(SHAPE)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def _ask(self, verb, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._control, timeout=60)
        connection.request(verb, path, body=json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"proxy: {content.decode()}")
        return json.loads(content)

    def begin(self):
        self._ask("POST", "/begin")

    def requests(self):
        return self._ask("GET", "/requests")

    @contextlib.contextmanager
    def counting(self):
        seen = {}
        self.begin()
        yield seen
        seen.update(summary(self.requests()))

    @contextlib.contextmanager
    def unshaped(self):
        """Neither delay nor limits inside: for builds and loading."""
        self._ask("PUT", "/shape", FREE)
        try:
            yield
        finally:
            self._ask("PUT", "/shape", self.shape)

    def close(self):
        self._process.terminate()
        self._process.communicate()


# ---- the proxy -------------------------------------------------------------------------------------------------------


class Pace:
    """Bytes a second: `wait` sleeps until that many more may pass."""

    def __init__(self, rate):
        self.rate, self._free_at = rate, 0.0

    async def wait(self, size):
        if self.rate <= 0:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + size / self.rate
        # A sleep takes a millisecond at least; short debts are paid together with the next ones.
        if self._free_at - now > 0.002:
            await asyncio.sleep(self._free_at - now)


class Message:
    """The head of a request or an answer, and how its body is framed."""

    def __init__(self, head):
        self.head = head
        first, *lines = head.decode("latin-1").split("\r\n")
        self.start = first.split(" ")
        self.headers = {}
        for line in lines:
            name, separator, value = line.partition(":")
            if separator:
                self.headers[name.strip().lower()] = value.strip()
        self.chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self.length = int(self.headers.get("content-length", 0))

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Upstream:
    """The connection to the server that belongs to one client's connection."""

    def __init__(self, port):
        self._port, self.reader, self._writer = port, None, None

    async def ask(self, data):
        """Sends a request, on a new connection if the kept one turns out closed; answers the head of the answer."""
        if self._writer:
            try:
                return await self._answer(data)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
        self.reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=HEAD_LIMIT)
        set_nodelay(self._writer)
        return await self._answer(data)

    async def _answer(self, data):
        self._writer.write(data)
        await self._writer.drain()
        while True:
            answer = Message(await self.reader.readuntil(b"\r\n\r\n"))
            if answer.start[1] != "100":
                return answer

    def close(self):
        if self._writer:
            self._writer.close()
            self._writer = None


class Server:
    def __init__(self, upstream, shape):
        self.upstream = upstream
        self.log = []
        self.serving = set()
        self.set_shape(shape)

    def set_shape(self, shape):
        self.shape = shape
        self.total = Pace(shape["total_rate"])

    async def serve(self, reader, writer):
        # The loop itself keeps no task whose client has gone; it would vanish in the middle of a request.
        self.serving.add(asyncio.current_task())
        set_nodelay(writer)
        upstream, own = Upstream(self.upstream), Pace(0)
        try:
            while True:
                request = Message(await reader.readuntil(b"\r\n\r\n"))
                own.rate = self.shape["connection_rate"]
                answer = await self.exchange(request, reader, writer, upstream, own)
                if answer.closes:
                    upstream.close()
                if answer.closes or request.closes:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.serving.discard(asyncio.current_task())
            writer.close()
            upstream.close()

    async def exchange(self, request, reader, writer, upstream, own):
        """One request and its answer, whose head is returned."""
        entry = {
            "verb": request.start[0],
            "path": request.start[1],
            "range": request.headers.get("range"),
            "start": time.monotonic(),
            "first_byte": None,
            "end": None,
            "status": 0,
            "bytes": 0,
            "sent_bytes": 0,
        }
        self.log.append(entry)
        try:
            if request.headers.get("expect", "").lower() == "100-continue":
                await send(writer, b"HTTP/1.1 100 Continue\r\n\r\n")
            body = b"".join([piece async for piece in self.pieces(request, reader, own)])
            entry["sent_bytes"] = len(body)
            await asyncio.sleep(self.shape["delay_ms"] / 1000)
            answer = await upstream.ask(without_expect(request.head) + body)
            entry["status"] = int(answer.start[1])
            entry["first_byte"] = time.monotonic()
            await send(writer, answer.head)
            if request.start[0] != "HEAD" and entry["status"] not in (204, 304):
                async for piece in self.pieces(answer, upstream.reader, own):
                    await send(writer, piece)
                    entry["bytes"] += len(piece)
            return answer
        finally:
            entry["end"] = time.monotonic()
            entry["first_byte"] = entry["first_byte"] or entry["end"]

    async def pieces(self, message, reader, own):
        """The body as it comes, in step with both rates; chunked bodies keep their frames."""
        if message.chunked:
            size = -1
            while size != 0:
                line = await reader.readuntil(b"\r\n")
                size = int(line.split(b";")[0], 16)
                piece = line + await reader.readexactly(size + 2)
                await self.keep_pace(own, size)
                yield piece
            return
        left = message.length
        while left > 0:
            piece = await reader.read(min(PIECE, left))
            if not piece:
                raise ConnectionError("the body ended early")
            left -= len(piece)
            await self.keep_pace(own, len(piece))
            yield piece

    async def keep_pace(self, own, size):
        await own.wait(size)
        await self.total.wait(size)

    # --- control ---

    async def control(self, reader, writer):
        try:
            request = Message(await reader.readuntil(b"\r\n\r\n"))
            body = (await reader.readexactly(request.length)).decode()
            try:
                status, answer = "200 OK", self.obey(*request.start[:2], body)
            except (KeyError, ValueError) as error:
                status, answer = "400 Bad Request", str(error)
            data = json.dumps(answer).encode()
            await send(
                writer, f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def obey(self, verb, path, body):
        if (verb, path) == ("POST", "/begin"):
            self.log = []
            return 0
        if (verb, path) == ("GET", "/requests"):
            return [entry for entry in self.log if entry["end"] is not None]
        if (verb, path) == ("GET", "/open"):
            return [entry for entry in self.log if entry["end"] is None]
        if (verb, path) == ("PUT", "/shape"):
            self.set_shape({name: float(json.loads(body)[name]) for name in SHAPE})
            return self.shape
        raise ValueError(f"no such command: {verb} {path}")


def without_expect(head):
    return b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:"))


def set_nodelay(writer):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def send(writer, data):
    if writer.transport.is_closing():
        raise ConnectionError("the client is gone")
    writer.write(data)
    await writer.drain()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--listen", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=SHAPE["delay_ms"])
    parser.add_argument("--connection-rate", type=float, default=SHAPE["connection_rate"])
    parser.add_argument("--total-rate", type=float, default=SHAPE["total_rate"])
    options = parser.parse_args()
    server = Server(options.upstream, {name: getattr(options, name) for name in SHAPE})
    listener = await asyncio.start_server(server.serve, "127.0.0.1", options.listen, backlog=1024, limit=HEAD_LIMIT)
    control = await asyncio.start_server(server.control, "127.0.0.1", 0)
    ports = [one.sockets[0].getsockname()[1] for one in (listener, control)]
    print(json.dumps({"listen": ports[0], "control": ports[1]}), flush=True)
    parent = os.getppid()
    while os.getppid() == parent:  # whoever started this is gone: so is the reason to run
        await asyncio.sleep(1)
    os._exit(0)  # with requests on their way, if need be


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
