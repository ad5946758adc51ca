-- Partitioned sources: one index over all leaves, exact with the table whatever happens to them.
SET client_min_messages = warning;
CREATE SCHEMA parts;
SET search_path = parts, public;

-- Rows of the source that the index does not show just so, and hits that are no rows.
CREATE FUNCTION differences(index_id regclass, source regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT id::text AS key, round(sqrt((v[1] - 3)^2 + (v[2] - 1)^2)::numeric, 4) AS distance, price FROM %s WHERE v IS NOT NULL) d
        FULL JOIN (SELECT key, round(distance::numeric, 4) AS distance, (metadata->>''price'')::int AS price FROM s3v_query(%L, ''[3,1]'', 10000)) h
        ON (d.key, d.distance) = (h.key, h.distance) AND d.price IS NOT DISTINCT FROM h.price WHERE d.key IS NULL OR h.key IS NULL', source, index_id) INTO found;
    RETURN found;
END $$;
CREATE FUNCTION way(index_id regclass) RETURNS text LANGUAGE sql AS $$SELECT e->>'path' || coalesce(': ' || (e->>'status'), '') FROM s3v_explain(index_id, '[3,1]', 5) e$$;
CREATE FUNCTION stale(index_id regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(reason, '; ' ORDER BY id), '-') FROM s3v.stale s WHERE s.index_id = $1
$$;
CREATE FUNCTION repaired(source regclass) RETURNS text LANGUAGE sql AS $$
    SELECT s3v_sync($1, 'reconcile'); SELECT string_agg(format('%s/%s/%s', missing, orphaned, c.stale), ' ') FROM s3v_check($1) c
$$;

-- ---- what is refused ----------------------------------------------------------------------------------------------------

CREATE TABLE no_key (id int NOT NULL, v real[]) PARTITION BY RANGE (id);
CREATE TABLE wide_key (id int, day int, v real[], PRIMARY KEY (id, day)) PARTITION BY LIST (day);
CREATE FOREIGN DATA WRAPPER parts_wrapper;
CREATE SERVER parts_server FOREIGN DATA WRAPPER parts_wrapper;
CREATE TABLE far (id int, v real[]) PARTITION BY LIST (id);
CREATE FOREIGN TABLE far_1 PARTITION OF far FOR VALUES IN (1) SERVER parts_server;
CREATE TABLE light (id int PRIMARY KEY, v real[]) PARTITION BY LIST (id);
CREATE UNLOGGED TABLE light_1 PARTITION OF light FOR VALUES IN (1);
DO $$
DECLARE
    call text;
BEGIN
    FOREACH call IN ARRAY '{"''no_key'', ''v''", "''no_key'', ''v'', key_column => ''id''", "''wide_key'', ''v''", "''wide_key'', ''v'', key_column => ''id''",
                            "''far'', ''v''", "''light'', ''v''", "''light_1'', ''v''"}'::text[] LOOP
        BEGIN
            EXECUTE format('SELECT s3v_create_index(''x'', %s)', call);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING '%: % %', call, SQLSTATE, SQLERRM;
        END;
    END LOOP;
END $$;
DROP TABLE no_key, wide_key, far, light;
DROP SERVER parts_server CASCADE;
DROP FOREIGN DATA WRAPPER parts_wrapper;

-- ---- by hash; leaves of many shapes ------------------------------------------------------------------------------------

CREATE TABLE docs (dropped int, id int PRIMARY KEY, v real[], price int, twice int GENERATED ALWAYS AS (price * 2) STORED, other text) PARTITION BY HASH (id);
CREATE TABLE docs_0 PARTITION OF docs FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE docs_1 (other text, price int, gone int, dropped int, v real[], more int, id int NOT NULL, twice int GENERATED ALWAYS AS (price * 2) STORED);
ALTER TABLE docs_1 DROP COLUMN gone, DROP COLUMN more;
ALTER TABLE docs ATTACH PARTITION docs_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE docs_2 (price int, id int NOT NULL, v real[], twice int GENERATED ALWAYS AS (price * 2) STORED, other text, dropped int) PARTITION BY RANGE (id);
CREATE TABLE docs_2_low PARTITION OF docs_2 FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE docs_2_rest PARTITION OF docs_2 DEFAULT;
ALTER TABLE docs ATTACH PARTITION docs_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
ALTER TABLE docs DROP COLUMN dropped;
INSERT INTO docs (id, v, price) SELECT i, ARRAY[i % 37, i % 11]::real[], i % 10 FROM generate_series(1, 400) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{price,twice}');
SELECT tgrelid::regclass AS table, replace(tgname, left(i.uuid::text, 8), 'UUID') AS trigger, tgenabled AS enabled, tgparentid <> 0 AS clone
FROM pg_trigger, s3v.index i WHERE tgfoid = 's3v_capture'::regproc AND i.index_id = 'docs_s3v'::regclass AND tgrelid::regclass::text LIKE 'docs%' ORDER BY 1, 2;
SELECT way('docs_s3v'), differences('docs_s3v', 'docs');
SELECT key, metadata FROM s3v_query('docs_s3v', '[3,1]', 3, '{"twice": 4}');

-- every way to write, to the root and to leaves
INSERT INTO docs (id, v, price) SELECT i, ARRAY[i % 37, i % 11]::real[], i % 10 FROM generate_series(401, 420) i;
INSERT INTO docs_2 (id, v, price) SELECT id, ARRAY[1, 2], 3 FROM generate_series(500, 530) id WHERE satisfies_hash_partition('docs'::regclass, 3, 2, id);
INSERT INTO docs_0 (id, v, price) SELECT id, ARRAY[1, 2], 3 FROM generate_series(600, 630) id WHERE satisfies_hash_partition('docs'::regclass, 3, 0, id);
UPDATE docs SET v = '{3,1}' WHERE id % 50 = 0;
UPDATE docs_1 SET price = 77 WHERE id < 50;
UPDATE docs SET id = id + 1000 WHERE id BETWEEN 60 AND 90;      -- from leaf to leaf
UPDATE docs_2 SET id = id + 3000 WHERE id < 100 AND satisfies_hash_partition('docs'::regclass, 3, 2, id + 3000); -- and below
DELETE FROM docs WHERE id BETWEEN 100 AND 110;
DELETE FROM docs_2_rest WHERE id BETWEEN 111 AND 140;
UPDATE docs SET v = NULL WHERE id = 200;
INSERT INTO docs (id, v, price) VALUES (150, '{9,9}', 5), (5000, '{9,9}', 5) ON CONFLICT (id) DO UPDATE SET v = excluded.v, price = 55;
MERGE INTO docs d USING (SELECT i FROM generate_series(160, 170) i UNION SELECT 6000) s ON d.id = s.i
    WHEN MATCHED AND i < 165 THEN DELETE WHEN MATCHED THEN UPDATE SET price = 66 WHEN NOT MATCHED THEN INSERT (id, v, price) VALUES (i, '{1,1}', 1);
COPY docs (id, v, price) FROM stdin;
7000	{3,2}	1
7001	{3,2}	1
7002	{3,2}	1
\.
COPY docs_2_low (id, v, price) FROM stdin WHERE satisfies_hash_partition('parts.docs'::regclass, 3, 2, id);
-11	{3,2}	1
-12	{3,2}	1
-13	{3,2}	1
-14	{3,2}	1
\.
BEGIN; DELETE FROM docs; SELECT count(*) FROM s3v_query('docs_s3v', '[3,1]', 10); ROLLBACK;
SELECT way('docs_s3v'), differences('docs_s3v', 'docs');
SELECT sum(missing + orphaned + stale) FROM s3v_check('docs');
SELECT version, error FROM s3v_sync('docs');
SELECT way('docs_s3v'), differences('docs_s3v', 'docs');
SELECT pending, missing, orphaned, stale FROM s3v_check('docs');
-- many rows by key
SELECT count(*), sum(key::int) = (SELECT sum(id) FROM docs WHERE id % 3 = 1 AND v IS NOT NULL) AS right
FROM s3v_query('docs_s3v', '[3,1]', 10000, keys => ARRAY(SELECT id::text FROM docs WHERE id % 3 = 1));
SELECT rows = (SELECT count(*) FROM docs WHERE v IS NOT NULL) AS rows, skipped, pending, state FROM s3v_indexes WHERE index = 'docs_s3v'::regclass;
SELECT s3v_recall('docs_s3v', 20, 5) ? 'recall' AS recall, s3v_cost('docs_s3v') IS NOT NULL AS cost;

-- bad rows are refused with their key, and a writer may be told the key when root or leaf let them read it
INSERT INTO docs (id, v) VALUES (9000, '{1,2,3}');
UPDATE docs_2_rest SET v = '{1,NaN}' WHERE id = (SELECT min(id) FROM docs_2_rest);

-- TRUNCATE of the root, of a leaf, of what is between
TRUNCATE docs_0;
SELECT way('docs_s3v'), differences('docs_s3v', 'docs');
SELECT version FROM s3v_sync('docs');
TRUNCATE docs_2;
INSERT INTO docs (id, v, price) SELECT i, ARRAY[i % 37, i % 11]::real[], i % 10 FROM generate_series(20, 40) i ON CONFLICT DO NOTHING;
SELECT way('docs_s3v'), differences('docs_s3v', 'docs');
SELECT version FROM s3v_sync('docs');
SELECT way('docs_s3v'), differences('docs_s3v', 'docs');
BEGIN; TRUNCATE docs; SELECT way('docs_s3v'), differences('docs_s3v', 'docs'); ROLLBACK;
SELECT way('docs_s3v'), differences('docs_s3v', 'docs'), stale('docs_s3v');

-- rows are visible before their log rows: in a user's trigger, in a volatile function of the writing statement
CREATE FUNCTION hits() RETURNS bigint LANGUAGE sql VOLATILE AS $$SELECT count(*) FROM s3v_query('docs_s3v', '[3,1]', 10000)$$;
CREATE FUNCTION compare() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF hits() <> (SELECT count(*) FROM docs WHERE v IS NOT NULL) THEN RAISE WARNING 'in a trigger: other rows'; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER a_first AFTER INSERT OR DELETE OR UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION compare();
INSERT INTO docs (id, v, price) SELECT i, '{3,1}', 1 FROM generate_series(8000, 8010) i;
DELETE FROM docs WHERE id > 8005;
UPDATE docs SET id = id + 100 WHERE id BETWEEN 8000 AND 8005;
DROP TRIGGER a_first ON docs;
SELECT differences('docs_s3v', 'docs');

-- ---- leaves that come and go -------------------------------------------------------------------------------------------

CREATE TABLE logs (id bigint, v real[], price int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (1) TO (101);
SELECT s3v_create_index('logs_s3v', 'logs', 'v', metric => 'l2', metadata => '{price}', options => '{"build": false, "dimensions": 2}');
INSERT INTO logs SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(1, 100) i;
SELECT way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT version FROM s3v_sync('logs');
-- a new leaf: known at once to a session that has queried before
CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (101) TO (201);
INSERT INTO logs SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(101, 200) i;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT version FROM s3v_sync('logs');
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'logs_2'::regclass AND tgparentid = 0;
TRUNCATE logs_2;
SELECT way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT version FROM s3v_sync('logs');
-- attached empty: nothing to mark
CREATE TABLE logs_3 (price int, v real[], id bigint NOT NULL);
ALTER TABLE logs ATTACH PARTITION logs_3 FOR VALUES FROM (201) TO (301);
INSERT INTO logs SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(201, 300) i;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
-- attached with rows; nobody writes but through the table until then
CREATE TABLE logs_4 (LIKE logs INCLUDING ALL);
INSERT INTO logs_4 SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(301, 400) i;
ALTER TABLE logs ATTACH PARTITION logs_4 FOR VALUES FROM (301) TO (401);
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT state FROM s3v_indexes WHERE index = 'logs_s3v'::regclass;
SELECT repaired('logs');
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
TRUNCATE logs_4;
SELECT differences('logs_s3v', 'logs');
SELECT version FROM s3v_sync('logs');
-- detached with rows, without, and concurrently
ALTER TABLE logs DETACH PARTITION logs_3;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT repaired('logs');
ALTER TABLE logs DETACH PARTITION logs_4;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 's3v_capture'::regproc AND tgrelid IN ('logs_3'::regclass, 'logs_4'::regclass);
INSERT INTO logs_3 VALUES (1, '{1,2,3,4}', 1);
TRUNCATE logs_3;
ALTER TABLE logs DETACH PARTITION logs_1 CONCURRENTLY;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
TRUNCATE logs_1;
SELECT repaired('logs'), way('logs_s3v');
-- dropped, alone and with all below
INSERT INTO logs SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(101, 200) i;
CREATE TABLE logs_5 PARTITION OF logs FOR VALUES FROM (401) TO (501) PARTITION BY LIST (id);
CREATE TABLE logs_5_a PARTITION OF logs_5 FOR VALUES IN (401, 402);
CREATE TABLE logs_5_b PARTITION OF logs_5 DEFAULT;
INSERT INTO logs SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(401, 420) i;
SELECT version, way('logs_s3v'), differences('logs_s3v', 'logs') FROM s3v_sync('logs');
DROP TABLE logs_5_a;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT repaired('logs');
BEGIN; DROP TABLE logs_5; SELECT stale('logs_s3v'), differences('logs_s3v', 'logs'); ROLLBACK;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
DROP TABLE logs_5;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT repaired('logs');
-- a subtree comes and goes
CREATE TABLE tree (id bigint NOT NULL, price int, v real[]) PARTITION BY HASH (id);
CREATE TABLE tree_0 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE tree_1 PARTITION OF tree FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO tree SELECT i, i % 10, ARRAY[i % 7, i % 5] FROM generate_series(501, 550) i;
ALTER TABLE logs ATTACH PARTITION tree FOR VALUES FROM (501) TO (601);
SELECT stale('logs_s3v'), differences('logs_s3v', 'logs');
SELECT repaired('logs'), way('logs_s3v'), differences('logs_s3v', 'logs');
TRUNCATE tree_1;
SELECT way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT version FROM s3v_sync('logs');
ALTER TABLE tree DETACH PARTITION tree_1;          -- empty, below
SELECT stale('logs_s3v'), differences('logs_s3v', 'logs');
ALTER TABLE logs DETACH PARTITION tree;
SELECT stale('logs_s3v'), differences('logs_s3v', 'logs');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 's3v_capture'::regproc AND tgrelid::regclass::text LIKE '%tree%';
SELECT repaired('logs');

-- unlogged leaves: a crash would empty them unseen
CREATE UNLOGGED TABLE logs_light PARTITION OF logs FOR VALUES FROM (701) TO (801);
INSERT INTO logs VALUES (701, '{1,1}', 1);
SELECT stale('logs_s3v'), differences('logs_s3v', 'logs');
SELECT s3v_sync('logs', 'reconcile');
ALTER TABLE logs_light SET LOGGED;
SELECT repaired('logs'), way('logs_s3v'), differences('logs_s3v', 'logs');
ALTER TABLE logs_light SET UNLOGGED;
SELECT stale('logs_s3v');
DROP TABLE logs_light;
SELECT repaired('logs');

-- ---- triggers ------------------------------------------------------------------------------------------------------------

SELECT tgname AS row_trigger FROM pg_trigger WHERE tgrelid = 'logs'::regclass AND tgname LIKE 's3v%' AND tgname <> 's3v_capture_truncate' \gset
ALTER TABLE logs_2 DISABLE TRIGGER ALL;
SELECT stale('logs_s3v');
SELECT s3v_sync('logs', 'reconcile') IS NULL;
ALTER TABLE logs_2 ENABLE ALWAYS TRIGGER :row_trigger, ENABLE ALWAYS TRIGGER s3v_capture_truncate;
SELECT repaired('logs');
ALTER TABLE ONLY logs ENABLE TRIGGER :row_trigger;
SELECT stale('logs_s3v');
ALTER TABLE logs ENABLE ALWAYS TRIGGER :row_trigger;
SELECT repaired('logs');
ALTER TABLE logs ENABLE TRIGGER USER;
SELECT stale('logs_s3v');
ALTER TABLE logs ENABLE ALWAYS TRIGGER :row_trigger, ENABLE ALWAYS TRIGGER s3v_capture_truncate;
ALTER TABLE logs_2 ENABLE ALWAYS TRIGGER s3v_capture_truncate;
SELECT repaired('logs');
ALTER TRIGGER :row_trigger ON logs RENAME TO captured;
INSERT INTO logs VALUES (150, '{1,1}', 1) ON CONFLICT (id) DO UPDATE SET v = '{1,1}';
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
DROP TRIGGER s3v_capture_truncate ON logs_2;
SELECT stale('logs_s3v');
DO $$ BEGIN PERFORM s3v_sync('logs', 'reconcile'); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
SELECT s3v_create_index('logs_other', 'logs', 'v', options => '{"build": false}');     -- puts it there again
SELECT repaired('logs'), stale('logs_s3v');
DROP FOREIGN TABLE logs_other;
-- a detached partition whose event nobody saw: its TRUNCATE goes on
BEGIN;
ALTER EVENT TRIGGER s3v_ddl_command_end DISABLE;
ALTER TABLE logs DETACH PARTITION logs_2;
TRUNCATE logs_2;
ROLLBACK;

-- ---- columns, names, keys ------------------------------------------------------------------------------------------------

ALTER TABLE logs RENAME price TO cost;
ALTER TABLE logs RENAME id TO no;
UPDATE logs SET cost = 9 WHERE no = 150;
SELECT key_column, metadata, stale('logs_s3v') FROM s3v.index WHERE index_id = 'logs_s3v'::regclass;
SELECT key, metadata FROM s3v_query('logs_s3v', '[1,1]', 1, keys => '{150}');
ALTER TABLE logs RENAME cost TO price;
ALTER TABLE logs RENAME no TO id;
ALTER TABLE logs_2 RENAME TO logs_two;
ALTER TABLE logs ADD COLUMN more int DEFAULT 5;
ALTER TABLE logs ALTER more TYPE bigint;
VACUUM FULL logs;
CLUSTER logs_two USING logs_2_pkey;
SELECT stale('logs_s3v'), way('logs_s3v'), differences('logs_s3v', 'logs');
ALTER TABLE logs ALTER v TYPE double precision[];
SELECT stale('logs_s3v'), differences('logs_s3v', 'logs');
SELECT repaired('logs'), way('logs_s3v'), differences('logs_s3v', 'logs');
ALTER TABLE logs DROP CONSTRAINT logs_pkey;
SELECT stale('logs_s3v');
CREATE UNIQUE INDEX logs_key ON ONLY logs (id);         -- not valid before the leaves have it
DO $$ BEGIN PERFORM s3v_sync('logs', 'reconcile'); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
DROP INDEX logs_key;
ALTER TABLE logs ADD PRIMARY KEY (id);
SELECT repaired('logs'), way('logs_s3v'), differences('logs_s3v', 'logs');
-- a foreign leaf cannot come while the key is unique; when it comes all the same, it says so
CREATE FOREIGN DATA WRAPPER parts_wrapper;
CREATE SERVER parts_server FOREIGN DATA WRAPPER parts_wrapper;
CREATE FOREIGN TABLE far (id bigint NOT NULL, v double precision[], price int, more bigint) SERVER parts_server;
ALTER TABLE logs ATTACH PARTITION far FOR VALUES FROM (1001) TO (1101);
ALTER TABLE logs DROP CONSTRAINT logs_pkey;
ALTER TABLE logs ATTACH PARTITION far FOR VALUES FROM (1001) TO (1101);
SELECT stale('logs_s3v');
SELECT s3v_sync('logs', 'reconcile');
SELECT * FROM s3v_check('logs');
ALTER TABLE logs DETACH PARTITION far;
DROP SERVER parts_server CASCADE;
DROP FOREIGN DATA WRAPPER parts_wrapper;
ALTER TABLE logs ADD PRIMARY KEY (id);
SELECT repaired('logs'), way('logs_s3v'), differences('logs_s3v', 'logs');
-- a leaf alone is none of our sources
SELECT s3v_create_index('x', 'logs_two', 'v');

-- ---- a leaf that has an index of its own -----------------------------------------------------------------------------------

CREATE TABLE own (id bigint PRIMARY KEY, v double precision[], price int, more bigint);
INSERT INTO own SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(901, 950) i;
SELECT s3v_create_index('own_s3v', 'own', 'v', metric => 'l2', metadata => '{price}');
ALTER TABLE logs ATTACH PARTITION own FOR VALUES FROM (901) TO (1001);
SELECT stale('logs_s3v'), stale('own_s3v'), differences('logs_s3v', 'logs'), differences('own_s3v', 'own');
SELECT repaired('logs');
INSERT INTO logs VALUES (960, '{3,1}', 5), (110, '{3,1}', 5) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
UPDATE own SET price = 4 WHERE id = 901;
SELECT s3v.pending('logs_s3v'), s3v.pending('own_s3v');
SELECT differences('logs_s3v', 'logs'), differences('own_s3v', 'own');
TRUNCATE own;
SELECT differences('logs_s3v', 'logs'), differences('own_s3v', 'own');
SELECT version FROM s3v_sync('logs'); SELECT version FROM s3v_sync('own');
DROP FOREIGN TABLE own_s3v;
INSERT INTO logs VALUES (961, '{3,1}', 5);
TRUNCATE own;
SELECT way('logs_s3v'), differences('logs_s3v', 'logs');
SELECT version FROM s3v_sync('logs');

-- ---- text and uuid keys, lists with NULL and default, deep trees ------------------------------------------------------------

CREATE TABLE words (id text PRIMARY KEY, v real[], price int) PARTITION BY RANGE (id);
CREATE TABLE words_a PARTITION OF words FOR VALUES FROM (MINVALUE) TO ('h');
CREATE TABLE words_h PARTITION OF words FOR VALUES FROM ('h') TO ('q') PARTITION BY HASH (id);
CREATE TABLE words_h0 PARTITION OF words_h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE words_h1 PARTITION OF words_h FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (id);
CREATE TABLE words_h1_some PARTITION OF words_h1 FOR VALUES IN ('k1', 'k2', 'k3', 'i7', 'i8');
CREATE TABLE words_h1_rest PARTITION OF words_h1 DEFAULT;
CREATE TABLE words_q PARTITION OF words FOR VALUES FROM ('q') TO (MAXVALUE);
INSERT INTO words SELECT chr(97 + i % 26) || i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(1, 300) i;
SELECT s3v_create_index('words_s3v', 'words', 'v', metric => 'l2', metadata => '{price}');
UPDATE words SET price = 3 WHERE v[1] = 3;
UPDATE words SET id = 'z' || id WHERE v[1] = 4;
DELETE FROM words WHERE v[1] = 5;
INSERT INTO words VALUES ('k1', '{3,1}', 1), ('k2', '{3,1}', 1), ('i8', '{3,1}', 1), ('é', '{3,1}', 1) ON CONFLICT DO NOTHING;
SELECT way('words_s3v'), differences('words_s3v', 'words');
SELECT version, way('words_s3v'), differences('words_s3v', 'words') FROM s3v_sync('words');
SELECT pending, missing, orphaned, stale FROM s3v_check('words');
CREATE TABLE codes (id uuid PRIMARY KEY, v real[], price int) PARTITION BY HASH (id);
SELECT format('CREATE TABLE codes_%s PARTITION OF codes FOR VALUES WITH (MODULUS 7, REMAINDER %1$s)', i) FROM generate_series(0, 6) i \gexec
INSERT INTO codes SELECT md5(i::text)::uuid, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(1, 300) i;
SELECT s3v_create_index('codes_s3v', 'codes', 'v', metric => 'l2', metadata => '{price}');
UPDATE codes SET price = 3 WHERE v[1] = 3;
DELETE FROM codes WHERE v[1] = 4;
SELECT way('codes_s3v'), differences('codes_s3v', 'codes');
SELECT version, way('codes_s3v'), differences('codes_s3v', 'codes') FROM s3v_sync('codes');

-- a partition key whose functions are a user's: no function of theirs runs in a sync, each leaf is probed
CREATE FUNCTION my_hash(int, bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE WARNING 'called'; RETURN $1 / 10; END$$;
CREATE OPERATOR CLASS my_ops FOR TYPE int USING hash AS OPERATOR 1 =, FUNCTION 2 my_hash(int, bigint);
CREATE TABLE odd (id int, v real[], price int) PARTITION BY HASH (id my_ops);
CREATE TABLE odd_0 PARTITION OF odd FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE odd_1 PARTITION OF odd FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE odd ADD PRIMARY KEY (id);
SET client_min_messages = error;
INSERT INTO odd SELECT i, ARRAY[i % 7, i % 5], i % 10 FROM generate_series(1, 60) i;
SET client_min_messages = warning;
SELECT s3v_create_index('odd_s3v', 'odd', 'v', metric => 'l2', metadata => '{price}');
SET client_min_messages = error;
UPDATE odd SET price = 3 WHERE v[1] = 3;
DELETE FROM odd WHERE v[1] = 4;
SET client_min_messages = warning;
SELECT version FROM s3v_sync('odd');
SELECT way('odd_s3v'), differences('odd_s3v', 'odd');

-- ---- rights and policies are those of the root -------------------------------------------------------------------------------

CREATE ROLE s3v_parts_reader;
GRANT USAGE ON SCHEMA parts TO s3v_parts_reader;
GRANT SELECT ON words, words_s3v TO s3v_parts_reader;
ALTER TABLE words_a ENABLE ROW LEVEL SECURITY;                 -- of a leaf: means nothing here
SET ROLE s3v_parts_reader;
SELECT count(*) = (SELECT count(*) FROM words) AS all_rows FROM s3v_query('words_s3v', '[3,1]', 10000);
SELECT count(*) FROM words_a;
RESET ROLE;
ALTER TABLE words ENABLE ROW LEVEL SECURITY;
CREATE POLICY cheap ON words USING (price < 5);
SET ROLE s3v_parts_reader;
SELECT count(*) = (SELECT count(*) FROM words) AS visible_rows, max((metadata->>'price')::int) FROM s3v_query('words_s3v', '[3,1]', 10000);
SELECT count(*) AS nearest FROM s3v_query('words_s3v', '[3,1]', 10);
RESET ROLE;
DROP TABLE words;
DROP OWNED BY s3v_parts_reader;
DROP ROLE s3v_parts_reader;

-- ---- the end -----------------------------------------------------------------------------------------------------------------

DROP FOREIGN TABLE docs_s3v;
SELECT count(*) FROM pg_trigger WHERE tgfoid = 's3v_capture'::regproc AND tgrelid::regclass::text LIKE 'docs%';
TRUNCATE docs_0;
INSERT INTO docs (id, v) VALUES (1, '{1,2,3,4,5}') ON CONFLICT DO NOTHING;
DROP SCHEMA parts CASCADE;
