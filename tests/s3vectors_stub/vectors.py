"""Put, get, list and delete vectors."""
import numpy as np

from . import floats
from .errors import ServiceError, invalid
from .json_text import Raw
from .limits import bad_record, check_metadata, check_vector
from .resources import find_index, last_token
from .store import scattered

KMS_ERRORS = {'disabled': 'KmsDisabledException', 'invalid-usage': 'KmsInvalidKeyUsageException',
              'invalid-state': 'KmsInvalidStateException', 'not-found': 'KmsNotFoundException'}


def check_key(index):
    """A key ARN that ends in /disabled, /invalid-usage, /invalid-state or /not-found is one that does not work."""
    arn = (index.encryption or index.bucket.encryption).get('kmsKeyArn', '')
    code = KMS_ERRORS.get(arn.rsplit('/', 1)[-1])
    if code:
        raise ServiceError(code, f'The customer managed key {arn} cannot be used')


def put_vectors(service, request):
    index, switches, records = find_index(service, request), service.switches, request['vectors']
    index.spend(switches, 'write', len(records))
    check_key(index)
    if switches.put_capacity and len(records) > switches.put_capacity:
        raise ServiceError('ServiceUnavailableException', 'Currently unable to handle the request')
    if len({record['key'] for record in records}) != len(records):
        if switches.duplicate_keys == 'refused':
            raise invalid('Request must not contain duplicate keys')
        records = list({record['key']: record for record in records}.values())
    sizes, failure = check_records(records, index, switches)
    if failure and (switches.put_atomic or not sizes):
        raise failure
    good = records[:len(sizes)]
    keys, matrix = [record['key'] for record in good], np.stack([record['data'] for record in good])
    with index.lock.write():
        new = sum(key not in index.vectors.slots for key in keys)
        if len(index.vectors) + new > switches.max_vectors:
            raise ServiceError('ServiceQuotaExceededException', 'The maximum number of vectors in the index is reached')
        index.vectors.put(keys, matrix, [record.get('metadata') for record in good], sizes)
        index.version += 1
    if failure:
        raise failure
    return {}


def check_records(records, index, switches):
    """The metadata bytes of those before the first bad one, and its error."""
    sizes = []
    for record in records:
        try:
            key = record['key']
            if switches.key_length == 'bytes' and len(key.encode()) > 1024:
                raise bad_record(key, 'key must have at most 1024 bytes')
            check_vector(key, record['data'], index.dimension, index.metric)
            has = 'metadata' in record
            sizes.append(check_metadata(key, record['metadata'], index.non_filterable, switches) if has else 0)
        except ServiceError as error:
            return sizes, error
    return sizes, None


def delete_vectors(service, request):
    index = find_index(service, request)
    index.spend(service.switches, 'write', len(request['keys']))
    check_key(index)
    with index.lock.write():
        index.vectors.delete(request['keys'])
        index.version += 1
    return {}


def entry_of(service, vectors, slot, request):
    """One vector of an answer."""
    entry = {'key': vectors.keys[slot]}
    if request.get('returnData'):
        entry['data'] = {'float32': Raw('[' + floats.text_of(vectors.data[slot], service.switches.number_form) + ']')}
    if request.get('returnMetadata'):
        entry.update(metadata_of(service, vectors.metadata[slot]))
    return entry


def metadata_of(service, document):
    if document is None:
        return {'metadata': {}} if service.switches.absent_metadata == 'empty' else {}
    return {'metadata': document}


def get_vectors(service, request):
    index = find_index(service, request)
    index.spend(service.switches, 'read')
    check_key(index)
    keys = list(dict.fromkeys(request['keys']))
    if service.switches.get_order == 'shuffled':
        keys.sort(key=scattered)
    with index.lock.read():
        slots = index.vectors.slots
        found = [entry_of(service, index.vectors, slots[key], request) if key in slots else {'key': key}
                 for key in keys if key in slots or service.switches.absent_key == 'key_only']
    return {'vectors': found}


def list_vectors(service, request):
    index, switches = find_index(service, request), service.switches
    index.spend(switches, 'read')
    count, segment = request.get('segmentCount'), request.get('segmentIndex')
    if (count is None) != (segment is None):
        raise invalid('segmentCount and segmentIndex must be given together')
    if count is not None and segment >= count:
        raise invalid('segmentIndex must be less than segmentCount', '/segmentIndex')
    count, segment = count or 1, segment or 0
    slot, pages = list_position(service, request, index, count, segment)
    if switches.list_empty_pages and pages % switches.list_empty_pages == switches.list_empty_pages - 1:
        token = list_token(service, index, slot, count, segment, pages + 1)
        return {'vectors': [], 'nextToken': token}
    size = min(request.get('maxResults', 500), switches.list_page)
    with index.lock.read():
        slots, following = slots_of_page(index.vectors, slot, count, size, switches.list_page_bytes)
        slots.sort(key=lambda at: scattered(index.vectors.keys[at]))  # nobody promises an order
        found = [entry_of(service, index.vectors, at, request) for at in slots]
    token = None if following is None else list_token(service, index, following, count, segment, pages + 1)
    return {'vectors': found, **last_token(service, token)}


def list_token(service, index, slot, count, segment, pages):
    return service.account.seal({'of': index.serial, 'slot': slot, 'count': count, 'segment': segment, 'pages': pages})


def list_position(service, request, index, count, segment):
    """(the first slot of the page, how many pages there were before)."""
    if 'nextToken' not in request:
        return segment, 0
    content = service.account.unseal(request['nextToken'])
    if not content or content['of'] != index.serial or 'slot' not in content:
        raise invalid('Invalid nextToken', '/nextToken')
    if service.switches.segment_of_token == 'checked' and (content['count'], content['segment']) != (count, segment):
        raise invalid('nextToken belongs to another segment', '/nextToken')
    return content['slot'], content['pages']


def slots_of_page(vectors, first, step, size, max_bytes):
    """The live slots of a page (every step-th), and where the next one begins; None at the end. A page holds one at least."""
    slots = np.arange(first, vectors.rows, step)
    slots = slots[vectors.live[slots]]
    page = slots[:size]
    within = int(np.searchsorted(np.cumsum(vectors.bytes[page]), max_bytes, side='right'))
    page = page[:max(within, 1)]
    following = slots[len(page):]
    return page.tolist(), int(following[0]) if len(following) else None
