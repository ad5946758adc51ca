"""What happens to connections and answers: faults, places of error codes, log, control, forms of HTTP."""
import contextlib
import http.client
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error

from .client import Client, control
from .stub_case import BUCKET, INDEX, StubCase


class Faults(StubCase):
    def rules(self, *lines):
        return self.control('PUT', '/faults', '\n'.join(lines))

    def status(self, operation='DeleteVectors', **members):
        return self.client.call(operation, vectorBucketName=BUCKET, indexName=INDEX, **(members or {'keys': ['a']})).status

    def breaks(self, operation='DeleteVectors', **members):
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.status(operation, **members)
        self.client.close()

    def count(self):
        return self.control('GET', '/state')[BUCKET]['indexes'][INDEX]['vectors']

    def test_status_before_and_after_the_effect(self):
        self.put({'a': [1, 1]})
        for status in (408, 429, 500, 502, 503, 504):
            self.rules(f'op=DeleteVectors,times=2,fault={status}')
            self.assertEqual([self.status() for _ in range(2)], [status, status])
            self.assertEqual(self.count(), 1)
        self.rules('op=DeleteVectors,nth=2,when=after,fault=500')
        self.assertEqual((self.status(keys=['other']), self.status(), self.status()), (200, 500, 200))
        self.assertEqual(self.count(), 0)

    def test_conditions(self):
        self.rules('index=absent,fault=500', 'op=GetIndex|GetVectors,every=2,fault=503,code=Slow,place=type,retry_after=70',
                   'min_vectors=3,fault=429')
        self.assertEqual([self.client.call('GetIndex', vectorBucketName=BUCKET, indexName=INDEX).status for _ in range(4)],
                         [200, 503, 200, 503])
        self.assertEqual((self.status(keys=['a', 'b']), self.status(keys=['a', 'b', 'c'])), (200, 429))
        self.status('GetVectors')
        answer = self.client.call('GetVectors', vectorBucketName=BUCKET, indexName=INDEX, keys=['a'])
        self.assertEqual((answer.json['__type'], answer.code, answer.headers['x-amz-retry-after']), ('Slow', None, '70'))
        self.assertEqual([rule['hits'] for rule in self.control('GET', '/faults')], [0, 3, 1])
        self.assertEqual(self.control('DELETE', '/faults'), [])

    def test_connections_that_break(self):
        for fault in ('reset', 'close', 'stall,ms=100', 'cut,at=1', 'cut,at=0'):
            for when in ('before', 'after'):
                self.put({'a': [1, 1]})
                self.rules(f'op=DeleteVectors,nth=1,when={when},fault={fault}')
                self.breaks()
                self.assertEqual(self.count(), 0 if when == 'after' or 'cut' in fault else 1, (fault, when))
                self.assertEqual(self.status(), 200)

    def test_garbage_and_delay(self):
        self.rules('op=GetIndex,nth=1,fault=garbage', 'op=GetIndex,nth=1,fault=delay,ms=80')
        self.assertEqual(self.client.call('GetIndex', vectorBucketName=BUCKET, indexName=INDEX).body, b'<not json')
        began = time.monotonic()
        self.index_ok('GetIndex')
        self.assertGreater(time.monotonic() - began, 0.08)
        line = self.control('GET', '/log')[-1]
        self.assertGreater(line['ms'], 80)
        self.assertLess(line['work_ms'], 60)

    def test_wrong_rules_are_refused(self):
        for rule in ('op=GetIndex', 'fault=200', 'fault=reset,when=never', 'fault=500,what=1', 'fault=500,place=sky',
                     'fault=500,nth=x'):
            with self.assertRaises(urllib.error.HTTPError, msg=rule):
                self.rules(rule)

    def test_places_of_the_code(self):
        code, places = 'NotFoundException', {}
        for place in ('header', 'header-colon', 'header-hash', 'code', 'type', 'type-hash', 'both', 'none', 'empty', 'html'):
            self.set(error_place=place)
            answer = self.client.call('GetIndex', vectorBucketName=BUCKET, indexName='absent')
            self.assertEqual(answer.status, 404)
            body = answer.json if place not in ('empty', 'html') else {}
            places[place] = answer.code, body.get('code'), body.get('__type'), body.get('message') is not None
        hashed = 'com.amazonaws.s3vectors#' + code
        self.assertEqual({place: places[place] for place in places if 'header-' not in place}, {
            'header': (code, None, None, True), 'code': (None, code, None, True), 'type': (None, None, code, True),
            'type-hash': (None, None, hashed, True), 'both': (code, None, code, True), 'none': (None, None, None, True),
            'empty': (None, None, None, False), 'html': (None, None, None, False)})
        self.assertTrue(places['header-colon'][0].startswith(code + ':'))
        self.assertTrue(places['header-hash'][0].startswith(hashed + ':'))


class Http(StubCase):
    def raw(self, data):
        with socket.create_connection(('127.0.0.1', self.port)) as peer:
            peer.settimeout(5)
            peer.sendall(data)
            answer = b''
            while piece := peer.recv(65536):
                answer += piece
        return answer

    def test_chunked_answers(self):
        self.set(chunked=True)
        self.put({f'k{n}': [n, n] for n in range(100)})
        answer = self.client.call('ListVectors', vectorBucketName=BUCKET, indexName=INDEX)
        self.assertEqual(answer.headers['Transfer-Encoding'], 'chunked')
        self.assertEqual(len(answer.json['vectors']), 100)

    def test_chunked_requests_and_continue(self):
        self.set(check_signatures=False)
        head = b'POST /ListVectorBuckets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
        answer = self.raw(head + b'Transfer-Encoding: chunked\r\n\r\n6\r\n{"pref\r\nA\r\nix":"tes"}\r\n0\r\n\r\n')
        self.assertIn(b'"vectorBuckets"', answer)
        answer = self.raw(head + b'Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}')
        self.assertTrue(answer.startswith(b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK'))

    def test_a_broken_request_ends_its_connection_only(self):
        for data in (b'nonsense\r\n\r\n', b'POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n',
                     b'POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'):
            self.assertEqual(self.raw(data), b'')
        self.index_ok('GetIndex')

    def test_connections_are_kept_until_told_otherwise(self):
        for _ in range(3):
            self.index_ok('GetIndex')
        self.assertEqual(len({line['connection'] for line in self.control('GET', '/log')}), 1)
        self.set(close_after_error=True)
        answer = self.client.call('GetIndex')
        self.assertEqual(answer.headers['Connection'], 'close')
        self.set(close_after=2)
        seen = [self.client.call('GetIndex', vectorBucketName=BUCKET, indexName=INDEX).headers['Connection'] for _ in range(4)]
        self.assertEqual(seen, [None, 'close', None, 'close'])

    def test_a_mistake_of_the_stub_is_an_answer_and_a_trace(self):
        self.service.account.buckets[BUCKET].indexes = None
        with contextlib.redirect_stderr(io.StringIO()) as trace:
            self.index_fails(500, 'InternalServerException', 'GetIndex')
        self.assertIn('Traceback', trace.getvalue())

    def test_unknown_operation(self):
        for method, path in (('POST', '/Nothing'), ('GET', '/GetIndex'), ('PUT', '/tags/x')):
            self.assertEqual(self.client.send(method, path).code, 'UnknownOperationException')

    def test_requests_overlap(self):
        self.set(latency_ms=150)

        def one():
            client = Client(self.port)
            client.call('ListVectorBuckets')
            client.close()
        threads = [threading.Thread(target=one) for _ in range(8)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(time.monotonic() - began, 0.6)


class Control(StubCase):
    def test_log_and_statistics(self):
        self.control('DELETE', '/log')
        self.put({'a': ([1, 1], {'x': 1}), 'b': [1, 1]})
        self.query([1, 1], 3, filter={'x': 1}, typo=1)
        self.fails(404, 'NotFoundException', 'GetIndex', vectorBucketName=BUCKET, indexName='absent')
        put, query, get = self.control('GET', '/log')
        self.assertEqual([put[name] for name in ('operation', 'bucket', 'index', 'status', 'vectors', 'fault')],
                         ['PutVectors', BUCKET, INDEX, 200, 2, None])
        self.assertEqual((query['filter'], query['topK'], query['unknown_members']), ({'x': 1}, 3, ['typo']))
        self.assertEqual((get['status'], get['code']), (404, 'NotFoundException'))
        self.assertEqual(self.control('GET', f"/log?from={get['n']}"), [get])
        self.assertEqual(self.control('GET', '/log?operation=PutVectors'), [put])
        row = self.control('GET', '/stats')['PutVectors']
        self.assertEqual((row['requests'], row['vectors'], row['status'], row['bytes_in']), (1, 2, {'200': 1}, put['bytes_in']))

    def test_switches(self):
        self.assertEqual(self.control('PUT', '/switches', {'latency_ms': 5})['latency_ms'], 5)
        for wrong in ({'latency': 1}, {'chunked': 1}, {'error_place': 'sky'}, {'query_page': 'x'}, [1]):
            with self.assertRaises(urllib.error.HTTPError, msg=wrong):
                self.control('PUT', '/switches', wrong)
        self.assertEqual(self.control('DELETE', '/switches')['latency_ms'], 0)

    def test_acting_behind_a_clients_back(self):
        self.control('POST', '/do/PutVectors', {'vectorBucketName': BUCKET, 'indexName': INDEX,
                                                'vectors': [{'key': 'a', 'data': {'float32': [1, 2]}}]})
        self.assertEqual(len(self.query([1, 1])['vectors']), 1)
        with self.assertRaises(urllib.error.HTTPError):
            self.control('POST', '/do/GetIndex', {})
        self.control('DELETE', '/state')
        self.assertEqual(self.control('GET', '/state'), {})


class Process(StubCase):
    def test_start_and_end(self):
        script = pathlib.Path(__file__).with_name('run')
        with tempfile.TemporaryDirectory() as folder:
            port_file = os.path.join(folder, 'ports')
            process = subprocess.Popen([script, '--port-file', port_file, '--access-key', 'k', '--secret-key', 's', '--set',
                                        'query_page=3', '--region', 'eu-x'], stdout=subprocess.PIPE, text=True)
            with process:
                ports = json.loads(process.stdout.readline())
                with open(port_file) as file:
                    self.assertEqual(json.load(file), ports)
                client = Client(ports['port'], 'k', 's', 'eu-x')
                self.assertEqual(client.call('ListVectorBuckets').status, 200)
                self.assertEqual(control(ports['control'], 'GET', '/switches')['query_page'], 3)
                client.close()
                process.send_signal(signal.SIGTERM)
            self.assertEqual(process.returncode, 0)
            wrong = subprocess.run([script, '--set', 'query_page=x'], capture_output=True, text=True)
            self.assertIn('query_page', wrong.stderr)
            self.assertEqual(wrong.returncode, 1)
