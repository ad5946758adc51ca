-- What a sync consumes and publishes, and what its counters say.
SET client_min_messages = warning;
CREATE TABLE docs (id bigint PRIMARY KEY, note text, v real[]);
INSERT INTO docs SELECT i, 'note ' || i, ARRAY[i, 1]::real[] FROM generate_series(1, 200) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', options => '{"build": false}');
-- version 0: the source is scanned
SELECT state, version, rows, pending FROM s3v_indexes;
SELECT key FROM s3v_query('docs_s3v', '[0,0]', 2);
SELECT e->>'path' AS path, e->>'status' AS status, e->'source_rows' AS source_rows FROM s3v_explain('docs_s3v', '[0,0]', 2) e;
SELECT index, version, upserted, deleted, bytes_written > 0 AS wrote, requests > 0 AS asked, error FROM s3v_sync('docs');
SELECT state, version, rows, skipped, pending FROM s3v_indexes;
-- nothing to do: version unchanged, zeros
SELECT * FROM s3v_sync('docs');

-- changes
INSERT INTO docs VALUES (201, 'new', '{201,1}'), (202, 'none', NULL);
UPDATE docs SET v = '{0,0}' WHERE id = 5;
UPDATE docs SET note = 'not carried' WHERE id = 6;
UPDATE docs SET v = NULL WHERE id = 7;
UPDATE docs SET id = 300 WHERE id = 8;
DELETE FROM docs WHERE id IN (9, 10);
SELECT pending FROM s3v_indexes;
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[5,1]', 7);
SELECT version, upserted, deleted FROM s3v_sync('docs');
SELECT version, rows, skipped, pending FROM s3v_indexes;
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[5,1]', 7);
SELECT e->>'path' AS path, e->'pending_merged' AS pending FROM s3v_explain('docs_s3v', '[0,0]', 2) e;

-- rolled back, it was never published; the log still stands
INSERT INTO docs VALUES (400, 'x', '{400,1}');
BEGIN;
SELECT version FROM s3v_sync('docs');
SELECT version, pending FROM s3v_indexes;
SELECT key FROM s3v_query('docs_s3v', '[400,1]', 1);
ROLLBACK;
SELECT version, pending FROM s3v_indexes;
SELECT key FROM s3v_query('docs_s3v', '[400,1]', 1);
BEGIN;
SAVEPOINT s;
SELECT version FROM s3v_sync('docs');
ROLLBACK TO s;
INSERT INTO docs VALUES (401, 'x', '{401,1}');
SELECT version, upserted FROM s3v_sync('docs');
INSERT INTO docs VALUES (402, 'x', '{402,1}');
SELECT version, pending FROM s3v_indexes;
SELECT key FROM s3v_query('docs_s3v', '[402,1]', 2);
COMMIT;
SELECT version, pending FROM s3v_indexes;
SELECT key FROM s3v_query('docs_s3v', '[402,1]', 2);

-- a sync in a transaction that is prepared: published by COMMIT PREPARED
BEGIN;
SELECT version FROM s3v_sync('docs');
PREPARE TRANSACTION 'sync';
SELECT version, pending FROM s3v_indexes;
SELECT key FROM s3v_query('docs_s3v', '[402,1]', 1);
SELECT count(*) FROM s3v_sync('docs', options => '{"wait": false}');
COMMIT PREPARED 'sync';
SELECT version, pending FROM s3v_indexes;

-- TRUNCATE
TRUNCATE docs;
SELECT count(*) FROM s3v_query('docs_s3v', '[0,0]', 10);
INSERT INTO docs VALUES (1, 'again', '{1,1}');
SELECT key FROM s3v_query('docs_s3v', '[0,0]', 10);
SELECT version, upserted FROM s3v_sync('docs');
SELECT key FROM s3v_query('docs_s3v', '[0,0]', 10);

-- several indexes of a table, all tables, rebuild
SELECT s3v_create_index('docs_cosine', 'docs', 'v');
CREATE TABLE other (id uuid PRIMARY KEY, v real[]);
SELECT s3v_create_index('other_s3v', 'other', 'v', options => '{"dimensions": 2, "build": false}');
INSERT INTO docs VALUES (2, 'two', '{2,2}');
SELECT index, version, upserted, deleted, error FROM s3v_sync() ORDER BY index::text;
SELECT index, version, upserted, deleted FROM s3v_sync('docs', 'rebuild') ORDER BY index::text;
-- one failing among all: a warning and its row, the others go on
INSERT INTO other VALUES (gen_random_uuid(), '{1,1}');
INSERT INTO docs VALUES (3, 'three', '{3,3}');
ALTER TABLE other DISABLE TRIGGER s3v_capture;
SET client_min_messages = warning;
SELECT index, version, upserted, left(error, 40) AS error FROM s3v_sync() ORDER BY index::text;
ALTER TABLE other ENABLE ALWAYS TRIGGER s3v_capture;
SELECT index, version, state FROM s3v_indexes ORDER BY index::text;
SELECT index, version, upserted FROM s3v_sync('other', 'rebuild');
SELECT index, version, state FROM s3v_indexes ORDER BY index::text;

-- tables of none, one and two rows, equal rows
TRUNCATE docs;
SELECT version, upserted FROM s3v_sync('docs', 'rebuild') ORDER BY index::text;
SELECT count(*) FROM s3v_query('docs_s3v', '[0,0]', 10);
INSERT INTO docs VALUES (1, '', '{1,1}'), (2, '', '{1,1}');
SELECT version, upserted FROM s3v_sync('docs') ORDER BY index::text;
SELECT key, distance FROM s3v_query('docs_s3v', '[1,1]', 10);
INSERT INTO docs SELECT i, '', '{1,1}' FROM generate_series(3, 1000) i;
SELECT version, upserted FROM s3v_sync('docs') ORDER BY index::text;
SELECT count(*), count(DISTINCT key), max(distance) FROM s3v_query('docs_s3v', '[1,1]', 2000);
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[1,1]', 12);

-- clean-up: nothing that a kept version names goes; an index that is not built yet has nothing to lose, but its place
CREATE TABLE later (id int PRIMARY KEY, v real[]);
INSERT INTO later VALUES (1, '{1,1}');
SELECT s3v_create_index('later_s3v', 'later', 'v', metric => 'l2', options => '{"build": false}');
SELECT server, deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
SELECT deleted FROM s3v_gc('s3v_local', '0');
SELECT count(*) FROM s3v_query('docs_s3v', '[1,1]', 2000);
SELECT index_id, version FROM s3v.history ORDER BY index_id::text, version;
SELECT version FROM s3v_sync('later');
-- a drop that is rolled back keeps its objects, whatever a clean-up in between was told
BEGIN;
DROP FOREIGN TABLE later_s3v;
SELECT deleted FROM s3v_gc('s3v_local', '0');
ROLLBACK;
SELECT e->>'path' AS path, e->'hits' AS hits FROM s3v_explain('later_s3v', '[1,1]') e;
DROP TABLE docs, other, later;
SELECT count(*) AS dropped FROM s3v.dropped WHERE isfinite(dropped_at);
SELECT deleted > 0 AS deleted, kept FROM s3v_gc('s3v_local', '0');
SELECT count(*) AS dropped FROM s3v.dropped WHERE isfinite(dropped_at);
SELECT deleted, kept FROM s3v_gc('s3v_local', '0');
