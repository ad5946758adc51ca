"""Signature Version 4 as the generic signer makes it (the path is encoded once more), and its check."""
import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import parse_qsl, quote

from .errors import ServiceError

ALGORITHM = 'AWS4-HMAC-SHA256'
AUTHORIZATION = re.compile(ALGORITHM + r'\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})')
MAX_SKEW_S = 300


def digest(data):
    return hashlib.sha256(data).hexdigest()


def encode(text):
    return quote(text, safe='-._~')


def canonical_request(method, path, query, headers, signed, payload_hash):
    """`path` and `query` as on the wire; `headers` with names in lower case; `signed`: the names, in order."""
    pairs = sorted((encode(name), encode(value)) for name, value in parse_qsl(query, keep_blank_values=True))
    lines = [method, quote(path or '/', safe='/-._~'), '&'.join(f'{name}={value}' for name, value in pairs)]
    lines += [f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed]
    return '\n'.join([*lines, '', ';'.join(signed), payload_hash])


def signature(secret, day, region, service, stamp, canonical):
    key = ('AWS4' + secret).encode()
    for part in (day, region, service, 'aws4_request'):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = '\n'.join([ALGORITHM, stamp, f'{day}/{region}/{service}/aws4_request', digest(canonical.encode())])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def authorization(method, path, query, headers, body, credential, region, service='s3vectors'):
    """The Authorization header for these headers, which must hold host and x-amz-date. credential: (key, secret)."""
    signed = sorted(headers)
    stamp = headers['x-amz-date']
    canonical = canonical_request(method, path, query, headers, signed, digest(body))
    made = signature(credential[1], stamp[:8], region, service, stamp, canonical)
    scope = f'{stamp[:8]}/{region}/{service}/aws4_request'
    return f"{ALGORITHM} Credential={credential[0]}/{scope}, SignedHeaders={';'.join(signed)}, Signature={made}"


class Checker:
    """Knows the credentials: {access key: (secret, session token or None)}."""

    def __init__(self, credentials, region, service='s3vectors'):
        self.credentials, self.region, self.service = credentials, region, service

    def check(self, request, now, switches):
        """Raises unless the request is signed by a known key, now, for this region and service."""
        headers, body = request.headers, request.body
        found = AUTHORIZATION.fullmatch(headers.get('authorization', '').strip())
        if 'authorization' not in headers:
            raise ServiceError('MissingAuthenticationTokenException', 'Missing Authentication Token')
        if not found:
            raise ServiceError('IncompleteSignatureException', 'Authorization header is not well-formed')
        scope, signed = found[1].split('/'), found[2].split(';')
        if len(scope) != 5:
            raise ServiceError('IncompleteSignatureException', 'Credential must have exactly 5 slash-delimited elements')
        access_key, day, region, service, end = scope
        secret = self.secret_of(access_key, headers.get('x-amz-security-token'), switches)
        if (region, service, end) != (self.region, self.service, 'aws4_request'):
            raise invalid_signature(f'Credential should be scoped to {self.region}/{self.service}/aws4_request.')
        stamp = headers.get('x-amz-date', '')
        self.check_time(stamp, day, now)
        check_signed(signed, headers, body, switches)
        payload = digest(body)
        if headers.get('x-amz-content-sha256', payload) != payload:
            raise invalid_signature('The value of x-amz-content-sha256 is not the SHA-256 of the payload.')
        canonical = canonical_request(request.method, request.path, request.query, headers, signed, payload)
        if not hmac.compare_digest(found[3], signature(secret, day, region, service, stamp, canonical)):
            raise invalid_signature('The request signature we calculated does not match the signature you provided.')
        return access_key

    def secret_of(self, access_key, token, switches):
        if token is not None and token == switches.expired_token:
            raise ServiceError('ExpiredTokenException', 'The security token included in the request is expired')
        secret, wanted = self.credentials.get(access_key, (None, None))
        if secret is None or (wanted or '') != (token or ''):
            raise ServiceError('UnrecognizedClientException', 'The security token included in the request is invalid.')
        return secret

    @staticmethod
    def check_time(stamp, day, now):
        try:
            signed_at = calendar.timegm(time.strptime(stamp, '%Y%m%dT%H%M%SZ'))
        except ValueError:
            raise ServiceError('IncompleteSignatureException', 'X-Amz-Date is missing or not well-formed') from None
        if day != stamp[:8]:
            raise invalid_signature('Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date')
        if abs(signed_at - now) > MAX_SKEW_S:
            word = 'expired' if signed_at < now else 'not yet current'
            raise invalid_signature(f'Signature {word}: {stamp} is not within {MAX_SKEW_S} seconds of the server\'s time')


def check_signed(signed, headers, body, switches):
    """What must be among the signed headers: host, every x-amz-* that is there but tracing ones, and the content type."""
    if signed != sorted(signed):
        raise ServiceError('IncompleteSignatureException', 'SignedHeaders is not sorted')
    needed = {'host', 'x-amz-date'} | {name for name in ('x-amz-security-token', 'x-amz-content-sha256') if name in headers}
    if body and switches.content_type_signed:
        needed.add('content-type')
    missing = needed - set(signed)
    if missing:
        raise invalid_signature(f"'{sorted(missing)[0]}' must be a 'SignedHeader' in the AWS Authorization.")


def invalid_signature(message):
    return ServiceError('InvalidSignatureException', message)
