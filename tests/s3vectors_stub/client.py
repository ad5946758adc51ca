"""A small signing client of the stub, for its own tests and for scripts."""
import http.client
import json
import time
import urllib.request

from .signature import authorization


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.headers.get('x-amzn-ErrorType')


class Client:
    """One connection. `clock_shift` and `token` are for tests of signatures."""

    def __init__(self, port, key='stub-key', secret='stub-secret', region='us-east-1', host='127.0.0.1'):
        self.host, self.credential, self.region, self.token, self.clock_shift = f'{host}:{port}', (key, secret), region, None, 0
        self.connection = http.client.HTTPConnection(host, port, timeout=60)

    def send(self, method, path, body=b'', query='', change=None):
        """`change` may change the headers after they are signed."""
        headers = {'host': self.host, 'x-amz-date': time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(time.time() + self.clock_shift))}
        if body:
            headers['content-type'] = 'application/json'
        if self.token:
            headers['x-amz-security-token'] = self.token
        headers['authorization'] = authorization(method, path, query, headers, body, self.credential, self.region)
        if change:
            change(headers)
        self.connection.request(method, path + ('?' + query if query else ''), body=body or None, headers=headers)
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def close(self):
        self.connection.close()

    def call(self, operation, **members):
        return self.send('POST', '/' + operation, json.dumps(members).encode())


def control(port, method, path, body=None):
    """body: text, or a thing that becomes JSON."""
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())
