"""A small PostgreSQL client: libpq through ctypes, so that the bench needs nothing but python3.

Vectors go in as binary float4[] (a parameter, or rows of COPY); results come back as text. Calls release Python's lock,
so another thread can watch a backend while its statement runs.
"""

import ctypes
import struct
import time

FLOAT4_OID = 700
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_TRAILER = struct.pack(">h", -1)

_CONNECTION_OK = 0
_COMMAND_OK, _TUPLES_OK, _COPY_IN = 1, 2, 4
_NOTICE_PROCESSOR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


def _load():
    lib = ctypes.CDLL("libpq.so.5")
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("PQconnectdb", pointer, [text]),
        ("PQstatus", number, [pointer]),
        ("PQerrorMessage", text, [pointer]),
        ("PQfinish", None, [pointer]),
        ("PQbackendPID", number, [pointer]),
        ("PQexec", pointer, [pointer, text]),
        ("PQprepare", pointer, [pointer, text, text, number, pointer]),
        ("PQexecPrepared", pointer, [pointer, text, number, pointer, pointer, pointer, number]),
        ("PQresultStatus", number, [pointer]),
        ("PQresultErrorMessage", text, [pointer]),
        ("PQntuples", number, [pointer]),
        ("PQnfields", number, [pointer]),
        ("PQgetisnull", number, [pointer, number, number]),
        ("PQgetvalue", text, [pointer, number, number]),
        ("PQclear", None, [pointer]),
        ("PQputCopyData", number, [pointer, text, number]),
        ("PQputCopyEnd", number, [pointer, text]),
        ("PQgetResult", pointer, [pointer]),
        ("PQsetNoticeProcessor", pointer, [pointer, _NOTICE_PROCESSOR, pointer]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


RECOVERY_SECONDS = 120


class DatabaseError(Exception):
    pass


def vector_parameter(elements, dimensions):
    """A float4[] in binary; `elements` is Vectors.binary(i): length and value of each element, big-endian."""
    return struct.pack(">iiiii", 1, 0, FLOAT4_OID, dimensions, 1) + elements


class Connection:
    """One session. `notices` collects what the server said beside the results."""

    def __init__(self, conninfo):
        self.notices = []
        self._keep = _NOTICE_PROCESSOR(lambda _, message: self.notices.append(message.decode().strip()))
        self._conn = self._connect(conninfo, time.monotonic() + RECOVERY_SECONDS)
        _lib.PQsetNoticeProcessor(self._conn, self._keep, None)
        self.pid = _lib.PQbackendPID(self._conn)

    @staticmethod
    def _connect(conninfo, end):
        """Waits for a server that starts, or recovers from what a contender did to it."""
        while True:
            conn = _lib.PQconnectdb(conninfo.encode())
            if _lib.PQstatus(conn) == _CONNECTION_OK:
                return conn
            message = _lib.PQerrorMessage(conn).decode()
            _lib.PQfinish(conn)
            if "the database system is" not in message or time.monotonic() > end:
                raise DatabaseError(message)
            time.sleep(0.5)

    def close(self):
        _lib.PQfinish(self._conn)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _rows(self, result, wanted=(_COMMAND_OK, _TUPLES_OK)):
        try:
            if _lib.PQresultStatus(result) not in wanted:
                message = _lib.PQresultErrorMessage(result) or _lib.PQerrorMessage(self._conn)
                raise DatabaseError(message.decode())
            return [
                tuple(
                    None if _lib.PQgetisnull(result, i, j) else _lib.PQgetvalue(result, i, j).decode()
                    for j in range(_lib.PQnfields(result))
                )
                for i in range(_lib.PQntuples(result))
            ]
        finally:
            _lib.PQclear(result)

    def run(self, sql):
        """Rows of text; several statements without a transaction of their own run in one."""
        return self._rows(_lib.PQexec(self._conn, sql.encode()))

    def value(self, sql):
        return self.run(sql)[0][0]

    def prepare(self, name, sql):
        self._rows(_lib.PQprepare(self._conn, name.encode(), sql.encode(), 0, None))

    def execute(self, name, *parameters):
        """Runs a prepared statement; every parameter is bytes in PostgreSQL's binary format."""
        count = len(parameters)
        values = (ctypes.c_char_p * count)(*parameters)
        lengths = (ctypes.c_int * count)(*map(len, parameters))
        formats = (ctypes.c_int * count)(*([1] * count))
        return self._rows(_lib.PQexecPrepared(self._conn, name.encode(), count, values, lengths, formats, 0))

    def copy_in(self, sql, chunks):
        self._rows(_lib.PQexec(self._conn, sql.encode()), (_COPY_IN,))
        for chunk in chunks:
            if _lib.PQputCopyData(self._conn, chunk, len(chunk)) != 1:
                raise DatabaseError(_lib.PQerrorMessage(self._conn).decode())
        _lib.PQputCopyEnd(self._conn, None)
        while result := _lib.PQgetResult(self._conn):
            self._rows(result)
