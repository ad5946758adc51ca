"""A stub of Amazon S3 Vectors.

    tests/s3vectors_stub/run --port 0 --control-port 0 --port-file FILE

Once ready, one line of JSON on standard output, and in the file: {"port": ..., "control": ..., "pid": ...}. Ends on SIGTERM.
"""
import argparse
import json
import os
import pathlib
import signal
import ssl
import sys

from . import control, faults
from .faults import Rules
from .service import Service
from .switches import Switches, described


def parse_options(arguments):
    parser = argparse.ArgumentParser(
        prog='s3vectors_stub', formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
        epilog=f'switches:\n{described()}\n\nrules:\n{faults.__doc__}\n\ncontrol port:\n{control.__doc__}')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=0, help='of the service; 0: a free one')
    parser.add_argument('--control-port', type=int, default=0, help='0: a free one')
    parser.add_argument('--port-file', help='where the ports are written once both answer')
    parser.add_argument('--region', default='us-east-1')
    parser.add_argument('--access-key', default='stub-key')
    parser.add_argument('--secret-key', default='stub-secret')
    parser.add_argument('--credential', action='append', default=[], metavar='KEY:SECRET[:TOKEN]', help='one more')
    parser.add_argument('--set', action='append', default=[], metavar='SWITCH=VALUE')
    parser.add_argument('--rate-limits', action='store_true', help='the same as --set rate_limits=true')
    parser.add_argument('--latency-ms', type=float, help='the same as --set latency_ms=...')
    parser.add_argument('--fault', action='append', default=[], metavar='RULE')
    parser.add_argument('--seed', type=int, default=1, help='of the chances in rules')
    parser.add_argument('--tls-cert')
    parser.add_argument('--tls-key')
    return parser.parse_args(arguments)


def switches_of(options):
    values = dict(text.split('=', 1) for text in options.set)
    if options.rate_limits:
        values['rate_limits'] = True
    if options.latency_ms is not None:
        values['latency_ms'] = options.latency_ms
    return Switches(values)


def main(arguments=None):
    options = parse_options(arguments)
    credentials = {options.access_key: (options.secret_key, None)}
    for text in options.credential:
        key, secret, *token = text.split(':', 2)
        credentials[key] = (secret, token[0] if token else None)
    try:
        service = Service(switches_of(options), Rules(options.fault, options.seed), options.region, credentials)
    except ValueError as error:
        sys.exit(f's3vectors_stub: {error}')
    tls = None
    if options.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls_cert, options.tls_key)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = service.listen(options.host, options.port, tls)
    control_port = control.start(service, options.host, options.control_port).server_address[1]
    ready = json.dumps({'port': port, 'control': control_port, 'pid': os.getpid()})
    if options.port_file:
        made = pathlib.Path(options.port_file + '.new')
        made.write_text(ready + '\n')
        made.rename(options.port_file)
    print(ready, flush=True)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    main()
