-- s3v_fork: an index copied to a prefix of its own, on its server or another one. What it had stays, and nobody here deletes it.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE s3v_forker;
CREATE ROLE s3v_other;
CREATE SERVER fork_here FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/fork_here');
CREATE SERVER fork_there FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/fork_there');
GRANT USAGE ON FOREIGN SERVER fork_here TO s3v_forker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO s3v_forker, s3v_other;
CREATE SCHEMA fork AUTHORIZATION s3v_forker;
-- of earlier runs
CREATE TABLE fork.strange AS SELECT u FROM pg_ls_dir('s3v/fork_here', true, false) u UNION SELECT u FROM pg_ls_dir('s3v/fork_there', true, false) u;
GRANT USAGE ON SCHEMA fork TO s3v_other;
SET ROLE s3v_forker;
CREATE TABLE fork.docs (id int PRIMARY KEY, tag text, v real[]);
INSERT INTO fork.docs SELECT i, 't' || i % 3, ARRAY[i, i % 7]::real[] FROM generate_series(1, 600) i;
SELECT s3v_create_index('docs_s3v', 'fork.docs', 'v', metric => 'l2', server => 'fork_here', metadata => '{tag}', options => '{"raw": "f32"}');
SELECT s3v_create_index('unbuilt_s3v', 'fork.docs', 'v', metric => 'l2', server => 'fork_here', options => '{"build": false}');
SELECT uuid AS unbuilt FROM s3v.index WHERE index_id = 'fork.unbuilt_s3v'::regclass \gset
ALTER FOREIGN TABLE fork.docs_s3v OPTIONS (ADD probes '1000');
-- without a version there is nothing to copy; with two versions, masks, and rows that are pending
SELECT s3v_fork('fork.unbuilt_s3v');
SELECT uuid <> :'unbuilt' AS another_prefix, version FROM s3v.index JOIN s3v.version USING (index_id) WHERE index_id = 'fork.unbuilt_s3v'::regclass;
UPDATE fork.docs SET v = ARRAY[-id, 1] WHERE id <= 20;
DELETE FROM fork.docs WHERE id = 300;
SELECT index, version, upserted, deleted FROM s3v_sync('fork.docs') WHERE index = 'fork.docs_s3v'::regclass;
INSERT INTO fork.docs VALUES (1000, 't0', '{300,6}');
DELETE FROM fork.docs WHERE id = 301;
CREATE FUNCTION fork.agrees() RETURNS TABLE (path text, same boolean) LANGUAGE sql STABLE AS $$
    SELECT s3v_explain('fork.docs_s3v', '[300,6]', 700)->>'path',
        ARRAY(SELECT (key, distance)::text FROM s3v_query('fork.docs_s3v', '[300,6]', 700) ORDER BY distance, key::int) =
        ARRAY(SELECT (d.id, sqrt((d.v[1] - 300)::float8 ^ 2 + (d.v[2] - 6)::float8 ^ 2))::text FROM fork.docs d ORDER BY sqrt((d.v[1] - 300)::float8 ^ 2 + (d.v[2] - 6)::float8 ^ 2), d.id)
$$;
SELECT * FROM fork.agrees();
RESET ROLE;
-- what lies where: objects of each prefix, as the index sees it now
CREATE FUNCTION fork.objects(server text, OUT prefixes bigint, OUT markers bigint, OUT manifests bigint, OUT nav bigint, OUT segments bigint) LANGUAGE sql AS $$
    SELECT count(DISTINCT u), count(*) FILTER (WHERE k = 'owner'), count(*) FILTER (WHERE k = 'manifest'), count(*) FILTER (WHERE k = 'nav'), count(*) FILTER (WHERE k = 'segment')
    FROM (SELECT u FROM pg_ls_dir('s3v/' || server, true, false) u EXCEPT SELECT u FROM fork.strange) l, unnest(ARRAY['owner', 'manifest', 'nav', 'segment']) k, pg_ls_dir('s3v/' || server || '/' || u || '/' || k, true, false) f
$$;
SELECT * FROM fork.objects('fork_here');
CREATE TABLE before AS SELECT (SELECT uuid FROM s3v.index WHERE index_id = 'fork.docs_s3v'::regclass), (pg_stat_file('s3v/fork_here/' || u || '/' || k || '/' || f)).modification, u, k, f
    FROM (SELECT uuid::text AS u FROM s3v.index WHERE index_id = 'fork.docs_s3v'::regclass) i, unnest(ARRAY['owner', 'manifest', 'nav', 'segment']) k,
        pg_ls_dir('s3v/fork_here/' || u || '/' || k, true, false) f;
CREATE FUNCTION fork.original_stands() RETURNS boolean LANGUAGE sql AS $$
    SELECT bool_and((pg_stat_file('s3v/fork_here/' || u || '/' || k || '/' || f, true)).modification IS NOT DISTINCT FROM modification) FROM before
$$;

-- on the same server
SET ROLE s3v_forker;
SELECT s3v_fork('fork.docs_s3v');
SELECT * FROM fork.agrees();
RESET ROLE;
SELECT * FROM fork.objects('fork_here');
SELECT fork.original_stands();
SELECT i.uuid <> b.uuid AS another_prefix, v.version, v.owner, d.dropped_at, d.server, (SELECT array_agg(version) FROM s3v.history h WHERE h.index_id = i.index_id) AS history
FROM s3v.index i JOIN s3v.version v USING (index_id), (SELECT DISTINCT uuid FROM before) b LEFT JOIN s3v.dropped d USING (uuid) WHERE i.index_id = 'fork.docs_s3v'::regclass;
SET ROLE s3v_forker;
SELECT index, version, upserted, deleted FROM s3v_sync('fork.docs') WHERE index = 'fork.docs_s3v'::regclass;
SELECT * FROM fork.agrees();
SELECT missing, orphaned, stale, corrupt FROM s3v_check('fork.docs');
RESET ROLE;
-- the clean-up leaves the old prefix alone, however old it is; the index's own is cleaned
SELECT deleted > 0 AS deleted FROM s3v_gc('fork_here', keep => '0');
SELECT fork.original_stands();
SET ROLE s3v_forker;
SELECT * FROM fork.agrees();

-- to another server: who may, and what it depends on then
SELECT s3v_fork('fork.docs_s3v', 'fork_there');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER fork_there TO s3v_forker;
SET ROLE s3v_forker;
UPDATE fork.docs SET v = ARRAY[-id, 2] WHERE id <= 10;
BEGIN;
SELECT s3v_fork('fork.docs_s3v', 'fork_there');
SELECT server, url ~ 'fork_there' AS there, version, pending FROM s3v_indexes WHERE index = 'fork.docs_s3v'::regclass;
SELECT * FROM fork.agrees();
ROLLBACK;
SELECT server, url ~ 'fork_here' AS here FROM s3v_indexes WHERE index = 'fork.docs_s3v'::regclass;
SELECT * FROM fork.agrees();
SET client_min_messages = notice;
\set VERBOSITY terse
DO $$BEGIN PERFORM s3v_fork('fork.docs_s3v', 'fork_there'); END$$;
\set VERBOSITY default
SET client_min_messages = warning;
SELECT server, url ~ 'fork_there' AS there, version, pending FROM s3v_indexes WHERE index = 'fork.docs_s3v'::regclass;
SELECT * FROM fork.agrees();
SELECT count(*) FROM s3v_sync('fork.docs');
SELECT * FROM fork.agrees();
RESET ROLE;
SELECT * FROM fork.objects('fork_there');
\set VERBOSITY terse
DROP SERVER fork_there;
\set VERBOSITY default
SELECT fork.original_stands();
-- a fork that was rolled back left objects that nobody names: s3v_gc finds them
SELECT deleted > 0 AS deleted FROM s3v_gc('fork_there', keep => '0');
SELECT * FROM fork.objects('fork_there');
SELECT fork.original_stands();

-- what cannot be
SET ROLE s3v_other;
SELECT s3v_fork('fork.docs_s3v');
SET ROLE s3v_forker;
\set VERBOSITY sqlstate
SELECT s3v_fork('fork.docs');
\set VERBOSITY default
SELECT s3v_fork(NULL);
SELECT s3v_fork('fork.docs_s3v', 'no_such_server');
BEGIN READ ONLY;
SELECT s3v_fork('fork.docs_s3v');
ROLLBACK;
RESET ROLE;
CREATE FOREIGN DATA WRAPPER fork_wrapper;
CREATE SERVER fork_strange FOREIGN DATA WRAPPER fork_wrapper;
SELECT s3v_fork('fork.docs_s3v', 'fork_strange');
CREATE SERVER fork_service FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', endpoint 'http://127.0.0.1:1');
SELECT s3v_fork('fork.docs_s3v', 'fork_service');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM s3v_query('fork.docs_s3v', '[1,1]');
SELECT s3v_fork('fork.docs_s3v', 'fork_here');
SELECT * FROM fork.agrees();
COMMIT;

-- damage is not copied, and what is gone cannot be
SELECT 's3v/fork_here/' || uuid || '/nav/' || base AS base FROM s3v.index JOIN s3v.version USING (index_id) WHERE index_id = 'fork.docs_s3v'::regclass \gset
SELECT current_setting('data_directory') || '/' || :'base' AS base \gset
COPY (SELECT 'damaged') TO :'base';
\set VERBOSITY sqlstate
SELECT s3v_fork('fork.docs_s3v');
\set VERBOSITY default
SELECT count(*) FROM s3v_sync('fork.docs', 'rebuild');
SELECT s3v_fork('fork.docs_s3v');
SELECT * FROM fork.agrees();

-- what was left stays so when its server goes, also for another one of the same url; and its DROP does not say that nobody needs it
SELECT count(*) FROM s3v_gc('fork_here', keep => '0');
SELECT server AS from_server FROM s3v_indexes WHERE index = 'fork.docs_s3v'::regclass;
SELECT * FROM fork.objects('fork_here');
SELECT s3v_fork('fork.docs_s3v', 'fork_there');
SELECT s3v_fork('fork.unbuilt_s3v', 'fork_there');
SET client_min_messages = notice;
DROP SERVER fork_here;
SET client_min_messages = warning;
CREATE SERVER fork_here FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/fork_here');
SELECT deleted FROM s3v_gc('fork_here', keep => '0');
SELECT * FROM fork.objects('fork_here');
SELECT fork.original_stands();

DROP SCHEMA fork CASCADE;
DROP SERVER fork_here, fork_there, fork_service, fork_strange;
DROP FOREIGN DATA WRAPPER fork_wrapper;
DROP TABLE before;
DELETE FROM s3v.dropped WHERE dropped_at = 'infinity';
DROP OWNED BY s3v_forker, s3v_other;
DROP ROLE s3v_forker, s3v_other;
