"""Operations on buckets, indexes and tags. Each takes the service and a checked request and answers a dict."""
import re

from . import model
from .errors import ServiceError, invalid
from .json_text import Raw
from .shapes import Problems
from .store import Bucket, Index

BUCKET_NAME = re.compile('[a-z0-9][a-z0-9-]{1,61}[a-z0-9]')
INDEX_NAME = re.compile('[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]')
NO_BUCKET = 'The specified vector bucket could not be found'
NO_INDEX = 'The specified index could not be found'


def not_found(message):
    return ServiceError('NotFoundException', message)


def find_bucket(service, request, message=NO_BUCKET):
    name, arn = request.get('vectorBucketName'), request.get('vectorBucketArn')
    if (name is None) == (arn is None):
        raise invalid('Must specify either vectorBucketName or vectorBucketArn but not both')
    bucket = service.account.buckets.get(name or arn.rsplit('bucket/', 1)[1])
    if bucket is None or (arn and bucket.arn != arn):
        raise not_found(message)
    return bucket


def find_index(service, request):
    bucket_name, name, arn = (request.get(member) for member in ('vectorBucketName', 'indexName', 'indexArn'))
    if (arn is None) == (bucket_name is None) or (bucket_name is None) != (name is None):
        raise invalid('Must specify either indexArn or both vectorBucketName and indexName')
    if arn:
        bucket_name, name = arn.split(':bucket/', 1)[1].split('/index/')
    with service.account.lock:
        bucket = service.account.buckets.get(bucket_name)
        index = bucket.indexes.get(name) if bucket else None
    if index is None or (arn and index.arn != arn):
        raise not_found(NO_INDEX)
    return index


def check_encryption(request):
    encryption = request.get('encryptionConfiguration')
    if encryption is None:
        return None
    kind, key = encryption.get('sseType', 'AES256'), encryption.get('kmsKeyArn')
    if key and kind != 'aws:kms':
        raise invalid('kmsKeyArn is allowed only with sseType aws:kms', '/encryptionConfiguration/kmsKeyArn')
    if kind == 'aws:kms' and not key:
        raise invalid('sseType aws:kms needs a kmsKeyArn', '/encryptionConfiguration/kmsKeyArn')
    return {'sseType': kind, **({'kmsKeyArn': key} if key else {})}


def creation_time(service, seconds):
    form = service.switches.creation_time
    if form == 'exponent':
        return Raw(f'{seconds:.12E}'.replace('E+0', 'E'))
    return int(seconds) if form == 'integer' else round(seconds, 3)


def create_vector_bucket(service, request):
    name = request['vectorBucketName']
    if not BUCKET_NAME.fullmatch(name):
        raise invalid('Invalid vector bucket name', '/vectorBucketName')
    encryption = check_encryption(request) or {'sseType': 'AES256'}
    with service.account.lock:
        buckets = service.account.buckets
        if name in buckets:
            raise ServiceError('ConflictException', 'A vector bucket with the specified name already exists')
        if len(buckets) >= service.switches.max_buckets:
            raise ServiceError('ServiceQuotaExceededException', 'The maximum number of vector buckets is reached')
        old = service.switches.old_buckets
        buckets[name] = Bucket(name, service.account.region, service.now(), old, encryption, request.get('tags', {}))
        return {'vectorBucketArn': buckets[name].arn}


def get_vector_bucket(service, request):
    bucket = find_bucket(service, request)
    mode = {'defaultIndexMode': bucket.default_mode} if service.switches.index_modes else {}
    return {'vectorBucket': {'vectorBucketName': bucket.name, 'vectorBucketArn': bucket.arn, **mode,
                             'creationTime': creation_time(service, bucket.created),
                             'encryptionConfiguration': bucket.encryption}}


def page_of(service, request, entries, what):
    """(the entries of the page, {'nextToken'}); `entries` are all that there are: {name: thing}."""
    after = ''
    if 'nextToken' in request:
        content = service.account.unseal(request['nextToken'])
        if not content or content.get('of') != what:
            raise invalid('Invalid nextToken', '/nextToken')
        after = content['after']
    names = sorted(name for name in list(entries) if name.startswith(request.get('prefix', '')) and name > after)
    size = min(request.get('maxResults', service.switches.bucket_page), service.switches.bucket_page)
    token = service.account.seal({'of': what, 'after': names[size - 1]}) if len(names) > size else None
    return [entries[name] for name in names[:size]], last_token(service, token)


def last_token(service, token):
    if token is not None:
        return {'nextToken': token}
    return {'nextToken': ''} if service.switches.last_token == 'empty' else {}


def list_vector_buckets(service, request):
    with service.account.lock:
        buckets, token = page_of(service, request, service.account.buckets, 'buckets')
    return {'vectorBuckets': [{'vectorBucketName': bucket.name, 'vectorBucketArn': bucket.arn,
                               'creationTime': creation_time(service, bucket.created)} for bucket in buckets], **token}


def delete_vector_bucket(service, request):
    with service.account.lock:
        bucket = find_bucket(service, request)
        if bucket.indexes:
            raise ServiceError('ConflictException', 'The specified vector bucket is not empty')
        del service.account.buckets[bucket.name]
    return {}


def put_vector_bucket_policy(service, request):
    find_bucket(service, request).policy = request['policy']
    return {}


def get_vector_bucket_policy(service, request):
    bucket = find_bucket(service, request)
    if bucket.policy is None:
        raise not_found('The specified vector bucket policy could not be found')
    return {'policy': bucket.policy}


def delete_vector_bucket_policy(service, request):
    find_bucket(service, request).policy = None
    return {}


def check_mode(bucket, mode):
    if mode == 'CLASSIC' and not bucket.old:
        raise invalid('CLASSIC is not available in this vector bucket')


def put_vector_bucket_default_index_mode(service, request):
    bucket = find_bucket(service, request)
    check_mode(bucket, request['defaultIndexMode'])
    bucket.default_mode = request['defaultIndexMode']
    return {}


def create_index(service, request):
    name, configuration = request['indexName'], request.get('metadataConfiguration', {})
    if not INDEX_NAME.fullmatch(name):
        raise invalid('Invalid index name', '/indexName')
    non_filterable = configuration.get('nonFilterableMetadataKeys', [])
    if len(set(non_filterable)) != len(non_filterable):
        raise invalid('nonFilterableMetadataKeys must be distinct')
    with service.account.lock:
        bucket = find_bucket(service, request)
        text_search = check_text_search(configuration.get('textSearchConfigurations', []), bucket.default_mode)
        if name in bucket.indexes:
            raise ServiceError('ConflictException', 'An index with the specified name already exists')
        if len(bucket.indexes) >= service.switches.max_indexes:
            raise ServiceError('ServiceQuotaExceededException', 'The maximum number of indexes is reached')
        index = Index(bucket, name, request['dimension'], request['distanceMetric'], service.now(),
                      mode=bucket.default_mode, encryption=check_encryption(request), tags=request.get('tags', {}),
                      non_filterable=non_filterable, text_search=text_search)
        bucket.indexes[name] = index
    return {'indexArn': index.arn}


def check_text_search(configurations, mode):
    keys = [configuration['metadataKey'] for configuration in configurations]
    if len(set(keys)) != len(keys):
        raise invalid('textSearchConfigurations must have distinct metadata keys')
    if keys and mode != 'ENHANCED':
        raise invalid('textSearchConfigurations need an ENHANCED index')
    return {configuration['metadataKey']: configuration for configuration in configurations}


def get_index(service, request):
    index = find_index(service, request)
    configuration = {}
    if index.non_filterable:
        configuration['nonFilterableMetadataKeys'] = index.non_filterable
    if index.text_search:
        configuration['textSearchConfigurations'] = [{**one, 'status': 'ACTIVE'} for one in index.text_search.values()]
    return {'index': {
        'vectorBucketName': index.bucket.name, 'indexName': index.name, 'indexArn': index.arn,
        'creationTime': creation_time(service, index.created), 'dataType': 'float32', 'dimension': index.dimension,
        'distanceMetric': index.metric, **({'metadataConfiguration': configuration} if configuration else {}),
        'encryptionConfiguration': index.encryption or index.bucket.encryption,
        **({'indexMode': index.mode} if service.switches.index_modes else {})}}


def list_indexes(service, request):
    with service.account.lock:
        bucket = find_bucket(service, request)
        indexes, token = page_of(service, request, bucket.indexes, bucket.arn)
    return {'indexes': [{'vectorBucketName': bucket.name, 'indexName': index.name, 'indexArn': index.arn,
                         'creationTime': creation_time(service, index.created)} for index in indexes], **token}


def update_index_mode(service, request):
    index = find_index(service, request)
    check_mode(index.bucket, request['indexMode'])
    if request['indexMode'] == 'CLASSIC' and index.text_search:
        raise invalid('An index with text search must be ENHANCED')
    index.mode = request['indexMode']
    return {}


def update_metadata_configuration(service, request):
    if ('add' in request) == ('delete' in request):
        raise invalid('Must specify exactly one of add and delete')
    index = find_index(service, request)
    with service.account.lock:
        if 'add' in request:
            added = check_text_search(request['add'].get('textSearchConfigurations', []), index.mode)
            if set(added) & set(index.text_search):
                raise ServiceError('ConflictException', 'Text search of this metadata key is configured already')
            if len(added) + len(index.text_search) > 10:
                raise invalid('At most 10 textSearchConfigurations')
            index.text_search = {**index.text_search, **added}
        else:
            gone = [one['metadataKey'] for one in request['delete'].get('textSearchConfigurations', [])]
            if not set(gone) <= set(index.text_search):
                raise not_found('Text search of this metadata key is not configured')
            index.text_search = {key: one for key, one in index.text_search.items() if key not in gone}
    return {'indexArn': index.arn}


def delete_index(service, request):
    with service.account.lock:
        index = find_index(service, request)
        del index.bucket.indexes[index.name]
    return {}


def find_tagged(service, request):
    arn, problems = request['resourceArn'], Problems()
    model.BUCKET['vectorBucketArn'](arn.split('/index/')[0], '/resourceArn', problems)
    problems.raise_any()
    return find_index(service, {'indexArn': arn}) if '/index/' in arn else find_bucket(service, {'vectorBucketArn': arn})


def tag_resource(service, request):
    tagged = find_tagged(service, request)
    tags = {**tagged.tags, **request['tags']}
    if len(tags) > 50:
        raise invalid('At most 50 tags per resource')
    tagged.tags = tags
    return {}


def untag_resource(service, request):
    tagged = find_tagged(service, request)
    tagged.tags = {key: value for key, value in tagged.tags.items() if key not in request['tagKeys']}
    return {}


def list_tags_for_resource(service, request):
    return {'tags': find_tagged(service, request).tags}
