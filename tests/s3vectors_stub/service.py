"""The server: a thread for each connection, what happens to each request, and its line in the log."""
import collections
import itertools
import secrets
import socket
import threading
import time
import traceback
from email.utils import formatdate
from urllib.parse import parse_qsl, unquote

from . import errors, json_text
from .connection import Connection, Gone
from .errors import ServiceError
from .model import operation_of
from .operations import perform
from .signature import Checker
from .store import Account

LOG_LINES = 200_000


class Call:
    """A request as rules and the log see it."""

    def __init__(self, request):
        self.request, self.operation = request, operation_of(request.method, request.path)
        self.name = self.operation.name if self.operation else ''
        self.document, self.failure = {}, None
        self.status, self.code, self.bytes_out, self.rule, self.waited = 0, '', 0, None, 0.0
        self.recorded, self.number, self.connection = False, 0, 0
        try:
            if request.too_large:
                raise ServiceError('RequestEntityTooLargeException', 'Request payload is too large')
            if self.operation and not request.path.startswith('/tags/'):
                self.document = json_text.parse(request.body)
            elif self.operation:
                self.document = self.tag_document()
        except ServiceError as error:
            self.failure = error
        self.index = self.text_member('indexName') or self.text_member('indexArn')
        self.bucket = self.text_member('vectorBucketName') or self.text_member('vectorBucketArn') or self.index
        batch = self.document.get('vectors', self.document.get('keys'))
        self.vectors = len(batch) if isinstance(batch, list) else 0

    def text_member(self, name):
        value = self.document.get(name)
        return value if isinstance(value, str) else ''

    def tag_document(self):
        document = json_text.parse(self.request.body) if self.request.method == 'POST' else {}
        document['resourceArn'] = unquote(self.request.path[len('/tags/'):])
        if self.request.method == 'DELETE':
            pairs = parse_qsl(self.request.query, keep_blank_values=True)
            document['tagKeys'] = [value for name, value in pairs if name == 'tagKeys'] or None
        return document

    def unknown_members(self):
        known = self.operation.check.members if self.operation else set(self.document)
        return sorted(set(self.document) - known)


class Service:
    def __init__(self, switches, rules, region='us-east-1', credentials=None):
        self.switches, self.rules, self.account = switches, rules, Account(region)
        self.checker = Checker(credentials or {'stub-key': ('stub-secret', None)}, region)
        self.log, self.numbers, self.begin = collections.deque(maxlen=LOG_LINES), itertools.count(1), time.perf_counter()
        self.connections, self.tls, self.listener = itertools.count(1), None, None

    def now(self):
        return time.time() + self.switches.clock_shift_s

    def listen(self, host, port, tls=None):
        """Starts; answers the port."""
        self.tls = tls
        self.listener = socket.create_server((host, port), backlog=1024)
        threading.Thread(target=self.accept, daemon=True).start()
        return self.listener.getsockname()[1]

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer, next(self.connections)), daemon=True).start()

    def serve(self, peer, number):
        try:
            if self.tls:
                peer = self.tls.wrap_socket(peer, server_side=True)
            connection, answers = Connection(peer), 0
            while True:
                request = connection.read_request(lambda: self.switches.max_body_bytes)
                answers += 1
                self.exchange(connection, request, number, answers)
        except (Gone, OSError):
            pass
        finally:
            peer.close()

    def exchange(self, connection, request, connection_number, answers):
        call = Call(request)
        call.number, call.connection = next(self.numbers), connection_number
        try:
            self.answer(connection, call, answers)
        except Exception:
            self.record(call)
            raise

    def answer(self, connection, call, answers):
        call.rule = rule = self.rules.choose(call)
        if rule and not rule.acts_after and self.strike(connection, call):
            return
        headers, body = self.execute(call)
        if self.switches.latency_ms:
            self.wait(call, self.switches.latency_ms)
        if rule and rule.acts_after:
            if rule.get('fault') == 'garbage':
                headers, body, call.status = {'Content-Type': 'application/json'}, b'<not json', 200
            elif rule.get('fault') != 'cut' and self.strike(connection, call):
                return
        self.send(connection, call, headers, body, answers)

    def strike(self, connection, call):
        """The rule's fault; answers whether the request is over with that."""
        rule, fault = call.rule, call.rule.get('fault')
        if fault == 'delay':
            self.wait(call, rule.get('ms', 0))
            return False
        if fault in ('reset', 'close', 'stall'):
            call.status = 0
            self.record(call)
        if fault == 'reset':
            connection.reset()
        if fault == 'close':
            raise Gone
        if fault == 'stall':
            connection.stall(rule.get('ms', 3_600_000) / 1000)
        error = errors.injected(int(fault), rule.get('code'))
        headers, body = self.error(call, error, rule.get('place'))
        if rule.get('retry_after') is not None:
            headers['x-amz-retry-after'] = str(rule.get('retry_after'))
        self.send(connection, call, headers, body, 0)
        return True

    def wait(self, call, milliseconds):
        time.sleep(milliseconds / 1000)
        call.waited += milliseconds

    def execute(self, call):
        """Headers and body of the answer; the status goes into the call."""
        request = call.request
        try:
            if request.too_large:
                call.failure.status = self.switches.max_body_status
                raise call.failure
            if self.switches.check_signatures:
                self.checker.check(request, self.now(), self.switches)
            if call.operation is None:
                raise ServiceError('UnknownOperationException', f'{request.method} {request.path}')
            if call.failure:
                raise call.failure
            answer = perform(self, call.operation, call.document)
            if self.switches.extra_members:
                answer = {**answer, 'memberOfTomorrow': {'a': [1, None]}}
            call.status = 200
            if not answer and self.switches.empty_answer == 'nothing':
                return {}, b''
            return {'Content-Type': 'application/json'}, json_text.encode(answer)
        except ServiceError as error:
            return self.error(call, error)
        except Exception:
            traceback.print_exc()
            return self.error(call, ServiceError('InternalServerException', 'The stub made a mistake'))

    def error(self, call, error, place=None):
        call.status, call.code = error.status, error.code
        return errors.error_answer(error, place or self.switches.error_place)

    def send(self, connection, call, headers, body, answers):
        switches = self.switches
        close = (not call.request.keep_alive or (switches.close_after_error and call.status >= 400)
                 or (switches.close_after and answers >= switches.close_after))
        cut = call.rule.get('at', 0) if call.rule and call.rule.get('fault') == 'cut' else None
        call.bytes_out = len(body) if cut is None else min(cut, len(body))
        self.record(call)
        general = {'x-amzn-RequestId': secrets.token_hex(16), 'Date': formatdate(self.now(), usegmt=True)}
        connection.send_answer(call.status, {**general, **headers}, body, switches.chunked, cut, close)

    def record(self, call):
        """Once for each request, before the answer goes out: who has heard it finds it in the log."""
        if not call.recorded:
            call.recorded = True
            self.log.append(self.log_line(call))

    def log_line(self, call):
        whole = (time.perf_counter() - call.request.read_at) * 1000
        cpu = (time.thread_time() - call.request.read_cpu) * 1000
        line = {'n': call.number, 't': round(call.request.read_at - self.begin, 6), 'operation': call.name or call.request.path,
                'bucket': call.bucket, 'index': call.index, 'status': call.status, 'code': call.code,
                'vectors': call.vectors, 'bytes_in': len(call.request.body), 'bytes_out': call.bytes_out,
                'ms': round(whole, 3), 'work_ms': round(whole - call.waited, 3), 'cpu_ms': round(cpu, 3),
                'connection': call.connection,
                'fault': call.rule.text if call.rule else None}
        for name in ('topK', 'queryMode', 'segmentIndex', 'segmentCount', 'maxResults'):
            if name in call.document:
                line[name] = call.document[name]
        if 'filter' in call.document:
            line['filter'] = call.document['filter']
        if unknown := call.unknown_members():
            line['unknown_members'] = unknown
        return line
