-- What only later releases of PostgreSQL can do, each in a block that older ones pass by: the output is the same everywhere.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS s3v;
CREATE FUNCTION release() RETURNS integer LANGUAGE sql AS $$ SELECT current_setting('server_version_num')::integer / 10000 $$;
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' ', SQLSTATE, message, hint);
END $$;

-- 17: MERGE deletes rows that the source of the statement lacks
CREATE TABLE docs (id int PRIMARY KEY, v real[] NOT NULL, note text);
INSERT INTO docs SELECT i, ARRAY[i, 1], 'n' || i FROM generate_series(1, 40) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{note}');
DO $$ BEGIN
    IF release() < 17 THEN RETURN; END IF;
    EXECUTE 'MERGE INTO docs USING generate_series(1, 20) s (id) ON s.id = docs.id WHEN MATCHED AND s.id = 20 THEN UPDATE SET v = ''{100,1}''
        WHEN NOT MATCHED BY SOURCE AND docs.id > 38 THEN DELETE';
    ASSERT (SELECT array_agg(key ORDER BY distance) FROM s3v_query('docs_s3v', '[100,1]', 2)) = '{20,38}', 'merge';
    ASSERT (SELECT pending FROM s3v_indexes) = 3, 'merge, pending';
    ASSERT (SELECT (upserted, deleted) FROM s3v_sync('docs')) = (1::bigint, 2::bigint), 'merge, sync';
END $$;

-- 17: another expression of a generated column rewrites the table without a trigger
CREATE TABLE made (id int PRIMARY KEY, v real[], note text GENERATED ALWAYS AS ('old ' || id) STORED);
INSERT INTO made SELECT i, ARRAY[i, 1] FROM generate_series(1, 40) i;
SELECT s3v_create_index('made_s3v', 'made', 'v', metric => 'l2', metadata => '{note}');
DO $$ BEGIN
    IF release() < 17 THEN RETURN; END IF;
    EXECUTE 'ALTER TABLE made ALTER note SET EXPRESSION AS (''new '' || id)';
    ASSERT (SELECT state FROM s3v_indexes WHERE index = 'made_s3v'::regclass) = 'stale', 'expression';
    SET LOCAL client_min_messages = error;
    ASSERT (SELECT key FROM s3v_query('made_s3v', '[7,1]', 1, '{"note": "new 7"}')) = '7', 'expression, from the table';
    PERFORM s3v_sync('made', 'reconcile');
    ASSERT (SELECT key FROM s3v_query('made_s3v', '[7,1]', 1, '{"note": "new 7"}')) = '7', 'expression, from the index';
    ASSERT (SELECT s3v_explain('made_s3v', '[7,1]', 1)->>'path') = 'index', 'expression, mended';
END $$;

-- 18: virtual columns are in no row that a trigger sees
DO $$ BEGIN
    IF release() < 18 THEN RETURN; END IF;
    EXECUTE 'CREATE TABLE virtual (id int PRIMARY KEY, v real[], w real[] GENERATED ALWAYS AS (v) VIRTUAL, n int GENERATED ALWAYS AS (id + 1))';
    ASSERT refusal($q$SELECT s3v_create_index('x', 'virtual', 'w')$q$) =
        '0A000 column "w" of relation "virtual" is a virtual generated column A stored generated column can be indexed.', 'virtual vector';
    ASSERT refusal($q$SELECT s3v_create_index('x', 'virtual', 'v', metadata => '{n}')$q$) ~ '^0A000 column "n" of relation "virtual" is', 'virtual metadata';
    DROP TABLE virtual;
END $$;

-- 18: NOT NULL that was not checked for the rows that were there
DO $$
DECLARE
    wanted CONSTANT jsonb = '{"id": {"$lt": 6}, "note": {"$exists": true}}';
BEGIN
    IF release() < 18 THEN RETURN; END IF;
    EXECUTE 'CREATE TABLE unchecked (id int UNIQUE, v real[], note text)';
    INSERT INTO unchecked SELECT i, ARRAY[i, 1], CASE WHEN i % 2 = 0 THEN 'n' END FROM generate_series(1, 40) i;
    INSERT INTO unchecked VALUES (NULL, '{0,1}');
    EXECUTE 'ALTER TABLE unchecked ADD CONSTRAINT id_there NOT NULL id NOT VALID, ADD CONSTRAINT note_there NOT NULL note NOT VALID';
    ASSERT refusal($q$SELECT s3v_create_index('unchecked_s3v', 'unchecked', 'v', key_column => 'id', metric => 'l2')$q$) ~
        '^22023 key column "id" of table "unchecked" may be null', 'unchecked key';
    DELETE FROM unchecked WHERE id IS NULL;
    EXECUTE 'ALTER TABLE unchecked VALIDATE CONSTRAINT id_there';
    PERFORM s3v_create_index('unchecked_s3v', 'unchecked', 'v', key_column => 'id', metric => 'l2', metadata => '{id,note}');
    SET LOCAL enable_seqscan = off;
    ASSERT (SELECT array_agg(key) FROM s3v_query('unchecked_s3v', '[0,1]', 40, wanted)) = '{2,4}', 'unchecked metadata';
    ASSERT (SELECT s3v_explain('unchecked_s3v', '[0,1]', 40, wanted)->>'path') = 'source', 'unchecked metadata, from the table';
    EXECUTE 'ALTER TABLE unchecked ALTER id DROP NOT NULL';
    ASSERT (SELECT state FROM s3v_indexes WHERE index = 'unchecked_s3v'::regclass) = 'stale', 'key that may be null';
    DROP TABLE unchecked;
END $$;

DROP TABLE docs, made;
DROP FUNCTION release, refusal;
