"""Runs inside the virtual environment that has LanceDB: one JSON command a line in, one JSON answer a line out.

{"op": "build", "uri", "storage", "base": fbin, "metric", "index": {"type": "IVF_PQ" | "IVF_RQ", ...}}
{"op": "open", "uri", "storage"}, {"op": "drop", "uri", "storage"}, {"op": "prewarm"}
{"op": "ask", "query": [floats], "metric", "nprobes": n | null, "refine": n | null}
"""

import json
import struct
import sys
import time

import lancedb
import lancedb.index
import pyarrow as pa

TABLE = "bench"
ROWS_OF_A_BATCH = 20000
HITS = 10


def batches(path):
    with open(path, "rb") as file:
        rows, dimensions = struct.unpack("<ii", file.read(8))
        kind = pa.list_(pa.float32(), dimensions)
        for first in range(0, rows, ROWS_OF_A_BATCH):
            count = min(ROWS_OF_A_BATCH, rows - first)
            values = pa.Array.from_buffers(
                pa.float32(), count * dimensions, [None, pa.py_buffer(file.read(4 * count * dimensions))]
            )
            vectors = pa.FixedSizeListArray.from_arrays(values, dimensions)
            ids = pa.array(range(first, first + count), pa.int32())
            yield pa.record_batch([ids, vectors], schema=schema(kind))


def schema(kind):
    return pa.schema([("id", pa.int32()), ("vector", kind)])


def build(command):
    database = lancedb.connect(command["uri"], storage_options=command["storage"])
    first = next(batches(command["base"]))
    table = database.create_table(TABLE, schema=first.schema, mode="overwrite")
    loading = time.process_time()
    table.add(pa.RecordBatchReader.from_batches(first.schema, batches(command["base"])))
    indexing = time.process_time()
    options = dict(command["index"])
    kind = options.pop("type")
    config = {"IVF_PQ": lancedb.index.IvfPq, "IVF_RQ": lancedb.index.IvfRq}[kind]
    table.create_index("vector", config=config(distance_type=command["metric"], **options))
    stats = table.index_stats("vector_idx")
    return {
        "load_cpu_seconds": indexing - loading,
        "cpu_seconds": time.process_time() - indexing,
        "unindexed": stats.num_unindexed_rows,
    }


class Session:
    def drop(self, command):
        lancedb.connect(command["uri"], storage_options=command["storage"]).drop_table(TABLE)
        return {}

    def open(self, command):
        database = lancedb.connect(command["uri"], storage_options=command["storage"])
        self.table = database.open_table(TABLE)
        return {}

    def prewarm(self, command):
        self.table.prewarm_index("vector_idx")
        return {}

    def ask(self, command):
        started = time.process_time()
        search = self.table.search(command["query"], vector_column_name="vector").distance_type(command["metric"])
        if command.get("nprobes"):
            search = search.nprobes(command["nprobes"])
        if command.get("refine"):
            search = search.refine_factor(command["refine"])
        found = search.limit(HITS).select(["id", "_distance"]).to_arrow()
        return {"ids": found["id"].to_pylist(), "cpu_us": 1e6 * (time.process_time() - started)}


def main():
    session = Session()
    operations = {
        "build": build,
        "drop": session.drop,
        "open": session.open,
        "prewarm": session.prewarm,
        "ask": session.ask,
    }
    print(json.dumps({"version": lancedb.__version__}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = operations[command["op"]](command)
        except Exception as error:  # the bench decides what a failure means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
