"""Put, get, list, delete: limits, forms of answers, pages and segments."""
from .stub_case import BUCKET, INDEX, StubCase, records


class Vectors(StubCase):
    def keys_of(self, answer):
        return sorted(vector['key'] for vector in answer['vectors'])

    def pages(self, **members):
        """The keys of each page of ListVectors."""
        pages, token = [], {}
        while True:
            answer = self.index_ok('ListVectors', **members, **token)
            pages.append([vector['key'] for vector in answer['vectors']])
            if not answer.get('nextToken'):
                return pages
            token = {'nextToken': answer['nextToken']}

    def test_what_is_put_is_there_at_once(self):
        self.put({'a': ([0.1, 1e-7], {'x': [1, 'é', True], 'y': 2.5}), 'b': [3, 4]})
        answer = self.index_ok('GetVectors', keys=['a', 'b', 'absent', 'a'], returnData=True, returnMetadata=True)
        by_key = {vector['key']: vector for vector in answer['vectors']}
        self.assertEqual(by_key, {
            'a': {'key': 'a', 'data': {'float32': [0.1, 1e-7]}, 'metadata': {'x': [1, 'é', True], 'y': 2.5}},
            'b': {'key': 'b', 'data': {'float32': [3, 4]}, 'metadata': {}}})
        self.assertEqual(sorted(self.index_ok('GetVectors', keys=['a'])['vectors'][0]), ['key'])

    def test_forms_of_answers(self):
        self.put({'a': [0.1, 1]})
        self.set(absent_key='key_only', absent_metadata='absent', number_form='double', extra_members=True)
        answer = self.client.call('GetVectors', vectorBucketName=BUCKET, indexName=INDEX, keys=['a', 'absent'],
                                  returnData=True, returnMetadata=True)
        self.assertIn(b'0.10000000149011612', answer.body)
        self.assertEqual({vector['key']: sorted(vector) for vector in answer.json['vectors']},
                         {'a': ['data', 'key'], 'absent': ['key']})
        self.assertIn('memberOfTomorrow', answer.json)
        self.set(empty_answer='nothing', extra_members=False)
        self.assertEqual(self.client.call('DeleteVectors', vectorBucketName=BUCKET, indexName=INDEX, keys=['a']).body, b'')

    def test_a_put_replaces_vector_and_metadata(self):
        self.put({'a': ([1, 1], {'x': 1})})
        self.put({'a': [2, 2]})
        answer = self.index_ok('GetVectors', keys=['a'], returnData=True, returnMetadata=True)
        self.assertEqual(answer['vectors'], [{'key': 'a', 'data': {'float32': [2, 2]}, 'metadata': {}}])

    def test_bad_vectors(self):
        for numbers, message in (([1], 'vector must have length 2, but has length 1'), ([1, 'NaN'], 'NaN or Infinity'),
                                 ([1, 'Infinity'], 'NaN or Infinity'), ([1, 1e39], 'NaN or Infinity')):
            self.assertIn(message, self.put_fails({'fine': [1, 1], 'K': numbers}))
        self.assertIn("Invalid record for key 'K'", self.put_fails({'K': [1]}))
        for numbers in ([1, 'x'], [1, True], [1, None], 'x'):
            self.put_fails({'K': numbers}, 400, 'SerializationException')
        self.index_fails(400, 'SerializationException', 'PutVectors', vectors=[{'key': 'a', 'data': {'float64': [1, 1]}}])
        self.assertEqual(self.pages(), [[]])
        self.set(put_atomic=False)
        self.put_fails({'fine': [1, 1], 'K': [1]})
        self.assertEqual(self.pages(), [['fine']])

    def test_zero_vectors_are_for_euclidean_only(self):
        self.put({'zero': [0, 0]})
        self.ok('CreateIndex', vectorBucketName=BUCKET, indexName='cosine', dimension=2, dataType='float32',
                distanceMetric='cosine')
        self.assertIn('zero', self.fails(400, 'ValidationException', 'PutVectors', vectorBucketName=BUCKET, indexName='cosine',
                                         vectors=records({'a': [0, 0]})))

    def test_metadata_limits(self):
        message = self.put_fails({'K': ([1, 1], {'x': 'a' * 2041})})
        self.assertEqual(message, "Invalid record for key 'K': Filterable metadata must have at most 2048 bytes")
        self.put({'a': ([1, 1], {'x': 'a' * 2040})})
        self.put({'a': ([1, 1], {'x': 'a' * 1000, 'note': 'b' * 39900})})
        self.assertIn('at most 40960 bytes', self.put_fails({'K': ([1, 1], {'note': 'b' * 40951})}))
        self.put({'a': ([1, 1], {'note': 'b' * 40949})})
        self.put({'a': ([1, 1], {'x': 'é' * 1020})})
        self.put_fails({'K': ([1, 1], {'x': 'é' * 1021})})
        self.put({'a': ([1, 1], {f'k{n}': n for n in range(50)})})
        self.assertIn('at most 50 keys', self.put_fails({'K': ([1, 1], {f'k{n}': n for n in range(51)})}))

    def test_metadata_values(self):
        for value in (None, {'a': 1}, [[1]], [None], [{'a': 1}]):
            self.assertIn("'x'", self.put_fails({'K': ([1, 1], {'x': value})}))
        for metadata in ('text', [1]):
            self.assertIn('JSON object', self.put_fails({'K': ([1, 1], metadata)}))
        self.put({'K': ([1, 1], {'x': [], 'y': ''})})
        self.set(empty_list='refused')
        self.put_fails({'K': ([1, 1], {'x': []})})

    def test_keys(self):
        self.put({'é' * 1024: [1, 1]})
        self.put_fails({'a' * 1025: [1, 1]})
        self.put_fails({'': [1, 1]})
        self.set(key_length='bytes')
        self.put_fails({'é' * 1024: [1, 1]})

    def test_duplicate_keys(self):
        twice = records({'a': [1, 1]}) + records({'a': [2, 2]})
        self.index_fails(400, 'ValidationException', 'PutVectors', vectors=twice)
        self.set(duplicate_keys='last')
        self.index_ok('PutVectors', vectors=twice)
        self.assertEqual(self.index_ok('GetVectors', keys=['a'], returnData=True)['vectors'][0]['data'], {'float32': [2, 2]})

    def test_counts(self):
        many = [f'k{n}' for n in range(501)]
        message = self.put_fails({key: [1, 1] for key in many})
        self.assertIn("Value with length 501 at '/vectors'", message)
        self.index_fails(400, 'ValidationException', 'PutVectors', vectors=[])
        self.index_fails(400, 'ValidationException', 'DeleteVectors', keys=many)
        self.index_fails(400, 'ValidationException', 'GetVectors', keys=many[:101])
        self.put({key: [1, 1] for key in many[:500]})
        self.index_ok('DeleteVectors', keys=many[1:])
        self.index_ok('DeleteVectors', keys=many[1:])
        self.assertEqual(self.pages(), [['k0']])

    def test_pages_hold_every_vector_once(self):
        names = [f'k{n:04}' for n in range(1200)]
        for begin in range(0, 1200, 400):
            self.put({key: [1, 1] for key in names[begin:begin + 400]})
        pages = self.pages()
        self.assertEqual([len(page) for page in pages], [500, 500, 200])
        self.assertEqual(sorted(sum(pages, [])), names)
        self.assertNotEqual(pages[0], sorted(pages[0]))
        self.assertEqual([len(page) for page in self.pages(maxResults=1000)], [1000, 200])
        self.set(list_page=7)
        self.assertEqual({len(page) for page in self.pages(maxResults=1000)}, {7, 3})
        self.set(list_page=1000, list_page_bytes=1300, last_token='empty')
        pages = self.pages()
        self.assertEqual({len(page) for page in pages}, {100})
        self.set(list_empty_pages=3)
        pages = self.pages()
        self.assertEqual([len(page) for page in pages[:6]], [100, 100, 0, 100, 100, 0])
        self.assertEqual(sorted(sum(pages, [])), names)

    def test_segments(self):
        names = [f'k{n:03}' for n in range(200)]
        self.put({key: [1, 1] for key in names})
        seen = []
        for segment in range(16):
            pages = self.pages(segmentCount=16, segmentIndex=segment, maxResults=5)
            self.assertEqual([len(page) for page in pages][:2], [5, 5])
            seen += sum(pages, [])
        self.assertEqual(sorted(seen), names)
        for wrong in ({'segmentCount': 2}, {'segmentIndex': 0}, {'segmentCount': 2, 'segmentIndex': 2},
                      {'segmentCount': 17, 'segmentIndex': 0}):
            self.index_fails(400, 'ValidationException', 'ListVectors', **wrong)
        token = self.index_ok('ListVectors', segmentCount=2, segmentIndex=0, maxResults=5)['nextToken']
        self.index_fails(400, 'ValidationException', 'ListVectors', segmentCount=2, segmentIndex=1, nextToken=token)

    def test_a_vector_keeps_its_place_while_it_is_overwritten(self):
        names = [f'k{n}' for n in range(20)]
        self.put({key: [1, 1] for key in names})
        first = self.index_ok('ListVectors', maxResults=10)
        self.put({key: [2, 2] for key in names})
        rest = self.index_ok('ListVectors', nextToken=first['nextToken'])
        self.assertEqual(sorted(self.keys_of(first) + self.keys_of(rest)), sorted(names))

    def test_rates(self):
        self.set(rate_limits=True, write_vectors_per_s=600)
        batch = {f'k{n}': [1, 1] for n in range(500)}
        self.put(batch)
        self.put_fails(batch, 429, 'TooManyRequestsException')
        self.put({'a': [1, 1]})
        self.set(write_requests_per_s=2, write_vectors_per_s=100000)
        self.index_ok('DeleteVectors', keys=['a'])
        one = {'vectorBucketName': BUCKET, 'indexName': INDEX, 'keys': ['a']}
        statuses = [self.client.call('DeleteVectors', **one).status for _ in range(5)]
        self.assertIn(429, statuses)
        self.query([1, 1])

    def test_a_batch_beyond_the_capacity(self):
        self.set(put_capacity=1)
        message = self.put_fails({'a': [1, 1], 'b': [1, 1]}, 503, 'ServiceUnavailableException')
        self.assertEqual(message, 'Currently unable to handle the request')
        self.put({'a': [1, 1]})

    def test_body_limit(self):
        self.set(max_body_bytes=2000)
        answer = self.client.call('PutVectors', vectorBucketName=BUCKET, indexName=INDEX, filler='x' * 3000)
        self.assertEqual((answer.status, answer.code), (413, 'RequestEntityTooLargeException'))
        self.put({'a': [1, 1]})

    def test_what_is_no_json(self):
        for body in (b'{', b'[]', b'{"keys":[NaN]}', b'\xff'):
            answer = self.client.send('POST', '/GetVectors', body)
            self.assertEqual((answer.status, answer.code), (400, 'SerializationException'), body)
        buckets = self.client.send('POST', '/ListVectorBuckets').json['vectorBuckets']
        self.assertEqual([bucket['vectorBucketName'] for bucket in buckets], [BUCKET])
