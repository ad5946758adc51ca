"""The 22 operations of API version 2025-07-15: method, path and request members with their constraints."""
from .shapes import boolean, document, enum, integer, listing, mapping, structure, text, vector_data

NAME = '[a-z0-9][a-z0-9-.]{1,61}[a-z0-9]'
BUCKET_ARN = 'arn:aws[-a-z0-9]*:s3vectors:[a-z0-9-]+:[0-9]{12}:bucket/' + NAME
INDEX_ARN = BUCKET_ARN + '/index/' + NAME
KMS_ARN = 'arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:key/.+'
TAG_CHARACTERS = r'[\w\s./:=+\-@]*'  # \p{L}\p{Z}\p{N}_.:/=+-@; Python's \w and \s are near enough
LANGUAGES = ('en', 'fr', 'es', 'pt', 'it', 'de', 'nl', 'zh', 'ja', 'ko')
ANY_TEXT = text(0, 1 << 62)

MODE = enum('CLASSIC', 'ENHANCED')
VECTOR_KEY = text(1, 1024)
METADATA_KEY = text(1, 63)
TAGS = mapping(text(1, 128, TAG_CHARACTERS), text(0, 256, TAG_CHARACTERS), 50)
ENCRYPTION = structure(sseType=enum('AES256', 'aws:kms'), kmsKeyArn=text(1, 2048, KMS_ARN))
TEXT_SEARCH = listing(structure(('metadataKey',), metadataKey=METADATA_KEY, language=enum(*LANGUAGES)), 0, 10)
METADATA_CONFIGURATION = structure(nonFilterableMetadataKeys=listing(METADATA_KEY, 0, 10),
                                   textSearchConfigurations=TEXT_SEARCH)
BUCKET = {'vectorBucketName': text(3, 63), 'vectorBucketArn': text(1, 256, BUCKET_ARN)}
INDEX = {'vectorBucketName': text(3, 63), 'indexName': text(3, 63), 'indexArn': text(1, 512, INDEX_ARN)}
VECTOR = structure(('key', 'data'), key=VECTOR_KEY, data=vector_data, metadata=document)
RETURNS = {'returnData': boolean, 'returnMetadata': boolean}


def bucket_pages(**more):
    return structure(maxResults=integer(1, 500), nextToken=text(1, 512), prefix=text(1, 63), **more)


class Operation:
    def __init__(self, name, check, needs='', method='POST', path=None):
        self.name, self.check, self.method, self.path = name, check, method, path or '/' + name
        self.needs = needs  # 'bucket' or 'index': how it is addressed


OPERATIONS = {operation.name: operation for operation in [
    Operation('CreateVectorBucket', structure(('vectorBucketName',), vectorBucketName=text(3, 63),
                                              encryptionConfiguration=ENCRYPTION, tags=TAGS)),
    Operation('GetVectorBucket', structure(**BUCKET), 'bucket'),
    Operation('ListVectorBuckets', bucket_pages()),
    Operation('DeleteVectorBucket', structure(**BUCKET), 'bucket'),
    Operation('PutVectorBucketPolicy', structure(('policy',), policy=ANY_TEXT, **BUCKET), 'bucket'),
    Operation('GetVectorBucketPolicy', structure(**BUCKET), 'bucket'),
    Operation('DeleteVectorBucketPolicy', structure(**BUCKET), 'bucket'),
    Operation('PutVectorBucketDefaultIndexMode',
              structure(('defaultIndexMode',), defaultIndexMode=MODE, **BUCKET), 'bucket'),
    Operation('CreateIndex', structure(
        ('indexName', 'dataType', 'dimension', 'distanceMetric'), indexName=text(3, 63), dataType=enum('float32'),
        dimension=integer(1, 4096), distanceMetric=enum('euclidean', 'cosine'), encryptionConfiguration=ENCRYPTION,
        metadataConfiguration=METADATA_CONFIGURATION, tags=TAGS, **BUCKET), 'bucket'),
    Operation('GetIndex', structure(**INDEX), 'index'),
    Operation('ListIndexes', bucket_pages(**BUCKET), 'bucket'),
    Operation('UpdateIndexMode', structure(('indexMode',), indexMode=MODE, **INDEX), 'index'),
    Operation('UpdateMetadataConfiguration', structure(
        add=structure(textSearchConfigurations=TEXT_SEARCH), delete=structure(textSearchConfigurations=listing(
            structure(('metadataKey',), metadataKey=METADATA_KEY), 1, 10)), **INDEX), 'index'),
    Operation('DeleteIndex', structure(**INDEX), 'index'),
    Operation('PutVectors', structure(('vectors',), vectors=listing(VECTOR, 1, 500), **INDEX), 'index'),
    Operation('GetVectors', structure(('keys',), keys=listing(VECTOR_KEY, 1, 100), **RETURNS, **INDEX), 'index'),
    Operation('ListVectors', structure(
        maxResults=integer(1, 1000), nextToken=text(1, 2048), segmentCount=integer(1, 16),
        segmentIndex=integer(0, 15), **RETURNS, **INDEX), 'index'),
    Operation('DeleteVectors', structure(('keys',), keys=listing(VECTOR_KEY, 1, 500), **INDEX), 'index'),
    Operation('QueryVectors', structure(
        ('topK',), topK=integer(1), queryVector=vector_data, filter=document, nextToken=text(1, 4096), queryMode=MODE,
        queryTexts=listing(structure(('text', 'metadataKey'), text=text(1, 1024), metadataKey=METADATA_KEY), 1, 10),
        returnMetadata=boolean, returnDistance=boolean, returnScores=boolean, **INDEX), 'index'),
    Operation('TagResource', structure(('resourceArn', 'tags'), resourceArn=text(0, 1011), tags=TAGS),
              path='/tags/{resourceArn}'),
    Operation('UntagResource', structure(('resourceArn', 'tagKeys'), resourceArn=text(0, 1011),
                                         tagKeys=listing(text(1, 128), 0, 200)),
              method='DELETE', path='/tags/{resourceArn}'),
    Operation('ListTagsForResource', structure(('resourceArn',), resourceArn=text(0, 1011)),
              method='GET', path='/tags/{resourceArn}'),
]}


def operation_of(method, path):
    """The operation of a request line, or None; `path` without query."""
    if path.startswith('/tags/'):
        by_method = {'POST': 'TagResource', 'DELETE': 'UntagResource', 'GET': 'ListTagsForResource'}
        return OPERATIONS.get(by_method.get(method))
    operation = OPERATIONS.get(path[1:])
    return operation if operation and operation.method == method and operation.path == path else None
