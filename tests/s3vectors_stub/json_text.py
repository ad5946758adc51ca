"""JSON in and out: requests with long arrays of numbers, answers with parts that are text already."""
import json
import re
import secrets

from . import floats
from .errors import ServiceError

MARKER = 'raw-' + secrets.token_hex(8) + '-'
MARKED = re.compile('"' + MARKER + r'(\d+)"')


class Raw:
    """A piece of an answer that is JSON text already."""

    def __init__(self, text):
        self.text = text


def parse(body):
    """The request's object; no body is {}."""
    if not body:
        return {}
    try:
        document = floats.loads(body)
    except (ValueError, RecursionError):
        raise ServiceError('SerializationException', 'The request body is not JSON', status=400) from None
    if not isinstance(document, dict):
        raise ServiceError('SerializationException', 'The request body must be an object', status=400)
    return document


def encode(answer):
    pieces = []

    def mark(raw):
        pieces.append(raw.text)
        return f'{MARKER}{len(pieces) - 1}'
    text = json.dumps(answer, ensure_ascii=False, separators=(',', ':'), default=mark)
    if pieces:
        text = MARKED.sub(lambda found: pieces[int(found[1])], text)
    return text.encode('utf-8', 'surrogatepass')
