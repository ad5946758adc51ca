"""LanceDB on the same S3 server, behind the same proxy as s3v; from PyPI, in an environment that bench/run makes."""

import json
import os
import signal
import subprocess
import tempfile
import threading

import contest
from peers import s3v

INDEXES = {
    "LanceDB IVF_PQ": {"type": "IVF_PQ"},
    "LanceDB IVF_RQ, 4 bits": {"type": "IVF_RQ", "num_bits": 4},
}
# Probes and refine factors of the search for a tuned setting, and its own default.
DEFAULT = {}
NPROBES = (1, 2, 3, 4, 6, 8, 12, 20, 32)
NO_BETTER = 0.003  # recall that is not worth another step
REFINES = (None, 2, 5, 10, 20, 50)
WARM_QUERIES = 100
COLD_QUERIES = 10
ANSWER_SECONDS, BUILD_SECONDS = 120, 7200


class Client:
    """A process that speaks for LanceDB; each one starts with nothing in memory."""

    def __init__(self, python):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lance_client.py")
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [python, "-IB", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )
        self.version = self._read()["version"]

    def _read(self, seconds=ANSWER_SECONDS):
        watchdog = threading.Timer(seconds, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        answer = json.loads(line or json.dumps({"error": self._last_words(seconds)}))
        if "error" in answer:
            raise RuntimeError(f"LanceDB: {answer['error']}")
        return answer

    def _last_words(self, seconds):
        status = self._process.wait()
        if status == -signal.SIGKILL:
            return f"no answer within {seconds} seconds, or killed"
        self._said.seek(0)
        return f"ended with status {status}: " + self._said.read().decode(errors="replace")[-500:]

    def do(self, op, **command):
        self._process.stdin.write(json.dumps({"op": op} | command) + "\n")
        self._process.stdin.flush()
        return self._read(BUILD_SECONDS if op == "build" else ANSWER_SECONDS)

    def close(self):
        self._process.stdin.close()
        self._process.stdout.read()
        self._process.wait()
        self._process.stdout.close()
        self._said.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Place:
    """Where the table lies: `uri` on the server behind the proxy, and how to get there."""

    def __init__(self, before, bucket, key, secret, name):
        self.before = before
        self.uri = f"s3://{bucket}/lance/{name}"
        self.storage = {
            "endpoint": before.endpoint,
            "allow_http": "true",
            "aws_access_key_id": key,
            "aws_secret_access_key": secret,
            "aws_region": "us-east-1",
            "virtual_hosted_style_request": "false",
        }

    def where(self):
        return {"uri": self.uri, "storage": self.storage}


def check(python):
    if not os.path.exists(python):
        raise contest.Skipped("LanceDB is not here: bench/run found neither it nor a package index that has it")


def ask(client, data, query, setting):
    return client.do("ask", query=list(map(float, data.queries.row(query))), metric=data.metric, **setting)


def measure(python, data, base, place, index, count):
    check(python)
    with place.before.unshaped(), Client(python) as client, place.before.counting() as loading:
        version = client.version
        built = client.do("build", base=base, metric=data.metric, index=index, **place.where())
    figures = {
        "version": version,
        "options": index,
        "build": built
        | {"vectors_per_cpu_second": data.base.count / built["cpu_seconds"], "sent_bytes": loading["sent_bytes"]},
    }
    if built["unindexed"]:
        raise AssertionError(f"LanceDB left {built['unindexed']} rows out of its index")
    figures["points"] = tune(python, data, place, min(count, 2 * WARM_QUERIES))
    figures["chosen"] = contest.choose_cheapest(figures["points"], lambda odd: odd["bytes"]["mean"])
    settings = {"default": DEFAULT}
    if figures["chosen"] is not None:
        settings["tuned"] = figures["points"][figures["chosen"]]["setting"]
    numbers = list(contest.even(count))
    figures["warm"] = {name: warm(python, data, place, numbers[:WARM_QUERIES], one) for name, one in settings.items()}
    figures["cold"] = {
        name: cold(python, data, place, numbers[:: max(1, len(numbers) // COLD_QUERIES)][:COLD_QUERIES], one)
        for name, one in settings.items()
    }
    with place.before.unshaped(), Client(python) as client:
        client.do("drop", **place.where())
    return figures


def asked(client, data, place, numbers, setting):
    """Every query counted apart."""
    seen, cpu = [], []
    for query in numbers:
        with place.before.counting() as traffic:
            answer = ask(client, data, query, setting)
        seen.append((traffic, answer["ids"]))
        cpu.append(answer["cpu_us"])
    return s3v.gather(seen, numbers, data) | {"cpu_us": contest.summary(cpu)}


def tune(python, data, place, count):
    """For every refine factor, probes upwards until the goal is met; without the delay, for nothing here is timed."""
    points = []
    with place.before.unshaped(), Client(python) as client:
        client.do("open", **place.where())
        client.do("prewarm")
        last_first = 0.0
        for refine in REFINES:
            for nprobes in NPROBES:
                setting = {"nprobes": nprobes} | ({"refine": refine} if refine else {})
                points.append({"setting": setting, "odd": asked(client, data, place, contest.odd(count), setting)})
                if nprobes == NPROBES[0]:
                    first = points[-1]["odd"]["recall"]
                if points[-1]["odd"]["recall"] >= contest.GOAL or hopeless(points):
                    break
            if first >= contest.GOAL or first < last_first + NO_BETTER:
                break  # greater factors only read more
            last_first = first
        for point in points:
            point["even"] = asked(client, data, place, contest.even(count), point["setting"])
    return points


def hopeless(points):
    """More probes do not help any more: the codes are too coarse for this refine factor."""
    same = [p for p in points if p["setting"].get("refine") == points[-1]["setting"].get("refine")]
    return len(same) > 2 and same[-1]["odd"]["recall"] - same[-3]["odd"]["recall"] < NO_BETTER


def warm(python, data, place, numbers, setting):
    """One process, index prewarmed, the default delay."""
    with Client(python) as client:
        client.do("open", **place.where())
        client.do("prewarm")
        ask(client, data, 1, setting)
        return asked(client, data, place, numbers, setting)


def cold(python, data, place, numbers, setting):
    """Each query in a process of its own: connect, open, ask."""
    seen = []
    for query in numbers:
        with Client(python) as client, place.before.counting() as traffic:
            client.do("open", **place.where())
            ids = ask(client, data, query, setting)["ids"]
        seen.append((traffic, ids))
    return s3v.gather(seen, numbers, data)
