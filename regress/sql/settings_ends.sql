-- Every setting at its least and its greatest value: what it says is taken, what is beyond is not, and queries and syncs go on at either end. New settings are
-- tried as soon as they are there.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE docs (id int PRIMARY KEY, v real[]);
INSERT INTO docs SELECT i, ARRAY[i, 1] FROM generate_series(1, 100) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2');
CREATE FUNCTION sqlstate_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN 'fine'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
-- The hit of a query: the row that a sync has just written.
CREATE FUNCTION used() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hits text;
BEGIN
    UPDATE docs SET v = v WHERE id < 3;
    UPDATE docs SET v = ARRAY[id, 5 + random()] WHERE id = 50;
    PERFORM s3v_sync('docs');
    SELECT string_agg(key, ',') INTO hits FROM s3v_query('docs_s3v', '[50,5.5]', 1);
    RETURN hits;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE numbers AS SELECT name, min_val::bigint AS least, max_val::bigint AS most FROM pg_settings WHERE name LIKE 's3v.%' AND vartype = 'integer';
SELECT count(*) >= 6 AS several FROM numbers;
-- in a statement each: what used() does sees the setting
SELECT format('SET %1$s = %2$s; SELECT %1$L AS setting, %2$s AS value, used(); RESET %1$s;', name, value) FROM numbers, unnest(ARRAY[least, most]) value ORDER BY name COLLATE "C", value \gexec
SELECT name, sqlstate_of(format('SET %s = %s', name, least - 1)) AS below, sqlstate_of(format('SET %s = %s', name, most + 1)) AS beyond, sqlstate_of(format('SET %s = ''nonsense''', name)) AS nonsense,
       sqlstate_of(format('SET %s = ''''', name)) AS nothing, sqlstate_of(format('SET %s = ''NaN''', name)) AS nan, sqlstate_of(format('SET %s = 1e300', name)) AS huge
FROM numbers ORDER BY name COLLATE "C";
-- words
SELECT format('SET %1$s = %2$L; SELECT %1$L AS setting, %2$L AS value, used(); RESET %1$s;', name, value) FROM pg_settings, unnest(enumvals) value WHERE name LIKE 's3v.%' AND vartype = 'enum' ORDER BY name COLLATE "C", value \gexec
SELECT name, sqlstate_of(format('SET %s = ''nonsense''', name)) AS nonsense, sqlstate_of(format('SET %s = ''''', name)) AS nothing FROM pg_settings WHERE name LIKE 's3v.%' AND vartype = 'enum' ORDER BY name COLLATE "C";
-- texts: a directory that cannot be is done without, hosts that are none are refused
SELECT name FROM pg_settings WHERE name LIKE 's3v.%' AND vartype = 'string' ORDER BY name COLLATE "C";
SET s3v.cache_dir = '/proc/nowhere';
SELECT used();
SET s3v.cache_dir = '/dev/null';
SELECT used();
SET s3v.cache_dir = '';
SELECT used();
SELECT sqlstate_of(format('SET s3v.cache_dir = %L', repeat('x', 100000)));
SELECT sqlstate_of('SET s3v.cache_dir = ''relative/../..''');
RESET s3v.cache_dir;
-- all at their least at once
SELECT format('SET %s = %s', name, least) FROM numbers ORDER BY name COLLATE "C" \gexec
SELECT used();
SELECT format('RESET %s', name) FROM numbers ORDER BY name COLLATE "C" \gexec
-- the same ends as options of an index
SELECT sqlstate_of(format('ALTER FOREIGN TABLE docs_s3v OPTIONS (ADD probes %L)', p)) FROM unnest('{-1,1000001,x,"",1e3,NaN," 5 ",5,0x5}'::text[]) p;
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 'docs_s3v'::regclass;
-- options that nobody knows: each kind of object says which there are
\set VERBOSITY default
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', "Region" 'x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', nonsense '');
CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_local OPTIONS (nonsense 'x');
ALTER FOREIGN TABLE docs_s3v OPTIONS (ADD nonsense 'x');
DROP TABLE docs, numbers;
DROP FUNCTION sqlstate_of, used;
