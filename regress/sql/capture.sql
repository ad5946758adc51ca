-- What writes to a source leave in its change log, and what they may not write.
SET client_min_messages = warning;
CREATE SCHEMA capture;
SET search_path = capture, public;
SELECT coalesce(array_agg(uuid), '{}') AS before FROM s3v.dropped \gset

-- Keys in the log of an index in the order of the changes; (all) is the row that stands for every key. Empties it.
CREATE FUNCTION take(index_id regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    log    regclass := (SELECT i.log FROM s3v.index i WHERE i.index_id = take.index_id);
    result text;
BEGIN
    EXECUTE format('WITH taken AS (DELETE FROM %s l WHERE l.index_id = $1 RETURNING l.id, l.key)
                    SELECT string_agg(coalesce(key, ''(all)''), '' '' ORDER BY id) FROM taken', log)
        INTO result USING take.index_id;
    RETURN coalesce(result, '-');
END $$;

CREATE TABLE docs (
    id        bigint PRIMARY KEY,
    body      text,
    embedding real[],
    price     numeric,
    tags      text[]
);
SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', metadata => '{price,tags}',
                        options => '{"build": false, "dimensions": 2}');

-- ---- every way to write -----------------------------------------------------------------------------------------------

INSERT INTO docs VALUES (1, 'one', '{1,0}', 10, '{a}'), (2, 'two', '{0,1}', 20, '{b}');
SELECT take('docs_s3v') AS "insert";
COPY docs (id, embedding) FROM stdin;
3	{1,1}
4	{2,1}
\.
SELECT take('docs_s3v') AS "copy";
INSERT INTO docs (id, embedding) VALUES (4, '{3,1}'), (5, '{5,5}') ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding;
INSERT INTO docs (id, embedding) VALUES (5, '{6,6}') ON CONFLICT DO NOTHING;
SELECT take('docs_s3v') AS "on conflict";
MERGE INTO docs d USING (VALUES (4, 40), (5, 50), (6, 60)) AS s (id, price) ON d.id = s.id
    WHEN MATCHED AND s.id = 4 THEN DELETE
    WHEN MATCHED THEN UPDATE SET price = s.price
    WHEN NOT MATCHED THEN INSERT (id, embedding, price) VALUES (s.id, '{6,6}', s.price);
SELECT take('docs_s3v') AS merge;
UPDATE docs SET price = price + 1 WHERE id <= 2;
SELECT take('docs_s3v') AS "update of metadata";
UPDATE docs SET embedding = '{1,2}' WHERE id = 1;
SELECT take('docs_s3v') AS "update of the vector";
UPDATE docs SET body = 'changed';
UPDATE docs SET embedding = embedding, price = price, tags = tags;
SELECT take('docs_s3v') AS "update that changes nothing carried";
UPDATE docs SET id = 100 WHERE id = 1;
SELECT take('docs_s3v') AS "update of the key: both";
DELETE FROM docs WHERE id = 100;
SELECT take('docs_s3v') AS "delete";
SET session_replication_role = replica;
INSERT INTO docs (id, embedding) VALUES (7, '{7,7}');
RESET session_replication_role;
SELECT take('docs_s3v') AS "as replica";
TRUNCATE docs;
SELECT take('docs_s3v') AS "truncate";

-- A BEFORE trigger changes what the SET list does not name.
CREATE FUNCTION embed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.embedding := ARRAY[length(NEW.body), 1];
    RETURN NEW;
END $$;
CREATE TRIGGER embed BEFORE INSERT OR UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION embed();
INSERT INTO docs (id, body) VALUES (1, 'abc'), (2, 'abcd');
SELECT take('docs_s3v') AS "vector from a trigger";
UPDATE docs SET body = 'abcdef' WHERE id = 1;
UPDATE docs SET body = 'dcba' WHERE id = 2;     -- the same vector
SELECT take('docs_s3v') AS "vector changed by a trigger";
DROP TRIGGER embed ON docs;

-- Cascades, and a source that refers to itself.
CREATE TABLE authors (id int PRIMARY KEY);
CREATE TABLE papers (
    id        uuid PRIMARY KEY,
    author_id int REFERENCES authors ON DELETE CASCADE ON UPDATE CASCADE,
    v         double precision[]
);
SELECT s3v_create_index('papers_s3v', 'papers', 'v', metadata => '{author_id}', metric => 'l2',
                        options => '{"build": false, "dimensions": 1}');
INSERT INTO authors VALUES (1), (2);
INSERT INTO papers VALUES ('00000000-0000-0000-0000-000000000001', 1, '{1}'), ('00000000-0000-0000-0000-000000000002', 2, '{2}');
SELECT take('papers_s3v') AS "uuid keys";
UPDATE authors SET id = 3 WHERE id = 1;
SELECT take('papers_s3v') AS "on update cascade";
DELETE FROM authors WHERE id = 2;
SELECT take('papers_s3v') AS "on delete cascade";
TRUNCATE authors CASCADE;
SELECT take('papers_s3v') AS "truncate cascade";

-- Values kept out of line: compared by pointer.
CREATE TABLE big (id text PRIMARY KEY, n int, v real[]);
ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
SELECT s3v_create_index('big_s3v', 'big', 'v', options => '{"build": false, "dimensions": 1000}');
INSERT INTO big SELECT 'key ' || i, 0, array_agg(i * 1000 + d) FROM generate_series(1, 3) i, generate_series(1, 1000) d
    GROUP BY i ORDER BY i;
SELECT take('big_s3v') AS "text keys";
UPDATE big SET n = n + 1;
SELECT take('big_s3v') AS "vector out of line, not changed";
UPDATE big SET v[1000] = 0 WHERE id = 'key 2';
SELECT take('big_s3v') AS "vector out of line, changed";

-- ---- rows without a vector -----------------------------------------------------------------------------------------------

TRUNCATE docs;
INSERT INTO docs (id, price) VALUES (1, 1), (2, 2);
INSERT INTO docs (id, embedding) VALUES (3, '{0,0}');   -- not in a cosine index either, but fine
UPDATE docs SET price = 9 WHERE id = 1;
DELETE FROM docs WHERE id = 2;
SELECT take('docs_s3v') AS "no vector: no change";
UPDATE docs SET embedding = '{1,1}' WHERE id = 1;
UPDATE docs SET embedding = NULL WHERE id = 1;
SELECT take('docs_s3v') AS "vector comes and goes";

-- ---- rows that the index could not take ----------------------------------------------------------------------------------

DO $$
DECLARE
    bad    text;
    detail text;
BEGIN
    FOREACH bad IN ARRAY ARRAY['{1,2,3}', '{}', '{1,NaN}', '{1,Infinity}', '{-Infinity,1}', '{1,NULL}', '{{1,2},{3,4}}'] LOOP
        BEGIN
            INSERT INTO docs (id, embedding) VALUES (50, bad::real[]);
            RAISE WARNING '% was taken', bad;
        EXCEPTION WHEN invalid_parameter_value THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            RAISE WARNING '%: % (%)', bad, SQLERRM, detail;
        END;
    END LOOP;
END $$;
INSERT INTO papers VALUES ('00000000-0000-0000-0000-000000000009', NULL, '{1e300}');    -- more than a float4 holds
UPDATE docs SET embedding = '{1}' WHERE id = 3;
SELECT take('docs_s3v') AS "nothing of it is logged";

-- Bad rows that were there before do not get into the way of other changes.
CREATE TABLE old_rows (id int PRIMARY KEY, price int, v real[]);
INSERT INTO old_rows VALUES (1, 1, '{1,2,3}'), (2, 2, '{1,2}');
SELECT s3v_create_index('old_rows_s3v', 'old_rows', 'v', metadata => '{price}', options => '{"build": false, "dimensions": 2}');
UPDATE old_rows SET price = 5;
SELECT take('old_rows_s3v') AS "bad row updated elsewhere";
UPDATE old_rows SET v = v || '{4}'::real[] WHERE id = 1;

-- ---- transactions --------------------------------------------------------------------------------------------------------

SELECT take('docs_s3v') = '-' AS empty;
BEGIN;
INSERT INTO docs (id, embedding) VALUES (10, '{1,1}');
SAVEPOINT a;
INSERT INTO docs (id, embedding) VALUES (11, '{1,1}');
ROLLBACK TO a;
INSERT INTO docs (id, embedding) VALUES (12, '{1,1}');
SELECT s3v.pending('docs_s3v');
COMMIT;
SELECT take('docs_s3v') AS "savepoint rolled back";
BEGIN;
INSERT INTO docs (id, embedding) VALUES (13, '{1,1}');
ROLLBACK;
SELECT take('docs_s3v') AS "rolled back";
-- One id for the whole transaction: a version names transactions, not subtransactions.
BEGIN;
INSERT INTO docs (id, embedding) VALUES (14, '{1,1}');
SAVEPOINT a;
INSERT INTO docs (id, embedding) VALUES (15, '{1,1}');
DO $$
DECLARE
    own boolean;
BEGIN
    EXECUTE format('SELECT bool_and(xid = pg_current_xact_id()) FROM %s', (SELECT log FROM s3v.index WHERE index_id = 'docs_s3v'::regclass))
        INTO own;
    RAISE WARNING 'top-level transaction ids: %', own;
END $$;
COMMIT;
SELECT take('docs_s3v') AS "subtransaction";

-- ---- several indexes, one log --------------------------------------------------------------------------------------------

SELECT s3v_create_index('docs_body', 'docs', 'embedding', metadata => '{body}', metric => 'ip',
                        options => '{"build": false, "dimensions": 2}');
SELECT count(DISTINCT log) AS logs, count(*) AS indexes FROM s3v.index WHERE source = 'docs'::regclass;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'docs'::regclass AND NOT tgisinternal ORDER BY tgname;
UPDATE docs SET body = 'b' WHERE id = 14;
UPDATE docs SET price = 77 WHERE id = 15;
SELECT take('docs_s3v') AS price_index, take('docs_body') AS body_index;

-- ---- the trigger function elsewhere --------------------------------------------------------------------------------------

CREATE TABLE other (id int PRIMARY KEY);
CREATE TRIGGER elsewhere AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION s3v_capture('docs');
INSERT INTO other VALUES (1);
DROP TRIGGER elsewhere ON other;
CREATE TRIGGER elsewhere BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION s3v_capture();
INSERT INTO other VALUES (1);
SELECT s3v_capture();
CREATE ROLE s3v_capture_user;
GRANT ALL ON SCHEMA capture TO s3v_capture_user;
SET ROLE s3v_capture_user;
CREATE TABLE own (id int);
CREATE TRIGGER elsewhere AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION s3v_capture();
RESET ROLE;

-- ---- rights --------------------------------------------------------------------------------------------------------------

-- A writer needs no rights in schema s3v; what is pending is told to those who may read the index and all rows.
GRANT SELECT, INSERT ON docs TO s3v_capture_user;
SET ROLE s3v_capture_user;
INSERT INTO docs (id, embedding) VALUES (20, '{2,0}');
SELECT s3v.pending('docs_s3v');
RESET ROLE;
GRANT SELECT ON docs_s3v TO s3v_capture_user;
SET ROLE s3v_capture_user;
SELECT s3v.pending('docs_s3v');
RESET ROLE;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
SET ROLE s3v_capture_user;
SELECT s3v.pending('docs_s3v');
RESET ROLE;
SELECT s3v.pending('docs_s3v');
SELECT s3v.pending('docs');

-- Nothing stays behind: no trigger, no log, no row.
DROP SCHEMA capture CASCADE;
DROP ROLE s3v_capture_user;
SELECT count(*) AS logs FROM pg_class WHERE relnamespace = 's3v'::regnamespace AND relname LIKE 'log\_%' AND relkind = 'r'
    AND oid NOT IN (SELECT log FROM s3v.index);
SELECT count(*) AS collectable FROM s3v.dropped WHERE uuid <> ALL (:'before'::uuid[]);
DELETE FROM s3v.dropped WHERE uuid <> ALL (:'before'::uuid[]);
