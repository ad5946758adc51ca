"""A stub in the test's own process, with one bucket and one index, for the tests beside this file."""
import unittest

from . import control
from .client import Client
from .client import control as ask_control
from .faults import Rules
from .service import Service
from .switches import Switches

BUCKET, INDEX = 'test-bucket', 'test-index'


class StubCase(unittest.TestCase):
    switches = {}
    metric, dimension, non_filterable = 'euclidean', 2, ['note']

    def setUp(self):
        credentials = {'stub-key': ('stub-secret', None), 'temporary': ('temporary-secret', 'the-token')}
        self.service = Service(Switches(self.switches), Rules([], 1), credentials=credentials)
        self.port = self.service.listen('127.0.0.1', 0)
        self.control_server = control.start(self.service, '127.0.0.1', 0)
        self.control_port = self.control_server.server_address[1]
        self.client = Client(self.port)
        self.addCleanup(self.stop)
        self.ok('CreateVectorBucket', vectorBucketName=BUCKET)
        self.ok('CreateIndex', vectorBucketName=BUCKET, indexName=INDEX, dimension=self.dimension, dataType='float32',
                distanceMetric=self.metric, metadataConfiguration={'nonFilterableMetadataKeys': self.non_filterable})

    def stop(self):
        self.client.close()
        self.control_server.shutdown()
        self.control_server.server_close()
        self.service.close()

    def control(self, method, path, body=None):
        return ask_control(self.control_port, method, path, body)

    def set(self, **switches):
        self.service.switches.change(switches)

    def ok(self, operation, **members):
        answer = self.client.call(operation, **members)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def fails(self, status, code, operation, **members):
        """Answers the message."""
        answer = self.client.call(operation, **members)
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        return answer.json['message']

    # calls on the one index

    def index_ok(self, operation, **members):
        return self.ok(operation, vectorBucketName=BUCKET, indexName=INDEX, **members)

    def index_fails(self, status, code, operation, **members):
        return self.fails(status, code, operation, vectorBucketName=BUCKET, indexName=INDEX, **members)

    def put(self, vectors):
        """vectors: {key: [numbers]} or {key: ([numbers], metadata)}."""
        return self.index_ok('PutVectors', vectors=records(vectors))

    def put_fails(self, vectors, status=400, code='ValidationException'):
        return self.index_fails(status, code, 'PutVectors', vectors=records(vectors))

    def query(self, vector, top_k=10, **members):
        return self.index_ok('QueryVectors', queryVector={'float32': vector}, topK=top_k, **members)

    def found(self, filter_, **members):
        """The keys that a query with this filter finds, by name."""
        answer = self.query([1.0] * self.dimension, 100, filter=filter_, **members)
        return sorted(hit['key'] for hit in answer['vectors'])

    def filter_fails(self, filter_, **members):
        return self.index_fails(400, 'ValidationException', 'QueryVectors', topK=10, filter=filter_,
                                queryVector={'float32': [1.0] * self.dimension}, **members)


def records(vectors):
    made = []
    for key, value in vectors.items():
        numbers, metadata = value if isinstance(value, tuple) else (value, None)
        made.append({'key': key, 'data': {'float32': numbers}, **({} if metadata is None else {'metadata': metadata})})
    return made
