-- The 75 cases of the filter language, each through SQL: over a row that is scanned in the source (index not built), one that is in
-- the index, one that is pending, that one in a fresh segment, and both compacted; each by the index alone and as the planner likes it.
SET client_min_messages = warning;
\getenv abs_srcdir PG_ABS_SRCDIR
\set cases `cat "$PG_ABS_SRCDIR/../tests/filter/filter_cases.json"`
CREATE TABLE cases AS SELECT c.case FROM jsonb_array_elements((:'cases'::jsonb)->'cases') AS c("case");
SELECT count(*) FROM cases;

-- The keys a filter names, wherever they stand.
CREATE FUNCTION filter_keys(f jsonb) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT key FROM jsonb_each(CASE WHEN jsonb_typeof(f) = 'object' THEN f ELSE '{}' END) WHERE key NOT LIKE '$%'
    UNION
    SELECT filter_keys(element)
    FROM jsonb_each(CASE WHEN jsonb_typeof(f) = 'object' THEN f ELSE '{}' END) e,
         jsonb_array_elements(CASE WHEN jsonb_typeof(e.value) = 'array' THEN e.value ELSE '[]' END) element
    WHERE e.key LIKE '$%' $$;

-- A column type for a value; a key that the row lacks is a NULL of a declared column.
CREATE FUNCTION column_type(value jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT CASE jsonb_typeof(value)
        WHEN 'string' THEN 'text' WHEN 'boolean' THEN 'boolean'
        WHEN 'number' THEN 'numeric'
        WHEN 'array' THEN CASE WHEN jsonb_typeof(value->0) = 'number' THEN 'numeric[]' ELSE 'text[]' END
        ELSE 'jsonb' END $$;
CREATE FUNCTION column_value(value jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN value IS NULL THEN 'NULL'
        WHEN jsonb_typeof(value) = 'array' THEN format('(SELECT coalesce(array_agg(e), ''{}'') FROM jsonb_array_elements_text(%L) e)::%s', value, column_type(value))
        ELSE quote_literal(value #>> '{}') END $$;

-- With 'off' the source's rows are not read by their columns.
CREATE FUNCTION read_source(setting text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config(name, setting, false) FROM unnest('{enable_seqscan,enable_indexscan,enable_bitmapscan}'::text[]) name $$;
CREATE FUNCTION answer(filter jsonb, k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    counts bigint[];
BEGIN
    FOR setting IN 0..1 LOOP
        PERFORM read_source((ARRAY['off', 'on'])[1 + setting]);
        counts := counts || (SELECT count(*) FROM s3v_query('one_case_s3v', '[1,0]', k, filter));
    END LOOP;
    RETURN CASE WHEN counts[1] = counts[2] THEN counts[1]::text ELSE counts::text END;
EXCEPTION WHEN invalid_parameter_value THEN RETURN 'error';
END $$;

CREATE FUNCTION run_case(c jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    meta    jsonb := c->'metadata';
    names   text[] := ARRAY(SELECT jsonb_object_keys(meta) UNION SELECT filter_keys(c->'filter') ORDER BY 1);
    non     text[] := ARRAY(SELECT jsonb_array_elements_text(coalesce(c->'non_filterable', '[]')));
    row     text;
    answers text[];
BEGIN
    EXECUTE 'CREATE TABLE one_case (id bigint PRIMARY KEY, v real[]'
        || coalesce((SELECT string_agg(format(', %I %s', n, column_type(meta->n)), '' ORDER BY n) FROM unnest(names) n), '') || ')';
    row := coalesce((SELECT string_agg(', ' || column_value(meta->n), '' ORDER BY n) FROM unnest(names) n), '');
    EXECUTE 'INSERT INTO one_case VALUES (1, ''{1,0}''' || row || ')';
    -- A non-filterable key is simply no metadata column of the index.
    PERFORM s3v_create_index('one_case_s3v', 'one_case', 'v', metric => 'l2', options => '{"build": false}',
                             metadata => ARRAY(SELECT n FROM unnest(names) n WHERE n <> ALL (non))::name[]);
    answers := ARRAY[answer(c->'filter', 2)];
    PERFORM s3v_sync('one_case');
    answers := answers || answer(c->'filter', 2);
    EXECUTE 'INSERT INTO one_case VALUES (2, ''{2,0}''' || row || ')';
    answers := answers || answer(c->'filter', 2);
    PERFORM s3v_sync('one_case');
    answers := answers || answer(c->'filter', 2);
    PERFORM s3v_optimize('one_case_s3v');
    answers := answers || answer(c->'filter', 2);
    DROP TABLE one_case;
    RETURN array_to_string(answers, ' ');
END $$;

SELECT c."case"->>'id' AS failed, c."case"->'filter' AS filter, c."case"->'expect' AS expect, answers
FROM cases c, LATERAL run_case(c."case") answers
WHERE answers <> CASE c."case"->>'expect' WHEN 'true' THEN '1 1 2 2 2' WHEN 'false' THEN '0 0 0 0 0' ELSE 'error error error error error' END;
SELECT count(*) AS passed FROM cases;

-- beyond S3 Vectors: ordering of text, dates and times; every type of metadata column
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE typed (
    id int PRIMARY KEY, v real[], a_text text, a_varchar varchar(20), a_bool boolean, a_small smallint, an_int integer, a_big bigint, a_real real,
    a_double double precision, a_numeric numeric, a_date date, a_ts timestamp, a_tstz timestamptz, a_uuid uuid, an_enum mood,
    texts text[], ints integer[], doubles float8[], json jsonb);
INSERT INTO typed SELECT i, ARRAY[i, 1]::real[], 'text ' || lpad(i::text, 2, '0'), 'v' || i, i % 2 = 0, i, i, 9007199254740992 + i, i / 2.0, i / 10.0, i / 10.0,
    date '2026-01-01' + i, timestamp '2026-01-01 12:00' + i * interval '1 hour', timestamptz '2026-01-01 12:00+00' + i * interval '1 hour',
    ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::mood,
    ARRAY['t' || i, 'all'], ARRAY[i, 100], ARRAY[i / 10.0], CASE i % 4 WHEN 0 THEN to_jsonb(i) WHEN 1 THEN to_jsonb('s' || i) WHEN 2 THEN jsonb_build_array(i, 'x') ELSE '{"a": 1}' END
FROM generate_series(1, 40) i;
INSERT INTO typed (id, v) VALUES (41, '{41,1}');
SELECT s3v_create_index('typed_s3v', 'typed', 'v', metric => 'l2',
    metadata => ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = 'typed'::regclass AND attnum > 2 ORDER BY attnum));
SELECT read_source('off');
CREATE FUNCTION matching(filter jsonb) RETURNS int[] LANGUAGE sql AS
$$ SELECT array_agg(key::int ORDER BY key::int) FROM s3v_query('typed_s3v', '[0,0]', 100, filter) $$;
SELECT f AS filter, matching(f) AS ids FROM unnest(ARRAY[
    '{"a_text": {"$gte": "text 38"}}', '{"a_text": {"$startsWith": "text 3", "$lt": "text 33"}}', '{"a_varchar": "v7"}', '{"a_bool": true, "an_int": {"$lt": 7}}',
    '{"a_small": {"$in": [1, 2, 99]}}', '{"a_big": 9007199254740993}', '{"a_big": {"$gt": 9007199254741030}}', '{"a_real": 1.5}', '{"a_double": 0.3}',
    '{"a_numeric": 0.3}', '{"a_numeric": {"$gt": 0.30000000000000001, "$lt": 0.5}}', '{"a_date": {"$lt": "2026-01-04"}}', '{"a_date": "2026-01-04"}',
    '{"a_ts": {"$lte": "2026-01-01 14:00"}}', '{"a_tstz": {"$lt": "2026-01-01 16:00+02"}}', '{"a_tstz": {"$gte": "infinity"}}',
    '{"a_uuid": "00000000-0000-0000-0000-000000000012"}', '{"an_enum": "happy", "an_int": {"$lte": 9}}', '{"texts": "t9"}', '{"ints": {"$in": [5, 6]}}', '{"doubles": 0.3}',
    '{"json": 8}', '{"json": "s9"}', '{"json": {"$gt": 30}}', '{"json": "x", "an_int": {"$lt": 9}}', '{"a_text": {"$exists": false}}',
    '{"$or": [{"an_int": 1}, {"$and": [{"an_int": {"$gt": 38}}, {"a_bool": false}]}]}', '{"an_int": {"$ne": 5}, "a_small": {"$lt": 7}}']::jsonb[]) f;
-- a time without a zone is one of the session's
SET timezone = 'Asia/Tokyo';
SELECT matching('{"a_tstz": {"$lt": "2026-01-01 23:00"}}');
RESET timezone;
SELECT matching('{"a_date": {"$lt": "soon"}}');
SELECT matching('{"an_enum": {"$lt": "ok"}}');
SELECT matching('{"a_bool": {"$gt": true}}');
SELECT metadata FROM s3v_query('typed_s3v', '[1,1]', 1);
SELECT bool_and(h.metadata = jsonb_strip_nulls(to_jsonb(t) - 'id' - 'v')) AS as_to_jsonb FROM s3v_query('typed_s3v', '[1,1]', 100) h JOIN typed t ON t.id = h.key::int;

DROP TABLE cases, typed;
DROP TYPE mood;
DROP FUNCTION filter_keys, column_type, column_value, answer, run_case, matching;
