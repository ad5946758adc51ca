-- s3v_check: what the log explains is pending, what it does not is drift; damage in the store is found, and all of it is mended.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set VERBOSITY terse
CREATE TABLE docs (id bigint PRIMARY KEY, note text, tag text, price numeric, v real[]);
INSERT INTO docs SELECT i, 'note', 't' || i % 3, i / 10.0, ARRAY[i, 1]::real[] FROM generate_series(-50, 200) i;
INSERT INTO docs VALUES (500, 'no vector', 't', 1, NULL);
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{tag,price}', options => '{"build": false}');
SELECT * FROM s3v_check('docs');
SELECT count(*) FROM s3v_sync('docs');
SELECT * FROM s3v_check('docs');

-- pending: distinct keys, under the statement's snapshot; a check changes nothing
INSERT INTO docs VALUES (201, '', 't', 1, '{201,1}'), (202, '', 't', 1, '{202,1}'), (501, '', 't', 1, NULL);
UPDATE docs SET v = '{0,0}' WHERE id IN (-50, 201);
DELETE FROM docs WHERE id = 5;
UPDATE docs SET note = 'not carried' WHERE id = 6;
SELECT * FROM s3v_check('docs');
BEGIN READ ONLY;
SELECT * FROM s3v_check();
COMMIT;
BEGIN;
UPDATE docs SET price = 0 WHERE id = 100;
SELECT * FROM s3v_check('docs');
SAVEPOINT s;
DELETE FROM docs WHERE id > 100;
SELECT * FROM s3v_check('docs');
ROLLBACK TO s;
SELECT * FROM s3v_check('docs');
ROLLBACK;
SELECT version, upserted, deleted FROM s3v_sync('docs');
SELECT * FROM s3v_check('docs');

-- drift: what triggers did not see; rows that are pending as well are not counted twice
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
INSERT INTO docs SELECT i, '', 't', 1, ARRAY[i, 1] FROM generate_series(301, 307) i;
UPDATE docs SET v = ARRAY[id, 2] WHERE id BETWEEN 11 AND 13;
UPDATE docs SET tag = 'other' WHERE id = 14;
UPDATE docs SET price = price + 1 WHERE id = 15;
UPDATE docs SET price = NULL WHERE id = 16;
UPDATE docs SET note = 'not carried' WHERE id = 17;
UPDATE docs SET v = NULL WHERE id = 18;
UPDATE docs SET id = 400 WHERE id = 19;
DELETE FROM docs WHERE id IN (-49, 20, 200);
UPDATE docs SET v = '{500,1}' WHERE id = 500;
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
SELECT * FROM s3v_check('docs');
UPDATE docs SET price = 7 WHERE id IN (11, 301, 30);
INSERT INTO docs VALUES (20, 'again', 't', 1, '{20,1}');
SELECT * FROM s3v_check('docs');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM s3v_check('docs');
SELECT state, rows, skipped, pending FROM s3v_indexes;
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[304,1]', 7);
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');

-- TRUNCATE: all rows that are there now are pending
TRUNCATE docs;
INSERT INTO docs SELECT i, 'note', 't' || i % 3, i / 10.0, ARRAY[i, 1]::real[] FROM generate_series(1, 100) i;
SELECT * FROM s3v_check('docs');
SELECT upserted FROM s3v_sync('docs');
SELECT * FROM s3v_check('docs');

-- a row that the index cannot take came past the triggers: its key is named; with all tables the others are checked
CREATE TABLE names (name text PRIMARY KEY, v real[]);
SELECT s3v_create_index('names_s3v', 'names', 'v', options => '{"dimensions": 2}');
INSERT INTO names VALUES ('', '{1,1}'), ('a', '{1,2}'), ('ab', '{1,3}'), ('b', '{1,4}'), ('Ä', '{1,5}'), ('zero', '{0,0}'), ('z' || repeat('z', 5000), '{1,6}');
SELECT upserted FROM s3v_sync('names');
SELECT * FROM s3v_check('names');
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
INSERT INTO docs VALUES (101, '', 't', 1, '{1,2,3}');
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
\set VERBOSITY default
SELECT * FROM s3v_check('docs');
SELECT * FROM s3v_check();
\set VERBOSITY terse
DELETE FROM docs WHERE id = 101;
SELECT count(*) FROM s3v_sync('docs', 'reconcile');

-- order of keys: text by bytes, uuid, each kind of drift at the ends and in between
ALTER TABLE names DISABLE TRIGGER s3v_capture;
INSERT INTO names VALUES ('aa', '{2,1}'), ('ß', '{2,2}'), ('zz', '{2,3}');
DELETE FROM names WHERE name IN ('', 'Ä');
UPDATE names SET v = '{3,1}' WHERE name IN ('ab', 'zero');
ALTER TABLE names ENABLE ALWAYS TRIGGER s3v_capture;
SELECT * FROM s3v_check('names');
SELECT upserted, deleted FROM s3v_sync('names', 'reconcile');
SELECT * FROM s3v_check('names');
CREATE TABLE things (id uuid PRIMARY KEY, v float8[]);
INSERT INTO things SELECT md5(i::text)::uuid, ARRAY[i / 3.0, 1] FROM generate_series(1, 100) i;
SELECT s3v_create_index('things_l2', 'things', 'v', metric => 'l2', options => '{"raw": "f16"}');
SELECT s3v_create_index('things_ip', 'things', 'v', metric => 'ip', options => '{"soar": "on", "lists": 4}');
SELECT * FROM s3v_check('things') ORDER BY index::text;
ALTER TABLE things DISABLE TRIGGER s3v_capture;
DELETE FROM things WHERE v[1] < 3;
INSERT INTO things SELECT md5(i::text)::uuid, ARRAY[i / 3.0, 1] FROM generate_series(101, 104) i;
ALTER TABLE things ENABLE ALWAYS TRIGGER s3v_capture;
SELECT * FROM s3v_check('things') ORDER BY index::text;
SELECT upserted, deleted FROM s3v_sync('things', 'reconcile') ORDER BY index::text;
SELECT * FROM s3v_check() ORDER BY index::text;

-- a flipped byte, in every kind of object; a missing one
CREATE FUNCTION object_path(wanted regclass, kind text) RETURNS text LANGUAGE sql AS $$
    SELECT 's3v/' || uuid || CASE kind
        WHEN 'manifest' THEN '/manifest/' || manifest
        WHEN 'base' THEN '/nav/' || base
        WHEN 'delta' THEN '/nav/' || deltas[1]
        WHEN 'segment' THEN '/segment/' || (SELECT min(f) FROM pg_ls_dir('s3v/' || uuid || '/segment') f) END
    FROM s3v.index JOIN s3v.version USING (index_id) WHERE index_id = wanted $$;
CREATE FUNCTION flip_byte(path text, place float) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bytes bytea := pg_read_binary_file(path);
    at int := floor((length(bytes) - 1) * place);
    large oid;
BEGIN
    large := lo_from_bytea(0, set_byte(bytes, at, get_byte(bytes, at) # 64));
    PERFORM lo_export(large, path), lo_unlink(large);
END $$;
CREATE FUNCTION remove_file(path text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; rm ' || path);
END $$;
CREATE FUNCTION findings(kind text, place float) RETURNS TABLE (pending bigint, missing bigint, orphaned bigint, stale bigint, corrupt bigint)
LANGUAGE plpgsql AS $$
DECLARE
    path text := object_path('docs_s3v', kind);
BEGIN
    PERFORM flip_byte(path, place);
    RETURN QUERY SELECT c.pending, c.missing, c.orphaned, c.stale, c.corrupt FROM s3v_check('docs') c;
    PERFORM flip_byte(path, place);
END $$;
SELECT upserted FROM s3v_sync('docs', 'rebuild');
SELECT deleted > 0 AS tidied FROM s3v_gc('s3v_local', '0');
SET client_min_messages = error;
SELECT kind, count(*) AS flips, pending, missing, orphaned, stale, corrupt
FROM unnest('{manifest,base,delta,segment}'::text[]) WITH ORDINALITY k(kind, n), generate_series(0, 1, 0.0625) place, findings(kind, place)
GROUP BY n, kind, pending, missing, orphaned, stale, corrupt ORDER BY n;
SET client_min_messages = warning;
SELECT * FROM s3v_check('docs');

-- a damaged segment is mended from the source, with a row that is pending; so is one that is gone
SELECT flip_byte(object_path('docs_s3v', 'segment'), 0.5);
UPDATE docs SET price = 8 WHERE id = 1;
SELECT * FROM s3v_check('docs');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM s3v_check('docs');
SELECT upserted FROM s3v_sync('docs', 'rebuild');
SELECT deleted > 0 AS tidied FROM s3v_gc('s3v_local', '0');
SELECT remove_file(object_path('docs_s3v', 'segment'));
SELECT * FROM s3v_check('docs');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM s3v_check('docs');
SELECT array_agg(key) FROM s3v_query('docs_s3v', '[50,1]', 5, options => '{"on_missing": "error"}');

-- nothing of the version can be read: all rows are missing, and a build mends it
SELECT flip_byte(object_path('docs_s3v', 'base'), 0.5);
SELECT * FROM s3v_check('docs');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM s3v_check('docs');
SELECT remove_file(object_path('docs_s3v', 'manifest'));
UPDATE docs SET price = 9 WHERE id = 1;
SELECT * FROM s3v_check('docs');
SELECT upserted, deleted FROM s3v_sync('docs', 'reconcile');
SELECT * FROM s3v_check();

-- inside the statement that writes, rows are there before their log rows
CREATE FUNCTION check_now() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM s3v_check(TG_RELID);
    RETURN NULL;
END $$;
CREATE TRIGGER a_first AFTER INSERT ON docs FOR EACH ROW EXECUTE FUNCTION check_now();
INSERT INTO docs VALUES (102, '', 't', 1, '{1,1}');
DROP TRIGGER a_first ON docs;

-- rights are those of a query; with all tables, what the caller may not read is left out
CREATE ROLE s3v_check_reader;
CREATE ROLE s3v_check_clerk;
GRANT SELECT ON docs_s3v, names_s3v TO s3v_check_reader, s3v_check_clerk;
GRANT SELECT ON docs TO s3v_check_reader;
GRANT SELECT (id, v, tag), SELECT (note) ON docs TO s3v_check_clerk;
GRANT SELECT (name, v) ON names TO s3v_check_clerk;
SET ROLE s3v_check_reader;
SELECT index FROM s3v_check('docs');
SELECT index FROM s3v_check('names');
SELECT index FROM s3v_check();
SET ROLE s3v_check_clerk;
SELECT index FROM s3v_check('docs');
SELECT index FROM s3v_check('names');
SELECT index FROM s3v_check();
RESET ROLE;
REVOKE SELECT ON names_s3v FROM s3v_check_clerk;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY low ON docs USING (id < 10);
\set VERBOSITY default
SET ROLE s3v_check_clerk;
SELECT index FROM s3v_check('names');
SELECT index FROM s3v_check();
SET ROLE s3v_check_reader;
SELECT index FROM s3v_check('docs');
SELECT index FROM s3v_check();
RESET ROLE;
SELECT index FROM s3v_check('docs');

-- a key that is there twice, which its constraint can no longer prevent, counts once
CREATE TABLE twice (id int PRIMARY KEY, v real[]);
INSERT INTO twice SELECT i, ARRAY[i, 1] FROM generate_series(1, 5) i;
SELECT s3v_create_index('twice_s3v', 'twice', 'v');
ALTER TABLE twice DROP CONSTRAINT twice_pkey;
ALTER TABLE twice DISABLE TRIGGER s3v_capture;
INSERT INTO twice VALUES (3, '{3,1}'), (7, '{7,1}'), (7, '{7,1}');
DELETE FROM twice WHERE id = 5;
INSERT INTO twice SELECT * FROM twice WHERE id = 4;
SELECT * FROM s3v_check('twice');

-- what is no source
CREATE TABLE plain (id int);
SELECT * FROM s3v_check('plain');
SELECT * FROM s3v_check('docs_s3v');
SELECT * FROM s3v_check(1);
DROP TABLE docs, names, things, twice, plain CASCADE;
SELECT * FROM s3v_check();
DROP FUNCTION object_path, flip_byte, remove_file, findings, check_now;
DROP ROLE s3v_check_reader, s3v_check_clerk;
