-- Row-level security: what a caller is told does not depend on rows that are hidden from them. Everything they can ask is asked before and after
-- rows of others change, and compared, times left out; then the same under SET ROLE, views and functions that peek.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET extra_float_digits = 0;
CREATE ROLE s3v_h_tenant;
CREATE ROLE s3v_h_owner;
CREATE ROLE s3v_h_bypass BYPASSRLS;
CREATE TABLE hidden (id bigint PRIMARY KEY, tenant text, kind text, price numeric, tags text[], v real[]);
-- some for the index to answer, few for a scan
INSERT INTO hidden SELECT i, CASE WHEN i % 2 = 0 THEN 's3v_h_tenant' ELSE 'others' END, 'k' || i % 3, i % 100, ARRAY['t' || i % 5],
    ARRAY[sin(i), cos(i * 0.7), sin(i * 1.3), cos(i * 0.1)] FROM generate_series(1, 6000) i;
ANALYZE hidden;
SELECT s3v_create_index('hidden_s3v', 'hidden', 'v', metric => 'l2', metadata => '{kind,price,tags}', options => '{"lists": 40}');
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON hidden TO s3v_h_tenant USING (tenant = 's3v_h_tenant') WITH CHECK (tenant = 's3v_h_tenant');
CREATE POLICY own_as_owner ON hidden TO s3v_h_owner USING (tenant = 's3v_h_owner');
GRANT SELECT, INSERT, UPDATE, DELETE ON hidden TO s3v_h_tenant;
GRANT SELECT ON hidden, hidden_s3v TO s3v_h_tenant, s3v_h_bypass;

-- ---- everything a caller may ask -----------------------------------------------------------------------------------------
CREATE TABLE question (n serial, call text);
INSERT INTO question (call) SELECT format('SELECT jsonb_agg(to_jsonb(h)) FROM s3v_query(%L, %s, %s) h', 'hidden_s3v', v, rest)
FROM unnest('{"''[0,1,0,1]''","''[0.3,0.2,-0.4,0.9]''"}'::text[]) v, (VALUES
    ($$10, options => '{"probes": 100000}'$$), ($$1, options => '{"probes": 100000}'$$), ($$4000, options => '{"probes": 100000}'$$), ($$10, keys => '{2,3,4,5,7001,7003}'$$),
    ($$10, '{"kind": "k1"}', options => '{"probes": 100000}'$$), ($$10, '{"price": {"$lt": 3}}', options => '{"probes": 100000}'$$),
    ($$10, '{"tags": "t1"}', options => '{"probes": 100000}'$$), ($$10, '{"kind": "secret"}'$$), ($$10, '{"tags": {"$exists": false}}'$$),
    ($$10, '{"kind": {"$startsWith": "sec"}}', options => '{"consistency": "eventual"}'$$), ($$10, options => '{"as_of_version": 1}'$$),
    ($$10, '{"price": "no number"}'$$), ($$10, '{"tenant": "others"}'$$), ($$10, keys => '{x}'$$), ($$0$$)) r (rest);
INSERT INTO question (call) VALUES
    ($$SELECT jsonb_agg(to_jsonb(h)) FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 5, options => '{"probes": 100000}') h$$),
    ($$SELECT jsonb_agg(to_jsonb(h)) FROM s3v_query_many('hidden_s3v', ARRAY[[0,1,0,1],[1,0,0,1]]::real[], 5, options => '{"probes": 100000}') h$$),
    ($$SELECT s3v_explain('hidden_s3v', '[0,1,0,1]', 5) - 'ms'$$),
    ($$SELECT s3v_explain('hidden_s3v', '[0,1,0,1]', 5, '{"kind": "secret"}') - 'ms'$$),
    ($$SELECT s3v_explain('hidden_s3v', '[0,1,0,1]', 5, keys => '{7001,7003}') - 'ms'$$),
    ($$SELECT to_jsonb(s3v_recall('hidden_s3v'))$$), ($$SELECT to_jsonb(s3v_warm('hidden_s3v'))$$), ($$SELECT jsonb_agg(to_jsonb(c)) FROM s3v_check('hidden') c$$),
    ($$SELECT jsonb_agg(to_jsonb(i)) FROM s3v_indexes i$$), ($$SELECT to_jsonb(s3v.pending('hidden_s3v'))$$), ($$SELECT jsonb_agg(to_jsonb(p)) FROM s3v_progress p$$),
    ($$SELECT jsonb_agg(to_jsonb(i)) FROM s3v.index i WHERE index_id = 'hidden_s3v'::regclass$$),
    ($$SELECT jsonb_agg(to_jsonb(i)) FROM s3v.history i WHERE index_id = 'hidden_s3v'::regclass$$),
    ($$SELECT jsonb_agg(to_jsonb(i)) FROM s3v.stale i WHERE index_id = 'hidden_s3v'::regclass$$),
    ($$SELECT jsonb_agg(to_jsonb(i)) FROM s3v.version i$$), ($$SELECT to_jsonb(last_value) FROM s3v.change_id$$),
    ($$INSERT INTO hidden VALUES (9002, 's3v_h_tenant', 'k', 1, '{}', '{1,NaN,1,1}')$$), ($$INSERT INTO hidden VALUES (9002, 's3v_h_tenant', 'k', 1, '{}', '{1,1}')$$),
    ($$INSERT INTO hidden VALUES (9002, 'others', 'k', 1, '{}', '{1,NaN,1,1}')$$), ($$UPDATE hidden SET v = '{1,1}' WHERE id = 7001$$),
    ($$SELECT * FROM s3v_sync('hidden')$$), ($$SELECT s3v_optimize('hidden_s3v')$$), ($$SELECT s3v_adopt('hidden_s3v')$$);
GRANT SELECT ON question TO s3v_h_tenant;

CREATE FUNCTION answer(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    said text;
    detail text;
    hint text;
BEGIN
    IF call !~ '^SELECT' THEN
        EXECUTE call;
        RETURN 'done';
    END IF;
    EXECUTE call INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, said, detail, hint);
END $$;
CREATE TABLE told (n int, before text);
GRANT SELECT, INSERT ON told TO s3v_h_tenant;
-- a pending row of the tenant, so that both times the answer is of the index and of pending rows
INSERT INTO hidden VALUES (8000, 's3v_h_tenant', 'k1', 1, '{t1}', '{0,1,0,1}');
SET client_min_messages = notice;
SELECT s3v_explain('hidden_s3v', '[0,1,0,1]') ->> 'path' AS path;
SET ROLE s3v_h_tenant;
INSERT INTO told SELECT n, answer(call) FROM question ORDER BY n;
-- what a refusal says, and that the answers are of some use
SELECT DISTINCT before FROM told WHERE before ~ '^[0-9A-Z]{5} ' ORDER BY 1;
SELECT count(*) AS questions, count(before) AS answered, count(*) FILTER (WHERE before ~ '^[0-9A-Z]{5} ') AS refused, sum(length(before)) > 100000 AS told_much FROM told;
SELECT call FROM told JOIN question USING (n) WHERE before IS NULL ORDER BY n;
CREATE VIEW pg_temp.differ AS SELECT n, call, left(before, 100) AS before, left(answer, 100) AS after FROM (SELECT n, call, before, answer(call) FROM told JOIN question USING (n)) x WHERE before IS DISTINCT FROM answer;
SELECT * FROM pg_temp.differ ORDER BY n;

-- ---- rows of others change -----------------------------------------------------------------------------------------------
-- nearer ones, with metadata that the tenant asks for, pending
RESET ROLE;
INSERT INTO hidden SELECT 7001 + 2 * i, 'others', 'secret', 1, NULL, ARRAY[0, 1, 0, 1 + i * 0.0001] FROM generate_series(0, 199) i;
INSERT INTO hidden SELECT 7501 + 2 * i, 'others', 'k1', 1, '{t1}', ARRAY[0.3, 0.2, -0.4, 0.9 + i * 0.0001] FROM generate_series(0, 199) i;
SET ROLE s3v_h_tenant;
SELECT * FROM pg_temp.differ ORDER BY n;
-- more pending than visible rows; gone; moved; metadata changed; refused
RESET ROLE;
UPDATE hidden SET v = '{0,1,0,1}', kind = 'k1' WHERE tenant = 'others';
SET ROLE s3v_h_tenant;
SELECT * FROM pg_temp.differ ORDER BY n;
RESET ROLE;
DELETE FROM hidden WHERE tenant = 'others' AND id % 3 = 0;
UPDATE hidden SET kind = 'secret', price = 'NaN', tags = NULL, v = CASE WHEN id BETWEEN 7001 AND 7399 THEN ARRAY[0, 1, 0, 1 + (id - 7001) * 0.01]
    WHEN id BETWEEN 7501 AND 7899 THEN '{0.3,0.2,-0.4,0.9}' ELSE ARRAY[cos(id), sin(id * 0.7), sin(id * 0.3), cos(id * 0.2)] END WHERE tenant = 'others';
INSERT INTO hidden VALUES (7999, 'others', 'k1', 1, '{}', '{1,NaN,1,1}');
UPDATE hidden SET v = NULL WHERE id = 5;
SET ROLE s3v_h_tenant;
SELECT * FROM pg_temp.differ ORDER BY n;
-- all of it synced: that there is a new version, and when, is told to everybody (s3v.version, s3v.history), and nothing else
RESET ROLE;
SELECT upserted > 1000 AS many FROM s3v_sync('hidden');
SET ROLE s3v_h_tenant;
SELECT DISTINCT regexp_replace(call, '^.* FROM ', '') AS of_versions FROM pg_temp.differ ORDER BY 1;
RESET ROLE;
DELETE FROM told;
SET ROLE s3v_h_tenant;
INSERT INTO told SELECT n, answer(call) FROM question ORDER BY n;
-- a rolled-back change of others, and one that is not committed yet: neither here nor there
RESET ROLE;
BEGIN;
SAVEPOINT a;
DELETE FROM hidden WHERE tenant = 'others';
SET LOCAL ROLE s3v_h_tenant;
SELECT * FROM pg_temp.differ ORDER BY n;
ROLLBACK TO a;
SET LOCAL ROLE s3v_h_tenant;
SELECT * FROM pg_temp.differ ORDER BY n;
COMMIT;

-- ---- the same answer for all ways of asking -------------------------------------------------------------------------------
-- one plan, generic, through a function, a prepared statement and a view, for each role
CREATE FUNCTION nearest() RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT array_agg(key ORDER BY distance, key) FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 3, options => '{"probes": 100000}'));
END $$;
CREATE FUNCTION nearest_as_bypass() RETURNS bigint[] LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT nearest()';
ALTER FUNCTION nearest_as_bypass OWNER TO s3v_h_bypass;
CREATE VIEW barrier WITH (security_barrier) AS
    SELECT f.id, f.tenant, h.distance FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 6, options => '{"probes": 100000}') h JOIN hidden f ON f.id = h.key WHERE f.tenant <> 'others';
GRANT SELECT ON barrier TO s3v_h_tenant, s3v_h_bypass, s3v_h_owner;
GRANT CREATE ON SCHEMA public TO s3v_h_owner, s3v_h_tenant;
ALTER TABLE hidden OWNER TO s3v_h_owner;
GRANT SELECT ON hidden_s3v TO s3v_h_owner;
SET plan_cache_mode = force_generic_plan;
PREPARE nearest AS SELECT array_agg(key ORDER BY distance, key) AS keys, nearest() AS in_a_function, nearest_as_bypass(), (SELECT count(*) FROM barrier) AS behind_barrier
    FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 3, options => '{"probes": 100000}');
SET ROLE s3v_h_tenant;
EXECUTE nearest;
SELECT array_agg(id) AS exact FROM (SELECT id FROM hidden ORDER BY (SELECT sum((a - b) ^ 2) FROM unnest(v, '{0,1,0,1}'::real[]) u (a, b)), id LIMIT 3) x;
SET ROLE s3v_h_bypass;
EXECUTE nearest;
SET ROLE s3v_h_owner;
EXECUTE nearest;
SET ROLE s3v_h_tenant;
EXECUTE nearest;
-- a function that peeks sees rows behind neither policy nor barrier, wherever the caller puts it
CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'peeks at %', $1; RETURN true; END $$;
SELECT count(*) FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 3, options => '{"probes": 100000}') h JOIN hidden f ON f.id = h.key WHERE peek(f.tenant);
CREATE DOMAIN peeking AS bigint CHECK (peek(VALUE::text));
SELECT key FROM s3v_query_as('hidden_s3v', NULL::peeking, '[0,1,0,1]', 3, options => '{"probes": 100000}');
RESET ROLE;
SET ROLE s3v_h_bypass;
SELECT count(*) AS hits, count(*) FILTER (WHERE tenant = 'others') AS of_others FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 6, options => '{"probes": 100000}') h JOIN hidden f ON f.id = h.key;
SELECT count(*) FROM barrier WHERE peek(tenant);
RESET ROLE;
-- the function in a view runs as the caller, the view's tables as its owner: without rights of their own callers learn nothing
REVOKE SELECT ON hidden FROM s3v_h_bypass;
SET ROLE s3v_h_bypass;
SELECT count(*) FROM barrier;
RESET ROLE;
GRANT SELECT ON hidden TO s3v_h_bypass;
-- a policy that asks a function, which sees what the statement of the server hands to it: rows, and who asks
CREATE FUNCTION decides(bigint, text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_user = 's3v_h_tenant' AND $1 % 1000 = 0 AND $2 <> 'others'; END $$;
ALTER POLICY own ON hidden USING (decides(id, tenant));
SET ROLE s3v_h_tenant;
EXECUTE nearest;
SELECT (SELECT array_agg(key ORDER BY key) FROM s3v_query_as('hidden_s3v', NULL::bigint, '[0,1,0,1]', 100)) = (SELECT array_agg(id ORDER BY id) FROM hidden) AS as_the_table;
-- an error that a policy raises is the caller's, as it is of a SELECT
RESET ROLE;
ALTER POLICY own ON hidden USING (1 / (id - 8000) IS NOT NULL);
SET ROLE s3v_h_tenant;
SELECT key FROM s3v_query('hidden_s3v', '[0,1,0,1]', keys => '{8000}');
SELECT count(*) FROM hidden;
RESET ROLE;
ALTER POLICY own ON hidden USING (tenant = 's3v_h_tenant');

-- ---- row_security = off, and FORCE ----------------------------------------------------------------------------------------
SET ROLE s3v_h_tenant;
SET row_security = off;
SELECT left(answer(call), 90) AS answer, count(*) FROM question WHERE call ~ 's3v_(query|explain|recall|warm|check)' GROUP BY 1 ORDER BY 1;
SELECT rows, pending, bytes FROM s3v_indexes;
SELECT count(*) FROM hidden;
RESET row_security;
RESET ROLE;
-- the owner sees all, unless policies are forced on it: then all that is a part is refused
GRANT EXECUTE ON FUNCTION s3v_sync, s3v_optimize, s3v_create_index TO s3v_h_owner;
SET ROLE s3v_h_owner;
EXECUTE nearest;
INSERT INTO hidden VALUES (9999, 's3v_h_owner', 'k1', 1, '{}', '{0,1,0,1}');
ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
EXECUTE nearest;
SELECT s3v_explain('hidden_s3v', '[0,1,0,1]', 5) - 'ms' AS told;
SELECT rows, pending, bytes FROM s3v_indexes;
SELECT s3v_recall('hidden_s3v');
SELECT s3v_warm('hidden_s3v');
SELECT * FROM s3v_check('hidden');
SELECT * FROM s3v_sync('hidden');
SELECT * FROM s3v_sync('hidden', 'reconcile');
SELECT * FROM s3v_sync('hidden', 'rebuild');
SELECT s3v_optimize('hidden_s3v');
SELECT upserted, error FROM s3v_sync();
RESET ROLE;
-- whoever calls it, a sync is the owner's
SELECT * FROM s3v_sync('hidden');
SELECT version, rows, pending FROM s3v_indexes WHERE index = 'hidden_s3v'::regclass;
ALTER ROLE s3v_h_owner BYPASSRLS;
SELECT upserted FROM s3v_sync('hidden');
SELECT rows = (SELECT count(*) FROM hidden WHERE v IS NOT NULL) AS all_of_them, pending FROM s3v_indexes WHERE index = 'hidden_s3v'::regclass;

-- ---- nothing of the owner's runs with the rights of who syncs, checks or cleans up ----------------------------------------
CREATE FUNCTION trap(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'trapped %', current_user; RETURN true; END $$;
SET ROLE s3v_h_owner;
SET client_min_messages = error;
CREATE INDEX ON hidden (id) WHERE trap(1);
CREATE POLICY trapped ON hidden USING (trap(2));
INSERT INTO hidden VALUES (9997, 's3v_h_owner', 'k1', 1, '{}', '{0,1,0,1}');
RESET ROLE;
\c -
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT upserted FROM s3v_sync('hidden');
SELECT upserted > 0 AS all_of_them FROM s3v_sync('hidden', 'rebuild');
SELECT upserted FROM s3v_sync('hidden', 'reconcile');
SELECT s3v_optimize('hidden_s3v') > 0 AS optimized;
SELECT missing, orphaned, stale, corrupt FROM s3v_check() WHERE index = 'hidden_s3v'::regclass;
SELECT count(*) > 0 AS servers FROM s3v_gc();
SELECT count(s3v_create_index('more', 'hidden', 'v', options => '{"dimensions": 4}'));
-- while a statement of one's own over such a table does run it
SELECT count(*) > 0 AS some FROM hidden WHERE id > 0;

DROP VIEW barrier;
SET client_min_messages = error;
DROP TABLE hidden CASCADE;
REVOKE EXECUTE ON FUNCTION s3v_sync, s3v_optimize, s3v_create_index FROM s3v_h_owner;
DROP DOMAIN peeking;
DROP FUNCTION answer, nearest, nearest_as_bypass, peek, decides, trap;
DROP TABLE question, told;
REVOKE CREATE ON SCHEMA public FROM s3v_h_owner, s3v_h_tenant;
DROP ROLE s3v_h_tenant, s3v_h_owner, s3v_h_bypass;
