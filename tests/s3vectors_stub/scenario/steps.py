"""The scenario: what is called, what must come of it, and what S3Mock is known to answer instead."""
import math
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from .matchers import attempts, distances, entries, error, every, invalid, keys, lacks, ok, pages

BUCKET, COUNT, ACCOUNT = 's3v-scenario', 1200, '123456789012'
MANY = {'vectorBucketName': BUCKET, 'indexName': 'many'}
FILMS = {'vectorBucketName': BUCKET, 'indexName': 'films'}
MANY_ARN = f'arn:aws:s3vectors:us-east-1:{ACCOUNT}:bucket/{BUCKET}/index/many'
QUERY = [3.5, -2.25, 11, 7.125]

CLIENTS = {
    'default': {'region': 'us-east-1', 'key': 'stub-key', 'secret': 'stub-secret', 'attempts': 1},
    'retrying': {'region': 'us-east-1', 'key': 'stub-key', 'secret': 'stub-secret', 'attempts': 4},
    'temporary': {'region': 'us-east-1', 'key': 'temporary', 'secret': 'temporary-secret', 'token': 'the/token+=', 'attempts': 1},
    'expired': {'region': 'us-east-1', 'key': 'temporary', 'secret': 'temporary-secret', 'token': 'EXPIRED-TOKEN', 'attempts': 1},
    'wrong secret': {'region': 'us-east-1', 'key': 'stub-key', 'secret': 'other', 'attempts': 1},
    'unknown key': {'region': 'us-east-1', 'key': 'nobody', 'secret': 'stub-secret', 'attempts': 1},
    'other region': {'region': 'eu-west-1', 'key': 'stub-key', 'secret': 'stub-secret', 'attempts': 1},
}


@dataclass
class Step:
    name: str
    request: dict
    expect: Callable
    mock: Optional[Callable] = None  # what S3Mock answers instead
    why: str = ''
    stub_only: bool = False


@dataclass
class Plan:
    steps: list = field(default_factory=list)

    def call(self, name, operation, members, expect, mock=None, why='', **options: Any):
        stub_only = options.pop('stub_only', False) or options.get('client', 'default') not in ('default',)
        request = {'name': name, 'call': operation, 'input': members, **options}
        self.steps.append(Step(name, request, expect, mock, why, stub_only))

    def control(self, name, method, path, body=''):
        request = {'name': name, 'control': {'method': method, 'path': path, **({'body': body} if body else {})}}
        self.steps.append(Step(name, request, ok(), stub_only=True))


def vector(number):
    """Four numbers that a float32 holds exactly."""
    return [number % 17, (number * 7) % 23 - 11, number * 5 % 101 / 8, number / 64]


def metadata(number):
    if number % 10 == 0:
        return None
    return {'n': number, 'half': number / 2 + 0.25, 'name': f'row é {number} "quoted" \\', 'flag': number % 2 == 0,
            'words': ['a', f'w{number % 3}'], 'numbers': [number, number + 0.5], 'negative': -number, 'long': 'x' * 3000}


def record(number):
    document = metadata(number)
    return {'key': key_of(number), 'data': {'float32': vector(number)}, **({} if document is None else {'metadata': document})}


def key_of(number):
    return f'key/{number:04} ü'


def nearest(count):
    """The distances of a query of all rows."""
    return sorted(math.dist(vector(number), QUERY) for number in range(COUNT))[:count]


def all_steps():
    plan = Plan()
    make_resources(plan)
    write_and_read(plan)
    list_all(plan)
    search(plan)
    search_films(plan)
    break_limits(plan)
    change_settings(plan)
    meet_faults(plan)
    delete_all(plan)
    return plan.steps


def make_resources(plan):
    plan.call('create bucket', 'CreateVectorBucket', {'vectorBucketName': BUCKET, 'tags': {'team': 'a b'}}, ok())
    plan.call('create bucket again', 'CreateVectorBucket', {'vectorBucketName': BUCKET}, error('ConflictException', 409))
    plan.call('get bucket', 'GetVectorBucket', {'vectorBucketName': BUCKET},
              ok(vectorBucket={'vectorBucketName': BUCKET, 'encryptionConfiguration': {'sseType': 'AES256'}}),
              mock=ok(vectorBucket={'vectorBucketName': BUCKET}), why='no encryption member')
    plan.call('get missing bucket', 'GetVectorBucket', {'vectorBucketName': 'absent-bucket'}, error('NotFoundException', 404))
    plan.call('bucket name with _', 'CreateVectorBucket', {'vectorBucketName': 'a_b'}, invalid('Invalid vector bucket name'),
              mock=invalid(), why='texts of its own')
    plan.call('list buckets', 'ListVectorBuckets', {'prefix': 's3v-'}, ok(vectorBuckets=[{'vectorBucketName': BUCKET}]),
              pages='vectorBuckets')
    shape = {'vectorBucketName': BUCKET, 'dataType': 'float32', 'dimension': 4, 'distanceMetric': 'euclidean'}
    configuration = {'metadataConfiguration': {'nonFilterableMetadataKeys': ['long']}}
    plan.call('create index', 'CreateIndex', {**shape, 'indexName': 'many', **configuration}, ok(indexArn=MANY_ARN))
    plan.call('create index again', 'CreateIndex', {**shape, 'indexName': 'many'}, error('ConflictException', 409))
    films = {**shape, 'indexName': 'films', 'distanceMetric': 'cosine', **configuration}
    plan.call('create second index', 'CreateIndex', films, ok())
    plan.call('index name with dot', 'CreateIndex', {**shape, 'indexName': 'with.dot-1'}, ok(), mock=invalid(), why='no . in names')
    plan.call('index in missing bucket', 'CreateIndex', {**shape, 'vectorBucketName': 'absent-bucket', 'indexName': 'x-1'},
              error('NotFoundException', 404))
    for wrong in ({'dimension': 0}, {'dimension': 4097}, {'distanceMetric': 'dotproduct'}, {'dataType': 'float64'}):
        plan.call(f'create index with {wrong}', 'CreateIndex', {**shape, 'indexName': 'wrong', **wrong}, invalid())
    plan.call('get index', 'GetIndex', MANY, ok(index={
        'indexName': 'many', 'dimension': 4, 'distanceMetric': 'euclidean', 'dataType': 'float32',
        'metadataConfiguration': {'nonFilterableMetadataKeys': ['long']}}))
    plan.call('mode of an index', 'GetIndex', MANY, ok(index={'indexMode': 'ENHANCED'}), mock=lacks('index.indexMode'),
              why='no modes', needs='UpdateIndexMode')
    plan.call('get index by ARN', 'GetIndex', {'indexArn': MANY_ARN}, ok(index={'indexName': 'many'}))
    plan.call('get index by name and ARN', 'GetIndex', {**MANY, 'indexArn': MANY_ARN}, invalid('Must specify either indexArn'),
              mock=ok(), why='name and ARN together are accepted')
    plan.call('get missing index', 'GetIndex', {**MANY, 'indexName': 'absent'},
              error('NotFoundException', 404))
    plan.call('list indexes', 'ListIndexes', {'vectorBucketName': BUCKET, 'maxResults': 1, 'prefix': 'm'},
              ok(indexes=[{'indexName': 'many'}]), pages='indexes')


def write_and_read(plan):
    for begin in range(0, COUNT, 500):
        batch = [record(number) for number in range(begin, min(begin + 500, COUNT))]
        plan.call(f'put from {begin}', 'PutVectors', {**MANY, 'vectors': batch}, ok())
    plan.call('put into missing index', 'PutVectors', {**MANY, 'indexName': 'absent', 'vectors': [record(1)]},
              error('NotFoundException', 404, 'The specified index could not be found'), mock=error('NotFoundException', 404),
              why='texts of its own')
    wanted = list(range(0, 200, 2))
    names = [key_of(number) for number in wanted]
    plan.call('get', 'GetVectors', {**MANY, 'keys': names, 'returnData': True, 'returnMetadata': True},
              entries({key_of(number): {'data': {'float32': vector(number)}, 'metadata': metadata(number) or {}} for number in wanted}),
              mock=keys(names), why='no metadata member where there is none')
    plan.call('get without data', 'GetVectors', {**MANY, 'keys': [key_of(1)]}, ok(vectors=[{'key': key_of(1)}]))
    plan.call('get with an absent key', 'GetVectors', {**MANY, 'keys': [key_of(1), 'absent']}, keys([key_of(1)]),
              mock=keys([key_of(1), 'absent']), why='an entry with only the key')
    plan.call('get 101 keys', 'GetVectors', {**MANY, 'keys': [key_of(number) for number in range(101)]}, invalid(),
              mock=keys([key_of(number) for number in range(101)]), why='no limit')
    replaced = {'key': key_of(5), 'data': {'float32': [0.1, 16777217, 1e-7, -0.5]}, 'metadata': {'only': 'this'}}
    plan.call('replace', 'PutVectors', {**MANY, 'vectors': [replaced]}, ok())
    plan.call('get replaced', 'GetVectors', {**MANY, 'keys': [key_of(5)], 'returnData': True, 'returnMetadata': True},
              ok(vectors=[{'data': {'float32': [0.1, 16777216, 1e-7, -0.5]}, 'metadata': {'only': 'this'}}]))
    plan.call('put back', 'PutVectors', {**MANY, 'vectors': [record(5)]}, ok())


def list_all(plan):
    everything = [key_of(number) for number in range(COUNT)]
    plan.call('list', 'ListVectors', MANY, every(keys(everything), pages(3, 5)), pages='vectors')
    plan.call('list short pages', 'ListVectors', {**MANY, 'maxResults': 1000, 'returnMetadata': True, 'returnData': True},
              keys(everything), pages='vectors')
    plan.call('list metadata', 'ListVectors', {**MANY, 'returnMetadata': True},
              entries({key_of(number): {'metadata': metadata(number) or {}} for number in range(COUNT)}),
              mock=keys(everything), why='no metadata member where there is none', pages='vectors')
    for segment in range(4):
        members = {**MANY, 'segmentCount': 4, 'segmentIndex': segment, 'maxResults': 100}
        plan.call(f'segment {segment}', 'ListVectors', members, ok(), pages='vectors')
    plan.call('segment without count', 'ListVectors', {**MANY, 'segmentIndex': 0}, invalid())
    plan.call('segment beyond count', 'ListVectors', {**MANY, 'segmentCount': 2, 'segmentIndex': 2}, invalid())
    plan.call('maxResults 1001', 'ListVectors', {**MANY, 'maxResults': 1001}, invalid(), mock=ok(), why='clamped')


def segments_are_whole(outcomes):
    """The four segments together hold every key once."""
    found = [entry['key'] for segment in range(4) for entry in outcomes[f'segment {segment}'].get('ok', {}).get('vectors', [])]
    return None if sorted(found) == [key_of(number) for number in range(COUNT)] else f'{len(found)} keys in 4 segments'


def search(plan):
    query = {**MANY, 'queryVector': {'float32': QUERY}, 'returnDistance': True}
    plan.call('query', 'QueryVectors', {**query, 'topK': 10, 'returnMetadata': True},
              every(distances(nearest(10)), ok(distanceMetric='euclidean')))
    plan.call('query without distance', 'QueryVectors', {**query, 'topK': 3, 'returnDistance': False},
              every(ok(), lambda outcome: 'distance' if 'distance' in outcome['ok']['vectors'][0] else None))
    plan.call('query 300', 'QueryVectors', {**query, 'topK': 300}, every(distances(nearest(300)), pages(3, 3)),
              mock=invalid(), why='topK up to 100', pages='vectors')
    few = {'filter': {'$and': [{'flag': True}, {'n': {'$lt': 900}}]}}
    plan.call('query 250 with filter', 'QueryVectors', {**query, 'topK': 250, **few, 'returnMetadata': True},
              every(distances(sorted(math.dist(vector(n), QUERY) for n in range(2, 900, 2) if n % 10)[:250]), pages(3, 3)),
              mock=invalid(), why='topK up to 100', pages='vectors')
    plan.call('query 10001', 'QueryVectors', {**query, 'topK': 10001}, invalid())
    plan.call('query 0', 'QueryVectors', {**query, 'topK': 0}, invalid())
    plan.call('query of other dimension', 'QueryVectors', {**query, 'topK': 1, 'queryVector': {'float32': [1, 2]}}, invalid())
    plan.call('query of NaN', 'QueryVectors', {**query, 'topK': 1, 'queryVector': {'float32': [1, 2, 3, '@NaN']}}, invalid(),
              mock=ok(), why='accepted')
    plan.call('query with a wrong token', 'QueryVectors', {**query, 'topK': 200, 'nextToken': 'abc'}, invalid(),
              mock=invalid(), why='topK up to 100')


FILM_ROWS = [
    ('v1', [1, 0, 0, 0], {'genre': 'drama', 'year': 2020, 'tags': ['a', 'b'], 'ok': True, 'p': '/m/x', 'long': 'text'}),
    ('v2', [1, 1, 0, 0], {'genre': 'comedy', 'year': 2019.5}),
    ('v3', [1, 1, 1, 0], {'genre': ['drama', 'comedy'], 'year': '2020'}),
    ('v4', [-1, 0, 0, 0], None),
]
V1, V2, V3, V4 = (row[0] for row in FILM_ROWS)
# The worked examples of the reference: filter, keys found or None for 400, and what S3Mock finds where that differs.
FILTERS = [
    ({'genre': 'drama'}, [V1, V3]),
    ({'genre': {'$eq': 'comedy'}}, [V2, V3]),
    ({'tags': 'a'}, [V1]),
    ({'genre': {'$in': ['drama', 'x']}}, [V1, V3]),
    ({'genre': {'$nin': ['drama']}}, [V2], [V2, V4]),
    ({'genre': {'$ne': 'drama'}}, [V2], [V2, V4]),
    ({'$and': [{'genre': {'$exists': True}}, {'genre': {'$ne': 'drama'}}]}, [V2]),
    ({'year': {'$gte': 2019.5}}, [V1, V2], [V1, V2, V3]),
    ({'year': {'$gt': 2019, '$lt': 2020}}, [V2]),
    ({'year': 2020}, [V1]),
    ({'ok': True}, [V1]),
    ({'tags': {'$exists': True}}, [V1]),
    ({'tags': {'$exists': False}}, [V2, V3, V4]),
    ({'$and': [{'genre': 'drama'}, {'year': {'$gte': 2020}}]}, [V1], [V1, V3]),
    ({'$or': [{'ok': True}, {'$and': [{'genre': 'comedy'}, {'year': {'$lt': 2020}}]}]}, [V1, V2]),
    ({'p': {'$startsWith': '/m/'}}, [V1], [V1, V2, V3, V4]),
    ({'genre': {'$in': []}}, None, []),
    ({'$and': []}, None, [V1, V2, V3, V4]),
    ({'genre': {'$regex': 'd'}}, None, [V1, V2, V3, V4]),
    ({'$not': {'ok': True}}, None, [V1, V2, V3, V4]),
    ({'year': {'$gt': '2019'}}, None, [V3]),
    ({'genre': {'$eq': ['drama']}}, None, []),
    ({'long': 'text'}, None),
    ({'genre': {'$in': [str(number) for number in range(101)]}}, None, []),
    ({'genre': 'drama', 'year': 2020}, [V1]),
]


def search_films(plan):
    rows = [{'key': key, 'data': {'float32': numbers}, **({'metadata': document} if document else {})}
            for key, numbers, document in FILM_ROWS]
    plan.call('put films', 'PutVectors', {**FILMS, 'vectors': rows}, ok())
    query = {**FILMS, 'queryVector': {'float32': [2, 0, 0, 0]}, 'topK': 10}
    plan.call('cosine', 'QueryVectors', {**query, 'returnDistance': True},
              every(distances([0, 1 - 0.5**0.5, 1 - 3**-0.5, 2]), ok(distanceMetric='cosine')))
    for number, (filter_, found, *mock) in enumerate(FILTERS):
        plan.call(f'filter {number} {str(filter_)[:60]}', 'QueryVectors', {**query, 'filter': filter_, 'returnMetadata': True},
                  invalid() if found is None else keys(found), mock=keys(*mock) if mock else None, why='filters of its own')
    plan.call('filter by null', 'QueryVectors', {**query, 'filter': {'genre': None}}, invalid(), mock=keys([V4]),
              why='filters of its own')
    plan.call('CLASSIC on ENHANCED', 'QueryVectors', {**query, 'queryMode': 'CLASSIC'}, invalid(), mock=ok(), why='no modes',
              needs='UpdateIndexMode')
    zero = {'key': 'zero', 'data': {'float32': [0, 0, 0, 0]}}
    plan.call('put a zero vector', 'PutVectors', {**FILMS, 'vectors': [zero]}, invalid("key 'zero'"), mock=invalid(),
              why='texts of its own')
    plan.call('query with zero', 'QueryVectors', {**query, 'queryVector': {'float32': [0, 0, 0, 0]}}, invalid(), mock=ok(),
              why='accepted')


def break_limits(plan):
    def put(name, records, expect, **rest):
        plan.call(name, 'PutVectors', {**MANY, 'vectors': records}, expect, **rest)
    one = {'key': 'K', 'data': {'float32': [1, 2, 3, 4]}}
    text = "Invalid record for key 'K': "
    put('short vector', [{**one, 'data': {'float32': [1]}}], invalid(text + 'vector must have length 4, but has length 1'),
        mock=invalid(), why='texts of its own')
    put('NaN', [{**one, 'data': {'float32': [1, 2, 3, '@NaN']}}], invalid(text), mock=invalid(), why='texts of its own')
    put('501 vectors', [{**one, 'key': f'k{number}'} for number in range(501)], invalid('501'), mock=ok(), why='no limit')
    put('no vectors', [], invalid(), mock=ok(), why='no limit')
    put('metadata of 2049 bytes', [{**one, 'metadata': {'x': 'a' * 2041}}],
        invalid(text + 'Filterable metadata must have at most 2048 bytes'), mock=ok(), why='no limit')
    put('metadata of 2048 bytes', [{**one, 'metadata': {'x': 'a' * 2040}}], ok())
    put('metadata of 40961 bytes', [{**one, 'metadata': {'long': 'a' * 40950}}], invalid(text), mock=ok(), why='no limit')
    put('51 metadata keys', [{**one, 'metadata': {f'k{number}': 1 for number in range(51)}}], invalid(text), mock=ok(),
        why='no limit')
    put('nested metadata', [{**one, 'metadata': {'x': {'y': 1}}}], invalid(text), mock=ok(), why='accepted')
    put('null metadata', [{**one, 'metadata': {'x': None}}], invalid(text), mock=ok(), why='accepted')
    put('key of 1025 characters', [{**one, 'key': 'k' * 1025}], invalid(), mock=ok(), why='no limit')
    put('the same key twice', [one, one], invalid('duplicate'), mock=ok(), why='accepted (unverified)')
    keys_501 = [f'k{number}' for number in range(501)]
    plan.call('delete 501 keys', 'DeleteVectors', {**MANY, 'keys': keys_501}, invalid('501'), mock=ok(), why='no limit')
    plan.call('delete a key of 1025 characters', 'DeleteVectors', {**MANY, 'keys': ['k' * 1025]}, invalid(), mock=ok(),
              why='no limit')
    plan.call('delete what the limits left', 'DeleteVectors', {**MANY, 'keys': ['K']}, ok())


def change_settings(plan):
    bucket = {'vectorBucketName': BUCKET}
    bucket_arn = MANY_ARN.split('/index/')[0]
    plan.call('tag', 'TagResource', {'resourceArn': MANY_ARN, 'tags': {'a b': 'c/d', 'ü': ''}}, ok())
    plan.call('tags', 'ListTagsForResource', {'resourceArn': MANY_ARN}, ok(tags={'a b': 'c/d', 'ü': ''}))
    plan.call('untag', 'UntagResource', {'resourceArn': MANY_ARN, 'tagKeys': ['a b', 'x&y=z']}, ok())
    plan.call('tags left', 'ListTagsForResource', {'resourceArn': MANY_ARN}, ok(tags={'ü': ''}))
    plan.call('tags of the bucket', 'ListTagsForResource', {'resourceArn': bucket_arn}, ok(tags={'team': 'a b'}))
    plan.call('no policy', 'GetVectorBucketPolicy', bucket, error('NotFoundException', 404))
    plan.call('put policy', 'PutVectorBucketPolicy', {**bucket, 'policy': '{"Version": "2012-10-17"}'}, ok())
    plan.call('get policy', 'GetVectorBucketPolicy', bucket, ok(policy='{"Version": "2012-10-17"}'))
    plan.call('delete policy', 'DeleteVectorBucketPolicy', bucket, ok())
    new = {'mock': unknown, 'why': 'an operation it does not have'}
    plan.call('mode', 'UpdateIndexMode', {**MANY, 'indexMode': 'ENHANCED'}, ok(), **new)
    plan.call('mode back', 'UpdateIndexMode', {**MANY, 'indexMode': 'CLASSIC'}, invalid(), **new)
    plan.call('default mode', 'PutVectorBucketDefaultIndexMode', {**bucket, 'defaultIndexMode': 'ENHANCED'}, ok(), **new)
    text = {'textSearchConfigurations': [{'metadataKey': 'name', 'language': 'en'}]}
    plan.call('text search', 'UpdateMetadataConfiguration', {**MANY, 'add': text}, ok(indexArn=MANY_ARN), **new)
    words = {'queryTexts': [{'text': 'row 77', 'metadataKey': 'name'}], 'returnScores': True}
    plan.call('query text', 'QueryVectors', {**MANY, 'topK': 1, **words},
              keys([key_of(77)]), mock=invalid(), why='no text search', needs='UpdateMetadataConfiguration')


def unknown(outcome):
    return None if outcome.get('status') in (400, 404, 405) else f'not refused: {outcome}'


def meet_faults(plan):
    listing = {'vectorBucketName': BUCKET}
    plan.call('temporary credentials', 'ListIndexes', listing, ok(), client='temporary')
    plan.call('expired token', 'ListIndexes', listing, error('ExpiredTokenException', 403), client='expired')
    for client, code in (('wrong secret', 'InvalidSignatureException'), ('unknown key', 'UnrecognizedClientException'),
                         ('other region', 'InvalidSignatureException')):
        plan.call(client, 'ListIndexes', listing, error(code, 403), client=client)
    for place in ('header', 'header-colon', 'header-hash', 'code', 'type', 'type-hash', 'both'):
        plan.control(f'code in {place}', 'PUT', '/switches', '{"error_place": "%s"}' % place)
        plan.call(f'error code in {place}', 'GetIndex', {**MANY, 'indexName': 'absent'},
                  error('NotFoundException', 404, 'The specified index'), stub_only=True)
    for place in ('none', 'empty', 'html'):
        plan.control(f'code in {place}', 'PUT', '/switches', '{"error_place": "%s"}' % place)
        plan.call(f'error code in {place}', 'GetIndex', {**MANY, 'indexName': 'absent'},
                  lambda outcome: None if outcome.get('status') == 404 else f'not 404: {outcome}', stub_only=True)
    plan.control('code back', 'PUT', '/switches', '{"error_place": "header"}')
    for form in ('integer', 'exponent', 'fraction'):
        plan.control(f'time as {form}', 'PUT', '/switches', '{"creation_time": "%s"}' % form)
        plan.call(f'creation time as {form}', 'GetIndex', MANY, every(ok(), is_recent), stub_only=True)
    plan.control('chunks, empty answers, new members', 'PUT', '/switches',
                 '{"chunked": true, "empty_answer": "nothing", "extra_members": true}')
    everything = [key_of(number) for number in range(COUNT)]
    plan.call('chunked', 'ListVectors', {**MANY, 'returnMetadata': True}, keys(everything), pages='vectors', stub_only=True)
    plan.control('only empty answers', 'PUT', '/switches', '{"chunked": false, "extra_members": false}')
    plan.call('empty answer', 'DeleteVectors', {**MANY, 'keys': ['absent']}, ok(), stub_only=True)
    plan.control('short and empty pages', 'PUT', '/switches', '{"list_page_bytes": 100000, "list_empty_pages": 3}')
    plan.call('list all the same', 'ListVectors', MANY, keys(everything), pages='vectors', stub_only=True)
    plan.control('switches back', 'DELETE', '/switches')
    for status in (429, 500, 503):
        plan.control(f'two times {status}', 'PUT', '/faults', f'op=GetIndex,times=2,fault={status}')
        plan.call(f'retried {status}', 'GetIndex', MANY, every(ok(), attempts(3)), client='retrying')
    plan.control('408 once', 'PUT', '/faults', 'op=GetIndex,nth=1,fault=408')
    plan.call('408', 'GetIndex', MANY, error('RequestTimeoutException', 408), stub_only=True)
    plan.control('broken after the effect', 'PUT', '/faults', 'op=DeleteVectors,nth=1,fault=reset,when=after')
    plan.call('retried reset', 'DeleteVectors', {**MANY, 'keys': ['absent']}, every(ok(), attempts(2)), client='retrying')
    plan.control('no more faults', 'DELETE', '/faults')
    plan.control('no GetVectors', 'PUT', '/switches', '{"denied": ["GetVectors"]}')
    denied = error('AccessDeniedException', 403)
    plan.call('metadata without permission', 'QueryVectors',
              {**MANY, 'topK': 1, 'queryVector': {'float32': QUERY}, 'returnMetadata': True}, denied, stub_only=True)
    plan.call('list without permission', 'ListVectors', {**MANY, 'returnData': True}, denied, stub_only=True)
    plan.control('permissions back', 'DELETE', '/switches')


def is_recent(outcome):
    created = outcome['ok']['index']['creationTime']
    return None if 1.7e9 < created < 1e10 else f'creationTime is {created}'


def delete_all(plan):
    plan.call('delete', 'DeleteVectors', {**MANY, 'keys': [key_of(number) for number in range(0, COUNT, 3)] + ['absent']}, ok())
    left = [key_of(number) for number in range(COUNT) if number % 3]
    plan.call('list what is left', 'ListVectors', MANY, keys(left), pages='vectors')
    plan.call('delete a bucket with indexes', 'DeleteVectorBucket', {'vectorBucketName': BUCKET},
              error('ConflictException', 409, 'not empty'), mock=error('ConflictException', 409), why='texts of its own')
    for name in ('many', 'films'):
        plan.call(f'delete index {name}', 'DeleteIndex', {'vectorBucketName': BUCKET, 'indexName': name}, ok())
    plan.call('delete index with dot', 'DeleteIndex', {'vectorBucketName': BUCKET, 'indexName': 'with.dot-1'}, ok(),
              mock=error('NotFoundException', 404), why='it was not made')
    plan.call('delete index again', 'DeleteIndex', MANY, error('NotFoundException', 404))
    plan.call('delete bucket', 'DeleteVectorBucket', {'vectorBucketName': BUCKET}, ok())
    plan.call('delete bucket again', 'DeleteVectorBucket', {'vectorBucketName': BUCKET}, error('NotFoundException', 404))
