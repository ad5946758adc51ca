-- Queries: every type of vector and metric, k, keys, options, paths, plans.
SET client_min_messages = warning;
CREATE TABLE docs (
    id        bigint PRIMARY KEY,
    title     text,
    category  text,
    price     numeric,
    published boolean,
    created   timestamptz,
    embedding real[]
);
-- 300 rows on a spiral: no two at one distance from the origin.
INSERT INTO docs
SELECT i, 'title ' || i, (ARRAY['news', 'blog', 'paper'])[1 + i % 3], i * 1.25, i % 2 = 0,
       timestamptz '2026-01-01 00:00+00' + i * interval '1 day',
       ARRAY[i * cos(i), i * sin(i), i % 7]::real[]
FROM generate_series(1, 300) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', metric => 'l2', metadata => '{category,price,published,created}',
                        options => '{"lists": 8}');
\d docs_s3v

-- nearest first, distances as in SQL
SELECT key, round(distance::numeric, 4) AS distance, metadata FROM s3v_query('docs_s3v', '[1,2,3]', 3);
SELECT h.key, h.distance = sqrt((d.embedding[1]::float8 - 1) ^ 2 + (d.embedding[2]::float8 - 2) ^ 2 + (d.embedding[3]::float8 - 3) ^ 2) AS same_bits
FROM s3v_query('docs_s3v', '[1,2,3]', 3) h JOIN docs d ON d.id = h.key::bigint;

-- every type a query vector may have
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[1,2,3]', 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '{1,2,3}', 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[1,2,3]'::text, 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', ARRAY[1,2,3], 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', ARRAY[1.0,2,3], 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '{1,2,3}'::real[], 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '{1,2,3}'::float8[], 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '{1,2,3}'::smallint[], 3);
CREATE DOMAIN embedding AS real[] CHECK (array_length(VALUE, 1) = 3);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '{1,2,3}'::embedding, 3);
PREPARE near AS SELECT array_agg(key) FROM s3v_query('docs_s3v', $1, 3);
EXECUTE near('[1,2,3]');
DEALLOCATE near;
SELECT count(*) FROM s3v_query('docs_s3v', NULL::real[], 3);

-- k: from one to more than there are
SELECT count(*) FROM s3v_query('docs_s3v', '[1,2,3]');
SELECT count(*) FROM s3v_query('docs_s3v', '[1,2,3]', 1);
SELECT count(*), count(DISTINCT key) FROM s3v_query('docs_s3v', '[1,2,3]', 1000);
SELECT array_agg(h.key ORDER BY h.distance) = (SELECT array_agg(id::text ORDER BY sqrt((embedding[1]::float8 - 1) ^ 2 + (embedding[2]::float8 - 2) ^ 2 + (embedding[3]::float8 - 3) ^ 2)) FROM docs) AS all_rows_in_order
FROM s3v_query('docs_s3v', '[1,2,3]', 1000) h;

-- keys: only these may come back
SELECT key FROM s3v_query('docs_s3v', '[1,2,3]', 3, keys => ARRAY['100', '200', '300', '200', NULL, '4711']);
SELECT key FROM s3v_query('docs_s3v', '[1,2,3]', 3, keys => ARRAY(SELECT id::text FROM docs WHERE title LIKE '%99'));
SELECT count(*) FROM s3v_query('docs_s3v', '[1,2,3]', 3, keys => '{}');

-- filters
SELECT key, metadata->>'category' AS category FROM s3v_query('docs_s3v', '[1,2,3]', 3, '{"category": "paper"}');
SELECT array_agg(h.key) = (SELECT array_agg(id::text) FROM (SELECT id FROM docs WHERE published AND price < 100 ORDER BY sqrt(embedding[1] ^ 2 + embedding[2] ^ 2 + embedding[3] ^ 2)) d) AS same
FROM s3v_query('docs_s3v', '[0,0,0]', 1000, '{"published": true, "price": {"$lt": 100}}') h;
SELECT array_agg(h.key::bigint ORDER BY h.key::bigint) = (SELECT array_agg(id ORDER BY id) FROM docs WHERE created >= '2026-09-01' AND category <> 'blog') AS same
FROM s3v_query('docs_s3v', '[0,0,0]', 1000, '{"$and": [{"created": {"$gte": "2026-09-01"}}, {"category": {"$ne": "blog"}}]}') h;

-- a typed key, so that the primary key's index serves the join
SELECT key, pg_typeof(key) FROM s3v_query_as('docs_s3v', NULL::bigint, '[1,2,3]', 2);
SELECT key, pg_typeof(key) FROM s3v_query_as('docs_s3v', NULL::text, '[1,2,3]', 2);
SELECT d.title, round(h.distance::numeric, 3) AS distance FROM s3v_query_as('docs_s3v', NULL::bigint, '[1,2,3]', 2) h JOIN docs d ON d.id = h.key ORDER BY h.distance;

-- in a join, correlated, in a select list, in a function
SELECT d.id, h.key FROM docs d, s3v_query('docs_s3v', d.embedding, 2) h WHERE d.id IN (10, 20) ORDER BY d.id, h.distance;
SELECT (s3v_query('docs_s3v', '[1,2,3]', 2)).key;
CREATE FUNCTION nearest(real[]) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT key FROM s3v_query('docs_s3v', $1, 1)); END $$;
SELECT nearest('{1,2,3}');

-- the planner's estimate: min(k, rows, keys)
ANALYZE docs;
CREATE FUNCTION estimate(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan; RETURN plan->0->'Plan'->>'Plan Rows'; END $$;
SELECT estimate($$SELECT * FROM s3v_query('docs_s3v', '[1,2,3]')$$) AS k_default,
       estimate($$SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', 7)$$) AS k_7,
       estimate($$SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', 5000)$$) AS rows_of_the_table,
       estimate($$SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', 50, keys => '{1,2,3}')$$) AS three_keys,
       estimate($$SELECT * FROM s3v_query_as('docs_s3v', NULL::bigint, '[1,2,3]', 7)$$) AS typed;

-- what a query did
CREATE FUNCTION explained(e jsonb) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('path', e->'path', 'exact', e->'exact', 'status', e->'status', 'hits', e->'hits', 'version', e->'version',
                          'pending_merged', e->'pending_merged', 'few_source_rows', (e->>'source_rows')::int <= 60,
                          'two_waves', (e->>'waves')::int <= 2, 'read_bytes', (e->>'bytes')::int > 0,
                          'scanned', (e->>'entries_scanned')::int > 0) $$;
\c -
SET client_min_messages = warning;
SELECT explained(s3v_explain('docs_s3v', '[1,2,3]', 5));
SELECT e->'lists_probed' = e->'lists' AS all_lists, e->'entries_scanned' AS entries FROM s3v_explain('docs_s3v', '[1,2,3]', 5, options => '{"probes": 100000}') e;
SELECT explained(s3v_explain('docs_s3v', '[1,2,3]', 5, keys => '{1,2}'));
INSERT INTO docs VALUES (301, 'new', 'news', 1, true, now(), '{1,2,3}');
DELETE FROM docs WHERE id = 1;
UPDATE docs SET embedding = '{1,2,4}' WHERE id = 300;
SELECT explained(s3v_explain('docs_s3v', '[1,2,3]', 5));
SELECT key, distance FROM s3v_query('docs_s3v', '[1,2,3]', 2);
SELECT key FROM s3v_query('docs_s3v', '[1,2,3]', 1000) WHERE key = '1';
-- eventual: the version alone, ranked against the rows as they are
SELECT key FROM s3v_query('docs_s3v', '[1,2,3]', 1000, options => '{"consistency": "eventual"}') WHERE key IN ('1', '301');
BEGIN;
TRUNCATE docs;
INSERT INTO docs VALUES (7, 'only', 'news', 1, true, now(), '{1,2,3}');
SELECT explained(s3v_explain('docs_s3v', '[1,2,3]', 5));
SELECT key, distance FROM s3v_query('docs_s3v', '[1,2,3]', 2);
ROLLBACK;

-- inside the writing statement rows are visible before their log rows: the source is scanned
CREATE TABLE seen (id bigint, nearest text);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO seen SELECT NEW.id, key FROM s3v_query('docs_s3v', NEW.embedding, 1); RETURN NULL; END $$;
CREATE TRIGGER a_look AFTER INSERT ON docs FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO docs VALUES (401, 'x', 'news', 1, true, now(), '{1000,1000,1000}'), (402, 'y', 'news', 1, true, now(), '{2000,2000,2000}');
SELECT * FROM seen ORDER BY id;

-- order of precedence: call option, setting, index option, default
ALTER FOREIGN TABLE docs_s3v OPTIONS (ADD probes '1');
CREATE FUNCTION probed(options jsonb DEFAULT NULL) RETURNS int LANGUAGE sql AS
$$ SELECT (s3v_explain('docs_s3v', '[1,2,3]', 1, options => options)->>'lists_probed')::int $$;
SELECT probed() AS index_option, probed('{"probes": 2}') AS call_option;
SET s3v.probes = 3;
SELECT probed() AS setting, probed('{"probes": 2}') AS call_option;
RESET s3v.probes;
SELECT probed() AS index_option_again;

-- the other metrics
CREATE TABLE points (id uuid PRIMARY KEY, v float8[]);
INSERT INTO points SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, ARRAY[i, 100 - i, 1] FROM generate_series(1, 99) i;
SELECT s3v_create_index('points_cosine', 'points', 'v');
SELECT s3v_create_index('points_ip', 'points', 'v', metric => 'ip');
SELECT s3v_create_index('points_euclidean', 'points', 'v', metric => 'euclidean');
SELECT right(key, 2) AS key, round(distance::numeric, 8) AS distance FROM s3v_query('points_cosine', '[50,50,1]', 3);
SELECT right(key, 2) AS key, distance FROM s3v_query('points_ip', '[2,1,0]', 3);
SELECT right(key, 2) AS key, distance FROM s3v_query('points_euclidean', '[10,90,1]', 1);
SELECT key FROM s3v_query_as('points_ip', NULL::uuid, '[2,1,0]', 1);
-- zero vectors: in the index under ip and l2, nowhere under cosine
INSERT INTO points VALUES ('00000000-0000-0000-0000-000000000000', '{0,0,0}');
SELECT index, version, upserted FROM s3v_sync('points') ORDER BY index::text;
SELECT index, rows, skipped FROM s3v_indexes WHERE source = 'points'::regclass ORDER BY index::text;
SELECT (SELECT count(*) FROM s3v_query('points_cosine', '[1,1,1]', 1000)) AS cosine, (SELECT count(*) FROM s3v_query('points_ip', '[0,0,0]', 1000)) AS ip,
       (SELECT count(*) FROM s3v_query('points_euclidean', '[0,0,0]', 1000)) AS l2;

-- text keys: ties come in byte order
CREATE TABLE words (w text PRIMARY KEY, v real[]);
INSERT INTO words VALUES ('b', '{1,1}'), ('a', '{1,1}'), ('B', '{1,1}'), ('', '{1,1}'), ('ä', '{1,1}'), ('z', '{2,2}');
SELECT s3v_create_index('words_s3v', 'words', 'v', metric => 'l2');
SELECT key FROM s3v_query('words_s3v', '[1,1]', 10);
SELECT key FROM s3v_query('words_s3v', '[1,1]', 3);
SELECT d.w FROM s3v_query_as('words_s3v', NULL::text, '[1,1]', 2) h JOIN words d ON d.w = h.key ORDER BY h.distance, h.key COLLATE "C";

DROP TABLE docs, points, words, seen;
DROP FUNCTION nearest, estimate, explained, look, probed;
DROP DOMAIN embedding;
