"""The control port: no signatures, JSON in and out.

    GET /switches    PUT /switches {"name": value, ...}    DELETE /switches     (back to those of the start)
    GET /faults      PUT /faults (one rule a line; replaces all)    POST /faults (adds)    DELETE /faults
    GET /log[?from=N&operation=NAME]    DELETE /log    GET /stats
    GET /state       DELETE /state      (forgets all buckets)
    POST /do/<Operation>  {...}         the operation itself, unsigned, without faults, latency and log
"""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from . import json_text
from .errors import ServiceError
from .model import OPERATIONS
from .operations import perform


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def respond(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        try:
            status, answer = obey(self.server.service, self.command, parts.path, dict(parse_qsl(parts.query)), body)
        except ServiceError as error:
            status, answer = error.status, {'code': error.code, 'message': error.message}
        except (ValueError, TypeError) as error:
            status, answer = 400, {'message': str(error)}
        data = json_text.encode(answer) + b'\n'
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = respond

    def log_message(self, *_):
        """Silent: standard error is for what goes wrong."""


def obey(service, method, path, query, body):
    if path.startswith('/do/') and method == 'POST':
        operation = OPERATIONS.get(path[len('/do/'):])
        if operation is None:
            return 404, {'message': 'no such operation'}
        return 200, perform(service, operation, json_text.parse(body))
    action = ACTIONS.get((method, path))
    if action is None:
        return 404, {'message': f'{method} {path}'}
    return 200, action(service, query, body)


def change_switches(service, query, body):
    service.switches.change(json.loads(body))
    return service.switches.all()


def reset_switches(service, query, body):
    service.switches.reset()
    return service.switches.all()


def set_faults(change):
    def act(service, query, body):
        change(service.rules, body.decode().splitlines())
        return service.rules.all()
    return act


def read_log(service, query, body):
    first, wanted = int(query.get('from', 0)), query.get('operation')
    return [line for line in list(service.log) if line['n'] >= first and wanted in (None, line['operation'])]


def clear_log(service, query, body):
    service.log.clear()
    return []


def statistics(service, query, body):
    """Of the log's lines, for each operation."""
    table = {}
    for line in list(service.log):
        row = table.setdefault(line['operation'], {'requests': 0, 'vectors': 0, 'bytes_in': 0, 'bytes_out': 0, 'ms': 0.0,
                                                   'work_ms': 0.0, 'cpu_ms': 0.0, 'max_ms': 0.0, 'status': {}})
        row['requests'] += 1
        for name in ('vectors', 'bytes_in', 'bytes_out', 'ms', 'work_ms', 'cpu_ms'):
            row[name] = round(row[name] + line[name], 3)
        row['max_ms'] = max(row['max_ms'], line['ms'])
        row['status'][str(line['status'])] = row['status'].get(str(line['status']), 0) + 1
    return table


def state(service, query, body):
    with service.account.lock:
        return {bucket.name: {'default_mode': bucket.default_mode, 'indexes': {
            index.name: {'vectors': len(index.vectors), 'dimension': index.dimension, 'metric': index.metric,
                         'mode': index.mode, 'non_filterable': index.non_filterable, 'version': index.version}
            for index in bucket.indexes.values()}} for bucket in service.account.buckets.values()}


def forget(service, query, body):
    service.account.clear()
    return {}


ACTIONS = {
    ('GET', '/switches'): lambda service, query, body: service.switches.all(),
    ('PUT', '/switches'): change_switches, ('DELETE', '/switches'): reset_switches,
    ('GET', '/faults'): lambda service, query, body: service.rules.all(),
    ('PUT', '/faults'): set_faults(lambda rules, lines: rules.replace(lines)),
    ('POST', '/faults'): set_faults(lambda rules, lines: rules.add(lines)),
    ('DELETE', '/faults'): set_faults(lambda rules, lines: rules.replace([])),
    ('GET', '/log'): read_log, ('DELETE', '/log'): clear_log, ('GET', '/stats'): statistics,
    ('GET', '/state'): state, ('DELETE', '/state'): forget,
}


def start(service, host, port):
    """Answers the server; its port is server_address[1]."""
    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads, server.service = True, service
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
