-- Keys that are empty, long, alike or strange; and databases of other encodings: what the index and the change log hold are the table's keys and texts, byte
-- for byte.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
-- The indexes are told apart from their tables by name: SOURCE_s3v. Compared is what a query says of all rows, and with each row's own key, and text as filter.
CREATE FUNCTION wrong(source regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    differ bigint;
    by_key bigint;
    by_text bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %1$s d FULL JOIN s3v_query(''%1$s_s3v'', ''[1,2]'', 10000) h ON h.key = d.id::text
        WHERE h.key IS NULL OR d.id IS NULL OR h.distance <> sqrt((d.v[1]::float8 - 1) ^ 2 + (d.v[2]::float8 - 2) ^ 2) OR h.metadata->>''t'' IS DISTINCT FROM d.t', source) INTO differ;
    EXECUTE format('SELECT count(*) FROM %1$s d LEFT JOIN LATERAL (SELECT array_agg(key) AS keys FROM s3v_query(''%1$s_s3v'', ''[1,2]'', 10, keys => ARRAY[d.id::text])) h ON true
        WHERE h.keys IS DISTINCT FROM ARRAY[d.id::text]', source) INTO by_key;
    EXECUTE format('SELECT count(*) FROM %1$s d LEFT JOIN LATERAL (SELECT array_agg(key) AS keys FROM s3v_query(''%1$s_s3v'', ''[1,2]'', 10000, jsonb_build_object(''t'', d.t))) h ON true
        WHERE d.t IS NOT NULL AND (d.id::text = ANY (h.keys)) IS NOT TRUE', source) INTO by_text;
    RETURN format('%s differ, %s not found by key, %s not by text', differ, by_key, by_text);
END $$;
-- Built, pending, synced, and found by the index alone.
CREATE FUNCTION states(source regclass, change text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT 'built: ' || wrong(source);
    EXECUTE change;
    RETURN NEXT 'pending: ' || wrong(source);
    PERFORM s3v_sync(source);
    RETURN NEXT 'synced: ' || wrong(source);
    SET enable_seqscan = off;
    SET enable_indexscan = off;
    SET enable_bitmapscan = off;
    RETURN NEXT 'by the index: ' || wrong(source);
    RESET enable_seqscan;
    RESET enable_indexscan;
    RESET enable_bitmapscan;
    RETURN QUERY SELECT 'drift: ' || missing + orphaned + stale + corrupt FROM s3v_check(source);
END $$;

CREATE TABLE words (id text PRIMARY KEY, t text, v real[]);
-- empty, blanks, control characters, quotes, what other languages end texts with or escape, composed and decomposed, cases, digits, four bytes, and long ones that
-- begin alike
INSERT INTO words SELECT k, left(k, 3000), ARRAY[n, n % 7] FROM unnest(ARRAY['', ' ', '  ', E'\t', E'\n', E'\r\n', E'\x01', E'\x7f', '''', '''''', '"', '""', '\', '\\', '$$', '$1', '%s', '%', '_', ';', '--', '/*', '{}', '[]', 'null', 'NULL', 'true',
    '(all)', '0', '00', '1', '01', '1.0', '1e0', '-0', 'a', 'A', 'á', U&'a\0301', 'ä', U&'a\0308', 'ß', 'ss', 'SS', 'ﬁ', 'fi', 'İ', 'i', 'ı', 'I', 'ǆ', U&'\FEFF', U&'\200B', U&'\00A0', U&'\E000', U&'\FFFF', '😀', U&'\+10FFFF', '中', '日本',
    repeat('k', 2000), repeat('k', 2000) || 'a', repeat('k', 2000) || 'b', repeat('long ', 13106), repeat('long ', 13106) || 'alike']) WITH ORDINALITY u (k, n);
SELECT count(*) AS keys, max(octet_length(id)) AS longest FROM words;
SELECT s3v_create_index('words_s3v', 'words', 'v', metric => 'l2', metadata => '{t}', options => '{"lists": 4}');
SELECT states('words', $$UPDATE words SET v = v || '{}'::real[], t = t || 'x' WHERE length(id) % 2 = 0; UPDATE words SET id = id || '~' WHERE octet_length(id) BETWEEN 3 AND 60000; INSERT INTO words VALUES ('~', '~', '{3,3}');
    DELETE FROM words WHERE id IN ('a', 'ß'); INSERT INTO words SELECT 'a', 'again', '{5,5}'; UPDATE words SET v = '{9,9}' WHERE id = ''$$);
-- longer than a key may be; and 1 MB, which the table's own index does not take
INSERT INTO words VALUES (repeat('long ', 13107) || '!', 'long', '{1,1}');
INSERT INTO words VALUES (repeat('m', 1000000), 'm', '{1,1}');
UPDATE words SET id = repeat('long ', 13107) || '!' WHERE id = 'A';
SELECT s3v_sync('words') IS NULL AS synced;
-- NUL is in no text
SELECT s3v_query('words_s3v', '[1,2]', keys => ARRAY[chr(0)]);
-- keys in an order: ties by bytes, whatever the column's collation
UPDATE words SET v = '{0,0}';
SELECT bool_and(key >= before COLLATE "C") AS by_bytes FROM (SELECT key COLLATE "C", lag(key) OVER (ORDER BY n) AS before FROM s3v_query('words_s3v', '[1,2]', 10000) WITH ORDINALITY h (key, distance, metadata, n)) x;
SELECT s3v_sync('words') IS NULL AS synced;
SELECT bool_and(key >= before COLLATE "C") AS by_bytes FROM (SELECT key COLLATE "C", lag(key) OVER (ORDER BY n) AS before FROM s3v_query('words_s3v', '[1,2]', 10000) WITH ORDINALITY h (key, distance, metadata, n)) x;
DROP TABLE words;

-- numbers and uuids from end to end
CREATE TABLE smalls (id smallint PRIMARY KEY, t text, v real[]);
CREATE TABLE ints (id int PRIMARY KEY, t text, v real[]);
CREATE TABLE bigs (id bigint PRIMARY KEY, t text, v real[]);
CREATE TABLE uuids (id uuid PRIMARY KEY, t text, v real[]);
INSERT INTO smalls SELECT k, 's' || k, ARRAY[n, 1] FROM unnest('{-32768,-32767,-1,0,1,255,256,32766,32767}'::smallint[]) WITH ORDINALITY u (k, n);
INSERT INTO ints SELECT k, 'i' || k, ARRAY[n, 1] FROM unnest('{-2147483648,-2147483647,-65536,-1,0,1,65535,2147483646,2147483647}'::int[]) WITH ORDINALITY u (k, n);
INSERT INTO bigs SELECT k, 'b' || k, ARRAY[n, 1] FROM unnest('{-9223372036854775808,-9223372036854775807,-4294967296,-1,0,1,4294967295,9223372036854775806,9223372036854775807}'::bigint[]) WITH ORDINALITY u (k, n);
INSERT INTO uuids SELECT k, k, ARRAY[n, 1] FROM unnest('{00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000001,7fffffff-ffff-ffff-ffff-ffffffffffff,80000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}'::uuid[])
    WITH ORDINALITY u (k, n);
SELECT s3v_create_index(name || '_s3v', name::regclass, 'v', metric => 'l2', metadata => '{t}') FROM unnest('{smalls,ints,bigs,uuids}'::text[]) name;
SELECT name, states(name::regclass, format('UPDATE %s SET t = t || ''!'', v = v WHERE v[1] < 5; DELETE FROM %1$s WHERE v[1] = 3', name)) FROM unnest('{smalls,ints,bigs,uuids}'::text[]) name;
-- a key that is none of the type, and spellings of one that is
SELECT s3v_query('smalls_s3v', '[1,2]', keys => '{32768}');
SELECT key FROM s3v_query('bigs_s3v', '[1,2]', keys => '{+1, 01, -0, 9223372036854775807}');
SELECT s3v_query('bigs_s3v', '[1,2]', keys => '{9223372036854775808}');
SELECT key FROM s3v_query('uuids_s3v', '[1,2]', keys => '{FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF}');
SELECT s3v_query('uuids_s3v', '[1,2]', keys => '{x}');
DROP TABLE smalls, ints, bigs, uuids;
-- types that are no keys, and a domain over one that is
CREATE DOMAIN a_key AS text CHECK (VALUE <> 'no');
CREATE TABLE domains (id a_key PRIMARY KEY, t text, v real[]);
CREATE TABLE blanks (id char(5) PRIMARY KEY, v real[]);
CREATE TABLE bytes (id bytea PRIMARY KEY, v real[]);
CREATE TABLE numerics (id numeric PRIMARY KEY, v real[]);
INSERT INTO domains VALUES ('a', 'a', '{1,1}'), ('', 'b', '{2,2}');
SELECT s3v_create_index(name || '_s3v', name::regclass, 'v', metric => 'l2', metadata => '{t}') FROM unnest('{domains}'::text[]) name;
SELECT states('domains', $$INSERT INTO domains VALUES ('b', 'b', '{1,5}')$$);
SELECT s3v_create_index('x', 'blanks', 'v', options => '{"dimensions": 2}');
SELECT s3v_create_index('x', 'bytes', 'v', options => '{"dimensions": 2}');
SELECT s3v_create_index('x', 'numerics', 'v', options => '{"dimensions": 2}');
DROP TABLE domains, blanks, bytes, numerics;
DROP DOMAIN a_key;

-- ---- other encodings --------------------------------------------------------------------------------------------------------

SELECT pg_get_functiondef('wrong'::regproc) AS wrong, pg_get_functiondef('states'::regproc) AS states, current_database() AS here \gset
DROP FUNCTION wrong, states;
CREATE DATABASE s3v_regress_latin1 ENCODING LATIN1 LOCALE 'C' TEMPLATE template0;
CREATE DATABASE s3v_regress_ascii ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0;
\connect s3v_regress_latin1
\encoding UTF8
SET client_min_messages = warning;
CREATE EXTENSION s3v;
:wrong;
:states;
-- all characters that there are
CREATE TABLE words (id text PRIMARY KEY, t text, v real[]);
INSERT INTO words SELECT 'k' || chr(n), chr(n), ARRAY[n, 1] FROM generate_series(1, 255) n;
SELECT s3v_create_index('words_s3v', 'words', 'v', metric => 'l2', metadata => '{t}', options => '{"lists": 4}');
SELECT states('words', $$UPDATE words SET t = t || 'é' WHERE ascii(t) > 200; UPDATE words SET id = 'ÿ' || id WHERE ascii(t) < 50; DELETE FROM words WHERE id = 'kü'; INSERT INTO words VALUES ('ü', 'ü', '{3,3}')$$);
SELECT key, metadata FROM s3v_query('words_s3v', '[1,2]', 3, '{"t": {"$startsWith": "ñ"}}');
SELECT key, metadata FROM s3v_query('words_s3v', '[1,2]', 3, '{"t": "\u00fc"}');
-- what the encoding lacks is found nowhere, and said by PostgreSQL
\set VERBOSITY sqlstate
SELECT key FROM s3v_query('words_s3v', '[1,2]', 3, '{"t": "\u20ac"}');
SELECT key FROM s3v_query('words_s3v', '[1,2]', 3, '{"t": "€"}');
\set VERBOSITY default
SELECT key FROM s3v_query('words_s3v', '[1,2]', keys => '{kñ}');
\connect s3v_regress_ascii
SET client_min_messages = warning;
CREATE EXTENSION s3v;
:wrong;
:states;
-- all bytes that there are, valid nowhere else
CREATE TABLE words (id text PRIMARY KEY, t text, v real[]);
INSERT INTO words SELECT convert_from(decode(lpad(to_hex(n), 2, '0') || 'c3', 'hex'), 'SQL_ASCII'), chr(n % 128), ARRAY[n, 1] FROM generate_series(1, 255) n WHERE n <> 128;
SELECT s3v_create_index('words_s3v', 'words', 'v', metric => 'l2', metadata => '{t}', options => '{"lists": 4}');
SELECT states('words', $$UPDATE words SET t = t || t WHERE v[1] > 200; UPDATE words SET id = id || id WHERE v[1] < 50; DELETE FROM words WHERE v[1] = 77$$);
-- metadata have any bytes, too; filters are JSON, which is UTF-8
UPDATE words SET t = id;
SELECT s3v_sync('words') IS NULL AS synced;
SELECT count(*) AS rows, count(*) FILTER (WHERE metadata->>'t' = key) AS same FROM s3v_query('words_s3v', '[1,2]', 1000);
SELECT encode(textsend(key), 'hex') FROM s3v_query('words_s3v', '[254,2]', 2, jsonb_build_object('t', convert_from('\xfec3', 'SQL_ASCII')));
SELECT encode(textsend(key), 'hex') FROM s3v_query('words_s3v', '[254,2]', 2, jsonb_build_object('t', jsonb_build_object('$in', jsonb_build_array('x', convert_from('\xc3c3', 'SQL_ASCII')))));
INSERT INTO words VALUES ('é', 'é', '{1,1}');
SELECT key FROM s3v_query('words_s3v', '[1,1]', 2, '{"t": "é"}');
\connect :here
DROP DATABASE s3v_regress_latin1;
DROP DATABASE s3v_regress_ascii;
