-- Sums of what queries and syncs did: what counts, what does not, and who may set them to zero.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE docs (id bigint PRIMARY KEY, v real[]);
INSERT INTO docs SELECT i, ARRAY[i, 1]::real[] FROM generate_series(1, 200) i;
SELECT s3v_stat_reset();
CREATE VIEW sums AS SELECT queries, syncs, rows, errors FROM s3v_stat;
SELECT * FROM sums;
SELECT stats_reset <= now() AND stats_reset > now() - interval '1 hour' AS just_now FROM s3v_stat;

-- the first build is a sync of all rows
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2');
SELECT * FROM sums;
SELECT waves, requests, bytes, sync_requests > 0 AS sync_requests, bytes_written > 0 AS bytes_written, sync_ms > 0 AS sync_ms FROM s3v_stat;
SELECT count(*) FROM s3v_query('docs_s3v', '[1,1]', 5);
SELECT count(*) FROM s3v_query_many('docs_s3v', '{{1,1},{2,2},{3,3}}'::real[], 5);
SELECT e->>'path' AS path FROM s3v_explain('docs_s3v', '[1,1]', 5) e;
SELECT * FROM sums;
SELECT waves > 0 AS waves, requests >= waves AS requests, bytes > 0 AS bytes, ms > 0 AS ms FROM s3v_stat;
-- sums are those that explain tells
SELECT s3v_stat_reset();
SELECT (e->>'requests')::bigint AS requests, (e->>'bytes')::bigint AS bytes, (e->>'waves')::bigint AS waves, (e->>'cache_hits')::bigint AS cache_hits
FROM s3v_explain('docs_s3v', '[100,1]', 5) e \gset told_
SELECT s.requests = :told_requests AS requests, s.bytes = :told_bytes AS bytes, s.waves = :told_waves AS waves, s.cache_hits = :told_cache_hits AS cache_hits
FROM s3v_stat s;
-- no query, no sum
SELECT count(*) FROM s3v_query_many('docs_s3v', '{}'::real[], 5);
SELECT * FROM s3v_query('docs_s3v', NULL::real[], 5);
SELECT * FROM sums;

-- a sync, and one that finds nothing to do
INSERT INTO docs VALUES (201, '{201,1}'), (202, '{202,1}');
DELETE FROM docs WHERE id = 1;
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT * FROM sums;

-- errors: of the transaction, of a block with a handler, of a sync, of a sync of all tables; what was rolled back ran all the same
SELECT s3v_stat_reset();
SELECT * FROM s3v_query('docs_s3v', '[1,1,1]', 5);
SELECT * FROM sums;
DO $$
BEGIN
    FOR i IN 1 .. 3 LOOP
        BEGIN
            PERFORM * FROM s3v_query('docs_s3v', '[1,1,1]', 5);
        EXCEPTION WHEN invalid_parameter_value THEN
            PERFORM * FROM s3v_query('docs_s3v', '[1,1]', 5);
        END;
    END LOOP;
END $$;
SELECT * FROM sums;
BEGIN;
SAVEPOINT a;
SELECT count(*) FROM s3v_query('docs_s3v', '[1,1]', 5);
ROLLBACK TO a;
SELECT * FROM s3v_query('docs_s3v', '[1,1,1]', 5);
ROLLBACK;
SELECT * FROM sums;
INSERT INTO docs VALUES (203, '{203,1}');
ALTER TABLE docs DISABLE TRIGGER s3v_capture;
SET client_min_messages = error;
SELECT upserted FROM s3v_sync('docs');
SELECT error IS NOT NULL AS failed FROM s3v_sync();
SET client_min_messages = warning;
ALTER TABLE docs ENABLE ALWAYS TRIGGER s3v_capture;
SELECT upserted FROM s3v_sync('docs', 'rebuild');
SELECT * FROM sums;
-- in a function that hides it
CREATE FUNCTION inner_query(wanted text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT key FROM s3v_query('docs_s3v', wanted, 1));
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'caught';
END $$;
SELECT inner_query('[5,1]'), inner_query('[5,1,1]');
SELECT * FROM sums;

-- other sessions see them, and go on with them
\c -
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT * FROM sums;
SELECT count(*) FROM s3v_query('docs_s3v', '[1,1]', 5);
SELECT * FROM sums;

-- read-only transactions count as well
BEGIN TRANSACTION READ ONLY;
SELECT count(*) FROM s3v_query('docs_s3v', '[1,1]', 5);
COMMIT;
SELECT queries FROM sums;

-- rights: everybody sees sums, the database's owner sets them to zero
CREATE ROLE s3v_stat_owner;
CREATE ROLE s3v_stat_other;
GRANT SELECT ON sums TO PUBLIC;
SELECT datdba::regrole AS owner_before FROM pg_database WHERE datname = current_database() \gset
ALTER DATABASE :DBNAME OWNER TO s3v_stat_owner;
SET ROLE s3v_stat_other;
SELECT queries > 0 AS queries FROM s3v_stat;
SELECT s3v_stat_reset();
SET ROLE s3v_stat_owner;
SELECT s3v_stat_reset();
RESET ROLE;
ALTER DATABASE :DBNAME OWNER TO :owner_before;
SELECT * FROM sums;

-- queries within a query: a policy that asks another index for each row, first with an error that it catches
CREATE TABLE rooms (id int PRIMARY KEY, v real[]);
INSERT INTO rooms VALUES (1, '{1,1}'), (2, '{2,1}'), (3, '{3,1}');
SELECT s3v_create_index('rooms_s3v', 'rooms', 'v', metric => 'l2');
GRANT SELECT ON rooms, rooms_s3v, docs, docs_s3v TO s3v_stat_other;
CREATE FUNCTION is_open(probe text) RETURNS bool LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN inner_query('[1,2,3]') = 'caught' AND (SELECT count(*) = 1 FROM s3v_query('docs_s3v', probe, 1));
END $$;
ALTER TABLE rooms ENABLE ROW LEVEL SECURITY;
CREATE POLICY doors ON rooms USING (is_open('[' || id || ',1]'));
SELECT s3v_stat_reset();
SET ROLE s3v_stat_other;
SELECT key FROM s3v_query('rooms_s3v', '[0,0]', 5);
SELECT * FROM sums;
-- both raise
RESET ROLE;
DROP POLICY doors ON rooms;
CREATE POLICY doors ON rooms USING ((SELECT count(*) = 1 FROM s3v_query('docs_s3v', '[1]', id)));
SELECT s3v_stat_reset();
SET ROLE s3v_stat_other;
SELECT key FROM s3v_query('rooms_s3v', '[0,0]', 5);
SELECT * FROM sums;
RESET ROLE;

DROP TABLE docs, rooms CASCADE;
DROP VIEW sums;
DROP FUNCTION inner_query, is_open;
DROP ROLE s3v_stat_owner, s3v_stat_other;
