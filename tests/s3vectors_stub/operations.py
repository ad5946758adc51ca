"""One call of the service: permissions, the request's form, the operation."""
import re

from . import query, resources, vectors
from .errors import ServiceError
from .model import OPERATIONS
from .shapes import Problems

def doer(name):
    """create_index for CreateIndex."""
    function = re.sub('(?<!^)(?=[A-Z])', '_', name).lower()
    return next(getattr(module, function) for module in (resources, vectors, query) if hasattr(module, function))


DOERS = {name: doer(name) for name in OPERATIONS}
SINCE_MODES = {'PutVectorBucketDefaultIndexMode', 'UpdateIndexMode', 'UpdateMetadataConfiguration'}


def actions_of(name, request):
    """The permissions that a request needs."""
    actions = [name]
    if name == 'QueryVectors' and ('filter' in request or 'queryTexts' in request or request.get('returnMetadata')):
        actions.append('GetVectors')
    if name == 'ListVectors' and (request.get('returnData') or request.get('returnMetadata')):
        actions.append('GetVectors')
    if name in ('CreateVectorBucket', 'CreateIndex') and request.get('tags'):
        actions.append('TagResource')
    return actions


def perform(service, operation, document):
    """The answer's members. `document` is the parsed body, or what path and query of a tag operation say."""
    name = operation.name
    if name in SINCE_MODES and not service.switches.index_modes:
        raise ServiceError('UnknownOperationException', f'Unknown operation {name}', status=400)
    problems = Problems()
    request = operation.check(document, '', problems)
    problems.raise_any()
    for action in actions_of(name, request):
        if action in service.switches.denied:
            raise ServiceError('AccessDeniedException', f'User is not authorized to perform: s3vectors:{action}')
    return DOERS[name](service, request)
