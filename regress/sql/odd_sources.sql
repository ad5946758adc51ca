-- Sources that are not plain tables of plain columns, and what becomes of an index when what it needs is renamed, dropped or belongs to others: exact, stale or
-- refused, never wrong.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION wrong(index_id regclass, source regclass) RETURNS text LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT count(*) || '' wrong of '' || count(d.id) FROM (SELECT id, v FROM %s WHERE v IS NOT NULL) d FULL JOIN s3v_query(%L, ''[0,0]'', 1000, options => ''{"probes": 1000, "on_missing": "error"}'') h ON h.key = d.id::text
        WHERE d.id IS NULL OR h.key IS NULL OR h.distance <> sqrt(d.v[1]::float8 ^ 2 + d.v[2]::float8 ^ 2)', source, index_id) INTO result;
    EXECUTE format('SELECT split_part(%L, '' '', 1) || '' wrong of '' || count(v) FROM %s', result, source) INTO result;
    RETURN result;
END $$;
CREATE FUNCTION synced(source regclass) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT string_agg(upserted || ' upserted, ' || deleted || ' deleted', '; ' ORDER BY index::text) FROM s3v_sync(source));
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- ---- keys that are generated, defaulted, identities, domains, null ----------------------------------------------------------

CREATE TABLE generated (n int, id int GENERATED ALWAYS AS (n * 2) STORED PRIMARY KEY, raw float8[], v real[] GENERATED ALWAYS AS (raw::real[]) STORED);
INSERT INTO generated (n, raw) SELECT i, ARRAY[i, 1] FROM generate_series(1, 20) i;
SELECT s3v_create_index('generated_s3v', 'generated', 'v', metric => 'l2');
UPDATE generated SET n = 100 WHERE n = 3;
UPDATE generated SET raw = '{50,50}' WHERE n = 4;
INSERT INTO generated (n, raw) VALUES (200, '{2,2}'), (201, NULL);
SELECT wrong('generated_s3v', 'generated');
SELECT synced('generated'), wrong('generated_s3v', 'generated');
SELECT key FROM s3v_query('generated_s3v', '[3,1]', 1, keys => '{200}');
CREATE TABLE identities (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v real[]);
SELECT s3v_create_index('identities_s3v', 'identities', 'v', metric => 'l2', options => '{"dimensions": 2}');
INSERT INTO identities (v) SELECT ARRAY[i, 1] FROM generate_series(1, 20) i;
INSERT INTO identities (id, v) OVERRIDING SYSTEM VALUE VALUES (-5, '{0,1}');
SELECT wrong('identities_s3v', 'identities'), synced('identities');
SELECT wrong('identities_s3v', 'identities');
CREATE TABLE unique_only (id int UNIQUE, v real[]);
INSERT INTO unique_only VALUES (NULL, '{1,1}'), (1, '{1,2}');
SELECT s3v_create_index('x', 'unique_only', 'v', key_column => 'id');
CREATE TABLE never_null (id int UNIQUE CHECK (id IS NOT NULL), v real[]);
SELECT s3v_create_index('x', 'never_null', 'v', key_column => 'id');
CREATE TABLE included (id int, w int, v real[], PRIMARY KEY (id) INCLUDE (w));
INSERT INTO included VALUES (1, 1, '{1,1}');
SELECT s3v_create_index('included_s3v', 'included', 'v', metric => 'l2');
UPDATE included SET w = 2;
SELECT wrong('included_s3v', 'included'), synced('included');
CREATE TABLE expressions (id int NOT NULL, v real[]);
CREATE UNIQUE INDEX ON expressions ((id + 0));
SELECT s3v_create_index('x', 'expressions', 'v', key_column => 'id');
CREATE TABLE excluded_keys (id int NOT NULL, v real[], EXCLUDE USING btree (id WITH =));
SELECT s3v_create_index('x', 'excluded_keys', 'v', key_column => 'id');
DROP TABLE generated, identities, unique_only, never_null, included, expressions, excluded_keys;

-- ---- rules, views, triggers that change or swallow rows, foreign tables, partitions of foreign tables -----------------------

CREATE TABLE docs (id int PRIMARY KEY, v real[], note text);
INSERT INTO docs SELECT i, ARRAY[i, 1], '' FROM generate_series(1, 20) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2');
CREATE VIEW seen AS SELECT id, v FROM docs WHERE id < 1000;
INSERT INTO seen VALUES (21, '{21,1}');
UPDATE seen SET v = '{0,1}' WHERE id = 5;
DELETE FROM seen WHERE id = 6;
SELECT wrong('docs_s3v', 'docs');
CREATE RULE further AS ON INSERT TO docs DO ALSO UPDATE docs SET v = ARRAY[id, 5] WHERE id IN (NEW.id, NEW.id - 20);
CREATE RULE keep AS ON DELETE TO docs WHERE OLD.id = 7 DO INSTEAD UPDATE docs SET v = '{70,70}' WHERE id = OLD.id;
INSERT INTO docs VALUES (22, '{22,1}'), (23, '{23,1}');
DELETE FROM docs WHERE id IN (7, 8);
SELECT count(*) AS rows, wrong('docs_s3v', 'docs') FROM docs;
SELECT synced('docs'), wrong('docs_s3v', 'docs');
DROP RULE further ON docs;
DROP RULE keep ON docs;
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN OLD.id = 9 THEN NULL ELSE OLD END;
    END IF;
    IF NEW.note = 'nothing' THEN RETURN NULL; END IF;
    IF NEW.note = 'other key' THEN NEW.id := NEW.id + 500; END IF;
    IF NEW.note = 'other vector' THEN NEW.v := ARRAY[NEW.id, 77]; END IF;
    IF NEW.note = 'no vector' THEN NEW.v := NULL; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER change BEFORE INSERT OR UPDATE OR DELETE ON docs FOR EACH ROW EXECUTE FUNCTION change();
INSERT INTO docs SELECT 100 + n, ARRAY[100 + n, 1], w FROM unnest('{nothing,other key,other vector,no vector}'::text[]) WITH ORDINALITY u (w, n);
UPDATE docs SET note = 'nothing', v = '{9,9}' WHERE id = 10;
UPDATE docs SET note = 'other key' WHERE id = 11;
UPDATE docs SET note = 'other vector' WHERE id = 12;
UPDATE docs SET note = 'no vector' WHERE id = 13;
DELETE FROM docs WHERE id IN (9, 14);
SELECT wrong('docs_s3v', 'docs');
SELECT synced('docs'), wrong('docs_s3v', 'docs');
-- another AFTER trigger that writes to the source again
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 4 THEN UPDATE docs SET v = ARRAY[v[1] + 1, 3] WHERE id = 1; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER again AFTER UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION again();
CREATE TRIGGER a_again AFTER UPDATE ON docs FOR EACH STATEMENT EXECUTE FUNCTION again();
UPDATE docs SET v = ARRAY[v[1], 2] WHERE id = 2;
SELECT wrong('docs_s3v', 'docs');
SELECT synced('docs'), wrong('docs_s3v', 'docs');
DROP TABLE docs CASCADE;
DROP FUNCTION change, again;
CREATE FOREIGN DATA WRAPPER s3v_regress_wrapper;
CREATE SERVER s3v_regress_far FOREIGN DATA WRAPPER s3v_regress_wrapper;
CREATE FOREIGN TABLE far (id int NOT NULL, v real[]) SERVER s3v_regress_far;
SELECT s3v_create_index('x', 'far', 'v', key_column => 'id', options => '{"dimensions": 2}');
DROP FOREIGN DATA WRAPPER s3v_regress_wrapper CASCADE;
CREATE SEQUENCE numbers;
SELECT s3v_create_index('x', 'numbers', 'last_value', key_column => 'log_cnt');
CREATE TYPE composite AS (id int, v real[]);
SELECT s3v_create_index('x', 'composite', 'v', key_column => 'id');
DROP SEQUENCE numbers;
DROP TYPE composite;

-- ---- columns that the index cannot do without --------------------------------------------------------------------------------

CREATE TABLE docs (id int PRIMARY KEY, v real[], price int, second int UNIQUE NOT NULL);
INSERT INTO docs SELECT i, ARRAY[i, 1], i, i FROM generate_series(1, 20) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{price}');
SELECT s3v_create_index('second_s3v', 'docs', 'v', metric => 'l2', key_column => 'second');
CREATE FUNCTION told(index_id regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    RETURN (SELECT count(*) FROM s3v_query(index_id, '[1,1]', 5)) || ' hits';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' / ', SQLSTATE, SQLERRM, hint);
END $$;
SET client_min_messages = error;
BEGIN;
ALTER TABLE docs DROP COLUMN v;
SELECT index, state FROM s3v_indexes ORDER BY index::text;
SELECT told('docs_s3v'), synced('docs');
INSERT INTO docs (id, second) VALUES (100, 100);
ROLLBACK;
SELECT told('docs_s3v'), wrong('docs_s3v', 'docs');
BEGIN;
ALTER TABLE docs DROP COLUMN id;
SELECT index, state FROM s3v_indexes ORDER BY index::text;
SELECT told('docs_s3v'), told('second_s3v'), synced('docs');
INSERT INTO docs (v, second) VALUES ('{1,1}', 100);
ROLLBACK;
-- dropped and made again by the same name: another column
BEGIN;
ALTER TABLE docs DROP COLUMN v, ADD COLUMN v real[] DEFAULT '{5,5}';
SELECT told('docs_s3v'), synced('docs');
ROLLBACK;
BEGIN;
ALTER TABLE docs ALTER v TYPE text USING v::text;
SELECT told('docs_s3v'), synced('docs');
ROLLBACK;
-- other dimensions: all rows change at once, unseen by row triggers; what does not fit is named
BEGIN;
ALTER TABLE docs ALTER v TYPE real[] USING v || '{1}'::real[];
SELECT index, state FROM s3v_indexes ORDER BY index::text;
SELECT told('docs_s3v'), synced('docs');
ROLLBACK;
RESET client_min_messages;
SELECT wrong('docs_s3v', 'docs'), synced('docs');
DROP FOREIGN TABLE second_s3v;

-- ---- roles -------------------------------------------------------------------------------------------------------------------

CREATE ROLE s3v_odd_owner;
CREATE ROLE s3v_odd_heir;
CREATE ROLE s3v_odd_reader;
ALTER TABLE docs OWNER TO s3v_odd_owner;
ALTER FOREIGN TABLE docs_s3v OWNER TO s3v_odd_owner;
GRANT SELECT ON docs, docs_s3v TO s3v_odd_reader;
ALTER ROLE s3v_odd_owner RENAME TO s3v_odd_boss;
ALTER ROLE s3v_odd_reader RENAME TO s3v_odd_guest;
UPDATE docs SET price = 5 WHERE id < 5;
GRANT EXECUTE ON FUNCTION s3v_sync TO s3v_odd_boss, s3v_odd_heir;
SET ROLE s3v_odd_boss;
SELECT synced('docs'), wrong('docs_s3v', 'docs');
RESET ROLE;
SET ROLE s3v_odd_guest;
SELECT wrong('docs_s3v', 'docs');
RESET ROLE;
\set VERBOSITY terse
DROP ROLE s3v_odd_boss;
\set VERBOSITY default
REASSIGN OWNED BY s3v_odd_boss TO s3v_odd_heir;
DROP OWNED BY s3v_odd_boss;
DROP ROLE s3v_odd_boss;
UPDATE docs SET price = 6 WHERE id < 5;
SET ROLE s3v_odd_heir;
SELECT synced('docs'), wrong('docs_s3v', 'docs');
RESET ROLE;
SELECT state, pending FROM s3v_indexes;
DROP OWNED BY s3v_odd_heir;
SELECT count(*) AS indexes FROM s3v_indexes;
DROP OWNED BY s3v_odd_guest;
DROP ROLE s3v_odd_heir, s3v_odd_guest;
DROP FUNCTION wrong, synced, told;
