-- Conditions of SQL that filters become: they may let through more rows than the filter passes, never fewer. Each of some thousand filters, over
-- columns of every type with odd values in them, is answered by the index alone and by the rows that meet its condition, found by a scan and
-- through the source's indexes.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TYPE mood AS ENUM ('sad', 'ok', '', 'happy ☺', 'SAD');
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE DOMAIN some_text AS text CHECK (VALUE <> 'never');
CREATE DOMAIN some_name AS some_text;
CREATE DOMAIN some_char AS char(5);
CREATE DOMAIN some_int AS int;
CREATE DOMAIN some_mood AS mood;
CREATE DOMAIN some_uuid AS uuid;
CREATE DOMAIN some_texts AS text[];

-- The columns: values, each a literal of the type, that rows get in turn, and after them NULL.
CREATE TABLE wanted (name text, type text, pool text);
INSERT INTO wanted VALUES
    ('t', 'text', 'text'), ('t_c', 'text COLLATE "C"', 'text'), ('t_loose', 'text COLLATE loose', 'text'), ('odd " name''$1', 'varchar(20)', 'text'),
    ('a_char', 'char(5)', 'char'), ('a_name', 'name', 'text'), ('d_name', 'some_name', 'text'), ('d_char', 'some_char', 'char'),
    ('flag', 'boolean', 'boolean'), ('i2', 'smallint', 'small'), ('i4', 'integer', 'int'), ('d_int', 'some_int', 'int'), ('i8', 'bigint', 'big'),
    ('f4', 'real', 'float'), ('f8', 'double precision', 'float'), ('num', 'numeric', 'numeric'), ('num2', 'numeric(6,2)', 'small'),
    ('a_date', 'date', 'date'), ('a_ts', 'timestamp', 'time'), ('a_tstz', 'timestamptz', 'time'), ('a_ts0', 'timestamp(0)', 'time'),
    ('u', 'uuid', 'uuid'), ('d_uuid', 'some_uuid', 'uuid'), ('m', 'mood', 'mood'), ('d_mood', 'some_mood', 'mood'),
    ('texts', 'text[]', 'texts'), ('d_texts', 'some_texts', 'texts'), ('varchars', 'varchar[]', 'texts'), ('loose_texts', 'text[] COLLATE loose', 'texts'),
    ('int_list', 'int[]', 'ints'), ('d_ints', 'some_int[]', 'ints'), ('small_list', 'smallint[]', 'ints'), ('big_list', 'bigint[]', 'ints'), ('real_list', 'real[]', 'floats'),
    ('double_list', 'float8[]', 'floats'), ('num_list', 'numeric[]', 'floats'), ('flags', 'boolean[]', 'booleans'), ('j', 'jsonb', 'json');
CREATE TABLE pool (name text, row_values text[], operands jsonb);
INSERT INTO pool VALUES
    ('text', ARRAY['', ' ', 'a', 'A', 'ä', 'á', 'b', 'ab', 'ab ', 'a_', 'a%', 'a\b', 'abc', E'ab\t', E'a\x01', 'ß', 'ss', 'Z', 'z', '☺', '5', 'true', 'NULL', '2026-01-01'],
     '["", " ", "a", "A", "ä", "b", "ab", "ab ", "a_", "a%", "a\\", "AB", "ß", "Z", "☺", "nosuch", "5", "a sentence of more than sixty-four bytes, which is longer than any name", 5, true]'),
    ('char', ARRAY['', 'a', 'A', 'ab', 'ab   ', E'ab\t', 'a_', 'ä', 'abcde', '5'], '["", " ", "a", "a ", "ab", "ab ", "abc", "a_", "ä", "A", "abcde", "abcde ", "abcdef", 5]'),
    ('boolean', ARRAY['true', 'false'], '[true, false, "true", 1, 0]'),
    ('small', ARRAY['0', '1', '-1', '2', '40', '-32', '3276', '-3276'], '[0, -0.0, 1, 1.0, 1.5, -1.5, 2, 40, 32767, 32768, 32767.5, -32768, -32768.5, -32769, 1e5, -1e5, 1e300, 1e-300, "1", true]'),
    ('int', ARRAY['0', '1', '-1', '2147483647', '-2147483648', '32768', '5'], '[0, 0.5, -0.5, 1, 5, 2147483647, 2147483648, 2147483646.5, -2147483648, -2147483649, -2147483648.5, 1e10, -1e10, "5"]'),
    ('big', ARRAY['0', '-1', '9223372036854775807', '-9223372036854775808', '9007199254740993', '9007199254740992', '9223372036854775806'],
     '[0, 0.1, -1, 9007199254740993, 9007199254740992.5, 9223372036854775807, 9223372036854775808, 9223372036854775806.9, -9223372036854775808, -9223372036854775808.5, -9223372036854775809, 1e30, -1e30]'),
    ('float', ARRAY['0', '-0', '0.1', '0.5', '1.5', '-1.5', 'NaN', 'Infinity', '-Infinity', '1e30', '-1e30', '16777216', '16777217', '1e-40', '3.4028235e38', '1e-37'],
     '[0, 0.1, 0.10000000149011612, 0.5, 1.5, -1.5, 1e30, -1e30, 16777216, 16777217, 16777218, 3.4028235e38, 3.4028236e38, 1e300, 1e-40, 1e-310, 1e-320, 5e-324, 2e-324, 1e-400, -1e-310, 1e-37, "NaN", true]'),
    ('numeric', ARRAY['0', '0.1', '0.10', '0.1000000000000000000001', '1.5', '-1.5', 'NaN', 'Infinity', '-Infinity', '1e100', '9007199254740993', '1e-400'],
     '[0, 0.1, 0.1000000000000000000001, 0.10000000000000000000001, 1.5, -1.5, 9007199254740993, 1e100, 1e308, -1e308, 1e-400, 1e-300, "NaN", true]'),
    ('date', ARRAY['2026-01-01', '2025-12-31', '4713-01-01 BC', '5874897-12-31', 'infinity', '-infinity', '294277-01-02', '0001-01-01', '2000-01-01'],
     '["2026-01-01", "2026-01-01 23:59", "Jan 2 2026", "infinity", "-infinity", "5874897-12-31", "294277-01-01", "4713-01-01 BC", "epoch", "2025-12-31", 5, true]'),
    ('time', ARRAY['2026-01-01', '2026-01-01 00:00:00.000001', '2025-12-31 23:59:59.999999', '2026-01-01 12:00:00.6', 'infinity', '-infinity', '4713-01-01 BC', '294276-12-31 12:00:00', 'epoch'],
     '["2026-01-01", "2026-01-01 00:00:00.000001", "2026-01-01 00:00+02", "2025-12-31 23:59:59.999999", "2026-01-01 12:00:01", "infinity", "-infinity", "epoch", "294276-12-31 12:00:00", 5]'),
    ('uuid', ARRAY['00000000-0000-0000-0000-000000000000', 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'],
     '["00000000-0000-0000-0000-000000000000", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee", "{aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee}", "aaaaaaaabbbbccccddddeeeeeeeeeeee", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeeg", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeee☺", "ffffffff-ffff-ffff-ffff-ffffffffffff", "", 5]'),
    ('mood', ARRAY['sad', 'ok', '', 'happy ☺', 'SAD'], '["sad", "ok", "", "happy ☺", "SAD", "Ok", "nosuch", "a label of more than sixty-four bytes, which is longer than any label is", 1, true]'),
    ('texts', ARRAY['{}', '{a}', '{A,b}', '{NULL}', '{NULL,ab}', '{{a,b},{ab,""}}', '[5:6]={á,5}', '{"ab "}', '{a,a,a}'], '["a", "A", "b", "ab", "ab ", "", "ä", "NULL", "5", 5, true, "nosuch"]'),
    ('ints', ARRAY['{}', '{0}', '{1,NULL}', '{NULL}', '{{1,2},{3,4}}', '{32767,-32768}', '{5,5}'], '[0, 1, 2, 4, 5, 1.5, 32767, -32768, 32768, 2147483648, 9223372036854775808, 1e30, "1", true]'),
    ('floats', ARRAY['{}', '{0}', '{-0,0.1}', '{NULL,1.5}', '{NaN}', '{1e30,-1e30}', '{1e-30}'], '[0, 0.1, 0.10000000149011612, 1.5, 1e30, 1.0000000150474662e30, 1e300, 1e-30, 1e-320, 1e-400, "NaN"]'),
    ('booleans', ARRAY['{}', '{t}', '{f,NULL}', '{{t,f}}', '{NULL}'], '[true, false, 1, "t"]'),
    ('json', ARRAY['null', '1', '1.0', '"a"', '""', 'true', '[]', '[1,"a"]', '[[1]]', '[1,[2]]', '[null,1]', '[{"a":1},1]', '{}', '{"a":1}', '{"1":"a"}', '"1"', '0.1', '[false,0.10]', '1e100', '-0', '["a","a"]'],
     '[1, 1.0, 0, 0.1, "a", "", "1", true, false, 1e100, 2, "nosuch"]');

DO $$ BEGIN
EXECUTE (SELECT format('CREATE TABLE odd (id int PRIMARY KEY, v real[], %s)', string_agg(format('%I %s', name, type), ', ' ORDER BY ctid)) FROM wanted);
EXECUTE (SELECT format('INSERT INTO odd SELECT i, ARRAY[i, 1], %s FROM generate_series(1, 100) i',
                       string_agg(format('(%L::text[])[1 + (i * %s + i / 29) %% %s]::%s', row_values, 1 + 2 * (no % 3), cardinality(row_values) + 1, regexp_replace(type, ' COLLATE.*', '')), ', ' ORDER BY no))
         FROM (SELECT *, row_number() OVER (ORDER BY wanted.ctid) AS no FROM wanted JOIN pool ON pool.name = wanted.pool) x);
-- an index of each
EXECUTE (SELECT string_agg(format('CREATE INDEX ON odd USING %s (%I)', CASE WHEN type LIKE '%[]%' OR type ~ 'texts|jsonb' THEN 'gin' ELSE 'btree' END, name), ';' ORDER BY ctid) FROM wanted);
END $$;
CREATE INDEX ON odd (t text_pattern_ops);
ANALYZE odd;
-- s3v's own: few, and each of few columns, for all of them are in its answers
ALTER TABLE wanted ADD COLUMN of text;
UPDATE wanted SET of = CASE WHEN pool IN ('text', 'char') THEN 'texts' WHEN pool IN ('small', 'int', 'big', 'float', 'numeric') THEN 'numbers' WHEN type LIKE '%[]' OR pool = 'texts' THEN 'lists' ELSE 'others' END;
SELECT count(s3v_create_index('s3v_' || of, 'odd', 'v', metric => 'l2', metadata => names, options => '{"lists": 4}'))
FROM (SELECT of, array_agg(name::name ORDER BY name) AS names FROM wanted GROUP BY of) x;

-- The filters: each operator with each operand, in pairs for lists, then some of these joined.
CREATE TABLE asked (no serial, of text, filter jsonb, hits int[], way text);
CREATE FUNCTION is_filter(of text, filter jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM s3v_query('s3v_' || of, '[0,0]', 1, filter, keys => '{1}');
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN RETURN false;
END $$;
INSERT INTO asked (of, filter)
SELECT of, filter FROM (
    SELECT w.name AS place, n, w.of, jsonb_build_object(w.name, jsonb_build_object(op, CASE op WHEN '$in' THEN jsonb_build_array(o, operands->(n::int * 3 % jsonb_array_length(operands))) ELSE o END)) AS filter
    FROM wanted w JOIN pool p ON p.name = w.pool, jsonb_array_elements(p.operands) WITH ORDINALITY e (o, n), unnest(ARRAY['$eq', '$in', '$lt', '$lte', '$gt', '$gte', '$startsWith']) op
    UNION ALL
    SELECT w.name, -1, w.of, jsonb_build_object(w.name, jsonb_build_object(op, o)) FROM wanted w JOIN pool p ON p.name = w.pool,
        LATERAL (VALUES ('$ne', operands->0), ('$nin', operands), ('$in', operands), ('$exists', 'true'), ('$exists', 'false')) f (op, o)) x
WHERE is_filter(of, filter) ORDER BY place, n, filter;
CREATE VIEW numbered AS SELECT *, row_number() OVER (PARTITION BY of ORDER BY no) - 1 AS n, count(*) OVER (PARTITION BY of) AS total FROM asked;
INSERT INTO asked (of, filter)
SELECT a.of, CASE i % 4
    WHEN 0 THEN jsonb_build_object('$or', jsonb_build_array(a.filter, b.filter))
    WHEN 1 THEN jsonb_build_object('$and', jsonb_build_array(a.filter, b.filter))
    WHEN 2 THEN jsonb_build_object('$or', jsonb_build_array(jsonb_build_object('$and', jsonb_build_array(a.filter, b.filter)), c.filter))
    ELSE jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('$or', jsonb_build_array(a.filter, b.filter)), jsonb_build_object('$or', jsonb_build_array(b.filter, c.filter)))) END
FROM generate_series(1, 100) i JOIN numbered a ON a.n = i * 7919 % a.total JOIN numbered b ON b.of = a.of AND b.n = i * 104729 % b.total JOIN numbered c ON c.of = a.of AND c.n = i * 1299709 % c.total
ORDER BY a.of, i;
SELECT count(*) > 2500 AS many FROM asked;

-- by the index alone
SET jit = off;
SET enable_seqscan = off;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
CREATE FUNCTION answer(of text, f jsonb) RETURNS int[] LANGUAGE sql AS
$$ SELECT coalesce(array_agg(key::int ORDER BY key::int), '{}') FROM s3v_query('s3v_' || of, '[0,0]', 1000, f, options => '{"probes": 1000}') $$;
CREATE FUNCTION way(of text, f jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT CASE WHEN e->>'status' ~ 'can pass' THEN 'nothing' ELSE e->>'path' END FROM s3v_explain('s3v_' || of, '[0,0]', 1, f) e $$;
UPDATE asked SET hits = answer(of, filter), way = way(of, filter);
-- no row passes where the condition says so
SELECT way, count(*) > 100 AS many, bool_and(hits = '{}') AS none FROM asked GROUP BY way ORDER BY way;
-- by a scan, which costs less than what it is compared with
RESET enable_seqscan;
SELECT filter, hits, found FROM asked, answer(of, filter) found WHERE hits <> found;
SELECT way, count(*) > 1000 AS many FROM (SELECT way(of, filter) FROM asked) x GROUP BY way ORDER BY way;
-- through indexes
SET enable_seqscan = off;
RESET enable_indexscan;
RESET enable_bitmapscan;
SELECT filter, hits, found FROM asked, answer(of, filter) found WHERE hits <> found;
SELECT string_agg(DISTINCT name, ' ' ORDER BY name) AS used FROM wanted w JOIN asked a USING (of) WHERE filter ? name AND way(a.of, filter) = 'source';
DROP VIEW numbered;
DROP TABLE odd, wanted, pool, asked;
DROP FUNCTION is_filter, answer, way;
DROP TYPE mood CASCADE;
DROP DOMAIN some_text, some_name, some_char, some_int, some_uuid, some_texts;
DROP COLLATION loose;
