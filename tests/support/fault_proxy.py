#!/usr/bin/env python3
"""A loopback HTTP proxy between s3v and an S3 server, which logs every request and breaks some on purpose.

    fault_proxy.py --listen 17500 --upstream 17480 --control 17501 --log requests.jsonl
                   [--rule 'verb=GET,fault=503,nth=2']... [--seed 1] [--tls-cert FILE --tls-key FILE [--tls-max 1.1]]

The port 0 for --listen or --control takes a free one; once ready, one line of JSON on standard output names them.

Requests and answers pass unchanged (Host too, so signatures hold); one request at a time on each connection, which is
kept as long as both sides keep theirs. The log has one JSON object a line for every request, written when it is over:
n (from 1), t (seconds since the start), ms, verb, path, query, range, request_bytes, status, bytes (of the body sent to
the client), fault (or null), server (the status by which the server answered), sha256 (of the request's body, as the
client says), deleted (keys that a DeleteObjects names). Status 0: no answer was sent; server 0: it was not asked.

Faults that change what is signed need the secret of the key that requests are signed with, in S3V_PROXY_SECRET_KEY.

A rule has conditions, all of which must hold, and one fault; the first rule that fits is the one that acts.

    verb=GET        the method
    key=TEXT        the path (percent-encoded, as sent) contains TEXT
    query=TEXT      the query string contains TEXT (list-type: LIST; delete: DeleteObjects)
    range=1         only requests with a Range header
    nth=N           only the N-th request (from 1) that fits the conditions before; times=M: and the M-1 after it
    every=N         every N-th request that fits
    chance=0.1      at random, from --seed

    fault=503       answer with this status and an S3 error document, of code=TEXT; retry_after=N adds that header
    fault=error     200 with an S3 error document, of code=TEXT
    fault=denied    DeleteObjects is answered with one <Error> of code=TEXT for each key (first=1: for the first alone)
    fault=redirect  307 to another host, without TLS
    fault=skew      as a server whose clock is seconds=N off ours answers: 403 RequestTimeTooSkewed unless the request's
                    date is near its clock; its Date header says what that is. date=TEXT: that header, and always 403
    fault=expired   400 ExpiredToken
      These answers are made up. Without asked=1, the server does not hear of the request; with it, it has acted.
    fault=after500  500,asked=1
    fault=reset     RST before anything reaches the server (at=N: after N bytes of the request's body)
    fault=reset_after  the server is asked and acts, the client gets RST
    fault=cut,at=N  the answer's body ends after N bytes (-N: that many before its end), with the connection
    fault=stall     nothing more is sent until the client goes (at=N: after N bytes of the body)
    fault=stall_after   the server is asked and acts, nothing is sent until the client goes
    fault=close,ms=N    after a whole answer the connection is not used again, and closed that much later
    fault=flip,at=N     byte N of the body is inverted
    fault=delay,ms=N    wait, then go on as without a rule
    fault=drip,rate=N   the body comes with N bytes a second
    fault=norange   the Range header is taken away: the server answers 200 with the whole object
    fault=swap      the range before the one asked for (the one behind, at the start), as if it were that one; with=PATH:
                    the same range of another object
    fault=head,kind=KIND   the head of the answer lies: wrong_range, no_range, etag, no_length, longer, encoded
    fault=huge,kind=KIND   an answer that is too large: body (10 GB), chunked (without end), line (a header of 1 MB),
                    headers (without end)
    fault=list,kind=KIND   a LIST that lies: repeat (more pages, by one token for ever), endless (by new ones), half (every second
                    object but the markers is left out), first (half of them come, as if it were all), odd (with keys that nobody wrote), stale (with objects that are gone)
    fault=noif      the If-None-Match header is taken away

Control, by any HTTP client:  GET /rules (with the number of hits)   PUT /rules (one rule a line; replaces all)
    GET /requests (how many so far)   DELETE /rules   DELETE /log (empties it and begins to count anew)
"""
import argparse
import asyncio
import json
import os
import random
import socket
import ssl
import struct
import sys
import time

import fault_answers
from fault_answers import Message, Request

PIECE = 65536
NUMBERS = {'nth', 'times', 'every', 'at', 'ms', 'rate', 'range', 'retry_after', 'seconds', 'asked', 'first'}
WORDS = {'verb', 'key', 'query', 'fault', 'code', 'kind', 'with', 'date'}
FAULTS = fault_answers.MADE_UP | fault_answers.CHANGED | {
    'none', 'reset', 'reset_after', 'cut', 'stall', 'stall_after', 'close', 'flip', 'delay', 'drip', 'norange', 'noif', 'huge'}


class ClientGone(Exception):
    """The connection to the client is over, by its will or by a fault."""


class Rule:
    """Conditions and a fault, with the number of requests that it saw and hit."""

    def __init__(self, text):
        self.text, self.seen, self.hits = text, 0, 0
        self.options = {'chance': None}
        for part in text.split(','):
            name, _, value = part.strip().partition('=')
            if name in NUMBERS:
                self.options[name] = int(value)
            elif name == 'chance':
                self.options[name] = float(value)
            elif name in WORDS:
                self.options[name] = value
            else:
                raise ValueError(f'unknown option {name!r} in rule {text!r}')
        fault = self.options.get('fault', '')
        if fault == 'after500':
            self.options.update(fault='500', asked=1)
        elif fault not in FAULTS and not fault.isdigit():
            raise ValueError(f'no such fault in rule {text!r}')
        kinds = fault_answers.KINDS.get(fault)
        if kinds and self.get('kind') not in kinds:
            raise ValueError(f'no such kind in rule {text!r}')

    def get(self, name, default=None):
        return self.options.get(name, default)

    def fits(self, request, dice):
        if self.get('verb') not in (None, request.verb):
            return False
        if self.get('key') is not None and self.get('key') not in request.path:
            return False
        if self.get('query') is not None and self.get('query') not in request.query:
            return False
        if self.get('range') and request.range is None:
            return False
        self.seen += 1
        if self.get('nth') and not self.get('nth') <= self.seen < self.get('nth') + self.get('times', 1):
            return False
        if self.get('every') and self.seen % self.get('every'):
            return False
        if self.get('chance') is not None and dice.random() >= self.get('chance'):
            return False
        self.hits += 1
        return True


NO_RULE = Rule('fault=none')


class Proxy:
    def __init__(self, options):
        self.options, self.log = options, open(options.log, 'a', buffering=1)
        self.rules = [Rule(text) for text in options.rule]
        self.secret = os.environ.get('S3V_PROXY_SECRET_KEY', '')
        self.dice = random.Random(options.seed)
        self.count, self.begin = 0, time.monotonic()

    def write_log(self, number, request, started, entry):
        now = time.monotonic()
        line = {'n': number, 't': round(started - self.begin, 6), 'ms': round((now - started) * 1000, 3),
                'verb': request.verb, 'path': request.path, 'query': request.query, 'range': request.range,
                'request_bytes': request.length, 'sha256': request.headers.get('x-amz-content-sha256'), **entry}
        self.log.write(json.dumps(line) + '\n')

    async def serve(self, reader, writer):
        set_nodelay(writer)
        upstream = None
        try:
            while True:
                try:
                    request = Request(await reader.readuntil(b'\r\n\r\n'))
                except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    break
                upstream = await self.exchange(request, (reader, writer), upstream)
        except (ClientGone, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()
            if upstream:
                upstream[1].close()

    async def exchange(self, request, client, upstream):
        """One request and its answer. Returns the connection to the server, to be used again, or None."""
        self.count += 1
        number, started = self.count, time.monotonic()
        rule = next((rule for rule in self.rules if rule.fits(request, self.dice)), None) or NO_RULE
        fault = rule.get('fault')
        entry = {'status': 0, 'bytes': 0, 'fault': None if rule is NO_RULE else fault, 'server': 0}
        try:
            if fault == 'reset':
                await client[0].readexactly(min(request.length, rule.get('at', 0)))
                reset(client[1])
            body = await client[0].readexactly(request.length)
            if request.query.startswith('delete'):
                entry['deleted'] = fault_answers.keys_of(body)
            if fault == 'delay':
                await asyncio.sleep(rule.get('ms', 0) / 1000)
            if fault == 'stall' and rule.get('at') is None:
                await until_gone(client)
            made_up = fault_answers.made_up(rule, request, body)
            if made_up and not rule.get('asked'):
                entry['status'] = int(made_up.split(b' ')[1])
                await send(client[1], made_up)
                return upstream
            return await self.pass_on(request, body, client, upstream, rule, entry, made_up)
        finally:
            self.write_log(number, request, started, entry)

    async def pass_on(self, request, body, client, upstream, rule, entry, made_up):
        writer, fault = client[1], rule.get('fault')
        head = fault_answers.other_head(rule, request, self.secret)
        upstream, answer = await self.ask(head + body, upstream)
        entry['server'] = int(answer.start.split(' ')[1])
        pieces = body_pieces(request, answer, upstream[0], rule.get('rate', 10) if fault == 'drip' else None)
        if made_up or fault in ('reset_after', 'stall_after'):
            async for _ in pieces:
                pass
            if fault == 'stall_after':
                await until_gone(client)
            if fault == 'reset_after':
                reset(writer)
            entry['status'] = int(made_up.split(b' ')[1])
            await send(writer, made_up)
            return upstream
        entry['status'] = entry['server']
        if fault == 'huge':
            async for piece in fault_answers.huge(rule, answer):
                await send(writer, piece)
                entry['bytes'] += len(piece)
            raise ClientGone
        if fault in fault_answers.CHANGED:
            whole = b''.join([piece async for piece in pieces])
            await send(writer, fault_answers.changed(rule, request, answer, whole))
            entry['bytes'] = len(whole)
            if rule.get('kind') in ('no_length', 'longer'):
                raise ClientGone
            return upstream
        await send(writer, answer.head)
        async for piece in pieces:
            piece = await self.damage(rule, fault, piece, client, entry, answer)
            await send(writer, b'%x\r\n%b\r\n' % (len(piece), piece) if answer.chunked else piece)
            entry['bytes'] += len(piece)
        if fault == 'close':
            await asyncio.sleep(rule.get('ms', 0) / 1000)
            raise ClientGone
        if answer.headers.get('connection', '').lower() == 'close':
            upstream[1].close()
            raise ClientGone
        return upstream

    async def damage(self, rule, fault, piece, client, entry, answer):
        sent, at = entry['bytes'], rule.get('at', 0)
        at += answer.length if at < 0 else 0
        if not sent <= at < sent + len(piece):
            return piece
        if fault == 'flip':
            damaged = bytearray(piece)
            damaged[at - sent] ^= 0xff
            return bytes(damaged)
        if fault in ('cut', 'stall'):
            await send(client[1], piece[:at - sent])
            entry['bytes'] = at
            if fault == 'stall':
                await until_gone(client)
            raise ClientGone
        return piece

    async def ask(self, data, upstream):
        """Sends to the server, on a new connection if the kept one turns out closed. Returns it with the answer's head."""
        if upstream:
            try:
                return upstream, await answer_head(data, upstream)
            except (ConnectionError, asyncio.IncompleteReadError):
                upstream[1].close()
        upstream = await asyncio.open_connection('127.0.0.1', self.options.upstream, limit=1 << 20)
        set_nodelay(upstream[1])
        try:
            return upstream, await answer_head(data, upstream)
        except (ConnectionError, asyncio.IncompleteReadError):
            upstream[1].close()
            raise ClientGone from None

    # --- control ---

    async def control(self, reader, writer):
        try:
            request = Request(await reader.readuntil(b'\r\n\r\n'))
            body = (await reader.readexactly(request.length)).decode()
            try:
                answer = self.obey(request.verb, request.path, body)
                status = '200 OK' if answer is not None else '404 Not Found'
            except ValueError as error:
                status, answer = '400 Bad Request', str(error)
            data = json.dumps(answer).encode() + b'\n'
            writer.write(f'HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n'.encode() + data)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def obey(self, verb, path, body):
        if path == '/requests' and verb == 'GET':
            return self.count
        if path == '/log' and verb == 'DELETE':
            self.log.truncate(0)
            self.count = 0
            return 0
        if path != '/rules' or verb not in ('GET', 'PUT', 'DELETE'):
            return None
        if verb != 'GET':
            self.rules = [Rule(line) for line in body.splitlines() if line.strip()] if verb == 'PUT' else []
        return [{'rule': rule.text, 'seen': rule.seen, 'hits': rule.hits} for rule in self.rules]


def set_nodelay(writer):
    writer.get_extra_info('socket').setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def reset(writer):
    writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.transport.abort()
    raise ClientGone


async def until_gone(client):
    reader, writer = client
    while not reader.at_eof() and not writer.transport.is_closing():
        await asyncio.sleep(0.01)
    raise ClientGone


async def send(writer, data):
    if writer.transport.is_closing():
        raise ClientGone
    writer.write(data)
    await writer.drain()


async def answer_head(data, connection):
    reader, writer = connection
    writer.write(data)
    await writer.drain()
    while True:
        answer = Message(await reader.readuntil(b'\r\n\r\n'))
        if answer.start.split(' ')[1] != '100':
            return answer


async def body_pieces(request, answer, reader, rate):
    """The answer's body piece by piece; the empty piece ends a chunked one. With a rate: so many bytes a second."""
    status = int(answer.start.split(' ')[1])
    if request.verb == 'HEAD' or status in (204, 304):
        return
    left = answer.length
    while answer.chunked or left:
        if answer.chunked:
            size = int((await reader.readuntil(b'\r\n')).split(b';')[0], 16)
            piece = await reader.readexactly(size)
            await reader.readexactly(2)
        else:
            piece = await reader.read(min(PIECE, left))
            left -= len(piece)
        step = max(1, rate // 10) if rate else PIECE
        for begin in range(0, len(piece), step):
            yield piece[begin:begin + step]
            if rate:
                await asyncio.sleep(step / rate)
        if not piece and not answer.chunked:
            raise ClientGone
        if not piece:
            yield piece
            return


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--listen', type=int, default=0)
    parser.add_argument('--upstream', type=int, required=True)
    parser.add_argument('--control', type=int, default=0)
    parser.add_argument('--log', required=True)
    parser.add_argument('--rule', action='append', default=[])
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--tls-cert')
    parser.add_argument('--tls-key')
    parser.add_argument('--tls-max', choices=['1.1'])
    options = parser.parse_args()
    proxy = Proxy(options)
    tls = None
    if options.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_cert, options.tls_key)
        if options.tls_max == '1.1':
            tls.set_ciphers('ALL:@SECLEVEL=0')  # which OpenSSL 3 asks for below 1.2
            tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    listener = await asyncio.start_server(proxy.serve, '127.0.0.1', options.listen, backlog=1024, limit=1 << 20, ssl=tls)
    control = await asyncio.start_server(proxy.control, '127.0.0.1', options.control)
    ports = [server.sockets[0].getsockname()[1] for server in (listener, control)]
    print(json.dumps({'listen': ports[0], 'control': ports[1]}), flush=True)
    await asyncio.Event().wait()


if __name__ == '__main__':
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
