-- One clear error with SQLSTATE and hint for everything that cannot be; nothing is left behind.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE docs (id bigint PRIMARY KEY, other integer, nullable integer UNIQUE, title text, v real[], wide real[], doc xml);
INSERT INTO docs SELECT i, i, i, 'title ' || i, ARRAY[i, 1, 2]::real[], ARRAY[1]::real[] FROM generate_series(1, 20) i;

-- creating: the source
SELECT s3v_create_index('x', 'nosuch', 'v');
CREATE VIEW a_view AS SELECT * FROM docs;
SELECT s3v_create_index('x', 'a_view', 'v');
CREATE MATERIALIZED VIEW a_matview AS SELECT id, v FROM docs;
SELECT s3v_create_index('x', 'a_matview', 'v');
CREATE TEMP TABLE a_temp (id bigint PRIMARY KEY, v real[]);
SELECT s3v_create_index('x', 'a_temp', 'v');
CREATE UNLOGGED TABLE an_unlogged (id bigint PRIMARY KEY, v real[]);
SELECT s3v_create_index('x', 'an_unlogged', 'v');
CREATE TABLE parts (id bigint PRIMARY KEY, v real[]) PARTITION BY RANGE (id);
CREATE TABLE parts_by_day (id bigint, day date, v real[], PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
SELECT s3v_create_index('x', 'parts_by_day', 'v');
SELECT s3v_create_index('x', 'parts_by_day', 'v', key_column => 'id');
CREATE TABLE a_part PARTITION OF parts FOR VALUES FROM (1) TO (10);
SELECT s3v_create_index('x', 'a_part', 'v');
CREATE TABLE parent (id bigint PRIMARY KEY, v real[]);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT s3v_create_index('x', 'parent', 'v');
SELECT s3v_create_index('x', 'child', 'v');
SELECT s3v_create_index('x', 'pg_class', 'relacl');
SELECT s3v_create_index('x', 'docs_pkey', 'v');

-- creating: key, vector, metadata
CREATE TABLE keyless (id bigint, v real[]);
SELECT s3v_create_index('x', 'keyless', 'v');
CREATE TABLE two_keys (a int, b int, v real[], PRIMARY KEY (a, b));
SELECT s3v_create_index('x', 'two_keys', 'v');
SELECT s3v_create_index('x', 'two_keys', 'v', key_column => 'a');
SELECT s3v_create_index('x', 'docs', 'v', key_column => 'other');
SELECT s3v_create_index('x', 'docs', 'v', key_column => 'nullable');
SELECT s3v_create_index('x', 'docs', 'v', key_column => 'nosuch');
CREATE TABLE late_key (id bigint NOT NULL UNIQUE DEFERRABLE, v real[]);
SELECT s3v_create_index('x', 'late_key', 'v', key_column => 'id');
CREATE TABLE some_keys (id bigint NOT NULL, v real[]);
CREATE UNIQUE INDEX ON some_keys (id) WHERE id > 0;
SELECT s3v_create_index('x', 'some_keys', 'v', key_column => 'id');
CREATE TABLE float_key (id float8 PRIMARY KEY, v real[]);
SELECT s3v_create_index('x', 'float_key', 'v');
CREATE COLLATION loose (provider = icu, locale = 'und', deterministic = false);
CREATE TABLE loose_key (id text COLLATE loose PRIMARY KEY, v real[]);
SELECT s3v_create_index('x', 'loose_key', 'v');
SELECT s3v_create_index('x', 'docs', 'nosuch');
SELECT s3v_create_index('x', 'docs', 'title');
SELECT s3v_create_index('x', 'docs', 'v', metadata => '{nosuch}');
SELECT s3v_create_index('x', 'docs', 'v', metadata => '{title,title}');
SELECT s3v_create_index('x', 'docs', 'v', metadata => '{doc}');
SELECT s3v_create_index('x', 'docs', 'v', metadata => '{v}');

-- creating: metric, dimensions, options, server, name
SELECT s3v_create_index('x', 'docs', 'v', metric => 'manhattan');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"probe": 5}');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"lists": "many"}');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"recall": 2}');
SELECT s3v_create_index('x', 'docs', 'v', options => '[1]');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"dimensions": 0}');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"dimensions": 16001}');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"dimensions": 4}');
CREATE TABLE empty (id bigint PRIMARY KEY, v real[]);
SELECT s3v_create_index('x', 'empty', 'v');
SELECT s3v_create_index('x', 'docs', 'v', server => 'nosuch');
CREATE FOREIGN DATA WRAPPER other;
CREATE SERVER other FOREIGN DATA WRAPPER other;
SELECT s3v_create_index('x', 'docs', 'v', server => 'other');
SELECT s3v_create_index('docs', 'docs', 'v');
SELECT s3v_create_index('nosuch.x', 'docs', 'v');
SELECT s3v_create_index(NULL, 'docs', 'v');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT s3v_create_index('x', 'docs', 'v');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT s3v_create_index('x', 'docs', 'v', options => '{"build": false}');
ROLLBACK;
BEGIN READ ONLY;
SELECT s3v_create_index('x', 'docs', 'v');
ROLLBACK;

-- creating: rows that the index cannot take are named
INSERT INTO docs (id, v) VALUES (101, '{1,2}'), (102, '{1,2,NaN}'), (103, '{1,2,Infinity}'), (104, '{1,NULL,2}'), (105, '{{1,2,3}}');
SELECT s3v_create_index('x', 'docs', 'v');
DELETE FROM docs WHERE id > 101;
SELECT s3v_create_index('x', 'docs', 'v');
SELECT s3v_create_index('x', 'docs', 'v', options => '{"build": false}');
SELECT version FROM s3v_sync('docs');
SELECT count(*) FROM s3v_query('x', '[1,2,3]', 100);
DELETE FROM docs WHERE id = 101;
SELECT version FROM s3v_sync('docs');
DROP FOREIGN TABLE x;

-- nothing is left behind by any of these
SELECT count(*) AS indexes FROM s3v.index;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'docs'::regclass;
SELECT relname FROM pg_class WHERE relnamespace = 's3v'::regnamespace AND relname LIKE 'log%' AND relkind = 'r';

-- writing: bad rows are refused as a pgvector index would refuse them
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metadata => '{title}');
INSERT INTO docs (id, v) VALUES (200, '{1,2}');
INSERT INTO docs (id, v) VALUES (201, '{1,2,3}'), (202, '{1,NaN,3}');
UPDATE docs SET v = '{1,2,Infinity}' WHERE id = 3;
UPDATE docs SET v = v || '{1}' WHERE id = 3;
INSERT INTO docs (id, v) VALUES (203, NULL), (204, '{0,0,0}');

-- asking: the vector
SELECT * FROM s3v_query('docs_s3v', '[1,2]');
SELECT * FROM s3v_query('docs_s3v', '[]');
SELECT * FROM s3v_query('docs_s3v', '[1,2,NaN]');
SELECT * FROM s3v_query('docs_s3v', ARRAY[1, 2, 'infinity'::float8]);
SELECT * FROM s3v_query('docs_s3v', '[0,0,0]');
SELECT * FROM s3v_query('docs_s3v', '{{1,2,3}}'::real[]);
SELECT * FROM s3v_query('docs_s3v', '{1,NULL,3}'::real[]);
SELECT * FROM s3v_query('docs_s3v', 'one two three');
SELECT * FROM s3v_query('docs_s3v', true);
-- asking: k, keys, filter, options, index
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', 0);
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', -1);
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', NULL);
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', 2147483647);
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', keys => '{one}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', filter => '{}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', filter => '{"nosuch": 1}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', filter => '{"title": {"$like": "t%"}}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', filter => '{"$not": {"title": "t"}}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', filter => '"title"');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', options => '{"probes": -1}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', options => '{"nprobe": 1}');
SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', options => '{"consistency": "sometimes"}');
SELECT * FROM s3v_query('docs', '[1,2,3]');
SELECT * FROM s3v_query(0, '[1,2,3]');
SELECT * FROM s3v_query(NULL, '[1,2,3]');
SELECT * FROM s3v_query_as('docs_s3v', NULL::integer, '[1,2,3]', 1);
SELECT * FROM s3v_query_as('docs_s3v', NULL::date, '[1,2,3]', 1);
-- the index is no table
SELECT * FROM docs_s3v;
INSERT INTO docs_s3v (id) VALUES (1);
UPDATE docs_s3v SET title = 'x';
DELETE FROM docs_s3v;
CREATE FOREIGN TABLE by_hand (id bigint, v real[]) SERVER s3v_local;
SELECT * FROM s3v_query('by_hand', '[1,2,3]');
-- syncing
SELECT * FROM s3v_sync('docs_s3v');
SELECT * FROM s3v_sync('keyless');
SELECT * FROM s3v_sync('docs', 'sometimes');
SELECT * FROM s3v_sync('docs', options => '{"hurry": true}');
BEGIN READ ONLY;
SELECT * FROM s3v_sync('docs');
ROLLBACK;
SELECT * FROM s3v_gc('nosuch');
SELECT * FROM s3v_gc('other');
SELECT * FROM s3v_gc('s3v_local', '-1 day');

-- SQLSTATEs of all of it, never XX000
CREATE FUNCTION state_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN 'fine'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT state_of(s), s FROM unnest(ARRAY[
    $$SELECT s3v_create_index('x', 'a_view', 'v')$$, $$SELECT s3v_create_index('x', 'a_temp', 'v')$$,
    $$SELECT s3v_create_index('x', 'an_unlogged', 'v')$$, $$SELECT s3v_create_index('x', 'parts_by_day', 'v')$$,
    $$SELECT s3v_create_index('x', 'keyless', 'v')$$, $$SELECT s3v_create_index('x', 'docs', 'v', key_column => 'other')$$,
    $$SELECT s3v_create_index('x', 'docs', 'v', key_column => 'nullable')$$, $$SELECT s3v_create_index('x', 'loose_key', 'v')$$,
    $$SELECT s3v_create_index('x', 'docs', 'title')$$, $$SELECT s3v_create_index('x', 'docs', 'v', metadata => '{nosuch}')$$,
    $$SELECT s3v_create_index('x', 'docs', 'v', metric => 'manhattan')$$, $$SELECT s3v_create_index('x', 'empty', 'v')$$,
    $$SELECT s3v_create_index('x', 'docs', 'v', options => '{"probe": 5}')$$, $$INSERT INTO docs (id, v) VALUES (200, '{1,2}')$$,
    $$SELECT * FROM s3v_query('docs_s3v', '[1,2]')$$, $$SELECT * FROM s3v_query('docs_s3v', '[0,0,0]')$$,
    $$SELECT * FROM s3v_query('docs_s3v', '[1,2,NaN]')$$, $$SELECT * FROM s3v_query('docs_s3v', 'abc')$$,
    $$SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', 0)$$, $$SELECT * FROM s3v_query('docs_s3v', '[1,2,3]', filter => '{}')$$,
    $$SELECT * FROM s3v_query('docs', '[1,2,3]')$$, $$SELECT * FROM docs_s3v$$, $$DELETE FROM docs_s3v$$,
    $$SELECT * FROM s3v_sync('keyless')$$]) s;

DROP FOREIGN TABLE by_hand;
DROP TABLE docs, keyless, two_keys, late_key, some_keys, float_key, loose_key, empty, parts, parts_by_day, parent, an_unlogged CASCADE;
DROP COLLATION loose;
DROP FUNCTION state_of;
DROP FOREIGN DATA WRAPPER other CASCADE;
SELECT count(*) AS indexes FROM s3v.index;
