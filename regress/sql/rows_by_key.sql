-- Candidates are ranked against their source rows, read by key: straight through the key's index where one serves, by a statement where not.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
-- all rows of the index are the rows of the table, at their distances
CREATE FUNCTION same(index text, key name DEFAULT 'id', v name DEFAULT 'v') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE result boolean; source regclass := (SELECT i.source FROM s3v.index i WHERE index_id = index::regclass);
BEGIN
    EXECUTE format('SELECT (SELECT array_agg(key || distance ORDER BY key COLLATE "C") FROM s3v_query(%L, ''[1,1]'', 1000)) IS NOT DISTINCT FROM
                           (SELECT array_agg(%I::text || sqrt((%I[1]::float8 - 1)^2 + (%I[2]::float8 - 1)^2) ORDER BY %I::text COLLATE "C") FROM %s)',
                   index, key, v, v, key, source) INTO result;
    RETURN result;
END $$;
-- how the rows were read: a statement would scan the table here, in whatever way it can
CREATE FUNCTION way(index text) RETURNS text LANGUAGE plpgsql SET enable_indexscan = off SET enable_bitmapscan = off SET enable_seqscan = on AS $$
DECLARE source regclass := (SELECT i.source FROM s3v.index i WHERE index_id = index::regclass); before bigint := pg_stat_get_xact_numscans(source);
BEGIN
    PERFORM key FROM s3v_query(index::regclass, '[1,1]', 3);
    RETURN CASE pg_stat_get_xact_numscans(source) - before WHEN 0 THEN 'key index' ELSE 'statement' END;
END $$;

-- every type of key
CREATE DOMAIN number AS integer CHECK (VALUE > 0);
CREATE DOMAIN word AS text;
CREATE TABLE k_int2 (id smallint PRIMARY KEY, v real[]);
CREATE TABLE k_int4 (id integer PRIMARY KEY, v real[]);
CREATE TABLE k_int8 (id bigint PRIMARY KEY, v real[]);
CREATE TABLE k_uuid (id uuid PRIMARY KEY, v real[]);
CREATE TABLE k_text (id text PRIMARY KEY, v real[]);
CREATE TABLE k_varchar (id varchar(20) PRIMARY KEY, v real[]);
CREATE TABLE k_number (id number PRIMARY KEY, v real[]);
CREATE TABLE k_word (id word PRIMARY KEY, v real[]);
CREATE TABLE k_c (id text COLLATE "C" PRIMARY KEY, v real[]);
CREATE TABLE k_english (id text COLLATE "en-x-icu" PRIMARY KEY, v real[]);
INSERT INTO k_int2 SELECT i, ARRAY[i, 1] FROM generate_series(-20, 20) i;
INSERT INTO k_int4 SELECT i * 100000, ARRAY[i, 1] FROM generate_series(-20, 20) i;
INSERT INTO k_int8 SELECT i * 100000000000, ARRAY[i, 1] FROM generate_series(-20, 20) i;
INSERT INTO k_uuid SELECT md5(i::text)::uuid, ARRAY[i, 1] FROM generate_series(1, 40) i;
INSERT INTO k_text SELECT repeat('x', i) || i, ARRAY[i, 1] FROM generate_series(1, 40) i;
INSERT INTO k_text VALUES ('', '{1,2}'), ('a', '{1,2}'), ('A', '{1,2}'), ('ä', '{1,2}'), (repeat('long ', 500), '{1,3}');
INSERT INTO k_varchar SELECT id, v FROM k_text WHERE length(id) < 20;
INSERT INTO k_number SELECT i, ARRAY[i, 1] FROM generate_series(1, 40) i;
INSERT INTO k_word SELECT id, v FROM k_text;
INSERT INTO k_c SELECT id, v FROM k_text;
INSERT INTO k_english SELECT id, v FROM k_text;
SELECT t, way(t || '_s3v'), same(t || '_s3v')
FROM unnest('{k_int2,k_int4,k_int8,k_uuid,k_text,k_varchar,k_number,k_word,k_c,k_english}'::text[]) t, s3v_create_index(t || '_s3v', t::regclass, 'v', metric => 'l2');

-- which indexes serve: deferrable ones too; none that is of another collation, partial, of more columns, not unique or not valid
CREATE TABLE docs (id bigint NOT NULL, n text NOT NULL, v real[], extra integer DEFAULT 1);
INSERT INTO docs SELECT i, 'n' || i, ARRAY[i, 1] FROM generate_series(1, 40) i;
ALTER TABLE docs ADD CONSTRAINT docs_key UNIQUE (id);
SELECT s3v_create_index('docs_s3v', 'docs', 'v', key_column => 'id', metric => 'l2', metadata => '{n}');
SELECT way('docs_s3v'), same('docs_s3v');
ALTER TABLE docs DROP CONSTRAINT docs_key, ADD CONSTRAINT docs_key UNIQUE (id) DEFERRABLE INITIALLY DEFERRED;
DELETE FROM s3v.stale;
SELECT way('docs_s3v'), same('docs_s3v');
BEGIN;
UPDATE docs SET id = id + 1;
SELECT same('docs_s3v');
COMMIT;
SELECT same('docs_s3v');
ALTER TABLE docs DROP CONSTRAINT docs_key;
CREATE UNIQUE INDEX docs_part ON docs (id) WHERE extra = 1;
CREATE UNIQUE INDEX docs_two ON docs (id, n);
CREATE INDEX docs_plain ON docs (id);
DELETE FROM s3v.stale;
SELECT way('docs_s3v'), same('docs_s3v');
CREATE UNIQUE INDEX docs_wide ON docs (id) INCLUDE (n);
SELECT way('docs_s3v'), same('docs_s3v');
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'docs_wide'::regclass;
SELECT way('docs_s3v'), same('docs_s3v');
DROP INDEX docs_part, docs_two, docs_plain, docs_wide;
ALTER TABLE docs ADD PRIMARY KEY (id);
DELETE FROM s3v.stale;
SELECT way('docs_s3v'), same('docs_s3v');
SELECT s3v_create_index('by_n', 'docs', 'v', key_column => 'n', metric => 'l2');
CREATE UNIQUE INDEX docs_n ON docs (n COLLATE "en-x-icu");
SELECT s3v_create_index('by_n', 'docs', 'v', key_column => 'n', metric => 'l2');
SELECT way('by_n'), same('by_n', 'n');
CREATE UNIQUE INDEX docs_pattern ON docs (n text_pattern_ops);
DROP INDEX docs_n;
DELETE FROM s3v.stale;
SELECT way('by_n'), same('by_n', 'n');
-- an index that an older snapshot must not use: rows were changed in place before it was made
CREATE TABLE hot (id integer NOT NULL UNIQUE, v real[], n integer);
INSERT INTO hot SELECT i, ARRAY[i, 1] FROM generate_series(1, 40) i;
SELECT s3v_create_index('hot_s3v', 'hot', 'v', key_column => 'id', metric => 'l2');
UPDATE hot SET n = id;
UPDATE hot SET n = id + 1;
UPDATE hot SET v = ARRAY[id, 2] WHERE id % 2 = 0;
SELECT way('hot_s3v'), same('hot_s3v');
BEGIN;
UPDATE hot SET v = ARRAY[id, 3] WHERE id % 3 = 0;
DELETE FROM hot WHERE id % 5 = 0;
SELECT same('hot_s3v');
ROLLBACK;
SELECT same('hot_s3v');
DELETE FROM hot WHERE id % 4 = 0;
INSERT INTO hot VALUES (4, '{4,4}');
SELECT same('hot_s3v');
VACUUM hot;
SELECT version FROM s3v_sync('hot');
SELECT same('hot_s3v');
SELECT key FROM s3v_query('hot_s3v', '[4,4]', 2, options => '{"consistency": "eventual"}');

-- columns come, go and change their names and numbers
ALTER TABLE docs DROP COLUMN extra;
SELECT same('docs_s3v');
ALTER TABLE docs ADD COLUMN late integer DEFAULT 7;
SELECT s3v_create_index('late_s3v', 'docs', 'v', metric => 'l2', metadata => '{late,n}');
SELECT key, metadata FROM s3v_query('late_s3v', '[3,1]', 2);
ALTER TABLE docs RENAME id TO number;
ALTER TABLE docs RENAME v TO w;
ALTER TABLE docs RENAME TO papers;
ALTER TABLE docs_s3v RENAME TO papers_s3v;
SELECT way('papers_s3v'), same('papers_s3v', 'number', 'w'), (SELECT metadata FROM s3v_query('late_s3v', '[3,1]', 1));
BEGIN;
ALTER TABLE papers RENAME n TO title;
SELECT metadata FROM s3v_query('late_s3v', '[3,1]', 1);
ROLLBACK;
SELECT metadata FROM s3v_query('late_s3v', '[3,1]', 1);
SELECT same('papers_s3v', 'number', 'w');
ALTER TABLE papers ALTER number TYPE integer;
SELECT same('papers_s3v', 'number', 'w');
DROP INDEX docs_pattern;
DROP FOREIGN TABLE by_n, papers_s3v;
SELECT key FROM s3v_query('papers_s3v', '[1,1]');
SELECT version FROM s3v_sync('papers', 'rebuild');
SELECT way('late_s3v'), same('late_s3v', 'number', 'w');
SELECT s3v_create_index('papers_s3v', 'papers', 'w', metric => 'l2');
SELECT same('papers_s3v', 'number', 'w');

-- options of the index, in one session and from another
SELECT (s3v_explain('late_s3v', '[1,1]', 1)->>'lists_probed')::int > 0 AS probed;
CREATE TABLE wide (id integer PRIMARY KEY, v real[]);
INSERT INTO wide SELECT i, ARRAY[i, 1] FROM generate_series(1, 2000) i;
SELECT s3v_create_index('wide_s3v', 'wide', 'v', metric => 'l2', options => '{"lists": 16}');
CREATE FUNCTION probed() RETURNS int LANGUAGE sql AS $$ SELECT (s3v_explain('wide_s3v', '[1,1]', 1)->>'lists_probed')::int $$;
ALTER FOREIGN TABLE wide_s3v OPTIONS (ADD probes '5');
SELECT probed();
BEGIN;
ALTER FOREIGN TABLE wide_s3v OPTIONS (SET probes '9');
SELECT probed();
ROLLBACK;
SELECT probed();
ALTER FOREIGN TABLE wide_s3v OPTIONS (DROP probes, ADD consistency 'eventual');
DELETE FROM wide WHERE id = 1;
INSERT INTO wide VALUES (2001, '{1,1}');
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
SET s3v.consistency = 'strong';
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
RESET s3v.consistency;
ALTER FOREIGN TABLE wide_s3v OPTIONS (DROP consistency);
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);

-- rights are those of the moment, whatever the session has read before
CREATE ROLE s3v_guest;
CREATE ROLE s3v_member IN ROLE s3v_guest;
GRANT SELECT ON wide_s3v TO s3v_guest;
GRANT SELECT (id, v) ON wide TO s3v_guest;
SET ROLE s3v_member;
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
RESET ROLE;
REVOKE SELECT (v) ON wide FROM s3v_guest;
SET ROLE s3v_guest;
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
RESET ROLE;
GRANT SELECT ON wide TO s3v_guest;
ALTER TABLE wide ENABLE ROW LEVEL SECURITY;
SET ROLE s3v_member;
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
RESET ROLE;
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
ALTER TABLE wide DISABLE ROW LEVEL SECURITY;
SET ROLE s3v_member;
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
RESET ROLE;
REVOKE ALL ON wide_s3v FROM s3v_guest;
SET ROLE s3v_member;
SELECT key FROM s3v_query('wide_s3v', '[1,1]', 1);
RESET ROLE;

-- metadata is what to_jsonb() makes of it
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN price AS numeric(10, 3);
CREATE TABLE kinds (id integer PRIMARY KEY, v real[], t text, vc varchar(9), c char(6), nm name, b boolean, i2 smallint, i4 integer, i8 bigint, f4 real,
                    f8 double precision, n numeric, p price, d date, ts timestamp, tz timestamptz, u uuid, m mood, j jsonb, ta text[], na numeric[]);
INSERT INTO kinds (id, v) VALUES (1, '{1,1}');
INSERT INTO kinds VALUES (2, '{2,1}', E'quote " tab \t', 'ä', 'pad', 'name', true, -32768, 2147483647, -9223372036854775808, 1e-7, 'NaN', 'NaN', 1.5,
                          'infinity', '-infinity', '2026-11-21 12:00+00', '00000000-0000-0000-0000-000000000001', 'happy', '{"a": [1, null]}', '{a,NULL}', '{1.50,NaN}'),
                         (3, '{3,1}', '', '', '', '', false, 0, 0, 0, '-0', '-Infinity', '-Infinity', 0, '2026-11-21', '2026-11-21 00:00', 'infinity',
                          'ffffffff-ffff-ffff-ffff-ffffffffffff', 'sad', '"text"', '{}', '{}'),
                         (4, '{4,1}', repeat('long ', 2000), 'x', 'x', 'x', true, 1, 1, 1, 3.4e38, 1e308, 100000000000000000000000000000.00100, 7, '4713-01-01 BC',
                          '294276-01-01', 'epoch', NULL, 'sad', 'null', NULL, '{{1,2},{3,4}}');
SELECT s3v_create_index('kinds_s3v', 'kinds', 'v', metric => 'l2', metadata => '{t,vc,c,nm,b,i2,i4,i8,f4,f8,n,p,d,ts,tz,u,m,j,ta,na}');
SELECT h.key, h.metadata = jsonb_strip_nulls(to_jsonb(k) - '{id,v,j}'::text[]) || CASE WHEN k.j IS NULL THEN '{}' ELSE jsonb_build_object('j', k.j) END AS same
FROM s3v_query('kinds_s3v', '[0,0]') h JOIN kinds k ON k.id = h.key::int ORDER BY h.distance;

-- vectors of every length and storage
CREATE TABLE stored (id integer PRIMARY KEY, v real[]);
INSERT INTO stored SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 1000) j) FROM generate_series(1, 30) i;
INSERT INTO stored SELECT i, ARRAY(SELECT (i + j) % 7 FROM generate_series(1, 1000) j) FROM generate_series(31, 60) i;
SELECT DISTINCT pg_column_size(v) < 1000 AS compressed FROM stored ORDER BY 1;
CREATE TABLE short (id integer PRIMARY KEY, v real[], d float8[]);
INSERT INTO short SELECT i, ARRAY[i], ARRAY[i, 0.1] FROM generate_series(1, 60) i;
SELECT s3v_create_index('stored_s3v', 'stored', 'v', metric => 'l2'), s3v_create_index('short_v', 'short', 'v', metric => 'ip'), s3v_create_index('short_d', 'short', 'd', metric => 'l2');
SELECT (SELECT array_agg(key::int) FROM s3v_query('stored_s3v', (SELECT v FROM stored WHERE id = 7), 30)) =
       (SELECT array_agg(id) FROM (SELECT s.id FROM stored s ORDER BY (SELECT sum((a.x::float8 - b.x) ^ 2) FROM unnest(s.v) WITH ORDINALITY a(x, o) JOIN
        unnest((SELECT v FROM stored WHERE id = 7)) WITH ORDINALITY b(x, o) USING (o)) LIMIT 30) t) AS same;
SELECT array_agg(key) FROM s3v_query('short_v', '[2]', 3);
SELECT array_agg(key || ' ' || distance) FROM s3v_query('short_d', '[7,0.1]', 3);

DROP TABLE k_int2, k_int4, k_int8, k_uuid, k_text, k_varchar, k_number, k_word, k_c, k_english, papers, hot, wide, kinds, stored, short;
DROP OWNED BY s3v_guest;
DROP ROLE s3v_member, s3v_guest;
DROP FUNCTION same, way, probed;
DROP DOMAIN number, word, price;
DROP TYPE mood;
SELECT count(*) AS indexes FROM s3v.index;
