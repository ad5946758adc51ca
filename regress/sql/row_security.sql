-- Row-level security: the k nearest rows that the caller may see, whatever way they are found, and nothing of the others.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SET extra_float_digits = 0;
CREATE ROLE s3v_large;
CREATE ROLE s3v_small;
CREATE ROLE s3v_sly;
CREATE ROLE s3v_blind;
CREATE TABLE files (id bigint PRIMARY KEY, tenant text, kind text, v real[]);
INSERT INTO files SELECT i, CASE WHEN i % 100 = 7 THEN 's3v_small' ELSE 's3v_large' END, 'k' || i % 3,
    ARRAY[sin(i), cos(i * 0.7), sin(i * 1.3), cos(i * 0.1)] FROM generate_series(1, 10000) i;
ANALYZE files;
SELECT s3v_create_index('files_s3v', 'files', 'v', metric => 'l2', metadata => '{kind}');
ALTER TABLE files ENABLE ROW LEVEL SECURITY;
-- the planner knows how many rows a tenant has; of what the function lets through it knows nothing
CREATE FUNCTION lets_through(bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN $1 % 2500 = 3; END';
CREATE POLICY large ON files TO s3v_large USING (tenant = 's3v_large');
CREATE POLICY small ON files TO s3v_small USING (tenant = 's3v_small');
CREATE POLICY sly ON files TO s3v_sly USING (lets_through(id));
GRANT SELECT ON files, files_s3v TO s3v_large, s3v_small, s3v_sly, s3v_blind;
-- pending rows, of which each sees its own
INSERT INTO files VALUES (20001, 's3v_large', 'k1', '{0,1,0,1}'), (20007, 's3v_small', 'k1', '{0,1,0,1}'), (22503, 'nobody', 'k1', '{0,1,0,1}');
DELETE FROM files WHERE id IN (7, 107, 3, 100);

CREATE FUNCTION same(k int, filter jsonb, kind_wanted text) RETURNS TABLE (hits bigint, differ bigint) LANGUAGE sql STABLE AS $$
    WITH q AS (SELECT ARRAY[0.1, 0.9, 0.2, 0.8]::real[] AS v),
    found AS (SELECT h.key::bigint, round(h.distance::numeric, 6) AS d FROM q, s3v_query('files_s3v', q.v, k, filter, options => '{"probes": 100000}') h),
    truth AS (SELECT id, round(sqrt((SELECT sum((a - b) ^ 2) FROM unnest(f.v, q.v) u (a, b)))::numeric, 6) AS d FROM files f, q
             WHERE kind_wanted IS NULL OR f.kind = kind_wanted ORDER BY d, id LIMIT k)
    SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM (SELECT * FROM found EXCEPT SELECT * FROM truth) x) + (SELECT count(*) FROM (SELECT * FROM truth EXCEPT SELECT * FROM found) x)
$$;
PREPARE plain AS SELECT * FROM same(10, NULL, NULL);
PREPARE filtered AS SELECT * FROM same(10, '{"kind": "k1"}', 'k1');
PREPARE nearest AS SELECT key FROM s3v_query('files_s3v', '[0,1,0,1]', 1);
EXECUTE plain;
-- one plan, many roles
SET ROLE s3v_large;
EXECUTE plain; EXECUTE filtered; EXECUTE nearest;
SET ROLE s3v_small;
EXECUTE plain; EXECUTE filtered; EXECUTE nearest;
SET ROLE s3v_sly;
EXECUTE plain; EXECUTE filtered; EXECUTE nearest;
SET ROLE s3v_blind;
EXECUTE plain; EXECUTE filtered; EXECUTE nearest;
SET ROLE s3v_large;
EXECUTE nearest;
-- keys and many queries; rows of others are as if they were not there
SELECT key FROM s3v_query('files_s3v', '[0,1,0,1]', 10, keys => '{20001,20007,22503,1}') ORDER BY key;
SELECT query, count(*), count(*) FILTER (WHERE key::bigint % 100 = 7) AS of_others FROM s3v_query_many('files_s3v', ARRAY[[0,1,0,1],[1,0,1,0]]::real[], 50) GROUP BY 1 ORDER BY 1;
-- what is told of the work is hits and time
SELECT array_agg(e.key ORDER BY e.key) AS told, array_agg(x.key ORDER BY x.key) AS ms FROM jsonb_each(s3v_explain('files_s3v', '[0,1,0,1]')) e LEFT JOIN LATERAL jsonb_object_keys(CASE WHEN e.key = 'ms' THEN e.value ELSE '{}' END) x (key) ON true;
SELECT rows, skipped, pending, lists, segments, bytes, state FROM s3v_indexes;
SELECT rows FROM s3v.version;
SELECT version > 0 AS built FROM s3v.version;
SELECT s3v_recall('files_s3v');
SELECT s3v_warm('files_s3v');
SELECT count(*) FROM s3v_check('files');
-- a setting of PostgreSQL asks for an error instead
SET row_security = off;
EXECUTE nearest;
RESET row_security;
RESET ROLE;
-- a function with the rights of its owner sees what that role sees
CREATE FUNCTION as_owner() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT key FROM s3v_query('files_s3v', '[0,1,0,1]', 1) $$;
SET ROLE s3v_small;
SELECT as_owner();
RESET ROLE;
-- the answer follows a policy that changes
ALTER POLICY small ON files USING (tenant = 's3v_small' AND id < 300);
SET ROLE s3v_small;
EXECUTE plain;
RESET ROLE;
-- forced on an owner who does not see all: no index of a part
SELECT upserted, deleted FROM s3v_sync('files');
SET ROLE s3v_large;
EXECUTE plain; EXECUTE filtered;
RESET ROLE;
GRANT CREATE ON SCHEMA public TO s3v_large;
ALTER TABLE files OWNER TO s3v_large;
ALTER TABLE files FORCE ROW LEVEL SECURITY;
INSERT INTO files VALUES (30000, 's3v_small', 'k0', '{1,1,1,1}');
SELECT * FROM s3v_sync('files');
SELECT s3v_create_index('other', 'files', 'v');
ALTER TABLE files NO FORCE ROW LEVEL SECURITY;
SELECT upserted, deleted FROM s3v_sync('files');
DROP TABLE files;
REVOKE CREATE ON SCHEMA public FROM s3v_large;
DROP FUNCTION same, as_owner, lets_through;
DROP ROLE s3v_large, s3v_small, s3v_sly, s3v_blind;
