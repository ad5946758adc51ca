-- Who may do what, told as a story: boss owns the table, reader reads, clerk reads two columns, nobody nothing.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE s3v_boss;
CREATE ROLE s3v_reader;
CREATE ROLE s3v_clerk;
CREATE ROLE s3v_nobody;
CREATE SCHEMA shop AUTHORIZATION s3v_boss;
GRANT USAGE ON SCHEMA shop TO s3v_reader, s3v_clerk, s3v_nobody;
-- what PUBLIC may execute, and what it may not
SELECT proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 's3v') AND has_function_privilege('s3v_nobody', p.oid, 'EXECUTE') ORDER BY 1;
SELECT proname, provolatile, proparallel, prosecdef, proconfig FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_proc'::regclass
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 's3v') ORDER BY 1;
SET ROLE s3v_boss;
CREATE TABLE shop.docs (id bigint PRIMARY KEY, title text, secret text, v real[]);
INSERT INTO shop.docs SELECT i, 't' || i, 's' || i, ARRAY[i, 1]::real[] FROM generate_series(1, 20) i;
SELECT s3v_create_index('docs_s3v', 'shop.docs', 'v', metric => 'l2', metadata => '{title,secret}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION s3v_create_index(text, regclass, name, name, name, text, name[], jsonb), s3v_sync(regclass, text, jsonb),
    s3v_gc(name, interval), s3v_adopt(regclass) TO s3v_boss, s3v_nobody;
SET ROLE s3v_boss;
SELECT s3v_create_index('docs_s3v', 'shop.docs', 'v', metric => 'l2', metadata => '{title,secret}');
SELECT s3v_create_index('titles_s3v', 'shop.docs', 'v', metric => 'l2', metadata => '{title}');
GRANT SELECT ON shop.docs, shop.docs_s3v TO s3v_reader;
GRANT SELECT (id, title, v) ON shop.docs TO s3v_clerk;
GRANT SELECT ON shop.docs_s3v, shop.titles_s3v TO s3v_clerk, s3v_nobody;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 1);
-- the owner reads the log of its own source, nobody else does
SELECT relname ~ '^log_' AS log, has_table_privilege('s3v_boss', oid, 'SELECT') AS boss, has_table_privilege('s3v_reader', oid, 'SELECT') AS reader,
       has_table_privilege('s3v_boss', oid, 'DELETE') AS boss_deletes
FROM pg_class WHERE relnamespace = 's3v'::regnamespace AND relkind = 'r' AND relname ~ '^log_';
DELETE FROM s3v.version;
INSERT INTO s3v.stale (index_id, reason) VALUES ('shop.docs_s3v', 'spite');
SET ROLE s3v_reader;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 1);
SELECT key FROM s3v_query('shop.titles_s3v', '[1,1]', 1);
SELECT * FROM s3v_sync('shop.docs');
SELECT index FROM s3v_indexes;
SET ROLE s3v_clerk;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 1);
SELECT key, metadata FROM s3v_query('shop.titles_s3v', '[1,1]', 1);
SELECT s3v_explain('shop.docs_s3v', '[1,1]', 1);
SET ROLE s3v_nobody;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 1);
SELECT * FROM s3v_sync('shop.docs');
SELECT * FROM s3v_sync();
SELECT s3v_adopt('shop.docs_s3v');
SELECT * FROM s3v_gc('s3v_local');
SELECT * FROM s3v_gc();
SELECT s3v_create_index('mine', 'shop.docs', 'v');
CREATE SERVER mine FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket');
-- the trigger function attached elsewhere does nothing; called directly it fails
CREATE TEMP TABLE own (id bigint PRIMARY KEY, v real[]);
CREATE TRIGGER steal AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION s3v_capture();
RESET ROLE;
CREATE TABLE elsewhere (id bigint PRIMARY KEY, v real[]);
CREATE TRIGGER s3v_capture AFTER INSERT ON elsewhere FOR EACH ROW EXECUTE FUNCTION s3v_capture('shop.docs');
INSERT INTO elsewhere VALUES (1, '{1,1}');
SELECT pending FROM s3v_indexes ORDER BY index::text;
DROP TABLE elsewhere;
-- writers need no right on the bookkeeping
GRANT INSERT ON shop.docs TO s3v_nobody;
SET ROLE s3v_nobody;
INSERT INTO shop.docs VALUES (100, 't', 's', '{100,1}');
RESET ROLE;
SELECT index, pending FROM s3v_indexes ORDER BY index::text;
-- row-level security that applies to the caller (row_security.sql has more); the owner is not concerned
ALTER TABLE shop.docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON shop.docs TO s3v_reader USING (id < 3);
SET ROLE s3v_reader;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 3);
SELECT rows, pending FROM s3v_indexes;
SET row_security = off;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 3);
RESET row_security;
SET ROLE s3v_boss;
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 3);
-- a prepared statement across SET ROLE: decided at each execution
PREPARE q AS SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 3);
EXECUTE q;
SET ROLE s3v_reader;
EXECUTE q;
SET ROLE s3v_nobody;
EXECUTE q;
RESET ROLE;
-- hostile search_path: nothing of it is called
CREATE SCHEMA evil;
CREATE FUNCTION evil.statement_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.eq);
CREATE FUNCTION evil.eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
SET search_path = evil, pg_catalog, public;
SELECT version FROM s3v_sync('shop.docs', 'rebuild');
SELECT s3v_create_index('third_s3v', 'shop.docs', 'v');
SELECT key FROM s3v_query('shop.docs_s3v', '[1,1]', 3);
SELECT server FROM s3v_gc();
RESET search_path;
DROP SCHEMA evil CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY s3v_boss, s3v_reader, s3v_clerk, s3v_nobody;
DROP ROLE s3v_boss, s3v_reader, s3v_clerk, s3v_nobody;
SELECT count(*) AS indexes FROM s3v.index;
