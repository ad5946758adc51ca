-- Many queries in one call, filling the cache, and recall.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE docs (id bigint PRIMARY KEY, category text, v real[]);
INSERT INTO docs SELECT i, 'c' || i % 10, ARRAY(SELECT hashint8(i * 100 + j) % 1000 FROM generate_series(1, 16) j) FROM generate_series(1, 2000) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{category}', options => '{"build": false}');
-- what one call for each vector answers
CREATE FUNCTION same(vectors real[], k int DEFAULT 10, filter jsonb DEFAULT NULL, keys text[] DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
WITH many AS (SELECT query, row_number() OVER (), key, distance, metadata FROM s3v_query_many('docs_s3v', vectors, k, filter, keys, options)),
     single AS (SELECT i, row_number() OVER (), h.key, h.distance, h.metadata
                FROM generate_subscripts(vectors, 1) i, s3v_query('docs_s3v', ARRAY(SELECT vectors[i][j] FROM generate_subscripts(vectors, 2) j), k, filter, keys, options) h)
SELECT format('%s rows, same: %s', (SELECT count(*) FROM many), NOT EXISTS (SELECT FROM ((TABLE many EXCEPT ALL TABLE single) UNION ALL (TABLE single EXCEPT ALL TABLE many)) d)) $$;
CREATE FUNCTION chosen() RETURNS real[] LANGUAGE sql AS 'SELECT array_agg(v ORDER BY id) FROM docs WHERE id % 100 = 7';

-- not built yet: the source is scanned, once for all
SELECT same(chosen());
SELECT e - '{waves,requests,bytes}'::text[] AS recall FROM s3v_recall('docs_s3v', 20) e;
SET client_min_messages = notice;
SELECT s3v_warm('docs_s3v');
SET client_min_messages = warning;
SELECT upserted FROM s3v_sync('docs');

-- built
SELECT same(chosen()), same(chosen(), 1), same(chosen(), 300);
SELECT same(chosen(), 10, '{"category": {"$in": ["c1", "c2"]}}'), same(chosen(), 10, '{"category": "none"}');
SELECT same(chosen(), 10, NULL, '{1,2,3,3,NULL,4711}'), same(chosen(), 10, NULL, ARRAY(SELECT id::text FROM docs WHERE id % 100 < 99)), same(chosen(), 10, NULL, '{}');
SELECT same(chosen(), 10, '{"category": "c3"}', ARRAY(SELECT generate_series(1, 3000)::text)), same(chosen(), 10, NULL, NULL, '{"probes": 1}');
SELECT query, key, distance, metadata FROM s3v_query_many('docs_s3v', (SELECT array_agg(v ORDER BY id) FROM docs WHERE id IN (5, 9)), 1);

-- every type that vectors may have
CREATE DOMAIN embedding AS real[];
CREATE DOMAIN embeddings AS real[];
CREATE TABLE small (id int PRIMARY KEY, v real[]);
INSERT INTO small SELECT i, ARRAY[i, i % 7] FROM generate_series(1, 50) i;
SELECT s3v_create_index('small_s3v', 'small', 'v', metric => 'l2');
CREATE FUNCTION answer(anyarray) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(query || ':' || key, ' ') FROM s3v_query_many('small_s3v', $1, 2) $$;
SELECT answer(ARRAY[[10, 3], [20, 6]]);
SELECT answer(ARRAY[[10, 3], [20, 6]]::smallint[]), answer(ARRAY[[10, 3], [20, 6]]::bigint[]);
SELECT answer(ARRAY[[10, 3], [20, 6]]::real[]), answer(ARRAY[[10, 3], [20, 6]]::float8[]), answer(ARRAY[[10, 3], [20, 6.0]]);
SELECT answer(ARRAY['[10,3]', '{20,6}']), answer(ARRAY['[10,3]', '{20,6}']::varchar[]);
SELECT answer(ARRAY['{10,3}'::embedding, '{20,6}'::embedding]), answer('{{10,3},{20,6}}'::embeddings);
SELECT query, key FROM s3v_query_many('small_s3v', '{{10,3},{20,6}}'::embeddings, 1);
SELECT query, key FROM s3v_query_many('small_s3v', '[5:6][2:3]={{10,3},{20,6}}'::real[], 1);
-- NULL: no rows for that number; an empty array: no rows
SELECT answer(ARRAY[NULL, '[10,3]', NULL, '[20,6]', NULL]);
SELECT count(*) FROM s3v_query_many('small_s3v', ARRAY[NULL, NULL]::text[]);
SELECT count(*) FROM s3v_query_many('small_s3v', NULL::real[]);
SELECT count(*) FROM s3v_query_many('small_s3v', '{}'::real[]);
SELECT count(*), count(DISTINCT query) FROM s3v_query_many('small_s3v', array_fill(1, ARRAY[10000, 2]), 1);

-- misuse
SELECT * FROM s3v_query_many('small_s3v', ARRAY[10, 3]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[[10, 3]]]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[['[10,3]'], ['[20,6]']]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[true]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY['2026-11-21'::date]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY['[10,3]', '[10,3,1]']);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3, 1]]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[NULL, '[10,3]', '[NaN,1]']);
SELECT * FROM s3v_query_many('small_s3v', '{{1,2},{3,Infinity}}'::float8[]);
SELECT * FROM s3v_query_many('small_s3v', '{{1,2},{3,1e300}}'::float8[]);
SELECT * FROM s3v_query_many('small_s3v', '{{1,2},{3,NULL}}'::real[]);
\set SHOW_CONTEXT errors
SELECT * FROM s3v_query_many('small_s3v', ARRAY['[10,3]', '[10,x]']);
SELECT * FROM s3v_query_many('small_s3v', ARRAY['{10,3}'::embedding, '{10,NULL}'::embedding]);
\set SHOW_CONTEXT never
SELECT * FROM s3v_query_many('small_s3v', array_fill(1, ARRAY[10001, 2]));
SELECT * FROM s3v_query_many('small_s3v', array_fill(1, ARRAY[1, 16001]));
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3]], 0);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3]], NULL);
SELECT * FROM s3v_query_many(NULL, ARRAY[[10, 3]]);
SELECT * FROM s3v_query_many('small', ARRAY[[10, 3]]);
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3]], options => '{"probe": 1}');
SELECT * FROM s3v_query_many('docs_s3v', ARRAY[array_fill(1, ARRAY[16])], filter => '{}');
SELECT s3v_create_index('small_cosine', 'small', 'v');
SELECT * FROM s3v_query_many('small_cosine', ARRAY[[10, 3], [0, 0]]);

-- the planner's estimate: vectors times min(k, rows, keys)
ANALYZE small;
CREATE FUNCTION estimate(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan; RETURN plan->0->'Plan'->>'Plan Rows'; END $$;
SELECT estimate($$SELECT * FROM s3v_query_many('small_s3v', ARRAY[[1,2],[3,4],[5,6]])$$) AS three_by_ten,
       estimate($$SELECT * FROM s3v_query_many('small_s3v', ARRAY['[1,2]', '[3,4]'], 1000)$$) AS two_by_the_table,
       estimate($$SELECT * FROM s3v_query_many('small_s3v', ARRAY[[1,2],[3,4],[5,6]], 7, keys => '{1,2}')$$) AS three_by_two_keys,
       estimate($$SELECT * FROM s3v_query_many('small_s3v', ARRAY[ARRAY[1,random()],ARRAY[3,4]], 7)$$) AS an_expression,
       estimate($$SELECT * FROM s3v_query_many('small_s3v', (SELECT array_agg(v) FROM small), 7)$$) AS unknown;

-- pending rows, a writing transaction, a trigger, a snapshot
BEGIN;
UPDATE docs SET v = (SELECT v FROM docs WHERE id = 7) WHERE id = 1990;
DELETE FROM docs WHERE id = 207;
INSERT INTO docs SELECT 5000 + id, 'new', v FROM docs WHERE id % 200 = 107;
SELECT same(chosen()), same(chosen(), 10, '{"category": "new"}'), same(chosen(), 10, NULL, NULL, '{"consistency": "eventual"}');
SELECT key FROM s3v_query_many('docs_s3v', (SELECT array_agg(v) FROM docs WHERE id = 7), 2) ORDER BY key;
SAVEPOINT s;
TRUNCATE docs;
INSERT INTO docs SELECT i, 'x', array_fill(i, ARRAY[16]) FROM generate_series(1, 20) i;
SELECT same(chosen(), 5);
SELECT e->'recall' AS recall, e->'sample' AS sample, e->'status' AS status FROM s3v_recall('docs_s3v') e;
ROLLBACK TO s;
SELECT (e->>'recall')::float8 >= 0.9 AS recall, e->'sample' AS sample FROM s3v_recall('docs_s3v') e;
ROLLBACK;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING '%', (SELECT array_agg(query || ':' || key) FROM s3v_query_many('docs_s3v', ARRAY[NEW.v, NEW.v], 1));
    RETURN NULL;
END $$;
CREATE TRIGGER a_look AFTER INSERT ON docs FOR EACH ROW EXECUTE FUNCTION look();
BEGIN;
INSERT INTO docs VALUES (9001, 'x', array_fill(5000, ARRAY[16]));
ROLLBACK;
DROP TRIGGER a_look ON docs;

-- rows that no code tells apart: the source is not read through
CREATE TABLE twins (id int PRIMARY KEY, v real[]);
INSERT INTO twins SELECT i, '{1,2,3}' FROM generate_series(1, 3000) i;
SELECT s3v_create_index('twins_s3v', 'twins', 'v', metric => 'l2');
SELECT e->'hits' AS hits, e->'path' AS path, (e->>'reranked')::int <= 80 AS at_most_80 FROM s3v_explain('twins_s3v', '[1,2,4]') e;
SELECT e->'hits' AS hits, (e->>'reranked')::int <= 800 AS at_most_800 FROM s3v_explain('twins_s3v', '[1,2,4]', 100) e;
SELECT count(*), count(DISTINCT key), min(distance), max(distance) FROM s3v_query_many('twins_s3v', ARRAY[[1,2,4], [1,2,3]], 20);

-- s3v_warm: the second time the centroids are there
SELECT index, error FROM s3v_sync('small', 'rebuild') ORDER BY index::text;
SELECT s3v_warm('small_s3v') - s3v_warm('small_s3v') = (SELECT base_bytes + (SELECT sum(b) FROM unnest(delta_bytes) b) FROM s3v.version WHERE index_id = 'small_s3v'::regclass) AS centroids_once;
SELECT s3v_warm(NULL);
SELECT s3v_warm('small');
ALTER SYSTEM SET s3v.cache_size = 0;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT $$SELECT pg_sleep(0.1) WHERE current_setting('s3v.cache_size') <> '0'$$ FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SET client_min_messages = notice;
SELECT s3v_warm('small_s3v');
SET client_min_messages = warning;
ALTER SYSTEM RESET s3v.cache_size;
ALTER SYSTEM SET s3v.cache_dir = '';
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT $$SELECT pg_sleep(0.1) WHERE current_setting('s3v.cache_dir') <> ''$$ FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SET client_min_messages = notice;
SELECT s3v_warm('small_s3v');
SET client_min_messages = warning;
SELECT answer(ARRAY[[10, 3], [20, 6]]) AS without_a_cache;
ALTER SYSTEM SET s3v.cache_dir = '../elsewhere';
ALTER SYSTEM RESET s3v.cache_dir;
SELECT pg_reload_conf();
\set ECHO none
\o /dev/null
SELECT $$SELECT pg_sleep(0.1) WHERE current_setting('s3v.cache_dir') = ''$$ FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SHOW s3v.cache_dir;

-- s3v_recall: one wave for all its queries
SELECT s3v_recall('docs_s3v') IS NOT NULL AS navigation_is_there;
SELECT (e->>'recall')::float8 >= 0.9 AS recall, e->'sample' AS sample, e->'k' AS k, e->'waves' AS waves, (e->>'requests')::int <= 8 AS few_requests, (e->>'bytes')::int > 0 AS bytes,
       (e->>'entries_scanned')::float8 BETWEEN 10 AND 2000 AS scanned, (e->>'reranked')::float8 BETWEEN 11 AND 80 AS reranked, e->'status' AS status
FROM s3v_recall('docs_s3v') e;
SELECT s3v_recall('docs_s3v', 250) = s3v_recall('docs_s3v', 250) AS same_twice;
SELECT e->'sample' AS sample, e->'waves' AS waves FROM s3v_recall('docs_s3v', 250) e;
BEGIN;
SET LOCAL s3v.probes = 1;
SELECT (s3v_recall('docs_s3v')->>'recall')::float8 < 0.7 AS low;
SET LOCAL s3v.probes = 100000;
SELECT (s3v_recall('docs_s3v')->>'recall')::float8 >= 0.99 AS all_lists, (s3v_recall('docs_s3v', k => 200)->>'recall')::float8 >= 0.99 AS k_200,
       s3v_recall('docs_s3v', k => 3000)->'recall' AS more_than_there_are;
COMMIT;
SELECT (s3v_recall('docs_s3v', 100, 10, '{"category": "c4"}')->>'recall')::float8 >= 0.9 AS filtered, s3v_recall('docs_s3v', 100, 10, '{"category": "none"}')->'recall' AS nothing_matches;
-- rows that are not in the index are no queries, and no answers
CREATE TABLE odd (id text PRIMARY KEY, v real[]);
SELECT s3v_create_index('odd_s3v', 'odd', 'v', options => '{"dimensions": 2}');
SELECT s3v_recall('odd_s3v');
INSERT INTO odd VALUES ('null', NULL), ('zero', '{0,0}'), ('a', '{1,0}');
SELECT e->'sample' AS sample, e->'recall' AS recall FROM s3v_recall('odd_s3v') e;
INSERT INTO odd VALUES ('b', '{1,1}'), ('c', '{1,1}'), ('', '{0,1}');
SELECT e->'sample' AS sample, e->'recall' AS recall FROM s3v_recall('odd_s3v', 100, 1) e;
SELECT upserted FROM s3v_sync('odd');
SELECT e->'sample' AS sample, e->'recall' AS recall, e->'status' AS status FROM s3v_recall('odd_s3v', 100, 1) e;
SELECT s3v_recall('odd_s3v', 3)->'sample' AS three;
SELECT s3v_recall('odd_s3v', 0);
SELECT s3v_recall('odd_s3v', 10001);
SELECT s3v_recall('odd_s3v', NULL);
SELECT s3v_recall('odd_s3v', 10, 0);
SELECT s3v_recall('odd_s3v', 10, NULL);
SELECT s3v_recall(NULL);
SELECT s3v_recall('odd');
SELECT s3v_recall('odd_s3v', 10, 10, '{"category": 1}');
SELECT s3v_recall('docs_s3v', 10, 10, '{}');

-- rights are those of a query; under row-level security nobody measures
CREATE ROLE s3v_guest;
SET ROLE s3v_guest;
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3]]);
SELECT s3v_warm('small_s3v');
SELECT s3v_recall('small_s3v');
RESET ROLE;
GRANT SELECT ON small_s3v TO s3v_guest;
SET ROLE s3v_guest;
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3]]);
SELECT * FROM s3v_query_many('small_s3v', '{}'::real[]);
SELECT s3v_warm('small_s3v');
SELECT s3v_recall('small_s3v');
RESET ROLE;
GRANT SELECT (id, v) ON small TO s3v_guest;
SET ROLE s3v_guest;
SELECT answer(ARRAY[[10, 3]]), s3v_warm('small_s3v') >= 0 AS warm, s3v_recall('small_s3v')->'sample' AS recall;
RESET ROLE;
ALTER TABLE small ENABLE ROW LEVEL SECURITY;
SELECT answer(ARRAY[[10, 3]]), s3v_recall('small_s3v')->'sample' AS recall;
SET ROLE s3v_guest;
\set VERBOSITY sqlstate
SELECT s3v_recall('small_s3v');
SELECT * FROM s3v_query_many('small_s3v', ARRAY[[10, 3]]);
SELECT s3v_warm('small_s3v');
\set VERBOSITY default
SELECT s3v_recall('small_s3v');
SET row_security = off;
SELECT s3v_recall('small_s3v');
RESET row_security;
RESET ROLE;

DROP OWNED BY s3v_guest;
DROP ROLE s3v_guest;
DROP FUNCTION same, chosen, answer(anyarray), estimate, look;
DROP TABLE docs, small, twins, odd;
DROP DOMAIN embedding, embeddings;
SELECT count(*) AS indexes FROM s3v.index;
