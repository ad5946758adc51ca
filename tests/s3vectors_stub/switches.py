"""Everything about the stub that can be set, at the start (--set name=value) and while it runs (PUT /switches).

The defaults are what the service is known to do; where that is unknown, the answer that is harder for a client.
"""
import json

# name: (default, values allowed or a type, what it does)
TABLE = {
    # time and connections
    'latency_ms': (0, float, 'each answer waits so long'),
    'clock_shift_s': (0, float, 'added to the time of the server, for signatures, tokens and creation times'),
    'chunked': (False, bool, 'answers come in chunks'),
    'close_after_error': (False, bool, 'every answer of 400 and above closes the connection'),
    'close_after': (0, int, 'a connection is closed after so many answers; 0: never'),
    # who may do what
    'check_signatures': (True, bool, 'false: anything goes'),
    'content_type_signed': (True, bool, 'a request with a body must have signed its content type'),
    'expired_token': ('EXPIRED-TOKEN', str, 'this session token is an expired one'),
    'denied': ([], list, 'operations answered with AccessDeniedException; GetVectors also denies filters and metadata'),
    # limits
    'rate_limits': (False, bool, 'requests and vectors put and deleted per second and index are limited: 429'),
    'write_requests_per_s': (1000, float, 'with rate_limits'),
    'write_vectors_per_s': (2500, float, 'with rate_limits'),
    'read_requests_per_s': (0, float, 'with rate_limits: Query, Get, List; 0: unlimited'),
    'put_capacity': (0, int, 'a PutVectors of more vectors is answered with 503; 0: none is'),
    'max_buckets': (10000, int, 'more: 402'),
    'max_indexes': (10000, int, 'more in one bucket: 402'),
    'max_vectors': (2_000_000_000, int, 'more in one index: 402'),
    'max_body_bytes': (20 << 20, int, 'of a request'),
    'max_body_status': (413, int, 'status of the refusal (unverified)'),
    'max_top_k': (10000, int, ''),
    'key_length': ('characters', ('characters', 'bytes'), 'what the 1024 of a key counts'),
    # errors
    'error_place': ('header', ('header', 'header-colon', 'header-hash', 'code', 'type', 'type-hash', 'both', 'none',
                               'empty', 'html'), 'where an error answer says its code'),
    # shapes of answers
    'creation_time': ('fraction', ('integer', 'fraction', 'exponent'), 'how creationTime is written'),
    'empty_answer': ('object', ('object', 'nothing'), 'body of an answer without members'),
    'absent_metadata': ('empty', ('empty', 'absent'), 'metadata of a vector that has none: {} or left out'),
    'absent_key': ('absent', ('absent', 'key_only'), 'GetVectors of a key that is not there'),
    'get_order': ('shuffled', ('shuffled', 'request'), 'order of what GetVectors answers'),
    'last_token': ('absent', ('absent', 'empty'), 'nextToken of the last page'),
    'number_form': ('shortest', ('shortest', 'double'), 'how vector data are written'),
    'extra_members': (False, bool, 'answers have members that no model knows'),
    # behaviour
    'squared_euclidean': (False, bool, 'euclidean distances without the root'),
    'zero_query': ('refused', ('refused', 'accepted'), 'a zero query vector on a cosine index'),
    'empty_list': ('accepted', ('accepted', 'refused'), 'an empty list in metadata'),
    'duplicate_keys': ('refused', ('refused', 'last'), 'a key twice in one PutVectors'),
    'put_atomic': (True, bool, 'false: vectors before a bad one of the same request stay'),
    'query_page': (100, int, 'results on a page of QueryVectors'),
    'query_token_s': (300, float, 'life of its tokens'),
    'query_token_error': ('ValidationException', str, 'error for an expired or unknown one (unverified)'),
    'query_pages': ('snapshot', ('snapshot', 'live'), 'later pages: of the first search, or of a new one'),
    'query_paging': (True, bool, 'false: as before 2026-06, topK up to 100 and no nextToken'),
    'search_misses': (0.0, float, 'this share of the vectors is not found, another one for each query vector'),
    'classic_candidates': (0, float, 'CLASSIC tests the filter on the nearest topK times this only; 0: on all'),
    'index_modes': (True, bool, 'false: as before 2026-09-30, no modes, no $startsWith'),
    'old_buckets': (False, bool, 'new buckets count as made before 2026-09-30: CLASSIC, and back to it'),
    'bucket_page': (500, int, 'entries on a page of ListVectorBuckets and ListIndexes unless asked for fewer'),
    'list_page': (1000, int, 'vectors on a page of ListVectors at most'),
    'list_page_bytes': (1_000_000, int, 'and bytes of vectors, keys and metadata'),
    'list_empty_pages': (0, int, 'every n-th page of ListVectors is empty, with a nextToken'),
    'segment_of_token': ('checked', ('checked', 'ignored'), 'a token of ListVectors used with another segment'),
    # filters, where AWS is silent
    'ne_missing': ('no_match', ('match', 'no_match'), '$ne and $nin, key missing'),
    'ne_list': ('negation', ('negation', 'no_match'), '$ne and $nin on a list'),
    'eq_list': ('any', ('any', 'no_match'), '$eq and $in on a list'),
    'range_string': ('no_match', ('no_match', 'inclusive_match'), 'ordering against a string: $gte and $lte match'),
    'range_list': ('no_match', ('any', 'no_match'), 'ordering against a list'),
    'lt_missing': ('no_match', ('match', 'no_match'), '$lt and $lte, key missing'),
    'number_as_text': (False, bool, '2020 equals "2020"'),
    'integer_is_decimal': (True, bool, '2020 equals 2020.0'),
    'empty_filter': ('refused', ('all', 'refused'), '{}'),
    'unknown_operator': ('refused', ('ignored', 'refused'), 'any other $operator'),
    'logic_beside_fields': ('accepted', ('accepted', 'refused'), '$and or $or next to another member'),
    'several_fields': ('accepted', ('accepted', 'refused'), 'several fields in one object'),
    'empty_operands': ('refused', ('accepted', 'refused'), '$in and $nin, $and, $or of nothing'),
    'non_filterable': ('refused', ('refused', 'evaluated'), 'a filter on a non-filterable key'),
    'starts_with_list': ('any', ('any', 'no_match'), '$startsWith on a list'),
    'constraints_of_query_mode': (True, bool, 'the 100 constraints also hold for CLASSIC with queryMode ENHANCED'),
}

# Rows of section 3.3 of the reference: how other servers treat what AWS does not say.
LIKE = {
    'ceph': {'ne_list': 'no_match', 'eq_list': 'no_match', 'empty_filter': 'all'},
    's3mock': {'ne_missing': 'match', 'range_string': 'inclusive_match', 'lt_missing': 'match', 'empty_filter': 'all',
               'integer_is_decimal': False, 'unknown_operator': 'ignored', 'empty_operands': 'accepted'},
    'floci': {'ne_missing': 'match', 'non_filterable': 'evaluated'},
    'supabase': {'number_as_text': True, 'logic_beside_fields': 'refused'},
}


class Switches:
    def __init__(self, start=None):
        self.start = dict(start or {})
        self.reset()

    def reset(self):
        for name, (default, _, _) in TABLE.items():
            setattr(self, name, list(default) if isinstance(default, list) else default)
        self.change(self.start)

    def change(self, values):
        """All or nothing; ValueError names the first that is wrong. 'filters_like' sets several at once."""
        values = dict(values)
        like = values.pop('filters_like', None)
        if like is not None:
            if like not in LIKE:
                raise ValueError(f'filters_like must be one of {", ".join(LIKE)}')
            values = {**LIKE[like], **values}
        checked = {name: convert(name, value) for name, value in values.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def all(self):
        return {name: getattr(self, name) for name in TABLE}


def convert(name, value):
    """The value as its switch holds it; texts come from the command line."""
    if name not in TABLE:
        raise ValueError(f'no switch is called {name!r}')
    allowed = TABLE[name][1]
    if isinstance(allowed, tuple):
        if value not in allowed:
            raise ValueError(f'{name} must be one of {", ".join(allowed)}')
        return value
    if allowed is list and isinstance(value, str):
        return [part for part in value.split(',') if part]
    if allowed is not str and isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(f'{name}: {value!r} is no {allowed.__name__}') from None
    if allowed is float and type(value) is int:
        return float(value)
    if type(value) is not allowed:
        raise ValueError(f'{name} must be a {allowed.__name__}')
    return value


def described():
    """The lines of --help."""
    lines = []
    for name, (default, allowed, text) in TABLE.items():
        values = '|'.join(allowed) if isinstance(allowed, tuple) else allowed.__name__
        lines.append(f'  {name}={json.dumps(default)}  ({values}) {text}')
    return '\n'.join(lines)
