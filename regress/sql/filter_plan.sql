-- Filters through the source's own indexes: when few rows pass, they are read from the source. What may never differ is the answer.
SET client_min_messages = warning;
\set SHOW_CONTEXT never

-- ---- the decision ----
CREATE TABLE docs (id bigint PRIMARY KEY, tag text, n int, many int, tags text[], published boolean NOT NULL DEFAULT true, v real[]);
INSERT INTO docs SELECT i, 'tag ' || i % 1000, i, i % 2, ARRAY['t' || i % 500, 'all'], true, ARRAY[sin(i), cos(i * 0.7), sin(i * 1.3), cos(i * 0.1)] FROM generate_series(1, 30000) i;
ANALYZE docs;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{tag,n,many,tags,published}');
CREATE FUNCTION asked(filter jsonb, k int DEFAULT 10, keys text[] DEFAULT NULL) RETURNS TABLE (path text, hits text, rows int, status text) LANGUAGE sql AS
$$ SELECT e->>'path', e->>'hits', (e->>'source_rows')::int, e->>'status' FROM s3v_explain('docs_s3v', '[0,1,0,1]', k, filter, keys) e $$;
-- no index has the column, and the table is no trifle
SELECT path, status FROM asked('{"tag": "tag 7"}');
CREATE INDEX docs_tag ON docs (tag);
SELECT * FROM asked('{"tag": "tag 7"}');
SELECT * FROM asked('{"tag": {"$in": ["tag 7", "tag 8", "no tag"]}}');
SELECT * FROM asked('{"tag": "tag 7", "many": 1}');
SELECT * FROM asked('{"$or": [{"tag": "tag 7"}, {"tag": "tag 9", "n": {"$lt": 5000}}]}');
-- half of an OR has no index
SELECT path, status FROM asked('{"$or": [{"tag": "tag 7"}, {"n": 1}]}');
-- pending rows and deleted ones are as the source has them
BEGIN;
INSERT INTO docs VALUES (100001, 'tag 7', 1, 1, '{}', true, '{0,1,0,1}');
DELETE FROM docs WHERE id = 1007;
SELECT * FROM asked('{"tag": "tag 7"}');
SELECT key FROM s3v_query('docs_s3v', '[0,1,0,1]', 1, '{"tag": "tag 7"}');
ROLLBACK;
SELECT path, status FROM asked('{"n": {"$lte": 20}}');
CREATE INDEX docs_n ON docs (n);
SELECT * FROM asked('{"n": {"$gt": 100, "$lt": 120.5}}');
SELECT * FROM asked('{"n": {"$gte": 29990.5}}');
-- what no value of the type is equal to
SELECT * FROM asked('{"n": "7"}');
SELECT * FROM asked('{"n": 7.5}');
SELECT * FROM asked('{"n": {"$gt": 3000000000}, "tag": "tag 7"}');
SELECT path, status FROM asked('{"n": {"$lt": 3000000000}}');
-- many rows, as well as what an index finds by reading much else
SELECT path, status FROM asked('{"n": {"$gt": 20000}}');
CREATE INDEX docs_many ON docs (many);
SELECT path, status FROM asked('{"many": 1, "tags": "t77"}');
SELECT path, status FROM asked('{"published": {"$ne": false}, "n": {"$ne": 3}}');
CREATE INDEX docs_tags ON docs USING gin (tags);
SELECT * FROM asked('{"many": 1, "tags": "t77"}');
-- more hits are worth more rows
SELECT path FROM asked('{"n": {"$lte": 3500}}') UNION ALL SELECT path FROM asked('{"n": {"$lte": 3500}}', 2000);
-- keys that are few come first; many are looked at for each row
SELECT path, hits, status FROM asked('{"tag": "tag 7"}', 10, '{7,1007,2007}');
SELECT path, hits FROM asked('{"tag": "tag 7"}', 10, ARRAY(SELECT i::text FROM generate_series(1, 3000) i));
-- an index of which queries make no use for now
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT path FROM asked('{"tag": "tag 7"}');
RESET enable_indexscan;
RESET enable_bitmapscan;
-- partial indexes, and indexes of another order
DROP INDEX docs_tag;
CREATE INDEX docs_tag ON docs (n) WHERE tag = 'tag 11';
SELECT path, hits FROM asked('{"tag": "tag 11", "n": {"$gte": 0}}');
DROP INDEX docs_tag;
CREATE INDEX docs_tag ON docs (tag);
SELECT path, status FROM asked('{"tag": {"$startsWith": "tag 99"}}');
DROP INDEX docs_tag;
CREATE INDEX docs_tag ON docs (tag text_pattern_ops);
SELECT path, hits, rows FROM asked('{"tag": {"$startsWith": "tag 99"}}', 1000);
DROP INDEX docs_tag;
CREATE INDEX docs_tag ON docs (tag COLLATE "C");
SELECT path, hits, rows FROM asked('{"tag": {"$startsWith": "tag 99"}}', 1000);
SELECT path, hits, rows FROM asked('{"tag": {"$gte": "tag 99", "$lt": "tag 99a"}}', 1000);
-- many queries are one question
SELECT count(*), count(DISTINCT query) FROM s3v_query_many('docs_s3v', ARRAY[[0,1,0,1],[1,0,1,0]]::real[], 50, '{"n": {"$lt": 31}}');
-- plans that are planned once for all values would know nothing of these
SET plan_cache_mode = force_generic_plan;
SELECT path, hits FROM asked('{"n": {"$gt": 100, "$lt": 120.5}}');
SHOW plan_cache_mode;
RESET plan_cache_mode;
-- shapes in any number, in one transaction and in many; of a filter with more parts than a plan is worth, the first ones count
CREATE FUNCTION shape(i int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('n', i, '$and', jsonb_agg(jsonb_build_object('n', jsonb_build_object(CASE WHEN i >> bit & 1 = 1 THEN '$gt' ELSE '$gte' END, i - 1)))) FROM generate_series(0, 6) bit $$;
SELECT p.path, p.hits, p.rows, count(*) FROM generate_series(1, 100) i, asked(shape(i)) p GROUP BY 1, 2, 3;
DO $$ BEGIN FOR i IN 1..100 LOOP IF (SELECT hits FROM asked(shape(i))) <> '1' THEN RAISE 'shape %', i; END IF; COMMIT; END LOOP; END $$;
SELECT path, hits, rows FROM asked(jsonb_build_object('n', 5, '$and', (SELECT jsonb_agg(jsonb_build_object('n', jsonb_build_object('$lt', i))) FROM generate_series(50, 1, -1) i)));
SELECT path, status FROM asked(jsonb_build_object('$or', (SELECT jsonb_agg(jsonb_build_object('n', i)) FROM generate_series(1, 17) i)));
SELECT path, hits FROM asked(jsonb_build_object('$or', (SELECT jsonb_agg(jsonb_build_object('n', i)) FROM generate_series(1, 16) i)), 100);
DROP FUNCTION shape;
-- a statement of the session's schemas cannot stand in for one of ours
CREATE SCHEMA sly;
CREATE FUNCTION sly.no(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR sly.= (LEFTARG = text, RIGHTARG = text, FUNCTION = sly.no);
CREATE INDEX docs_tag2 ON docs (tag);
SET search_path = sly, public, pg_catalog;
SELECT path, hits FROM asked('{"tag": "tag 7"}', 100);
RESET search_path;
DROP SCHEMA sly CASCADE;

-- the planner knows nothing of rows that came since: it is wrong, and the index answers after a few thousand rows
INSERT INTO docs SELECT i, 'new', -1, 2, '{}', true, ARRAY[sin(i), cos(i * 0.7), sin(i * 1.3), cos(i * 0.1)] FROM generate_series(40001, 50000) i;
SELECT synced.upserted FROM s3v_sync('docs') synced;
SELECT path, hits, rows BETWEEN 5000 AND 5400 AS stopped, status FROM asked('{"tag": "new"}');
SELECT count(*) = 10 AND bool_and(key::int > 40000) AS right FROM s3v_query('docs_s3v', '[0,1,0,1]', 10, '{"tag": "new"}');
ANALYZE docs;
SELECT path, rows < 5000 AS at_once FROM asked('{"tag": "new"}');
-- an index that cannot answer: the filter finds its rows all the same, and a stale one says nothing where it was not asked
SELECT s3v_create_index('unbuilt', 'docs', 'v', metadata => '{n}', options => '{"build": false}');
SELECT e->>'path' AS path, e->>'hits' AS hits, e->>'source_rows' AS rows, e->>'status' AS status FROM s3v_explain('unbuilt', '[0,1,0,1]', 10, '{"n": 5}') e;
SELECT e->>'path' AS path, e->>'hits' AS hits, e->>'source_rows' AS rows, e->>'status' AS status FROM s3v_explain('unbuilt', '[0,1,0,1]', 10, '{"n": {"$lt": 0}}') e;

-- ---- row-level security: the statement is the caller's own ----
CREATE ROLE s3v_planned;
CREATE FUNCTION lets_through(bigint) RETURNS boolean LANGUAGE plpgsql COST 1 AS 'BEGIN RETURN $1 % 2 = 0; END';
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON docs TO s3v_planned USING (lets_through(id));
GRANT SELECT ON docs, docs_s3v TO s3v_planned;
PREPARE of_n AS SELECT count(*), bool_or(key::int % 2 = 1) AS of_others, count(*) FILTER (WHERE (metadata->>'n')::int NOT BETWEEN 100 AND 139) AS wrong
    FROM s3v_query('docs_s3v', '[0,1,0,1]', 100, '{"n": {"$gte": 100, "$lt": 140}}');
EXECUTE of_n;
SELECT s3v_stat_reset();
SET ROLE s3v_planned;
EXECUTE of_n;
RESET ROLE;
-- nothing was asked of the index
SELECT queries, requests + cache_hits AS asked FROM s3v_stat;
SET ROLE s3v_planned;
SELECT s3v_explain('docs_s3v', '[0,1,0,1]', 100, '{"n": {"$gte": 100, "$lt": 140}}') - 'ms' AS told;
-- a row of others is as good as none
SELECT key FROM s3v_query('docs_s3v', '[0,1,0,1]', 100, '{"n": 101}');
SELECT key FROM s3v_query('docs_s3v', '[0,1,0,1]', 100, '{"n": 102}');
RESET ROLE;
EXECUTE of_n;
-- a column that is no business of the caller's
REVOKE SELECT ON docs FROM s3v_planned;
GRANT SELECT (id, v, tag, many, tags, published) ON docs TO s3v_planned;
SET ROLE s3v_planned;
EXECUTE of_n;
RESET ROLE;
DROP TABLE docs;
DROP FUNCTION asked, lets_through;
DROP ROLE s3v_planned;
