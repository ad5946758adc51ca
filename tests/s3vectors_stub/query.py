"""QueryVectors: filter, search, pages."""
import json
import secrets

import numpy as np

from . import floats, ranking, text_search
from .errors import ServiceError, invalid
from .filters import MAX_CONSTRAINTS, Filter
from .limits import check_query
from .resources import find_index, last_token
from .vectors import check_key, metadata_of

KEPT_MASKS = 64
KEPT_SEARCHES = 1000


class Search:
    """The ranking of a query, kept for its later pages: hits are dicts as answers have them, metadata aside."""

    def __init__(self, identity, hits, expires):
        self.identity, self.hits, self.expires = identity, hits, expires


def query_vectors(service, request):
    index, switches = find_index(service, request), service.switches
    index.spend(switches, 'read')
    check_key(index)
    if 'queryVector' not in request and 'queryTexts' not in request:
        raise invalid('Must specify queryVector or queryTexts')
    if request['topK'] > (switches.max_top_k if switches.query_paging else 100):
        raise invalid(f'topK must be at most {switches.max_top_k if switches.query_paging else 100}', '/topK')
    if 'queryVector' in request:
        check_query(request['queryVector'], index, switches)
    mode, condition = condition_of(index, request, switches)
    begin, search = position(service, request, index)
    if search is None:
        search = Search(identity_of(index, request), run(service, index, request, mode, condition), None)
    page = search.hits[begin:begin + switches.query_page]
    rest = switches.query_paging and len(search.hits) > begin + switches.query_page
    token = keep(service, search, begin + switches.query_page) if rest else None
    return {'vectors': [shown(service, hit, request) for hit in page], 'distanceMetric': index.metric,
            **last_token(service, token)}


def condition_of(index, request, switches):
    """How the filter acts, and the filter or None."""
    mode = index.mode if switches.index_modes else 'CLASSIC'
    wanted = request.get('queryMode')
    if wanted and not switches.index_modes:
        wanted = None
    if wanted == 'CLASSIC' and mode == 'ENHANCED':
        raise invalid('queryMode CLASSIC is not available on an ENHANCED index', '/queryMode')
    enhanced = 'ENHANCED' in (mode, wanted)
    if 'filter' not in request:
        return ('ENHANCED' if enhanced else 'CLASSIC'), None
    limited = mode == 'ENHANCED' or (enhanced and switches.constraints_of_query_mode)
    condition = Filter(request['filter'], switches, index.non_filterable, enhanced, MAX_CONSTRAINTS if limited else None)
    return ('ENHANCED' if enhanced else 'CLASSIC'), condition


def run(service, index, request, mode, condition):
    """All hits of the query, in order."""
    switches, vectors, count = service.switches, index.vectors, request['topK']
    with index.lock.read():
        mask = mask_of(index, condition, request, switches)
        thin = mode == 'CLASSIC' and mask is not None and switches.classic_candidates
        found = search(index, request, switches, None if thin else mask, int(count * (thin or 1)))
        if thin:
            found = [hit for hit in found if mask[hit[1]]][:count]
        hits = [{'key': vectors.keys[slot], 'slot': slot, 'metadata': vectors.metadata[slot],
                 'distance': distance} for distance, slot in found]
        if 'queryTexts' in request:
            hits = text_search.fuse(index, request, hits, mask)
    return hits


def search(index, request, switches, mask, count):
    """[(distance, slot)] of the nearest."""
    if 'queryVector' not in request:
        return []
    query = np.ascontiguousarray(request['queryVector'])
    if switches.search_misses:
        seen = not_missed(index.vectors.rows, query, switches.search_misses)
        mask = seen if mask is None else mask & seen
    return ranking.nearest(index.vectors, index.metric, query, count, mask, switches.squared_euclidean)


def mask_of(index, condition, request, switches):
    """Which slots match the filter; computed once for as long as nothing is written."""
    if condition is None:
        return None
    text = json.dumps([request['filter'], switches.all()], sort_keys=True)
    known = index.masks.get(text)
    if known and known[0] == index.version:
        return known[1]
    vectors, matches = index.vectors, condition.matches
    mask = np.fromiter((matches(document or {}) for document in vectors.metadata), bool, vectors.rows)
    if len(index.masks) >= KEPT_MASKS:
        index.masks = {}
    index.masks[text] = index.version, mask
    return mask


def not_missed(rows, query, share):
    """What an approximate search sees: all but this share, chosen by the query vector."""
    dice = np.random.default_rng(np.frombuffer(query.tobytes(), np.uint8))
    return dice.random(rows) >= share


def identity_of(index, request):
    """What must be the same for all pages of a query."""
    vector = request['queryVector'].tolist() if 'queryVector' in request else None
    same = [request.get(name) for name in ('topK', 'filter', 'queryMode', 'queryTexts')]
    return json.dumps([index.serial, vector, same], sort_keys=True)


def position(service, request, index):
    """Where the page begins, and its search when that is kept."""
    token = request.get('nextToken')
    if token is None:
        return 0, None
    switches = service.switches
    content = service.account.unseal(token) or {}
    search = service.account.searches.get(content.get('search'))
    if search is None or search.expires < service.now():
        raise ServiceError(switches.query_token_error, 'The nextToken is invalid or has expired', status=400)
    if search.identity != identity_of(index, request):
        raise invalid('nextToken belongs to a query with other parameters', '/nextToken')
    return content['begin'], search if switches.query_pages == 'snapshot' else None


def keep(service, search, begin):
    searches, now = service.account.searches, service.now()
    name = next((name for name, kept in list(searches.items()) if kept is search), None) or secrets.token_hex(8)
    search.expires = now + service.switches.query_token_s
    with service.account.lock:
        for old in [old for old, kept in searches.items() if kept.expires < now][:KEPT_SEARCHES]:
            del searches[old]
        while len(searches) >= KEPT_SEARCHES:
            del searches[next(iter(searches))]
        searches[name] = search
    return service.account.seal({'search': name, 'begin': begin})


def shown(service, hit, request):
    """A hit as this page's request wants it."""
    entry = {'key': hit['key']}
    if request.get('returnDistance') and 'distance' in hit:
        entry['distance'] = floats.number_of(hit['distance'])
    if request.get('returnMetadata'):
        entry.update(metadata_of(service, hit['metadata']))
    if request.get('returnScores') and 'scores' in hit:
        entry['scores'] = hit['scores']
    return entry
