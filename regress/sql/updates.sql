-- A sync writes what changed: incremental updates, limits, reconcile, optimize.
SET client_min_messages = warning;
CREATE TABLE docs (id bigint PRIMARY KEY, note text, v real[]);
CREATE FUNCTION embed(i bigint) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((sin(i * d * 0.37) + (i % 20) * cos(d))::real ORDER BY d) FROM generate_series(1, 16) d $$;
INSERT INTO docs SELECT i, 'note ' || i % 7, embed(i) FROM generate_series(1, 3000) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{note}');

-- every row of the table is found in the index, once, with its metadata; and source and index hold the same
CREATE FUNCTION state() RETURNS TABLE (version bigint, rows bigint, skipped bigint, pending bigint, state text, path text, same boolean, drift bigint)
LANGUAGE sql AS $$
    SELECT i.version, i.rows, i.skipped, i.pending, i.state, s3v_explain('docs_s3v', embed(7), 10)->>'path',
           (SELECT array_agg(key || ' ' || metadata ORDER BY key::bigint) FROM s3v_query('docs_s3v', embed(7), 5000)) IS NOT DISTINCT FROM
           (SELECT array_agg(id || ' ' || jsonb_strip_nulls(jsonb_build_object('note', note)) ORDER BY id) FROM docs WHERE v IS NOT NULL),
           (SELECT missing + orphaned + stale + corrupt FROM s3v_check('docs'))
    FROM s3v_indexes i WHERE i.index = 'docs_s3v'::regclass $$;
SELECT * FROM state();

-- inserted, updated, deleted, another key, another note, no vector any more, no vector from the start, not carried at all
INSERT INTO docs SELECT i, 'new', embed(i) FROM generate_series(3001, 3010) i;
UPDATE docs SET v = embed(5000) WHERE id = 5;
DELETE FROM docs WHERE id IN (9, 10);
UPDATE docs SET id = 4000 WHERE id = 8;
UPDATE docs SET note = 'changed' WHERE id = 11;
UPDATE docs SET v = NULL WHERE id = 7;
INSERT INTO docs VALUES (4001, 'none', NULL);
UPDATE docs SET note = note WHERE id = 12;
SELECT * FROM state();
SELECT s.version, upserted, deleted, bytes_written * 5 < bytes AS small, requests < 40 AS few, error FROM s3v_sync('docs') s, s3v_indexes;
SELECT * FROM state();
SELECT key FROM s3v_query('docs_s3v', embed(11), 3, '{"note": "changed"}');
SELECT cardinality(deltas) = cardinality(delta_bytes) AS paired, (SELECT count(*) FROM s3v.history) AS kept FROM s3v.version;

-- a key that is deleted, inserted and updated over several syncs is found once
DELETE FROM docs WHERE id = 20;
SELECT upserted, deleted FROM s3v_sync('docs');
INSERT INTO docs VALUES (20, 'again', embed(20));
SELECT upserted, deleted FROM s3v_sync('docs');
UPDATE docs SET v = embed(21) WHERE id = 20;
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT * FROM state();
-- nothing in the end: the log is consumed, the version stays
INSERT INTO docs VALUES (5000, 'gone', embed(5000));
DELETE FROM docs WHERE id = 5000;
SELECT pending FROM s3v_indexes;
SELECT hi AS hi_before, owner AS owner_before FROM s3v.version \gset
SELECT version, upserted, deleted, bytes_written < 1000 AS hardly FROM s3v_sync('docs');
SELECT * FROM state();
SELECT hi > :'hi_before'::xid8 AS less_to_look_at, owner > :owner_before AS claimed, (SELECT count(*) FROM s3v.history) AS kept FROM s3v.version;
SELECT version, upserted, deleted, bytes_written, requests FROM s3v_sync('docs');
-- the same row many times in the log is one row
UPDATE docs SET note = note || '!' WHERE id BETWEEN 1 AND 4;
UPDATE docs SET note = note || '!' WHERE id BETWEEN 1 AND 4;
SELECT pending FROM s3v_indexes;
SELECT upserted, deleted FROM s3v_sync('docs');

-- rolled back, the old version and the log stand; in a transaction, later statements see the new version
BEGIN;
UPDATE docs SET v = embed(id + 1) WHERE id BETWEEN 30 AND 40;
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT * FROM state();
UPDATE docs SET v = embed(id + 2) WHERE id = 31;
SELECT * FROM state();
ROLLBACK;
SELECT * FROM state();

-- limits: a prefix of the log
UPDATE docs SET note = 'limited' WHERE id BETWEEN 100 AND 124;
SELECT version, upserted FROM s3v_sync('docs', options => '{"max_rows": 10}');
SELECT * FROM state();
UPDATE docs SET note = 'limited again' WHERE id BETWEEN 100 AND 104;
SELECT version, upserted FROM s3v_sync('docs', options => '{"max_rows": "15"}');
SELECT * FROM state();
SELECT version, upserted FROM s3v_sync('docs', options => '{"max_seconds": 0.00001}');
SELECT version, upserted FROM s3v_sync('docs', options => '{"max_seconds": 0.00001}');
SELECT * FROM state();
SELECT version, upserted FROM s3v_sync('docs', options => '{"max_rows": 100, "max_seconds": 1000}');
SELECT * FROM state();
-- each index has the same limit
SELECT s3v_create_index('docs_cosine', 'docs', 'v');
UPDATE docs SET v = embed(id + 3) WHERE id BETWEEN 1 AND 6;
SELECT index, upserted FROM s3v_sync('docs', options => '{"max_rows": 4}') ORDER BY index::text;
SELECT index, upserted FROM s3v_sync(options => '{"max_rows": 4, "max_seconds": 100}') ORDER BY index::text;
DROP FOREIGN TABLE docs_cosine;
SELECT * FROM state();

-- bad options and modes
SELECT s3v_sync('docs', options => '{"max_rows": 0}');
SELECT s3v_sync('docs', options => '{"max_rows": 1.5}');
SELECT s3v_sync('docs', options => '{"max_rows": null}');
SELECT s3v_sync('docs', options => '{"max_seconds": 0}');
SELECT s3v_sync('docs', options => '{"max_seconds": "infinity"}');
SELECT s3v_sync('docs', options => '{"max_seconds": "soon"}');
SELECT s3v_sync('docs', options => '{"max_row": 1}');
SELECT s3v_sync('docs', options => '[1]');
SELECT s3v_sync('docs', 'reconcile', '{"max_rows": 1}');
SELECT s3v_sync('docs', 'rebuild', '{"max_seconds": 1}');
SELECT s3v_sync('docs', 'repair');

-- drift: refused while capture is not in place, then found and repaired
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
DELETE FROM docs WHERE id IN (50, 51);
INSERT INTO docs VALUES (6000, 'unseen', embed(6000)), (6001, NULL, embed(6001)), (6002, 'none', NULL);
UPDATE docs SET note = 'unseen' WHERE id = 52;
UPDATE docs SET v = embed(53000) WHERE id = 53;
SELECT s3v_sync('docs', 'reconcile');
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
UPDATE docs SET note = 'logged' WHERE id IN (53, 54);
SELECT missing, orphaned, stale, corrupt FROM s3v_check('docs');
SELECT s.version, upserted, deleted, bytes_written * 5 < bytes AS small FROM s3v_sync('docs', 'reconcile') s, s3v_indexes;
SELECT * FROM state();
SELECT version, upserted, deleted, bytes_written FROM s3v_sync('docs', 'reconcile');
-- nothing differs: what the log says is done, marks go, the version stays
INSERT INTO docs VALUES (6100, 'gone', embed(6100));
DELETE FROM docs WHERE id = 6100;
SELECT version, upserted, deleted, bytes_written FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
SELECT state FROM s3v_indexes;
SELECT version, upserted, deleted, bytes_written FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();
-- a stale index is kept up to date; its mark stays until somebody looks at all rows
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
INSERT INTO docs VALUES (6200, 'unseen', embed(6200));
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
UPDATE docs SET note = 'seen' WHERE id = 60;
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT state, pending FROM s3v_indexes;
SELECT count(*) FROM s3v_query('docs_s3v', embed(6200), 1, '{"note": "unseen"}');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();
-- version 0 and TRUNCATE: the whole source
TRUNCATE docs;
INSERT INTO docs SELECT i, 'note ' || i % 7, embed(i) FROM generate_series(1, 1000) i;
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();

-- rows that the index cannot take are named, and nothing is consumed
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
UPDATE docs SET v = '{1,2}' WHERE id IN (70, 71);
UPDATE docs SET v = array_fill('NaN'::real, '{16}') WHERE id = 72;
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
DO $$ BEGIN FOR i IN 69..73 LOOP UPDATE docs SET note = 'bad' WHERE id = i; END LOOP; END $$;
SELECT s3v_sync('docs');
SELECT s3v_sync('docs', 'reconcile');
SELECT pending FROM s3v_indexes;
UPDATE docs SET v = embed(id) WHERE id BETWEEN 70 AND 72;
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();

-- compaction on demand consumes the log as well
DELETE FROM docs WHERE id % 3 = 0;
UPDATE docs SET v = embed(id + 10000) WHERE id % 10 = 1;
SELECT s3v_optimize('docs_s3v') AS version;
SELECT * FROM state();
SELECT s3v_optimize('docs_s3v') - version <= 1 AS next FROM s3v_indexes;
SELECT drift, same, pending FROM state();
SELECT s3v_optimize('docs');
SELECT s3v_optimize(NULL) IS NULL AS nothing;
SELECT s3v_optimize(1);
CREATE ROLE s3v_regress_reader;
GRANT SELECT ON docs, docs_s3v TO s3v_regress_reader;
SET ROLE s3v_regress_reader;
SELECT s3v_optimize('docs_s3v');
RESET ROLE;
GRANT EXECUTE ON FUNCTION s3v_optimize(regclass) TO s3v_regress_reader;
SET ROLE s3v_regress_reader;
SELECT s3v_optimize('docs_s3v');
RESET ROLE;
BEGIN READ ONLY;
SELECT s3v_optimize('docs_s3v');
ROLLBACK;
REVOKE ALL ON docs, docs_s3v FROM s3v_regress_reader;
REVOKE ALL ON FUNCTION s3v_optimize(regclass) FROM s3v_regress_reader;
DROP ROLE s3v_regress_reader;

-- objects missing or damaged: a sync of changes says what to do, a reconcile repairs
CREATE FUNCTION objects(folder text) RETURNS text LANGUAGE sql AS $$
    SELECT current_setting('data_directory') || '/s3v/' || uuid || '/' || folder || '/' FROM s3v.index WHERE index_id = 'docs_s3v'::regclass $$;
CREATE FUNCTION harm(command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; ' || command); END $$;
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
\set VERBOSITY terse
SET client_min_messages = notice;
SELECT harm('cd ' || objects('segment') || ' && dd if=/dev/zero of=$(ls -S | head -n 1) bs=1 seek=5000 count=50 conv=notrunc status=none');
SELECT missing > 0 AS missing, orphaned, corrupt FROM s3v_check('docs');
SELECT upserted > 0 AS repaired, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
SELECT harm('cd ' || objects('segment') || ' && rm $(ls -S | head -n 1)');
SELECT count(*) FROM s3v_query('docs_s3v', embed(1), 5000);
BEGIN;
UPDATE docs SET note = 'x';
DO $$ DECLARE hint text; BEGIN
    PERFORM s3v_sync('docs');
EXCEPTION WHEN undefined_file THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RAISE NOTICE 'refused: %', hint;
END $$;
ROLLBACK;
SELECT upserted > 0 AS repaired, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();
-- without its navigation or manifest a version is beyond repair: built anew
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
SELECT harm('rm ' || objects('nav') || base) FROM s3v.version;
SELECT upserted = (SELECT count(*) FROM docs) AS rebuilt, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM state();
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
SELECT harm('rm ' || objects('manifest') || manifest) FROM s3v.version;
SELECT deleted FROM s3v_gc('s3v_local');
SELECT upserted = (SELECT count(*) FROM docs) AS rebuilt, deleted FROM s3v_sync('docs', 'reconcile');
SELECT deleted FROM s3v_gc('s3v_local');
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
SELECT * FROM state();
\set VERBOSITY default
SET client_min_messages = warning;

-- columns of other types: a reconcile builds anew and follows them
ALTER TABLE docs ALTER v TYPE float8[];
UPDATE docs SET note = 'typed' WHERE id = 2;
SELECT upserted FROM s3v_sync('docs');
SELECT state FROM s3v_indexes;
SELECT upserted = (SELECT count(*) FROM docs) AS rebuilt FROM s3v_sync('docs', 'reconcile');
SELECT version IS NOT NULL AS there, pending, state, path FROM state();
-- keys of another kind cannot be updated: the whole index is written
ALTER TABLE docs ALTER id TYPE text;
UPDATE docs SET note = 'retyped' WHERE id = '2';
SELECT upserted = (SELECT count(*) FROM docs) AS rebuilt FROM s3v_sync('docs');
UPDATE docs SET note = 'retyped again' WHERE id = '2';
SELECT upserted FROM s3v_sync('docs');
SELECT state FROM s3v_indexes;
SELECT upserted = (SELECT count(*) FROM docs) AS rebuilt FROM s3v_sync('docs', 'reconcile');
SELECT state, pending FROM s3v_indexes;
SELECT missing, orphaned, stale, corrupt FROM s3v_check('docs');
-- a metadata column less
ALTER TABLE docs DROP note;
SELECT state FROM s3v_indexes;
SELECT deleted FROM s3v_sync('docs', 'reconcile');
SELECT state, pending FROM s3v_indexes;
SELECT missing, orphaned, stale, corrupt FROM s3v_check('docs');
SELECT count(*), count(DISTINCT key) FROM s3v_query('docs_s3v', embed(1), 5000);
DROP TABLE docs;

-- no index of the source finds a key: rows are looked for by a scan, of which no policy knows
CREATE TABLE words (id text NOT NULL, v real[]);
CREATE UNIQUE INDEX ON words (id COLLATE "POSIX");
INSERT INTO words SELECT 'w' || i, embed(i) FROM generate_series(1, 500) i;
SELECT s3v_create_index('words_s3v', 'words', 'v', key_column => 'id', metric => 'l2');
CREATE ROLE s3v_regress_writer;
ALTER TABLE words OWNER TO s3v_regress_writer;
ALTER TABLE words ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON words USING (false);
INSERT INTO words VALUES ('new', embed(501));
UPDATE words SET v = embed(502) WHERE id = 'w2';
UPDATE words SET v = NULL WHERE id = 'w3';
DELETE FROM words WHERE id IN ('w4', 'w5');
UPDATE words SET id = 'w6 moved' WHERE id = 'w6';
SELECT upserted, deleted FROM s3v_sync('words');
SELECT missing, orphaned, stale, corrupt, (SELECT rows FROM s3v_indexes) AS rows, (SELECT skipped FROM s3v_indexes) AS skipped FROM s3v_check('words');
DELETE FROM words WHERE length(id) = 3;
SELECT s3v_optimize('words_s3v') AS version;
SELECT missing, orphaned, stale, corrupt, (SELECT rows FROM s3v_indexes) = (SELECT count(v) FROM words) AS all_rows FROM s3v_check('words');
DROP TABLE words;
DROP ROLE s3v_regress_writer;

-- an index that begins empty
CREATE TABLE later (id int PRIMARY KEY, v real[]);
SELECT s3v_create_index('later_s3v', 'later', 'v', metric => 'l2', options => '{"dimensions": 16, "build": false}');
SELECT s3v_optimize('later_s3v') AS version;
INSERT INTO later SELECT i, embed(i) FROM generate_series(1, 2) i;
SELECT version, upserted, deleted FROM s3v_sync('later');
INSERT INTO later SELECT i, embed(i) FROM generate_series(3, 3000) i;
SELECT version, upserted, deleted FROM s3v_sync('later');
SELECT rows, lists > 1 AS lists, (SELECT count(DISTINCT key) FROM s3v_query('later_s3v', embed(1), 5000)) AS found FROM s3v_indexes;
DELETE FROM later;
SELECT version, upserted, deleted FROM s3v_sync('later');
SELECT rows, pending, (SELECT count(*) FROM s3v_query('later_s3v', embed(1), 5000)) AS found FROM s3v_indexes;
INSERT INTO later SELECT i, embed(i) FROM generate_series(1, 3) i;
SELECT version, upserted, deleted FROM s3v_sync('later');
SELECT array_agg(key) FROM s3v_query('later_s3v', embed(1), 5000);
SELECT missing, orphaned, stale, corrupt FROM s3v_check('later');
DROP TABLE later;
DROP FUNCTION state, embed, objects, harm;
