-- Time travel: kept versions, whatever became of the source since.
SET client_min_messages = warning;
SET timezone = 'UTC';
\set SHOW_CONTEXT never
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN short AS char(6);
CREATE TABLE docs (id bigint PRIMARY KEY, v real[], t text, vc varchar(20), c char(4), dc short, n name, b boolean, i2 smallint, i4 integer, i8 bigint,
                   f4 real, f8 double precision, num numeric, d date, ts timestamp, tz timestamptz, u uuid, e mood, j jsonb, lt text[], li integer[],
                   lf real[], ln numeric[], lb boolean[]);
INSERT INTO docs SELECT i, ARRAY[i, 1, 0, 0]::real[], 't' || i, 'v' || i, 'c' || i % 9, 'd' || i % 9, 'n' || i, i % 2 = 0, i, -i, i * 10000000000,
    i / 10.0, i / 3.0, i + 0.50, '2020-01-01'::date + i, '2020-01-01'::timestamp + make_interval(hours => i), '2020-01-01Z'::timestamptz + make_interval(secs => i + 0.25),
    ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'happy' END::mood,
    jsonb_build_object('i', i, 'deep', jsonb_build_array(i, jsonb_build_object('x', null))), ARRAY['a' || i, 'b'], ARRAY[i, -i], ARRAY[i / 10.0, 0.1], ARRAY[i + 0.10], ARRAY[true, false]
FROM generate_series(1, 300) i;
-- what is hard to print back
UPDATE docs SET t = NULL, vc = '', c = NULL, f4 = 'NaN', f8 = '-Infinity', num = 'NaN', d = 'infinity', ts = '-infinity', tz = 'infinity', j = 'null', lt = '{}', li = NULL WHERE id = 1;
UPDATE docs SET t = E'quo"te\\ \u00e9 \U0001F600', f4 = 3.4028235e38, f8 = 5e-324, num = 1e300, d = '5874897-12-31', ts = '294276-12-31 23:59:59.999999', tz = '4714-11-24 00:00:00+00 BC', j = '"text"', lf = '{NaN,-Infinity}' WHERE id = 2;
UPDATE docs SET f4 = -0.0, num = 'Infinity', d = '4714-11-24 BC', j = '[1, "two", true]', lt = ARRAY['', '"'] WHERE id = 3;
UPDATE docs SET num = 0.000, d = '294250-01-01', j = '[]', i8 = -9223372036854775808, i2 = -32768 WHERE id = 4;
UPDATE docs SET j = '12.50', d = '-infinity' WHERE id = 5;
UPDATE docs SET j = 'true' WHERE id = 6;
UPDATE docs SET j = '[[1], 2]' WHERE id = 7;
UPDATE docs SET j = '{}' WHERE id = 8;
-- of arrays, dimensions and nulls are not in the index
UPDATE docs SET li = '{{1,2},{3,4}}', lt = '{a,NULL}' WHERE id = 299;
CREATE FUNCTION build(name text, options jsonb) RETURNS regclass LANGUAGE sql AS
$$ SELECT s3v_create_index(name, 'docs', 'v', metric => 'l2', options => options,
                           metadata => '{t,vc,c,dc,n,b,i2,i4,i8,f4,f8,num,d,ts,tz,u,e,j,lt,li,lf,ln,lb}') $$;
SELECT build('codes', '{"lists": 4}'), build('whole', '{"lists": 4, "raw": "f32"}'), build('half', '{"lists": 4, "raw": "f16"}');
-- metadata of the version is that of the rows, for every kind of column
CREATE TEMP TABLE live AS SELECT key, distance, metadata FROM s3v_query('codes', '[1,1,0,0]', 300);
SELECT count(*) AS hits, count(*) FILTER (WHERE l.metadata IS DISTINCT FROM o.metadata OR l.metadata::text <> o.metadata::text) AS different,
    min(key) FILTER (WHERE l.metadata IS DISTINCT FROM o.metadata) AS which, min(o.metadata->>'li') FILTER (WHERE key = '299') AS li, min(o.metadata->>'lt') FILTER (WHERE key = '299') AS lt
FROM live l FULL JOIN s3v_query('codes', '[1,1,0,0]', 300, options => '{"as_of_version": 1}') o USING (key);
SELECT key, metadata FROM s3v_query('codes', '[1,1,0,0]', 300, keys => '{1,2,3}', options => '{"as_of_version": 1}') ORDER BY key::int;
SET timezone = 'America/New_York';
SELECT metadata->'tz' AS tz, metadata->'ts' AS ts FROM s3v_query('codes', '[9,1,0,0]', 1, keys => '{9}', options => '{"as_of_version": 1}');
SET timezone = 'UTC';
-- the source goes on
UPDATE docs SET t = 'new', v = ARRAY[id + 1000, 1, 0, 0]::real[] WHERE id <= 100;
DELETE FROM docs WHERE id BETWEEN 101 AND 200;
INSERT INTO docs (id, v, t) VALUES (1001, '{50,1,0,0}', 'late');
SELECT index, version FROM s3v_sync('docs');
TRUNCATE docs;
INSERT INTO docs (id, v, t) VALUES (1, '{50,1,0,0}', 'again');
CREATE FUNCTION near(index regclass, options jsonb, filter jsonb DEFAULT NULL, keys text[] DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(key || ':' || coalesce(metadata->>'t', '-'), ' ' ORDER BY distance, key) FROM s3v_query(index, '[50.2,1,0,0]', 4, filter => filter, keys => keys, options => options) $$;
SELECT index, near(index, '{}') AS now, near(index, '{"as_of_version": 1}') AS one, near(index, '{"as_of_version": 2}') AS two
FROM unnest('{codes,whole,half}'::regclass[]) index;
SELECT near('codes', '{"as_of_version": 1, "consistency": "eventual", "on_missing": "scan", "probes": 1}');
-- filter and keys are of that version
SELECT near('codes', '{"as_of_version": 1}', '{"t": "t60"}') AS one, near('codes', '{"as_of_version": 2}', '{"t": "t60"}') AS two,
       near('codes', '{"as_of_version": 2}', '{"t": {"$in": ["new", "late"]}, "i4": {"$lt": -90}}') AS new;
SELECT near('codes', '{"as_of_version": 1}', keys => '{150,151,1001}') AS one, near('codes', '{"as_of_version": 2}', keys => '{150,250,1001}') AS two;
-- exact where the index has the vectors
SELECT key, distance FROM s3v_query('whole', '[50.2,1,3,4]', 3, options => '{"as_of_version": 1}');
SELECT key, distance = sqrt((key::int - 50.2::real) ^ 2 + 25) AS exact FROM s3v_query('codes', '[50.2,1,3,4]', 1, options => '{"as_of_version": 1}');
SELECT o.key, abs(o.distance - sqrt((o.key::int - 50.2) ^ 2 + 25)) < 0.5 AS near FROM s3v_query('half', '[50.2,1,3,4]', 3, options => '{"as_of_version": 1}') o;
CREATE FUNCTION explained(index regclass, version int) RETURNS TABLE (path text, exact text, status text, v text, hits text, source_rows text, reranked text, pending text) LANGUAGE sql AS
$$ SELECT e->>'path', e->>'exact', e->>'status', e->>'version', e->>'hits', e->>'source_rows', e->>'reranked', e->>'pending_merged'
   FROM s3v_explain(index, '[50.2,1,0,0]', 4, options => jsonb_build_object('as_of_version', version, 'consistency', 'eventual')) e $$;
SELECT index, e.* FROM unnest('{codes,whole,half}'::regclass[]) index, explained(index, 1) e;
-- typed keys, many queries
SELECT key, pg_typeof(key), metadata->>'t' AS t FROM s3v_query_as('codes', NULL::bigint, '[50.2,1,0,0]', 2, options => '{"as_of_version": 1}');
SELECT query, key, metadata->>'t' AS t FROM s3v_query_many('codes', '{{50.2,1,0,0},{250.2,1,0,0},{1050.2,1,0,0}}'::real[], 2, options => '{"as_of_version": 2}') ORDER BY query, distance;
SELECT count(*) FROM s3v_query_many('codes', '{}'::real[], 2, options => '{"as_of_version": 2}');
-- what is refused
SELECT near('codes', '{"as_of_version": 3}');
SELECT near('codes', '{"as_of_version": 0}');
SELECT near('codes', '{"as_of_version": -1}');
SELECT near('codes', '{"as_of_version": 1.5}');
SELECT near('codes', '{"as_of_version": "first"}');
SELECT near('codes', '{"as_of_version": null}');
SELECT near('codes', '{"as_of": 1}');
ALTER FOREIGN TABLE codes OPTIONS (ADD as_of_version '1');
SELECT s3v_create_index('another', 'docs', 'v', options => '{"as_of_version": 1}');
SELECT s3v_create_index('later', 'docs', 'v', options => '{"build": false}');
SELECT near('later', '{"as_of_version": 1}');
DROP FOREIGN TABLE later;
SELECT version FROM s3v_sync('docs', options => '{"as_of_version": 1}');
\echo :LAST_ERROR_SQLSTATE
-- a snapshot sees versions that are older than it
BEGIN;
DECLARE before CURSOR FOR SELECT key FROM s3v_query('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 3}');
DECLARE two CURSOR FOR SELECT key FROM s3v_query('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 2}');
INSERT INTO docs (id, v) VALUES (2, '{50.2,1,0,0}');
SELECT version FROM s3v_sync('docs') WHERE index = 'codes'::regclass;
SELECT near('codes', '{"as_of_version": 2}') AS two, near('codes', '{"as_of_version": 3}') AS three;
FETCH two;
FETCH before;
ROLLBACK;
-- a column of another type, a column less
ALTER TABLE docs ALTER li TYPE text USING NULL;
SELECT near('codes', '{"as_of_version": 1}');
ALTER TABLE docs ALTER li TYPE integer[] USING NULL;
ALTER TABLE docs RENAME t TO title;
SELECT metadata->>'title' AS title FROM s3v_query('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 1}');
ALTER TABLE docs RENAME title TO t;
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
SELECT metadata->>'e' AS e FROM s3v_query('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 1}');
-- callers under row-level security
CREATE ROLE s3v_guest;
GRANT SELECT ON docs, codes TO s3v_guest;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON docs TO s3v_guest USING (id < 3);
SET ROLE s3v_guest;
SELECT key FROM s3v_query('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 1}');
SELECT s3v_explain('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 1}');
RESET ROLE;
ALTER TABLE docs DISABLE ROW LEVEL SECURITY;
-- a budget that ends the reading
SET client_min_messages = notice;
SELECT key FROM s3v_query('codes', '[50.2,1,0,0]', 1, options => '{"as_of_version": 1, "max_bytes": "1kB"}');
SET client_min_messages = warning;
-- a version that was collected
SELECT index, version FROM s3v_sync('docs', 'rebuild');
SELECT near('codes', '{"as_of_version": 1}');
SELECT deleted > 0 AS deleted FROM s3v_gc('s3v_local', '0');
SELECT near('codes', '{"as_of_version": 1}');
SELECT near('codes', '{"as_of_version": 3}');
-- its objects are missing: no scan instead
CREATE FUNCTION lose(folder text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null; rm -r s3v/' || (SELECT uuid FROM s3v.index WHERE index_id = 'half'::regclass) || '/' || folder); END $$;
SET s3v.cache_size = 0;
\set VERBOSITY sqlstate
SELECT lose('segment');
SELECT near('half', '{"as_of_version": 3, "on_missing": "scan"}');
SELECT lose('manifest');
SELECT near('half', '{"as_of_version": 3, "on_missing": "scan"}');
\set VERBOSITY default
RESET s3v.cache_size;
ALTER TABLE docs DROP COLUMN lb;
SELECT near('codes', '{"as_of_version": 3}');
DROP TABLE docs CASCADE;
DROP FUNCTION build, near, explained, lose;
DROP DOMAIN short;
DROP TYPE mood;
DROP ROLE s3v_guest;
