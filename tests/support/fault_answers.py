"""Requests and answers as fault_proxy.py reads them, and those that it makes up or changes."""
import calendar
import hashlib
import hmac
import re
import time
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

ERROR_DOCUMENT = ('<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
                  '<Message>injected</Message><RequestId>fault-proxy</RequestId></Error>')
S3_CODES = {400: 'ExpiredToken', 403: 'AccessDenied', 404: 'NoSuchKey', 409: 'ConditionalRequestConflict',
            412: 'PreconditionFailed', 429: 'SlowDown', 500: 'InternalError', 501: 'NotImplemented', 503: 'SlowDown'}
MADE_UP = {'error', 'denied', 'redirect', 'skew', 'expired'}
CHANGED = {'head', 'list', 'swap'}
KINDS = {'head': {'wrong_range', 'no_range', 'etag', 'no_length', 'longer', 'encoded'},
         'huge': {'body', 'chunked', 'line', 'headers'},
         'list': {'repeat', 'endless', 'half', 'first', 'odd', 'stale'}}
ALLOWED_SKEW = 900
NOBODYS_ID = 'f' * 32


class Message:
    """The head of a request or an answer, and how its body is framed."""

    def __init__(self, head):
        self.head = head
        lines = head.decode('latin-1').split('\r\n')
        self.start = lines[0]
        self.headers = {}
        for line in lines[1:]:
            name, separator, value = line.partition(':')
            if separator:
                self.headers[name.strip().lower()] = value.strip()
        self.chunked = self.headers.get('transfer-encoding', '').lower() == 'chunked'
        self.length = int(self.headers.get('content-length', 0))

    def without(self, name):
        lines = self.head.split(b'\r\n')
        return b'\r\n'.join(line for line in lines if not line.lower().startswith(name + b':'))


class Request(Message):
    def __init__(self, head):
        super().__init__(head)
        self.verb, target = self.start.split(' ')[:2]
        parts = urlsplit(target)
        self.path, self.query, self.range = parts.path, parts.query, self.headers.get('range')


# --- answers of which the server knows nothing ---


def error_answer(status, code, headers=''):
    return plain_answer(status, ERROR_DOCUMENT.format(code=code), headers)


def plain_answer(status, document, headers=''):
    data = document.encode()
    return (f'HTTP/1.1 {status} Injected\r\nContent-Type: application/xml\r\n{headers}'
            f'Content-Length: {len(data)}\r\n\r\n').encode() + data


def made_up(rule, request, body):
    """The answer that a rule gives in place of the server's; nothing for rules that give none."""
    fault, code = rule.get('fault'), rule.get('code')
    wait = rule.get('retry_after')
    headers = f'Retry-After: {wait}\r\n' if wait is not None else ''
    if fault == 'error':
        return error_answer(200, code or 'InternalError', headers)
    if fault == 'denied':
        return denied(keys_of(body)[:1 if rule.get('first') else None], code or 'AccessDenied')
    if fault == 'redirect':
        return error_answer(307, 'TemporaryRedirect', 'Location: http://127.0.0.1:9/elsewhere\r\n')
    if fault == 'skew':
        return too_skewed(rule, request)
    if fault == 'expired':
        return error_answer(400, code or 'ExpiredToken')
    if fault.isdigit():
        return error_answer(int(fault), code or S3_CODES.get(int(fault), 'Injected'), headers)
    return None


def denied(keys, code):
    errors = ''.join(f'<Error><Key>{key}</Key><Code>{code}</Code><Message>injected</Message></Error>' for key in keys)
    return plain_answer(200, f'<?xml version="1.0" encoding="UTF-8"?><DeleteResult>{errors}</DeleteResult>')


def too_skewed(rule, request):
    now = time.time() + rule.get('seconds', 0)
    if rule.get('seconds') is not None and abs(seconds_of(request.headers['x-amz-date']) - now) <= ALLOWED_SKEW:
        return None
    return error_answer(403, 'RequestTimeTooSkewed', f"Date: {rule.get('date') or formatdate(now, usegmt=True)}\r\n")


def seconds_of(stamp):
    return calendar.timegm(time.strptime(stamp, '%Y%m%dT%H%M%SZ'))


def keys_of(body):
    return re.findall('<Key>(.*?)</Key>', body.decode())


async def huge(rule, answer):
    """Pieces of an answer that is too large; some have no end but the client's."""
    kind = rule.get('kind')
    if kind == 'line':
        yield b'HTTP/1.1 200 OK\r\nX-Filler: ' + b'x' * (1 << 20) + b'\r\nContent-Length: 0\r\n\r\n'
        return
    if kind == 'headers':
        yield b'HTTP/1.1 200 OK\r\n'
        while True:
            yield b'X-Filler: %b\r\n' % (b'x' * 1000)
    if kind == 'chunked':
        yield answer.without(b'content-length')[:-4] + b'\r\nTransfer-Encoding: chunked\r\n\r\n'
        while True:
            yield b'10000\r\n' + bytes(0x10000) + b'\r\n'
    yield answer.without(b'content-length')[:-4] + b'\r\nContent-Length: 10000000000\r\n\r\n'
    for _ in range(10000000000 >> 16):
        yield bytes(0x10000)


# --- requests that the server gets otherwise than they were sent ---


def other_head(rule, request, secret):
    """The head to send to the server, signed anew where it is not what the client signed."""
    fault, path, headers = rule.get('fault'), request.path, dict(request.headers)
    if fault == 'norange':
        headers.pop('range', None)
    elif fault == 'noif':
        headers.pop('if-none-match', None)
    elif fault == 'swap' and rule.get('with'):
        path = rule.get('with')
    elif fault == 'swap' and request.range:
        first, last = range_of(request)
        length = last + 1 - first
        begin = first - length if first >= length else first + length
        headers['range'] = f'bytes={begin}-{begin + length - 1}'
    elif fault != 'skew':
        return request.head
    return signed(request, path, headers, secret)


def range_of(request):
    return tuple(map(int, request.range[len('bytes='):].split('-')))


def signed(request, path, headers, secret):
    """Signature Version 4, in place of the one that came; path and query are canonical as they are."""
    scheme = headers.pop('authorization')
    scope = re.search('Credential=([^,]*)', scheme).group(1)
    names = sorted(set(re.search('SignedHeaders=([^,]*)', scheme).group(1).split(';')) & headers.keys())
    access_key, day, region, service, terminator = scope.split('/')
    headers['x-amz-date'] = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
    day = headers['x-amz-date'][:8]
    canonical = '\n'.join([request.verb, path, request.query, *(f'{name}:{headers[name]}' for name in names), '', ';'.join(names),
                           headers['x-amz-content-sha256']])
    scope = '/'.join([day, region, service, terminator])
    text = '\n'.join(['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ('AWS4' + secret).encode()
    for part in (day, region, service, terminator, text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers['authorization'] = (f'AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={";".join(names)}, '
                                f'Signature={key.hex()}')
    target = path + ('?' + request.query if request.query else '')
    lines = [f'{request.verb} {target} HTTP/1.1', *(f'{name}: {value}' for name, value in headers.items())]
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n'


# --- answers that are not what the server said ---


def changed(rule, request, answer, body):
    """Head and body to send in place of the server's."""
    kind, status = rule.get('kind'), answer.start.split(' ')[1]
    if rule.get('fault') == 'list' and status == '200':
        body = changed_list(kind, unquote(request.query), body.decode()).encode()
    headers = {name: value for name, value in answer.headers.items() if name != 'transfer-encoding'}
    if rule.get('fault') == 'swap' and request.range and 'content-range' in headers:
        first, last = range_of(request)
        body = body.ljust(last + 1 - first, b'\0')
        headers['content-range'] = f'bytes {first}-{last}/*'
    headers['content-length'] = str(len(body) + (10 if kind == 'longer' else 0))
    if kind == 'wrong_range' and 'content-range' in headers:
        headers['content-range'] = re.sub(r'(\d+)-(\d+)', lambda m: f'{int(m[1]) + 1}-{int(m[2]) + 1}', headers['content-range'])
    elif kind == 'no_range':
        headers.pop('content-range', None)
    elif kind == 'etag':
        headers['etag'] = '"00000000000000000000000000000000"'
    elif kind == 'no_length':
        del headers['content-length']
    elif kind == 'encoded':
        headers['content-encoding'] = 'gzip'
    lines = [answer.start, *(f'{name}: {value}' for name, value in headers.items())]
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body


def changed_list(kind, query, text):
    entries = re.findall('<Contents>.*?</Contents>', text, re.S)
    objects = [entry for entry in entries if 'owner' not in entry]
    if kind in ('repeat', 'endless'):
        token = 'again' if kind == 'repeat' else f'page-{time.monotonic_ns()}'
        text = re.sub('<IsTruncated>.*?</IsTruncated>', '<IsTruncated>true</IsTruncated>', text)
        text = re.sub('<NextContinuationToken>.*?</NextContinuationToken>', '', text)
        return text.replace('</ListBucketResult>', f'<NextContinuationToken>{token}</NextContinuationToken></ListBucketResult>')
    if kind in ('half', 'first'):
        for entry in objects[::2] if kind == 'half' else entries[len(entries) // 2:]:
            text = text.replace(entry, '')
        return text
    if not entries:
        return text
    folder = unquote(re.search('<Key>(.*?)</Key>', entries[0]).group(1)).rsplit('/', 2)[0]
    if kind == 'stale':
        names = [f'{folder}/segment/{NOBODYS_ID}', f'{folder}/nav/{NOBODYS_ID}']
    else:
        prefix = re.search('prefix=([^&]*)', query).group(1)
        names = [f'{folder}/../../{NOBODYS_ID}', f'{folder}/segment/{NOBODYS_ID.upper()}', f'{folder}/segment/{NOBODYS_ID}%00',
                 f'{folder}/segment/%F0%9F%92%A5&lt;/Key&gt;', f'{prefix}', '/etc/passwd', f'{folder}/manifest/{NOBODYS_ID}/{NOBODYS_ID}']
    old = re.sub('<LastModified>.*?</LastModified>', '<LastModified>2001-01-01T00:00:00.000Z</LastModified>', entries[0])
    more = ''.join(re.sub('<Key>.*?</Key>', lambda _, name=name: f'<Key>{name}</Key>', old) for name in names)
    return text.replace(entries[0], entries[0] + more)
