"""Errors of the service: their status, and the places where an answer can name them."""
import html
import json

STATUS = {
    'ValidationException': 400, 'SerializationException': 400, 'UnknownOperationException': 404,
    'AccessDeniedException': 403, 'NotFoundException': 404, 'ConflictException': 409, 'RequestTimeoutException': 408,
    'TooManyRequestsException': 429, 'ServiceQuotaExceededException': 402, 'InternalServerException': 500,
    'ServiceUnavailableException': 503, 'KmsDisabledException': 400, 'KmsInvalidKeyUsageException': 400,
    'KmsInvalidStateException': 400, 'KmsNotFoundException': 400,
    # The front end's own, not in the model; their names for this service are unverified.
    'InvalidSignatureException': 403, 'UnrecognizedClientException': 403, 'ExpiredTokenException': 403,
    'MissingAuthenticationTokenException': 403, 'IncompleteSignatureException': 403,
    'RequestEntityTooLargeException': 413, 'BadGatewayException': 502, 'GatewayTimeoutException': 504,
}
NAMES = {400: 'ValidationException', 402: 'ServiceQuotaExceededException', 403: 'AccessDeniedException',
         404: 'NotFoundException', 408: 'RequestTimeoutException', 409: 'ConflictException',
         429: 'TooManyRequestsException', 500: 'InternalServerException', 502: 'BadGatewayException',
         503: 'ServiceUnavailableException', 504: 'GatewayTimeoutException'}
MESSAGES = {'ServiceUnavailableException': 'Currently unable to handle the request',
            'TooManyRequestsException': 'Rate exceeded'}
PLACES = ('header', 'header-colon', 'header-hash', 'code', 'type', 'type-hash', 'both', 'none', 'empty', 'html')


class ServiceError(Exception):
    def __init__(self, code, message, fields=None, status=None):
        super().__init__(message)
        self.code, self.message, self.fields = code, message, fields
        self.status = status or STATUS.get(code, 400)


def invalid(message, path=None):
    return ServiceError('ValidationException', message, [{'path': path, 'message': message}] if path else None)


def injected(status, code=None):
    code = code or NAMES.get(status, 'InternalServerException')
    return ServiceError(code, MESSAGES.get(code, 'Injected by a rule'), status=status)


def error_answer(error, place):
    """Headers and body of an error answer; `place` says where the code travels."""
    body = {'message': error.message}
    if error.fields:
        body['fieldList'] = error.fields
    headers = {'Content-Type': 'application/json'}
    if place in ('header', 'both'):
        headers['x-amzn-ErrorType'] = error.code
    elif place == 'header-colon':
        headers['x-amzn-ErrorType'] = error.code + ':http://internal.amazon.com/coral/com.amazonaws.s3vectors/'
    elif place == 'header-hash':
        headers['x-amzn-ErrorType'] = 'com.amazonaws.s3vectors#' + error.code + ':http://internal.amazon.com/coral/'
    elif place == 'code':
        body = {'code': error.code, **body}
    if place in ('type', 'both'):
        body = {'__type': error.code, **body}
    elif place == 'type-hash':
        body = {'__type': 'com.amazonaws.s3vectors#' + error.code, **body}
    if place == 'empty':
        return {}, b''
    if place == 'html':
        page = f'<html><head><title>{error.status}</title></head><body><h1>{html.escape(error.message)}</h1></body></html>'
        return {'Content-Type': 'text/html'}, page.encode()
    return headers, json.dumps(body).encode()
