-- Prepared transactions that made, synced or dropped an index: published by COMMIT PREPARED, gone with ROLLBACK PREPARED, and nobody else syncs or cleans up
-- meanwhile.
SET client_min_messages = warning;
CREATE SERVER s3v_regress_prepared FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/prepared');
CREATE TABLE docs (id bigint PRIMARY KEY, v real[]);
INSERT INTO docs SELECT i, ARRAY[i, 1] FROM generate_series(1, 50) i;
CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT format('%s %s: %s hits, %s of %s missing or orphaned', state, version, count(h.key), missing + orphaned, (SELECT count(*) FROM docs))
            FROM s3v_indexes, s3v_check('docs'), s3v_query('docs_s3v', '[0,0]', 100, options => '{"on_missing": "error"}') h GROUP BY state, version, missing, orphaned);
EXCEPTION WHEN undefined_table THEN RETURN 'no index';
END $$;
CREATE FUNCTION folders() RETURNS TABLE (folder text, segments bigint) LANGUAGE sql AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM s3v.index i WHERE i.uuid::text = f) THEN 'ours' ELSE 'other' END, (SELECT count(*) FROM pg_ls_dir('s3v/prepared/' || f || '/segment', true, false))
    FROM pg_ls_dir('s3v/prepared', true, false) f WHERE f ~ '^[0-9a-f-]{36}$' $$;
-- made and given up, made and kept
BEGIN;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', server => 's3v_regress_prepared', metric => 'l2');
PREPARE TRANSACTION 'create';
SELECT told(), (SELECT count(*) FROM folders()) AS folders;
ROLLBACK PREPARED 'create';
INSERT INTO docs VALUES (51, '{51,1}');
SELECT told();
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_regress_prepared', '0');
SELECT count(*) AS folders FROM folders();
BEGIN;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', server => 's3v_regress_prepared', metric => 'l2');
PREPARE TRANSACTION 'create';
COMMIT PREPARED 'create';
SELECT told();
INSERT INTO docs VALUES (52, '{52,1}');
SELECT told();
-- synced and given up: the log stands; and its lock holds meanwhile
BEGIN;
DELETE FROM docs WHERE id = 1;
SELECT version FROM s3v_sync('docs');
INSERT INTO docs VALUES (53, '{53,1}');
PREPARE TRANSACTION 'sync';
SELECT told();
SELECT count(*) AS synced FROM s3v_sync('docs', options => '{"wait": false}');
SET lock_timeout = '100ms';
SELECT * FROM s3v_sync('docs');
SELECT deleted FROM s3v_gc('s3v_regress_prepared', '0');
RESET lock_timeout;
SELECT told();
ROLLBACK PREPARED 'sync';
SELECT told();
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_regress_prepared', '0');
SELECT told(), (SELECT segments FROM s3v_indexes) AS segments, (SELECT segments FROM folders() WHERE folder = 'ours') AS stored;
-- synced and kept, with a change after it
BEGIN;
DELETE FROM docs WHERE id = 2;
SELECT version FROM s3v_sync('docs');
INSERT INTO docs VALUES (54, '{54,1}');
PREPARE TRANSACTION 'sync';
COMMIT PREPARED 'sync';
SELECT told(), (SELECT pending FROM s3v_indexes);
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT told(), (SELECT pending FROM s3v_indexes);
-- dropped and given up, dropped and gone
BEGIN;
DROP FOREIGN TABLE docs_s3v;
PREPARE TRANSACTION 'drop';
ROLLBACK PREPARED 'drop';
INSERT INTO docs VALUES (55, '{55,1}');
SELECT told(), (SELECT pending FROM s3v_indexes);
BEGIN;
DROP FOREIGN TABLE docs_s3v;
PREPARE TRANSACTION 'drop';
COMMIT PREPARED 'drop';
SELECT told();
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_regress_prepared', '0');
SELECT count(*) AS folders FROM folders();
DROP TABLE docs;
DROP FUNCTION told, folders;
DROP SERVER s3v_regress_prepared;
