-- Dollars: the price table and its edits, what s3v_cost says of each kind of server, who may ask, and mistakes.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE docs (id bigint PRIMARY KEY, category text, price int, v real[]);
INSERT INTO docs SELECT i, 'c' || i % 7, i, ARRAY[i, i % 13, 1, 1]::real[] FROM generate_series(1, 2000) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{category,price}');

-- ---- the table ----
SELECT * FROM s3v.price ORDER BY item;
-- a new row takes the place of the old one, as a restored dump has it; what the extension came with stays beside it
BEGIN;
UPDATE s3v.price SET usd = 0.02, as_of = '2026-11-01' WHERE item = 's3.storage';
INSERT INTO s3v.price (item, usd, unit, as_of) VALUES ('s3.get', 0.0000003, 'one GET request', '2026-11-02'), ('my.own', 5, 'one of mine', '2026-11-03');
COPY s3v.price (item, usd, unit, as_of, list_usd) FROM stdin;
s3.put	6e-06	one PUT or LIST request	2026-11-04	4e-06
my.own	6	one of mine	2026-11-05	\N
\.
SELECT item, usd, as_of, list_usd FROM s3v.price WHERE usd IS DISTINCT FROM list_usd ORDER BY item;
ROLLBACK;
-- these rows are what a dump has
SELECT extcondition[array_position(extconfig, 's3v.price'::regclass)] FROM pg_extension WHERE extname = 's3v';
INSERT INTO s3v.price VALUES ('s3.get', -1, 'x', '2026-11-01');
INSERT INTO s3v.price VALUES ('s3.get', 'NaN', 'x', '2026-11-01');
UPDATE s3v.price SET usd = 'infinity' WHERE item = 's3.get';
UPDATE s3v.price SET as_of = 'infinity' WHERE item = 's3.get';
INSERT INTO s3v.price VALUES (NULL, 1, 'x', '2026-11-01');
SELECT item, usd FROM s3v.price WHERE item = 's3.get';

-- ---- files: no price of their own, but what the same vectors cost elsewhere ----
CREATE FUNCTION near(a numeric, b numeric) RETURNS bool LANGUAGE sql AS 'SELECT abs(a - b) <= 0.00001 * abs(b)';
SELECT array_agg(key ORDER BY key COLLATE "C") AS keys FROM jsonb_object_keys(s3v_cost('docs_s3v')) key;
SELECT c - '{prices,query,bytes_stored,compared,mean_bytes}'::text[] AS cost FROM s3v_cost('docs_s3v', 1000) c;
SELECT (c->>'bytes_stored')::bigint = i.bytes AS bytes, c->'query'->>'requests' AS requests,
       (c->'query'->>'bytes')::bigint BETWEEN 1 AND i.bytes AS query_bytes
FROM s3v_cost('docs_s3v', 1000) c, s3v_indexes i WHERE i.index = 'docs_s3v'::regclass;
-- sizes are those of the rows as the service counts them: key and JSON as text
SELECT (c->'mean_bytes'->>'key')::float BETWEEN 3 AND 4 AS key, (c->'mean_bytes'->>'metadata')::float BETWEEN 28 AND 31 AS metadata
FROM s3v_cost('docs_s3v') c;
-- the formulas, from what the answer says
CREATE VIEW compared AS
    SELECT n.queries, k.key AS kind, (k.value->>'bytes')::numeric AS bytes, (k.value->>'usd_per_month')::numeric AS month,
           (k.value->>'usd_per_million_queries')::numeric AS million, (k.value->>'usd_to_load')::numeric AS load,
           k.value->>'break_even_queries_per_month' AS break_even, c AS cost
    FROM (VALUES (0), (3000000)) n (queries), s3v_cost('docs_s3v', n.queries) c, jsonb_each(c->'compared') k;
SELECT kind, count(*), count(DISTINCT bytes) AS sizes, count(DISTINCT million) AS prices, count(break_even) AS break_even FROM compared GROUP BY kind ORDER BY kind;
SELECT queries, near(month, bytes / 1073741824 * 0.023 + queries / 1e6 * million) AS month, near(million, (cost->'query'->>'requests')::numeric * 0.4) AS million,
       load = 0.000025 AS load
FROM compared WHERE kind = 's3' ORDER BY queries;
SELECT queries, bytes BETWEEN 2000 * (4 * 4 + 3 + 28) AND 2000 * (4 * 4 + 4 + 31) AS bytes,
       near(month, bytes / 1073741824 * 0.06 + queries / 1e6 * million) AS month, near(million, 2.5 + bytes / 1099511627776 * 0.004 * 1e6) AS million,
       near(load, greatest(bytes, 4 * 131072) / 1073741824 * 0.2) AS load
FROM compared WHERE kind = 's3vectors' ORDER BY queries;
SELECT queries, bytes = 2000 * 4 * 4 * 1.5 AS bytes, near(month, bytes / 1073741824 * 0.0063 * 730) AS month, million, load FROM compared WHERE kind = 'qdrant_ram' ORDER BY queries;
-- 26 rows on a page: 96 bytes of element, 200 of neighbours, two line pointers
SELECT queries, bytes = round(2000 * 8192 / 26.0) AS bytes, near(month, bytes / 1073741824 * 0.0140625 * 730) AS month, million, load
FROM compared WHERE kind = 'pgvector_hnsw_ram' ORDER BY queries;

-- ---- a store that nobody has reached yet ----
CREATE SERVER s3v_cost_lake FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket/prefix', region 'us-east-1', endpoint 'http://127.0.0.1:1');
CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_cost_lake OPTIONS (access_key_id 'a', secret_access_key 'b');
SELECT s3v_create_index('lake_s3v', 'docs', 'v', server => 's3v_cost_lake', metric => 'l2', metadata => '{category}', options => '{"build": false}');
SELECT jsonb_pretty(c - 'prices' - 'mean_bytes') FROM s3v_cost('lake_s3v', 2000000) c;
-- with many rows in its version (1,024 dimensions, 98 bytes of key, two of metadata): check values of the service's formula, cents for a million queries; from where on the other is cheaper
CREATE TABLE wide (id text PRIMARY KEY, v real[]);
INSERT INTO wide SELECT repeat('k', 98), array_agg(i) FROM generate_series(1, 1024) i;
SELECT s3v_create_index('wide_s3v', 'wide', 'v', server => 's3v_cost_lake', options => '{"build": false}');
CREATE FUNCTION cost_with(n float8, queries bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    UPDATE s3v.version SET rows = n, bytes = n * 600, segments = 1 WHERE index_id = 'wide_s3v'::regclass;
    RETURN s3v_cost('wide_s3v', queries);
END $$;
SELECT n, round((c->'compared'->'s3vectors'->>'usd_per_million_queries')::numeric, 2) AS million, c->>'basis' AS basis
FROM unnest('{1e5,1e6,1e7,1e8}'::float8[]) n, cost_with(n, 0) c;
SELECT c->'usd_per_month' AS month, c->'compared' AS compared FROM cost_with(1e6, 5000000) c;
SELECT k.key AS kind, k.value->>'break_even_queries_per_month' AS break_even,
       (d->'usd_per_month'->>'total')::numeric < (d->'compared'->k.key->>'usd_per_month')::numeric AS below,
       (e->'usd_per_month'->>'total')::numeric < (e->'compared'->k.key->>'usd_per_month')::numeric AS above
FROM cost_with(1e6, 0) c, jsonb_each(c->'compared') k,
     cost_with(1e6, (k.value->>'break_even_queries_per_month')::bigint - 10000) d, cost_with(1e6, (k.value->>'break_even_queries_per_month')::bigint + 10000) e
WHERE k.value->>'break_even_queries_per_month' IS NOT NULL;
-- the same rows on the service: its formula is the index's own price
CREATE SERVER s3v_cost_service FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://vector-bucket', region 'us-east-1', endpoint 'http://127.0.0.1:1');
CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_cost_service OPTIONS (access_key_id 'a', secret_access_key 'b');
SELECT s3v_create_index('wide_remote', 'wide', 'v', server => 's3v_cost_service', options => '{"build": false}');
UPDATE s3v.version SET rows = 1000000 WHERE index_id = 'wide_remote'::regclass;
SELECT jsonb_pretty(c - 'prices') FROM s3v_cost('wide_remote', 5000000) c;
SELECT s3v_explain('wide_remote', (SELECT v FROM wide))->'request_cost_usd' AS not_sent;
CREATE FOREIGN TABLE attached (key text, vector real[], metadata jsonb) SERVER s3v_cost_service OPTIONS (remote_index 'theirs', metric 'cosine', dimensions '3');
SELECT s3v_cost('attached');
DROP FOREIGN TABLE attached;
-- prices change the answer, and what the answer says of them
BEGIN;
UPDATE s3v.price SET usd = 2 * usd, as_of = '2026-11-01' WHERE item IN ('s3.get', 's3vectors.query');
SELECT c->'usd_per_month' AS month, c->'usd_per_million_queries' AS million, c->'compared'->'s3vectors'->'usd_per_million_queries' AS s3vectors,
       c->'prices'->'s3.get' AS price
FROM s3v_cost('lake_s3v', 2000000) c;
SELECT (e->>'request_cost_usd')::numeric = 0.0000008 * (e->>'requests')::numeric AS usd FROM s3v_explain('docs_s3v', '[5,5,1,1]') e;
DELETE FROM s3v.price WHERE item = 's3.get';
SELECT s3v_explain('docs_s3v', '[5,5,1,1]')->>'request_cost_usd' AS usd;
SELECT s3v_cost('lake_s3v');
ROLLBACK;
-- the greatest numbers
SELECT c->'usd_per_month' AS month FROM s3v_cost('lake_s3v', 9223372036854775807) c;
BEGIN;
UPDATE s3v.price SET usd = 1000000;
SELECT s3v_cost('docs_s3v', 9223372036854775807)::text ~* 'nan|inf' AS odd;
ROLLBACK;

-- ---- what is not there ----
CREATE TABLE nothing (id text PRIMARY KEY, v real[]);
SELECT s3v_create_index('nothing_s3v', 'nothing', 'v', metric => 'ip', options => '{"dimensions": 5000}');
SELECT c->'rows' AS rows, c->'basis' AS basis, c->'usd_per_month' AS month FROM s3v_cost('nothing_s3v', 10) c;
SELECT jsonb_pretty((c->'compared') - 's3') AS compared FROM s3v_cost('nothing_s3v', 10) c;
-- rows that are in no index have no size
INSERT INTO nothing VALUES ('a', NULL);
SELECT c->'rows' AS rows, c->'mean_bytes' AS mean_bytes FROM s3v_cost('nothing_s3v') c;
-- a stale index: its source is scanned
SET client_min_messages = error;
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
SELECT c->>'basis' AS basis, c->'query'->'requests' AS requests FROM s3v_cost('docs_s3v') c;
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
DROP FOREIGN TABLE lake_s3v;
SELECT upserted, deleted FROM s3v_sync('docs', 'rebuild') WHERE index = 'docs_s3v'::regclass;
SET client_min_messages = warning;

-- ---- mistakes ----
\set VERBOSITY sqlstate
SELECT s3v_cost('docs_s3v', -1);
SELECT s3v_cost(NULL);
SELECT s3v_cost('docs_s3v', NULL);
SELECT s3v_cost('docs');
SELECT s3v_cost(0);
\set VERBOSITY default
SELECT s3v_cost('docs_s3v', -1);

-- ---- who may ask ----
CREATE ROLE s3v_cost_reader;
SET ROLE s3v_cost_reader;
SELECT s3v_cost('docs_s3v');
RESET ROLE;
GRANT SELECT ON docs_s3v TO s3v_cost_reader;
GRANT SELECT (id, category) ON docs TO s3v_cost_reader;
SET ROLE s3v_cost_reader;
SELECT s3v_cost('docs_s3v');
RESET ROLE;
GRANT SELECT (price, v) ON docs TO s3v_cost_reader;
SET ROLE s3v_cost_reader;
SELECT c->'rows' AS rows FROM s3v_cost('docs_s3v') c;
INSERT INTO s3v.price (item, usd, unit) VALUES ('s3.get', 0, 'mine');
RESET ROLE;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON docs USING (id < 3);
SET ROLE s3v_cost_reader;
SELECT s3v_cost('docs_s3v');
SELECT s3v_explain('docs_s3v', '[5,5,1,1]') ? 'request_cost_usd' AS told;
RESET ROLE;
SELECT c->'rows' AS rows FROM s3v_cost('docs_s3v') c;

DROP VIEW compared;
DROP FUNCTION near, cost_with;
DROP TABLE docs, nothing, wide CASCADE;
DROP SERVER s3v_cost_lake, s3v_cost_service CASCADE;
DROP ROLE s3v_cost_reader;
