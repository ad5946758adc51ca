"""HTTP/1.1 on one connection: requests in, answers out."""
import socket
import struct
import time
from http import HTTPStatus

MAX_HEAD = 65536


class Gone(Exception):
    """The connection is over."""


class Request:
    def __init__(self, head):
        lines = head.decode('latin-1').split('\r\n')
        parts = lines[0].split(' ')
        if len(parts) != 3:
            raise Gone
        self.method, target, self.version = parts
        self.path, _, self.query = target.partition('?')
        self.headers = {}
        for line in lines[1:]:
            name, separator, value = line.partition(':')
            if not separator:
                continue
            name, value = name.strip().lower(), value.strip()
            self.headers[name] = self.headers[name] + ',' + value if name in self.headers else value
        self.body, self.too_large, self.read_at, self.read_cpu = b'', False, 0.0, 0.0

    @property
    def keep_alive(self):
        return self.version == 'HTTP/1.1' and self.headers.get('connection', '').lower() != 'close'


class Connection:
    def __init__(self, peer):
        self.peer, self.buffer = peer, bytearray()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_request(self, max_body_of):
        """The next request with its body; one that is larger than max_body_of() is read and forgotten."""
        end = self.fill_until(b'\r\n\r\n')
        max_body = max_body_of()
        request = Request(bytes(self.buffer[:end]))
        del self.buffer[:end + 4]
        if request.headers.get('expect', '').lower() == '100-continue':
            self.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        if request.headers.get('transfer-encoding', '').lower() == 'chunked':
            self.read_chunks(request, max_body)
        else:
            length = request.headers.get('content-length', '0')
            if not length.isdigit():
                raise Gone
            request.body = self.read(int(length), keep=int(length) <= max_body)
            request.too_large = int(length) > max_body
        request.read_at, request.read_cpu = time.perf_counter(), time.thread_time()
        return request

    def read_chunks(self, request, max_body):
        pieces, size = [], 0
        while True:
            end = self.fill_until(b'\r\n')
            try:
                length = int(bytes(self.buffer[:end]).split(b';')[0], 16)
            except ValueError:
                raise Gone from None
            del self.buffer[:end + 2]
            piece = self.read(length + 2, keep=size <= max_body)
            size += length
            if length == 0:
                break
            pieces.append(piece[:-2])
        request.too_large = size > max_body
        request.body = b'' if request.too_large else b''.join(pieces)

    def fill_until(self, mark):
        searched = 0
        while (found := self.buffer.find(mark, searched)) < 0:
            searched = max(0, len(self.buffer) - len(mark))
            if len(self.buffer) > MAX_HEAD:
                raise Gone
            self.buffer += self.receive(65536)
        return found

    def receive(self, size):
        try:
            piece = self.peer.recv(size)
        except OSError:
            raise Gone from None
        if not piece:
            raise Gone
        return piece

    def read(self, size, keep):
        body = bytearray(size if keep else 0)
        done = min(size, len(self.buffer))
        if keep:
            body[:done] = self.buffer[:done]
        del self.buffer[:done]
        view = memoryview(body)
        while done < size:
            if keep:
                try:
                    got = self.peer.recv_into(view[done:])
                except OSError:
                    raise Gone from None
                if not got:
                    raise Gone
            else:
                got = len(self.receive(min(size - done, 1 << 20)))
            done += got
        return bytes(body)

    def send(self, data):
        try:
            self.peer.sendall(data)
        except OSError:
            raise Gone from None

    def send_answer(self, status, headers, body, chunked=False, cut=None, close=False):
        """Answers the bytes of the body that were sent. `cut`: only so many, then the connection ends."""
        headers = dict(headers)
        headers.update({'Transfer-Encoding': 'chunked'} if chunked else {'Content-Length': str(len(body))})
        if close:
            headers['Connection'] = 'close'
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else 'Unknown'
        lines = [f'HTTP/1.1 {status} {phrase}', *(f'{name}: {value}' for name, value in headers.items())]
        head = ('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1')
        shown = body if cut is None else body[:cut]
        if chunked:
            half = len(shown) // 2
            pieces = [piece for piece in (shown[:half], shown[half:]) if piece]
            data = b''.join(b'%x\r\n%b\r\n' % (len(piece), piece) for piece in pieces) + (b'0\r\n\r\n' if cut is None else b'')
        else:
            data = shown
        self.send(head + data)
        if cut is not None or close:
            raise Gone
        return len(shown)

    def reset(self):
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        raise Gone

    def stall(self, seconds):
        """Waits until the client goes or the time is over."""
        self.peer.settimeout(seconds)
        try:
            while self.peer.recv(65536):
                pass
        except OSError:
            pass
        raise Gone
