"""Filters over HTTP: the worked examples, then each switch for what AWS does not say."""
from .stub_case import StubCase

V1, V2, V3, V4 = 'v1', 'v2', 'v3', 'v4'
ROWS = {
    V1: ([1, 1], {'genre': 'drama', 'year': 2020, 'tags': ['a', 'b'], 'ok': True, 'p': '/m/x', 'note': 'long'}),
    V2: ([2, 2], {'genre': 'comedy', 'year': 2019.5, 'mixed': [1, 'bc']}),
    V3: ([3, 3], {'genre': ['drama', 'comedy'], 'year': '2020'}),
    V4: [4, 4],
}
EXAMPLES = [
    ({'genre': 'drama'}, [V1, V3]),
    ({'genre': {'$eq': 'comedy'}}, [V2, V3]),
    ({'tags': 'a'}, [V1]),
    ({'genre': {'$in': ['drama', 'x']}}, [V1, V3]),
    ({'genre': {'$nin': ['drama']}}, [V2]),
    ({'genre': {'$ne': 'drama'}}, [V2]),
    ({'$and': [{'genre': {'$exists': True}}, {'genre': {'$ne': 'drama'}}]}, [V2]),
    ({'year': {'$gte': 2019.5}}, [V1, V2]),
    ({'year': {'$gt': 2019, '$lt': 2020}}, [V2]),
    ({'year': 2020}, [V1]),
    ({'year': 2020.0}, [V1]),
    ({'ok': True}, [V1]),
    ({'ok': 1}, []),
    ({'tags': {'$exists': True}}, [V1]),
    ({'tags': {'$exists': False}}, [V2, V3, V4]),
    ({'$and': [{'genre': 'drama'}, {'year': {'$gte': 2020}}]}, [V1]),
    ({'$or': [{'ok': True}, {'$and': [{'genre': 'comedy'}, {'year': {'$lt': 2020}}]}]}, [V1, V2]),
    ({'p': {'$startsWith': '/m/'}}, [V1]),
    ({'tags': {'$startsWith': 'b'}}, [V1]),
    ({'mixed': {'$startsWith': 'b'}}, [V2]),
    ({'genre': 'drama', 'year': 2020}, [V1]),
]
REFUSED = [
    {'genre': {'$in': []}}, {'$and': []}, {'$or': []}, {'genre': {'$regex': 'd'}}, {'$not': {'ok': True}},
    {'year': {'$gt': '2019'}}, {'genre': None}, {'genre': {'$eq': ['drama']}}, {'genre': ['drama']}, {'note': 'long'},
    {'genre': {'$in': [str(n) for n in range(101)]}}, {'genre': {'$exists': 1}}, {'$and': {'genre': 'drama'}}, [], 'x', {},
    {'$or': [{'genre': 'drama'}, {'year': {'$gt': 'x'}}]}, {'p': {'$startsWith': 1}}, {'genre': {}}, {'genre': {'$in': 'x'}},
]


class Filters(StubCase):
    def setUp(self):
        super().setUp()
        self.put(ROWS)

    def test_worked_examples(self):
        for filter_, expected in EXAMPLES:
            self.assertEqual(self.found(filter_), expected, filter_)

    def test_refused(self):
        for filter_ in REFUSED:
            self.assertIn('Invalid query filter', self.filter_fails(filter_), filter_)

    def test_hundred_constraints_are_allowed(self):
        self.assertEqual(self.found({'genre': {'$in': ['drama'] + [str(n) for n in range(99)]}}), [V1, V3])

    def test_each_value_counts_as_a_constraint(self):
        filter_ = {'$and': [{'genre': {'$in': [str(n) for n in range(50)]}}, {'year': {'$nin': list(range(50))}}]}
        self.assertEqual(self.found(filter_), [])
        filter_['$and'].append({'ok': True})
        self.assertIn('101', self.filter_fails(filter_))

    def test_classic_index(self):
        self.service.account.buckets['test-bucket'].indexes['test-index'].mode = 'CLASSIC'
        prefix = {'p': {'$startsWith': '/m/'}}
        self.assertIn('ENHANCED', self.filter_fails(prefix))
        self.assertEqual(self.found(prefix, queryMode='ENHANCED'), [V1])
        many = {'genre': {'$in': ['drama'] + [str(n) for n in range(100)]}}
        self.assertEqual(self.found(many), [V1, V3])
        self.filter_fails(many, queryMode='ENHANCED')
        self.set(constraints_of_query_mode=False)
        self.assertEqual(self.found(many, queryMode='ENHANCED'), [V1, V3])

    def test_masks_are_made_anew_after_a_write(self):
        self.assertEqual(self.found({'ok': True}), [V1])
        self.put({V4: ([4, 4], {'ok': True})})
        self.assertEqual(self.found({'ok': True}), [V1, V4])
        self.index_ok('DeleteVectors', keys=[V1])
        self.assertEqual(self.found({'ok': True}), [V4])

    def switched(self, switch, value, filter_, expected, default):
        self.assertEqual(self.found(filter_), default, switch)
        self.set(**{switch: value})
        self.assertEqual(self.found(filter_), expected, switch)

    def test_missing_keys(self):
        self.switched('ne_missing', 'match', {'genre': {'$ne': 'drama'}}, [V2, V4], [V2])
        self.assertEqual(self.found({'genre': {'$nin': ['drama', 'x']}}), [V2, V4])
        self.switched('lt_missing', 'match', {'year': {'$lt': 0}}, [V4], [])

    def test_lists(self):
        self.switched('ne_list', 'no_match', {'tags': {'$ne': 'z'}}, [], [V1])
        self.switched('eq_list', 'no_match', {'genre': 'drama'}, [V1], [V1, V3])
        self.switched('starts_with_list', 'no_match', {'tags': {'$startsWith': 'a'}}, [], [V1])
        self.put({V4: ([4, 4], {'n': [1, 9]})})
        self.switched('range_list', 'any', {'n': {'$gt': 5}}, [V4], [])

    def test_types(self):
        self.switched('range_string', 'inclusive_match', {'year': {'$gte': 9999}}, [V3], [])
        self.assertEqual(self.found({'year': {'$gt': 9999}}), [])
        self.switched('number_as_text', True, {'year': '2020'}, [V1, V3], [V3])

    def test_decimal_form(self):
        self.switched('integer_is_decimal', False, {'year': 2020.0}, [], [V1])

    def test_forms_of_documents(self):
        self.set(empty_filter='all', unknown_operator='ignored', empty_operands='accepted', non_filterable='evaluated')
        self.assertEqual(self.found({}), [V1, V2, V3, V4])
        self.assertEqual(self.found({'genre': {'$regex': 'x'}}), [V1, V2, V3, V4])
        self.assertEqual(self.found({'$and': []}), [V1, V2, V3, V4])
        self.assertEqual(self.found({'genre': {'$in': []}}), [])
        self.assertEqual(self.found({'note': 'long'}), [V1])
        self.set(several_fields='refused', logic_beside_fields='refused')
        self.filter_fails({'genre': 'drama', 'year': 2020})
        self.filter_fails({'genre': 'drama', '$and': [{'year': 2020}]})

    def test_as_other_servers_do(self):
        self.set(filters_like='s3mock')
        self.assertEqual(self.found({'genre': {'$ne': 'drama'}}), [V2, V4])
        with self.assertRaises(ValueError):
            self.set(filters_like='nobody')
