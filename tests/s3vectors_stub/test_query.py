"""QueryVectors: answers, pages, modes."""
from .stub_case import StubCase


class Query(StubCase):
    def fill(self, count):
        for begin in range(0, count, 500):
            self.put({f'k{n:04}': ([n, 0], {'n': n, 'odd': n % 2 == 1}) for n in range(begin, min(begin + 500, count))})

    def keys(self, answer):
        return [hit['key'] for hit in answer['vectors']]

    def chain(self, top_k, **members):
        """All hits of a query, and how many pages they came on."""
        answer = self.query([0, 0], top_k, **members)
        hits, pages = answer['vectors'], 1
        while 'nextToken' in answer:
            answer = self.query([0, 0], top_k, nextToken=answer['nextToken'], **members)
            hits, pages = hits + answer['vectors'], pages + 1
        return hits, pages

    def test_members_of_an_answer(self):
        self.put({'a': ([3, 4], {'x': 1}), 'b': [0, 0]})
        self.assertEqual(self.query([0, 0]), {'distanceMetric': 'euclidean', 'vectors': [{'key': 'b'}, {'key': 'a'}]})
        self.assertEqual(self.query([0, 0], returnDistance=True, returnMetadata=True)['vectors'],
                         [{'key': 'b', 'distance': 0, 'metadata': {}}, {'key': 'a', 'distance': 5, 'metadata': {'x': 1}}])
        self.set(squared_euclidean=True)
        self.assertEqual(self.query([0, 0], returnDistance=True)['vectors'][1]['distance'], 25)

    def test_constraints(self):
        good = {'queryVector': {'float32': [1, 1]}, 'topK': 1}
        for change in ({'topK': 0}, {'topK': 10001}, {'queryVector': {'float32': [1]}}, {'queryVector': {'float32': ['NaN', 1]}},
                       {'topK': None}, {'queryVector': None}, {'queryMode': 'CLASSIC'}, {'nextToken': 'abc'}):
            self.index_fails(400, 'ValidationException', 'QueryVectors', **{**good, **change})

    def test_pages(self):
        self.fill(350)
        hits, pages = self.chain(300, returnDistance=True)
        self.assertEqual(([hit['key'] for hit in hits], pages), ([f'k{n:04}' for n in range(300)], 3))
        self.assertEqual(len(self.chain(1000)[0]), 350)
        self.assertEqual(self.chain(100)[1], 1)
        self.set(query_page=7)
        self.assertEqual(len(self.chain(30)[0]), 30)

    def test_a_token_belongs_to_its_query(self):
        self.fill(200)
        token = self.query([0, 0], 200)['nextToken']
        for change in ({'topK': 150}, {'queryVector': {'float32': [0, 1]}}, {'filter': {'odd': True}}, {'queryMode': 'ENHANCED'}):
            self.index_fails(400, 'ValidationException', 'QueryVectors',
                             **{'queryVector': {'float32': [0, 0]}, 'topK': 200, 'nextToken': token, **change})
        self.assertEqual(len(self.query([0, 0], 200, nextToken=token)['vectors']), 100)
        self.set(clock_shift_s=299)
        self.client.clock_shift = 299
        self.query([0, 0], 200, nextToken=token)
        self.set(clock_shift_s=900)
        self.client.clock_shift = 900
        self.index_fails(400, 'ValidationException', 'QueryVectors', queryVector={'float32': [0, 0]}, topK=200, nextToken=token)

    def test_writes_between_pages(self):
        self.fill(200)
        for pages, expected in (('snapshot', 100), ('live', 50)):
            self.set(query_pages=pages)
            token = self.query([0, 0], 200)['nextToken']
            self.index_ok('DeleteVectors', keys=[f'k{n:04}' for n in range(100, 150)])
            self.assertEqual(len(self.query([0, 0], 200, nextToken=token)['vectors']), expected)
            self.fill(200)

    def test_a_service_without_paging(self):
        self.fill(120)
        self.set(query_paging=False)
        answer = self.query([0, 0], 100)
        self.assertEqual((len(answer['vectors']), 'nextToken' in answer), (100, False))
        self.index_fails(400, 'ValidationException', 'QueryVectors', queryVector={'float32': [0, 0]}, topK=101)

    def test_classic_finds_fewer_than_there_are(self):
        self.fill(400)
        self.service.account.buckets['test-bucket'].indexes['test-index'].mode = 'CLASSIC'
        rare = {'n': {'$gte': 30}}
        self.assertEqual(len(self.query([0, 0], 10, filter=rare)['vectors']), 10)
        self.set(classic_candidates=3.5)
        self.assertEqual(self.keys(self.query([0, 0], 10, filter=rare)), [f'k{n:04}' for n in range(30, 35)])
        self.assertEqual(len(self.query([0, 0], 10, filter={'n': {'$gte': 5}})['vectors']), 10)
        self.assertEqual(len(self.query([0, 0], 10, filter=rare, queryMode='ENHANCED')['vectors']), 10)
        self.assertEqual(len(self.query([0, 0], 10)['vectors']), 10)

    def test_missed_vectors(self):
        self.fill(400)
        self.set(search_misses=0.5)
        hits = self.keys(self.query([0, 0], 400)) + self.keys(self.query([0, 0], 400))
        self.assertEqual(hits[:len(hits) // 2], hits[len(hits) // 2:])
        found = len(self.chain(400)[0])
        self.assertTrue(150 < found < 250, found)


class Cosine(StubCase):
    metric = 'cosine'

    def test_distances(self):
        self.put({'same': [2, 2], 'opposite': [-1, -1], 'right': [1, -1]})
        hits = self.query([1, 1], returnDistance=True)['vectors']
        self.assertEqual([hit['key'] for hit in hits], ['same', 'right', 'opposite'])
        for hit, expected in zip(hits, (0, 1, 2)):
            self.assertAlmostEqual(hit['distance'], expected, places=6)

    def test_zero_query(self):
        self.put({'a': [1, 1]})
        self.index_fails(400, 'ValidationException', 'QueryVectors', queryVector={'float32': [0, 0]}, topK=1)
        self.set(zero_query='accepted')
        self.assertEqual(self.query([0, 0], returnDistance=True)['vectors'], [{'key': 'a', 'distance': 1}])
