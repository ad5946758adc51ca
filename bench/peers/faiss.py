"""faiss IVFFlat and IVFPQ from Debian's libfaiss-dev, in a program of its own, with one thread.

Debian builds faiss for any x86-64 processor, without AVX2: read its CPU as an upper bound of what faiss needs.
"""

import json
import math
import os
import subprocess

import contest

PROBES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
REFINE = 10


def factories(data):
    """Lists as for s3v's sizes (twice the root of the rows); codes of one byte for 8 dimensions, or for 2 where there
    are few."""
    lists = max(16, 2 * math.isqrt(data.base.count))
    parts = data.base.dimensions // (8 if data.base.dimensions >= 512 else 2)
    return {
        "faiss IVFFlat": (f"IVF{lists},Flat", 0),
        f"faiss IVFPQ, {REFINE}x refined": (f"IVF{lists},PQ{parts}", REFINE),
    }


def measure(program, data, files, factory, refine, count):
    """Figures of one index; `files` are the paths of base and queries as fbin."""
    if not os.path.exists(program):
        raise contest.Skipped("libfaiss-dev is not installed, so bench/run built no faiss_peer")
    command = [program, *files, data.metric, factory, "--queries", str(count), "--probes", ",".join(map(str, PROBES))]
    if refine:
        command += ["--refine", str(refine)]
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        build = json.loads(process.stdout.readline() or "null")
        if build is None:
            raise RuntimeError(f"faiss_peer failed: {' '.join(command)}")
        answers = {}

        def ask(setting, numbers):
            """The program asks all queries at once, rung by rung, as far as it is read."""
            probes = setting["probes"]
            if probes not in answers:
                answers[probes] = json.loads(process.stdout.readline())
            one = answers[probes]
            return {name: [one[name][i] for i in numbers] for name in ("ids", "cpu_us")}

        settings = [{"probes": probes} for probes in PROBES if probes <= build["lists"]]
        figures = contest.climb(data, count, settings, ask)
        process.kill()
    cpu = build["build_cpu_seconds"]
    return figures | {
        "options": {"factory": factory, "refine": refine},
        "build": {
            "cpu_seconds": cpu,
            "vectors_per_cpu_second": data.base.count / cpu,
            "code_bytes": build["code_bytes"],
        },
    }
