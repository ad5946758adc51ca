"""The cluster under measurement: sessions, tables loaded from a set, indexes, and the statements every measure uses."""

import json
from dataclasses import dataclass

import libpq


@dataclass(frozen=True)
class Bench:
    """Where to connect, which server the indexes live on, and how much to do and to leave."""

    conninfo: str
    server: str
    quick: bool
    keep: bool

    def connect(self):
        return libpq.Connection(self.conninfo)


@dataclass(frozen=True)
class Table:
    """A table (id integer PRIMARY KEY, embedding real[]) and its index, which may not exist yet."""

    name: str
    metric: str
    dimensions: int

    @property
    def index(self):
        return self.name + "_s3v"


def table_for(data):
    return Table(data.name.replace("-", "_"), data.metric, data.base.dimensions)


def make_table(session, table):
    session.run(f"CREATE TABLE {table.name} (id integer PRIMARY KEY, embedding real[])")


def copy_table(session, table, base, rows=None):
    session.copy_in(f"COPY {table.name} FROM STDIN WITH (FORMAT binary)", base.copy_rows(rows))


def drop_table(session, table):
    session.run(f"DROP TABLE {table.name}")


def create_index(session, bench, table, name=None, options=None, metadata=()):
    session.run(
        f"SELECT s3v_create_index('{name or table.index}', '{table.name}', 'embedding', server => '{bench.server}', "
        f"metric => '{table.metric}', metadata => '{{{','.join(metadata)}}}', options => '{json.dumps(options or {})}')"
    )


def drop_index(session, name):
    session.run(f"DROP FOREIGN TABLE {name}")


class Queries:
    """s3v_query and s3v_explain of one index in one session, prepared; `vector` is Vectors.parameter(i)."""

    def __init__(self, session, index, k):
        self._session = session
        self._query, self._explain = f"query_{index}_{k}", f"explain_{index}_{k}"
        session.prepare(self._query, f"SELECT key, distance FROM s3v_query('{index}', $1::real[], {k})")
        session.prepare(self._explain, f"SELECT s3v_explain('{index}', $1::real[], {k})")

    def hits(self, vector):
        return [(int(key), float(distance)) for key, distance in self._session.execute(self._query, vector)]

    def explain(self, vector):
        return json.loads(self._session.execute(self._explain, vector)[0][0])
