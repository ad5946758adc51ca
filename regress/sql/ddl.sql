-- What DDL does to an index: what is followed, what makes it stale, what takes it along. All of it is rows, so it rolls back.
SET client_min_messages = warning;
CREATE SCHEMA ddl;
SET search_path = ddl, public;

-- Why an index is stale; takes the marks away.
CREATE FUNCTION stale(index_id regclass) RETURNS text LANGUAGE sql AS $$
    WITH marks AS (DELETE FROM s3v.stale s WHERE s.index_id = $1 RETURNING s.id, s.reason)
    SELECT coalesce(string_agg(reason, '; ' ORDER BY id), '-') FROM marks
$$;
CREATE FUNCTION new_index(index_name text, source regclass, metadata name[] DEFAULT '{}') RETURNS regclass LANGUAGE sql AS $$
    SELECT s3v_create_index(index_name, source, 'v', metadata => metadata, options => '{"build": false, "dimensions": 2}')
$$;
CREATE TABLE before AS SELECT index_id, uuid FROM s3v.index UNION SELECT NULL, uuid FROM s3v.dropped;
CREATE VIEW own_index AS SELECT * FROM s3v.index WHERE uuid NOT IN (SELECT uuid FROM before);
CREATE VIEW own_dropped AS SELECT * FROM s3v.dropped WHERE uuid NOT IN (SELECT uuid FROM before);
CREATE VIEW columns AS SELECT index_id, source, key_column, vector_column, metadata FROM own_index;

CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE docs (id int PRIMARY KEY, v real[], price int, title varchar(10), mood mood, other int);
SELECT new_index('docs_s3v', 'docs', '{price,title,mood}');
INSERT INTO docs VALUES (1, '{1,1}', 1, 'one', 'sad', 1);

-- ---- nothing that the index carries -----------------------------------------------------------------------------------

ALTER TABLE docs ADD COLUMN added timestamptz DEFAULT clock_timestamp();     -- rewrites the table
ALTER TABLE docs ALTER other TYPE bigint USING other + 1;
ALTER TABLE docs DROP COLUMN added;
ALTER TABLE docs ALTER price SET NOT NULL, ALTER price SET DEFAULT 5, ADD CHECK (price < 1000), ALTER v SET STORAGE EXTERNAL;
CREATE INDEX docs_price ON docs (price);
DROP INDEX docs_price;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER own BEFORE INSERT ON docs FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE docs DISABLE TRIGGER own;
ALTER TABLE docs ENABLE REPLICA TRIGGER own;
DROP TRIGGER own ON docs;
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;                         -- every restore says it
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture_truncate;
ALTER TRIGGER s3v_capture ON docs RENAME TO captured;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
ALTER TABLE docs DISABLE ROW LEVEL SECURITY;
CLUSTER docs USING docs_pkey;
VACUUM FULL docs;
REINDEX TABLE docs;
ALTER TYPE mood ADD VALUE 'angry';
ALTER TABLE docs DROP CONSTRAINT docs_pkey, ADD PRIMARY KEY (id);
SELECT stale('docs_s3v');

-- ---- names --------------------------------------------------------------------------------------------------------------

ALTER TABLE docs RENAME TO papers;
CREATE SCHEMA ddl_other;
ALTER TABLE papers SET SCHEMA ddl_other;
ALTER FOREIGN TABLE docs_s3v RENAME TO papers_s3v;
ALTER TABLE ddl_other.papers RENAME COLUMN price TO "The Price";
ALTER TABLE ddl_other.papers RENAME id TO key;
ALTER TABLE ddl_other.papers RENAME v TO embedding;
ALTER TABLE ddl_other.papers RENAME other TO another;
SELECT * FROM columns;
INSERT INTO ddl_other.papers VALUES (2, '{1,1}', 2, 'two', 'sad', 2);
UPDATE ddl_other.papers SET "The Price" = 8 WHERE key = 1;
SELECT s3v.pending('papers_s3v'), stale('papers_s3v');
BEGIN;
ALTER TABLE ddl_other.papers RENAME "The Price" TO nothing;
SELECT metadata FROM columns;
ROLLBACK;
SELECT metadata FROM columns;
ALTER TABLE ddl_other.papers RENAME "The Price" TO price;
ALTER TABLE ddl_other.papers RENAME key TO id;
ALTER TABLE ddl_other.papers RENAME embedding TO v;
ALTER TABLE ddl_other.papers SET SCHEMA ddl;
ALTER TABLE papers RENAME TO docs;
ALTER FOREIGN TABLE papers_s3v RENAME TO docs_s3v;
DROP SCHEMA ddl_other;
SELECT * FROM columns;

-- ---- changes that row triggers do not see -------------------------------------------------------------------------------

ALTER TABLE docs ALTER price TYPE bigint USING price + 1;
SELECT stale('docs_s3v') AS "type, rewritten";
ALTER TABLE docs ALTER title TYPE text;
SELECT stale('docs_s3v') AS "type, not rewritten";
ALTER TABLE docs ALTER v TYPE double precision[], ALTER title TYPE varchar(20);
SELECT stale('docs_s3v') AS "two types";
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
SELECT stale('docs_s3v') AS "enum label";
ALTER TABLE docs DISABLE TRIGGER captured;
SELECT stale('docs_s3v') AS "disable";
ALTER TABLE docs ENABLE TRIGGER captured;
SELECT stale('docs_s3v') AS "enable: no longer always";
ALTER TABLE docs ENABLE REPLICA TRIGGER captured;
SELECT stale('docs_s3v') AS "enable replica";
ALTER TABLE docs ENABLE ALWAYS TRIGGER captured;
SELECT stale('docs_s3v') AS "enable always";
ALTER TABLE docs DISABLE TRIGGER ALL;
SELECT stale('docs_s3v') AS "disable all";
ALTER TABLE docs ENABLE TRIGGER ALL;
SELECT stale('docs_s3v') AS "enable all";
ALTER TABLE docs ENABLE ALWAYS TRIGGER captured, ENABLE ALWAYS TRIGGER s3v_capture_truncate;
ALTER TABLE docs DISABLE TRIGGER USER, ENABLE TRIGGER USER;
SELECT stale('docs_s3v') AS "user";
ALTER TABLE docs ENABLE ALWAYS TRIGGER captured, ENABLE ALWAYS TRIGGER s3v_capture_truncate;
ALTER TABLE docs ALTER id DROP NOT NULL;
ALTER TABLE docs DROP CONSTRAINT docs_pkey;
SELECT stale('docs_s3v') AS "primary key";
CREATE UNIQUE INDEX docs_id ON docs (id);
ALTER TABLE docs ALTER id DROP NOT NULL;
SELECT stale('docs_s3v') AS "not null";
ALTER TABLE docs ALTER id SET NOT NULL;
CREATE UNIQUE INDEX docs_id_2 ON docs (id);
DROP INDEX docs_id;
SELECT stale('docs_s3v') AS "one unique index of two";
DROP INDEX docs_id_2;
SELECT stale('docs_s3v') AS "the last unique index";
ALTER TABLE docs ADD PRIMARY KEY (id);
ALTER TABLE docs SET UNLOGGED;
SELECT stale('docs_s3v') AS "unlogged";
ALTER TABLE docs SET LOGGED;
SELECT stale('docs_s3v') AS "logged";
CREATE TABLE child () INHERITS (docs);
SELECT stale('docs_s3v') AS "child";
ALTER TABLE child NO INHERIT docs;
ALTER TABLE child INHERIT docs;
SELECT stale('docs_s3v') AS "inherit";
DROP TABLE child;
DROP TRIGGER s3v_capture_truncate ON docs;
SELECT stale('docs_s3v') AS "trigger dropped";
-- Marks roll back with what they mark, and each transaction leaves its own.
BEGIN;
ALTER TABLE docs ALTER price TYPE numeric;
SAVEPOINT a;
ALTER TABLE docs ALTER price TYPE int;
ROLLBACK TO a;
ALTER TABLE docs ALTER price TYPE int;
SELECT count(*) FROM s3v.stale;
ROLLBACK;
SELECT stale('docs_s3v') AS "rolled back";
DO $$
BEGIN
    ALTER TABLE docs ALTER price TYPE numeric;
    RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
SELECT stale('docs_s3v') AS "caught";
ALTER TABLE docs DROP COLUMN price;
SELECT stale('docs_s3v') AS "column dropped";
-- The index goes on without the column: writers are captured as before, and leave no mark of their own.
INSERT INTO docs (id, v) VALUES (10, '{1,1}'), (11, '{1,1}');
DELETE FROM docs WHERE id = 10;
SELECT stale('docs_s3v') AS "writers of a source that lost a metadata column";
SELECT metadata FROM s3v.index WHERE index_id = 'docs_s3v'::regclass;

-- The source as somebody's child, and as a table of a type: names and types change from above.
CREATE TABLE parent (id int, v real[], price int);
CREATE TABLE leaf (id int PRIMARY KEY, v real[], price int);
SELECT new_index('leaf_s3v', 'leaf', '{price}');
ALTER TABLE leaf INHERIT parent;
SELECT stale('leaf_s3v') AS "gets a parent";
ALTER TABLE parent RENAME price TO cost;
SELECT metadata, stale('leaf_s3v') FROM columns WHERE index_id = 'leaf_s3v'::regclass;
ALTER TABLE parent ALTER cost TYPE bigint;
SELECT stale('leaf_s3v') AS "type changed from above";
ALTER TABLE parent DROP COLUMN cost CASCADE;
SELECT stale('leaf_s3v') AS "not dropped here: it is its own, too";
DROP TABLE parent CASCADE;
SELECT to_regclass('leaf_s3v') AS "dropped with the parent of its source";
CREATE TYPE row_type AS (id int, v real[], price int);
CREATE TABLE typed OF row_type (PRIMARY KEY (id));
SELECT new_index('typed_s3v', 'typed', '{price}');
ALTER TYPE row_type RENAME ATTRIBUTE price TO cost CASCADE;
SELECT metadata, stale('typed_s3v') FROM columns WHERE index_id = 'typed_s3v'::regclass;
ALTER TYPE row_type ALTER ATTRIBUTE cost TYPE bigint CASCADE;
SELECT stale('typed_s3v') AS "attribute type";
ALTER TYPE row_type DROP ATTRIBUTE cost CASCADE;
SELECT stale('typed_s3v') AS "attribute dropped";

-- ---- owners -------------------------------------------------------------------------------------------------------------

CREATE ROLE s3v_ddl_one;
CREATE ROLE s3v_ddl_two;
GRANT ALL ON SCHEMA ddl TO s3v_ddl_one, s3v_ddl_two;
GRANT EXECUTE ON FUNCTION s3v_create_index(text, regclass, name, name, name, text, name[], jsonb) TO s3v_ddl_one;
CREATE FUNCTION log_readers(index_id regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM s3v.index i, pg_roles
    WHERE i.index_id = $1 AND NOT rolsuper AND rolname LIKE 's3v%' AND has_table_privilege(rolname, i.log, 'SELECT')
$$;
SET ROLE s3v_ddl_one;
CREATE TABLE owned (id int PRIMARY KEY, v real[]);
SELECT new_index('owned_s3v', 'owned');
RESET ROLE;
SELECT relowner::regrole, log_readers('owned_s3v') FROM pg_class JOIN s3v.index ON log = pg_class.oid WHERE index_id = 'owned_s3v'::regclass;
ALTER TABLE owned OWNER TO s3v_ddl_two;
SELECT log_readers('owned_s3v');
ALTER TABLE owned OWNER TO s3v_ddl_one;
SELECT stale('owned_s3v');
-- Anybody's DDL, also of roles that have no rights on anything of s3v.
SET ROLE s3v_ddl_one;
ALTER TABLE owned ALTER v TYPE double precision[];
RESET ROLE;
SELECT stale('owned_s3v');

-- ---- drops --------------------------------------------------------------------------------------------------------------

CREATE VIEW left_over AS
    SELECT (SELECT count(*) FROM own_index) AS indexes,
           (SELECT count(*) FROM s3v.version WHERE index_id NOT IN (SELECT index_id FROM before WHERE index_id IS NOT NULL)) AS versions,
           (SELECT count(*) FROM s3v.stale) AS marks, (SELECT count(*) FROM own_dropped) AS dropped,
           (SELECT count(*) FROM pg_class WHERE relnamespace = 's3v'::regnamespace AND relname LIKE 'log\_%' AND relkind = 'r') -
           (SELECT count(DISTINCT log) FROM s3v.index WHERE uuid IN (SELECT uuid FROM before)) AS logs,
           (SELECT count(*) FROM pg_trigger WHERE tgfoid = 's3v_capture'::regproc) -
           (SELECT 2 * count(DISTINCT source) FROM s3v.index WHERE uuid IN (SELECT uuid FROM before)) AS triggers;
DROP OWNED BY s3v_ddl_one;
DROP TABLE docs, typed;
DELETE FROM s3v.dropped WHERE uuid IN (SELECT uuid FROM own_dropped);
TABLE left_over;

CREATE TABLE a (id int PRIMARY KEY, v real[]);
CREATE TABLE b (id int PRIMARY KEY, v real[]);
SELECT new_index('a1', 'a'), new_index('a2', 'a'), new_index('b1', 'b');
DROP FOREIGN TABLE a1;
TABLE left_over;
INSERT INTO a VALUES (1, '{1,1}');
SELECT s3v.pending('a2');
BEGIN;
DROP FOREIGN TABLE a2;
TABLE left_over;
INSERT INTO a VALUES (2, '{1,1}');
ROLLBACK;
INSERT INTO a VALUES (3, '{1,1}');
SELECT s3v.pending('a2');
DROP FOREIGN TABLE a2;
TABLE left_over;
INSERT INTO a VALUES (4, '{1,2,3}');
SELECT new_index('a3', 'b'), new_index('b2', 'b');
CREATE VIEW uses AS SELECT * FROM s3v_query('b1', '[1,1]');
DROP TABLE b;                               -- as a real index would, the index has a dependent
SELECT to_regclass('b') AS table, to_regclass('b1') AS index;
DROP TABLE b CASCADE;
SELECT to_regclass('b1') AS index, to_regclass('uses') AS view;
TABLE left_over;
DELETE FROM s3v.dropped WHERE uuid IN (SELECT uuid FROM own_dropped);

CREATE SCHEMA ddl_all;
CREATE TABLE ddl_all.c (id int PRIMARY KEY, v real[]);
SELECT new_index('c1', 'ddl_all.c');
SELECT new_index('ddl.c2', 'ddl_all.c');
DROP SCHEMA ddl_all CASCADE;
SELECT to_regclass('ddl.c2') AS index;
TABLE left_over;
DELETE FROM s3v.dropped WHERE uuid IN (SELECT uuid FROM own_dropped);

-- The url of a server goes with it: the notice is the last that is heard of the objects.
CREATE SERVER ddl_server FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/ddl');
CREATE TABLE d (id int PRIMARY KEY, v real[]);
SELECT s3v_create_index('d1', 'd', 'v', server => 'ddl_server', options => '{"build": false, "dimensions": 2}');
SELECT s3v_create_index('d2', 'd', 'v', server => 'ddl_server', options => '{"build": false, "dimensions": 2}');
DROP FOREIGN TABLE d1;
SELECT server FROM own_dropped;
ALTER SERVER ddl_server RENAME TO ddl_renamed;
SELECT server FROM own_dropped;
UPDATE s3v.dropped SET uuid = '00000000-0000-0000-0000-000000000001' WHERE server = 'ddl_renamed';
UPDATE s3v.index SET uuid = '00000000-0000-0000-0000-000000000002' WHERE index_id = 'd2'::regclass;
SET client_min_messages = notice;
DROP SERVER ddl_renamed CASCADE;
SET client_min_messages = warning;
TABLE left_over;

-- A log that somebody dropped: stale, writers go on, and the next index brings a new one.
SELECT new_index('d3', 'd');
DO $$ BEGIN EXECUTE format('DROP TABLE %s', (SELECT log FROM s3v.index WHERE index_id = 'd3'::regclass)); END $$;
SELECT stale('d3');
INSERT INTO d VALUES (1, '{1,1}');
SELECT stale('d3');
SELECT s3v.pending('d3'), pending FROM s3v_indexes WHERE index = 'd3'::regclass;
SELECT new_index('d4', 'd');
INSERT INTO d VALUES (2, '{1,1}');
SELECT s3v.pending('d3'), s3v.pending('d4'), stale('d3');

DROP TABLE d;
DELETE FROM s3v.dropped WHERE uuid IN (SELECT uuid FROM own_dropped);
DROP SCHEMA ddl CASCADE;
DROP ROLE s3v_ddl_one, s3v_ddl_two;

-- A capture trigger replaced by its owner, and child tables that come later: never silently wrong.
CREATE TABLE replaced (id bigint PRIMARY KEY, v real[]);
INSERT INTO replaced SELECT i, ARRAY[i, 1]::real[] FROM generate_series(1, 20) i;
SELECT s3v_create_index('replaced_s3v', 'replaced', 'v', metric => 'l2');
CREATE OR REPLACE TRIGGER s3v_capture AFTER DELETE ON replaced FOR EACH ROW EXECUTE FUNCTION s3v_capture();
INSERT INTO replaced VALUES (100, '{100,1}');
SET client_min_messages = error;
SELECT count(*) AS all_rows FROM s3v_query('replaced_s3v', '[0,0]', 1000);
RESET client_min_messages;
SELECT state FROM s3v_indexes WHERE index = 'replaced_s3v'::regclass;
DROP TABLE replaced;
CREATE TABLE parent (id bigint PRIMARY KEY, v real[]);
INSERT INTO parent SELECT i, ARRAY[i, 1]::real[] FROM generate_series(1, 20) i;
SELECT s3v_create_index('parent_s3v', 'parent', 'v', metric => 'l2');
CREATE TABLE child () INHERITS (parent);
SELECT count(*) FROM s3v_query('parent_s3v', '[0,0]', 1000);
SELECT version FROM s3v_sync('parent', 'rebuild');
DROP TABLE child;
SET client_min_messages = error;
SELECT version FROM s3v_sync('parent', 'rebuild');
SELECT count(*) FROM s3v_query('parent_s3v', '[0,0]', 1000);
RESET client_min_messages;
DROP TABLE parent;

-- One command after the other, each with what becomes of the index: followed, stale, or refused by whom; and the answers are those of the table.
CREATE SCHEMA ddl;
CREATE ROLE s3v_ddl_three;
GRANT ALL ON SCHEMA ddl TO s3v_ddl_three;
CREATE TABLE ddl.rest (id int PRIMARY KEY, v real[], price int, twice int GENERATED ALWAYS AS (price * 2) STORED, other text);
INSERT INTO ddl.rest (id, v, price) SELECT i, ARRAY[i, 1], i % 10 FROM generate_series(1, 50) i;
SELECT s3v_create_index('rest_s3v', 'ddl.rest', 'v', metric => 'l2', metadata => '{price,twice}');
CREATE FUNCTION public.becomes(command text) RETURNS text LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    source_id regclass;
    idx regclass;
    result text;
    differ bigint;
BEGIN
    SELECT i.source, i.index_id INTO source_id, idx FROM s3v.index i JOIN pg_class c ON i.index_id = c.oid WHERE c.relname LIKE 'rest\_s3v%';
    BEGIN
        EXECUTE command;
    EXCEPTION WHEN OTHERS THEN
        RETURN 'refused by the server, ' || SQLSTATE;
    END;
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = source_id) THEN RETURN 'gone'; END IF;
    SELECT 'stale: ' || string_agg(reason, ', ') INTO result FROM s3v.stale s WHERE s.index_id = idx;
    EXECUTE format('UPDATE %s SET price = price + 1 WHERE id = 7', source_id);
    EXECUTE format('SELECT count(*) FROM (SELECT id::text AS key, price FROM %s) d FULL JOIN
        (SELECT key, (metadata->>''price'')::int AS price FROM s3v_query(%L, ''[3,1]'', 1000)) h USING (key, price) WHERE d IS NULL OR h IS NULL',
        source_id, idx) INTO differ;
    IF differ > 0 THEN result := 'WRONG'; END IF;
    BEGIN
        PERFORM s3v_sync(source_id, 'reconcile');
    EXCEPTION WHEN OTHERS THEN
        RETURN coalesce(result, 'followed') || '; a sync refuses: ' || SQLERRM;
    END;
    RETURN coalesce(result, 'followed');
END $$;
CREATE TABLE ddl.commands (no serial, command text);
COPY ddl.commands (command) FROM stdin;
ALTER TABLE ddl.rest ADD COLUMN more int DEFAULT 3
ALTER TABLE ddl.rest DROP COLUMN more
ALTER TABLE ddl.rest ALTER other TYPE varchar(10)
ALTER TABLE ddl.rest ALTER price SET STATISTICS 50, ALTER price SET (n_distinct = 10), SET (fillfactor = 90)
ALTER TABLE ddl.rest ALTER twice DROP EXPRESSION
ALTER TABLE ddl.rest REPLICA IDENTITY FULL
ALTER TABLE ddl.rest SET TABLESPACE pg_default
ALTER TABLE ddl.rest SET ACCESS METHOD heap
ALTER TABLE ddl.rest CLUSTER ON rest_pkey
CLUSTER ddl.rest
ALTER INDEX ddl.rest_pkey RENAME TO rest_key
ALTER TABLE ddl.rest RENAME CONSTRAINT rest_key TO rest_pkey
COMMENT ON TABLE ddl.rest IS 'a source'
ALTER FOREIGN TABLE rest_s3v RENAME TO rest_s3v_2
ALTER FOREIGN TABLE rest_s3v_2 SET SCHEMA public
ALTER SCHEMA ddl RENAME TO ddl_new
ALTER SCHEMA ddl_new RENAME TO ddl
ALTER TABLE ddl.rest RENAME twice TO double
CREATE UNIQUE INDEX rest_second ON ddl.rest (id)
ALTER TABLE ddl.rest DROP CONSTRAINT rest_pkey
ALTER TABLE ddl.rest ALTER id DROP NOT NULL
ALTER TABLE ddl.rest ADD CONSTRAINT rest_pkey PRIMARY KEY USING INDEX rest_second
ALTER TABLE ddl.rest ENABLE ROW LEVEL SECURITY
ALTER TABLE ddl.rest DISABLE ROW LEVEL SECURITY
ALTER TABLE ddl.rest OWNER TO s3v_ddl_three
ALTER TABLE ddl.rest ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY
ALTER TABLE ddl.rest DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY
REASSIGN OWNED BY s3v_ddl_three TO CURRENT_USER
ALTER TABLE ddl.rest SET UNLOGGED
ALTER TABLE ddl.rest SET LOGGED
ALTER TABLE ddl.rest ALTER price TYPE bigint
ALTER TABLE ddl.rest ALTER v TYPE double precision[]
ALTER TABLE ddl.rest ALTER id TYPE bigint
ALTER TABLE ddl.rest DISABLE TRIGGER s3v_capture_truncate
ALTER TABLE ddl.rest ENABLE ALWAYS TRIGGER s3v_capture_truncate
ALTER EXTENSION s3v SET SCHEMA ddl
DROP FUNCTION s3v_capture()
DROP TRIGGER s3v_capture ON ddl.rest
DROP SCHEMA ddl
DROP SCHEMA ddl CASCADE
\.
DO $$
DECLARE
    one record;
    result text;
BEGIN
    FOR one IN SELECT * FROM ddl.commands ORDER BY no LOOP
        result := public.becomes(one.command);
        RAISE WARNING '%: %', one.command, result;
        COMMIT;
    END LOOP;
END $$;
SELECT count(*) FROM s3v.index WHERE index_id::regclass::text LIKE '%rest%';
DROP FUNCTION public.becomes;
DROP ROLE s3v_ddl_three;
