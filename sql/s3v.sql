/* s3v: vector indexes on object storage. Install script of the version in work. */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION s3v" to load this file. \quit

-- ---- bookkeeping ----------------------------------------------------------------------------------------------------
-- Columns are regclass, never oid: oids are wrong after a restore. Every table has a primary key: a publication FOR ALL
-- TABLES would break updates and deletes without one.
--
-- Whoever may create objects in the schema of the extension can put a better match for an operator or a function there, and this script, run by a
-- superuser, would take it; the views would too, whoever reads them. So operators get operands of the very types they are declared for, or their
-- schema, and so do functions that are given a literal of no type.

CREATE SCHEMA s3v;
GRANT USAGE ON SCHEMA s3v TO PUBLIC;
COMMENT ON SCHEMA s3v IS 'bookkeeping of the extension s3v: indexes, versions, change logs';

CREATE SEQUENCE s3v.change_id;
COMMENT ON SEQUENCE s3v.change_id IS 'numbers of change-log rows and stale marks; carried by dumps';

CREATE TABLE s3v.index (
    index_id      regclass PRIMARY KEY,
    source        regclass NOT NULL,
    log           regclass NOT NULL,
    uuid          uuid     NOT NULL UNIQUE,
    key_column    name     NOT NULL,
    vector_column name     NOT NULL,
    metadata      name[]   NOT NULL,
    metric        text     NOT NULL,
    dimensions    integer  NOT NULL,
    remote_names  name[],                     -- s3vectors:// alone: names of the metadata on the service, which are never changed
    nonfilterable name[]                      -- of these, what the service keeps without filtering by it
);
CREATE INDEX index_source_idx ON s3v.index (source);
COMMENT ON TABLE s3v.index IS 'what each index is made of; names of columns as they are now';

CREATE TABLE s3v.version (
    index_id          regclass PRIMARY KEY,
    version           bigint   NOT NULL,      -- 0: nothing built yet
    manifest          text,                   -- ids of 32 hexadecimal digits; on s3vectors:// the remote index's name
    base              text,
    base_bytes        bigint,
    deltas            text[]   NOT NULL DEFAULT '{}',
    delta_bytes       bigint[] NOT NULL DEFAULT '{}',
    rows              bigint   NOT NULL DEFAULT 0,
    skipped           bigint   NOT NULL DEFAULT 0,   -- source rows without a vector, or a zero one under cosine: see s3v_indexes
    lists             bigint   NOT NULL DEFAULT 0,
    segments          bigint   NOT NULL DEFAULT 0,
    bytes             bigint   NOT NULL DEFAULT 0,
    owner             bigint   NOT NULL DEFAULT 0,   -- number of the owner marker this cluster claimed last
    hi                xid8,                   -- log rows below are consumed or rolled back, but for those of running
    running           xid8[],
    system_identifier bigint,                 -- of the cluster whose transaction ids hi and running are
    synced_at         timestamptz,
    repaired          bigint   NOT NULL DEFAULT 0,   -- the last version that repaired rows no log row names
    database          oid                     -- s3vectors:// alone: in which it was synced; elsewhere nobody knows what the service has by now
);
COMMENT ON TABLE s3v.version IS 'the version that queries open: one row for each index; a sync updates it, and its commit publishes';

CREATE TABLE s3v.history (
    index_id   regclass    NOT NULL,
    version    bigint      NOT NULL,
    manifest   text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_by xid8,                          -- transaction that published the next version
    retired_at timestamptz,
    system_identifier bigint,                 -- of the cluster whose transaction id retired_by is
    PRIMARY KEY (index_id, version)
);
COMMENT ON TABLE s3v.history IS 'versions whose objects are kept; s3v_gc removes rows and objects together';

CREATE TABLE s3v.stale (
    index_id  regclass    NOT NULL,
    id        bigint      NOT NULL DEFAULT pg_catalog.nextval('s3v.change_id'::regclass),
    reason    text        NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (index_id, id)
);
COMMENT ON TABLE s3v.stale IS 'marks of changes that row triggers did not see: queries scan the source until a reconcile or rebuild';

CREATE TABLE s3v.dropped (
    uuid       uuid        PRIMARY KEY,
    server     name        NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE s3v.dropped IS 'indexes that were dropped and whose objects s3v_gc has yet to delete; never, where dropped_at is infinity: left to others by s3v_fork';

-- Prices of us-east-1, on demand, without taxes. Rows that users add or change are in dumps: an extension's own rows are there again before a
-- restore brings them, so an INSERT replaces the row of that item.
CREATE TABLE s3v.price (
    item     text             PRIMARY KEY,
    usd      double precision NOT NULL CHECK (usd >= 0::float8 AND usd <= 1000000::float8),    -- nor NaN
    unit     text             NOT NULL,
    as_of    date             NOT NULL DEFAULT CURRENT_DATE CHECK (isfinite(as_of)),
    list_usd double precision                 -- as the extension came; NULL: a row of the user's
);
COMMENT ON TABLE s3v.price IS 'what s3v_explain and s3v_cost reckon with; edit it to fit your contract: INSERT replaces, dumps keep what was changed';
-- Memory: Amazon RDS for PostgreSQL db.r6g.large, one zone ($0.225 an hour), and Amazon EC2 r6g.large ($0.1008), each with
-- 16 GiB, as third parties list them.
INSERT INTO s3v.price (item, usd, unit, as_of, list_usd)
    SELECT item, usd, unit, as_of, usd FROM (VALUES
    ('s3.get', 0.0000004::float8, 'one GET request', '2026-10-01'::date),
    ('s3.put', 0.000005, 'one PUT or LIST request', '2026-10-01'),
    ('s3.storage', 0.023, 'one GB (2^30 bytes) for a month', '2026-10-01'),
    ('s3.transfer', 0, 'one GB (2^30 bytes) read: nothing within the region; 0.09 from outside of AWS', '2026-10-01'),
    ('s3vectors.storage', 0.06, 'one GB (2^30 bytes) of floats, keys and metadata for a month', '2026-09-28'),
    ('s3vectors.put', 0.20, 'one GB (2^30 bytes) put; a request counts 128 KiB at least', '2026-09-28'),
    ('s3vectors.query', 0.0000025, 'one query request', '2026-09-28'),
    ('s3vectors.processed_first', 0.004, 'one TB (2^40 bytes) of vectors queried, up to the 100,000th of the index', '2026-09-28'),
    ('s3vectors.processed_middle', 0.002, 'one TB (2^40 bytes) of vectors queried, between', '2026-09-28'),
    ('s3vectors.processed_last', 0.0004, 'one TB (2^40 bytes) of vectors queried, above the 10,000,000th', '2026-09-28'),
    ('s3vectors.returned', 0.01, 'one GB (2^30 bytes) of answers, beyond 512 KiB of each', '2026-09-28'),
    ('memory.database', 0.0140625, 'one GiB of memory of a managed PostgreSQL for an hour', '2026-10-01'),
    ('memory.machine', 0.0063, 'one GiB of memory of a virtual machine for an hour', '2026-10-01')) AS list (item, usd, unit, as_of);

CREATE FUNCTION s3v.price_replace() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 's3v_price_replace';
COMMENT ON FUNCTION s3v.price_replace() IS 'a new row of s3v.price takes the place of the one with its item';
CREATE TRIGGER price_replace BEFORE INSERT ON s3v.price FOR EACH ROW EXECUTE FUNCTION s3v.price_replace();
ALTER TABLE s3v.price ENABLE ALWAYS TRIGGER price_replace;

-- Default privileges of whoever installs this have granted rights already, maybe; with that of a trigger on a table that is written as its owner,
-- a superuser, anybody is one.
CREATE FUNCTION s3v.revoke_defaults() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 's3v_revoke_defaults';
SELECT s3v.revoke_defaults();
DROP FUNCTION s3v.revoke_defaults();

GRANT SELECT ON s3v.index, s3v.history, s3v.stale, s3v.dropped, s3v.price TO PUBLIC;
GRANT SELECT (index_id, version, synced_at) ON s3v.version TO PUBLIC;     -- sizes tell of rows that policies may hide
GRANT SELECT ON s3v.version TO pg_database_owner;                -- pg_dump by the database's owner reads it, and the next
GRANT SELECT ON SEQUENCE s3v.change_id TO pg_database_owner;

SELECT pg_catalog.pg_extension_config_dump('s3v.index', '');
SELECT pg_catalog.pg_extension_config_dump('s3v.version', '');
SELECT pg_catalog.pg_extension_config_dump('s3v.history', '');
SELECT pg_catalog.pg_extension_config_dump('s3v.stale', '');
SELECT pg_catalog.pg_extension_config_dump('s3v.dropped', '');
SELECT pg_catalog.pg_extension_config_dump('s3v.price', 'WHERE usd IS DISTINCT FROM list_usd');
SELECT pg_catalog.pg_extension_config_dump('s3v.change_id', '');

-- ---- servers --------------------------------------------------------------------------------------------------------

CREATE FUNCTION s3v_fdw_handler() RETURNS fdw_handler
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 's3v_fdw_handler';
CREATE FUNCTION s3v_fdw_validator(text[], oid) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 's3v_fdw_validator';
CREATE FOREIGN DATA WRAPPER s3v HANDLER s3v_fdw_handler VALIDATOR s3v_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER s3v IS 'vector indexes on object storage';

CREATE SERVER s3v_local FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v');
GRANT USAGE ON FOREIGN SERVER s3v_local TO PUBLIC;
COMMENT ON SERVER s3v_local IS 'vector indexes in files below the data directory';

-- ---- capture --------------------------------------------------------------------------------------------------------

CREATE FUNCTION s3v_capture() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 's3v_capture';
COMMENT ON FUNCTION s3v_capture() IS 'writes the keys of changed rows to the change log; made a trigger by s3v_create_index';

CREATE FUNCTION s3v_ddl_command_end() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', 's3v_ddl_command_end';
CREATE FUNCTION s3v_sql_drop() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', 's3v_sql_drop';
CREATE FUNCTION s3v_table_rewrite() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', 's3v_table_rewrite';
CREATE EVENT TRIGGER s3v_ddl_command_end ON ddl_command_end EXECUTE FUNCTION s3v_ddl_command_end();
CREATE EVENT TRIGGER s3v_sql_drop ON sql_drop EXECUTE FUNCTION s3v_sql_drop();
CREATE EVENT TRIGGER s3v_table_rewrite ON table_rewrite EXECUTE FUNCTION s3v_table_rewrite();
ALTER EVENT TRIGGER s3v_ddl_command_end ENABLE ALWAYS;
ALTER EVENT TRIGGER s3v_sql_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER s3v_table_rewrite ENABLE ALWAYS;

-- ---- indexes --------------------------------------------------------------------------------------------------------

CREATE FUNCTION s3v_create_index(index_name text, source regclass, vector_column name, server name DEFAULT 's3v_local',
                                 key_column name DEFAULT NULL, metric text DEFAULT 'cosine', metadata name[] DEFAULT '{}',
                                 options jsonb DEFAULT '{}')
    RETURNS regclass LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 's3v_create_index';
COMMENT ON FUNCTION s3v_create_index(text, regclass, name, name, name, text, name[], jsonb) IS
    'makes a vector index of a table on a server, captures changes from now on and builds version 1';

CREATE FUNCTION s3v_attach(index_name text, server name, remote_index text)
    RETURNS regclass LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 's3v_attach';
COMMENT ON FUNCTION s3v_attach(text, name, text) IS
    'makes a foreign table over an index of Amazon S3 Vectors that others write; it can be queried, nothing else';

CREATE FUNCTION s3v_sync(source regclass DEFAULT NULL, mode text DEFAULT 'changes', options jsonb DEFAULT '{}')
    RETURNS TABLE (index regclass, version bigint, upserted bigint, deleted bigint, bytes_written bigint, requests bigint,
                   error text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 's3v_sync';
COMMENT ON FUNCTION s3v_sync(regclass, text, jsonb) IS 'brings the indexes of a table, or of all tables, up to date';

CREATE FUNCTION s3v_check(source regclass DEFAULT NULL)
    RETURNS TABLE (index regclass, pending bigint, missing bigint, orphaned bigint, stale bigint, corrupt bigint)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1 AS 'MODULE_PATHNAME', 's3v_check';
COMMENT ON FUNCTION s3v_check(regclass) IS
    'compares the indexes of a table, or of all tables that the caller may read, with their source; changes nothing';

CREATE FUNCTION s3v_optimize(index regclass) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT AS 'MODULE_PATHNAME', 's3v_optimize';
COMMENT ON FUNCTION s3v_optimize(regclass) IS 'brings an index up to date, compacts it, and tells its version';

CREATE FUNCTION s3v_gc(server name DEFAULT NULL, keep interval DEFAULT '7 days')
    RETURNS TABLE (server name, deleted bigint, bytes bigint, kept bigint, foreign_objects bigint)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 's3v_gc';
COMMENT ON FUNCTION s3v_gc(name, interval) IS 'deletes objects that no retained version names and that are older than keep';

CREATE FUNCTION s3v_adopt(index regclass) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT AS 'MODULE_PATHNAME', 's3v_adopt';
COMMENT ON FUNCTION s3v_adopt(regclass) IS 'takes over the prefix of an index that was restored or promoted here';

CREATE FUNCTION s3v_fork(index regclass, server name DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 's3v_fork';
COMMENT ON FUNCTION s3v_fork(regclass, name) IS 'copies an index to a prefix of its own, on its server or another one';

-- ---- queries --------------------------------------------------------------------------------------------------------

CREATE FUNCTION s3v_query_support(internal) RETURNS internal
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 's3v_query_support';

CREATE FUNCTION s3v_query(index regclass, vector anycompatible, k integer DEFAULT 10, filter jsonb DEFAULT NULL,
                          keys text[] DEFAULT NULL, options jsonb DEFAULT NULL)
    RETURNS TABLE (key text, distance double precision, metadata jsonb)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 10 SUPPORT s3v_query_support
    AS 'MODULE_PATHNAME', 's3v_query';
COMMENT ON FUNCTION s3v_query(regclass, anycompatible, integer, jsonb, text[], jsonb) IS
    'the k nearest rows to a vector, nearest first';

CREATE FUNCTION s3v_query_as(index regclass, key_type anyelement, vector anycompatible, k integer DEFAULT 10,
                             filter jsonb DEFAULT NULL, keys text[] DEFAULT NULL, options jsonb DEFAULT NULL)
    RETURNS TABLE (key anyelement, distance double precision, metadata jsonb)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 10 SUPPORT s3v_query_support
    AS 'MODULE_PATHNAME', 's3v_query_as';
COMMENT ON FUNCTION s3v_query_as(regclass, anyelement, anycompatible, integer, jsonb, text[], jsonb) IS
    's3v_query with the key in the type of its second argument';

CREATE FUNCTION s3v_query_many_support(internal) RETURNS internal
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 's3v_query_many_support';

CREATE FUNCTION s3v_query_many(index regclass, vectors anyarray, k integer DEFAULT 10, filter jsonb DEFAULT NULL,
                               keys text[] DEFAULT NULL, options jsonb DEFAULT NULL)
    RETURNS TABLE (query integer, key text, distance double precision, metadata jsonb)
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 ROWS 100 SUPPORT s3v_query_many_support
    AS 'MODULE_PATHNAME', 's3v_query_many';
COMMENT ON FUNCTION s3v_query_many(regclass, anyarray, integer, jsonb, text[], jsonb) IS
    'the k nearest rows to each of many vectors, numbered from 1; each list of the index is read once for all';

CREATE FUNCTION s3v_explain(index regclass, vector anycompatible, k integer DEFAULT 10, filter jsonb DEFAULT NULL,
                            keys text[] DEFAULT NULL, options jsonb DEFAULT NULL)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL RESTRICTED COST 10000 AS 'MODULE_PATHNAME', 's3v_explain';
COMMENT ON FUNCTION s3v_explain(regclass, anycompatible, integer, jsonb, text[], jsonb) IS
    'runs the query and tells its path, requests, bytes, work and cost';

CREATE FUNCTION s3v_warm(index regclass) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL RESTRICTED STRICT COST 10000 AS 'MODULE_PATHNAME', 's3v_warm_index';
COMMENT ON FUNCTION s3v_warm(regclass) IS
    'reads an index into the local cache and tells how many bytes were fetched; of a store in files of this machine only its centroids are kept';

CREATE FUNCTION s3v_recall(index regclass, sample integer DEFAULT 100, k integer DEFAULT 10, filter jsonb DEFAULT NULL)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000000 AS 'MODULE_PATHNAME', 's3v_recall';
COMMENT ON FUNCTION s3v_recall(regclass, integer, integer, jsonb) IS
    'recall of the present settings against the exact answer, with rows of the source as queries, and the work done';

CREATE FUNCTION s3v_cost(index regclass, queries_per_month bigint DEFAULT 0) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 100000 AS 'MODULE_PATHNAME', 's3v_cost';
COMMENT ON FUNCTION s3v_cost(regclass, bigint) IS
    'dollars of an index for a month and for a million queries, and of the same vectors elsewhere, with the prices of s3v.price';

-- ---- views ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION s3v.pending(index regclass) RETURNS bigint
    LANGUAGE c STABLE PARALLEL RESTRICTED STRICT AS 'MODULE_PATHNAME', 's3v_pending';
COMMENT ON FUNCTION s3v.pending(regclass) IS 'change-log rows that the next sync will consume; NULL where the caller may not know';

CREATE FUNCTION s3v.progress() RETURNS TABLE (pid integer, index regclass, phase text, done bigint, total bigint,
                                              started timestamptz)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 's3v_progress';
COMMENT ON FUNCTION s3v.progress() IS 'long work of this database, one row for each backend';

CREATE FUNCTION s3v.stat(OUT queries bigint, OUT waves bigint, OUT requests bigint, OUT bytes bigint, OUT cache_hits bigint,
                         OUT ms double precision, OUT syncs bigint, OUT rows bigint, OUT sync_requests bigint,
                         OUT bytes_written bigint, OUT sync_ms double precision, OUT errors bigint,
                         OUT stats_reset timestamptz)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 's3v_stat';
COMMENT ON FUNCTION s3v.stat() IS 'sums of this database since stats_reset';

CREATE FUNCTION s3v_stat_reset() RETURNS void
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 's3v_stat_reset';
COMMENT ON FUNCTION s3v_stat_reset() IS 'sets the sums of s3v_stat to zero; for the database''s owner';

-- A barrier: else the planner may show the counts to a function of the caller's before it asks what the caller may see.
CREATE VIEW s3v.s3v_indexes WITH (security_barrier) AS
    SELECT i.index_id AS index, i.source, s.srvname AS server,
           (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o WHERE o.option_name = 'url') AS url,
           i.metric, i.dimensions, v.version, c.rows, c.skipped, s3v.pending(i.index_id) AS pending,
           c.lists, c.segments, c.bytes, v.synced_at AS last_sync,
           CASE WHEN EXISTS (SELECT FROM s3v.stale t WHERE t.index_id OPERATOR(pg_catalog.=) i.index_id) THEN 'stale'
                WHEN v.version = 0 THEN 'not built'
                ELSE 'ready' END AS state
    FROM s3v.index i
    JOIN s3v.version v ON v.index_id OPERATOR(pg_catalog.=) i.index_id
    JOIN pg_catalog.pg_foreign_table f ON f.ftrelid OPERATOR(pg_catalog.=) i.index_id
    JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
    LEFT JOIN s3v.version c ON c.index_id OPERATOR(pg_catalog.=) i.index_id AND NOT pg_catalog.row_security_active(i.source)    -- counts
        AND pg_catalog.has_any_column_privilege(i.source, 'SELECT')
    WHERE pg_catalog.has_table_privilege(i.index_id, 'SELECT')
    UNION ALL
    SELECT f.ftrelid, NULL, s.srvname,
           (SELECT o.option_value FROM pg_catalog.pg_options_to_table(s.srvoptions) o WHERE o.option_name = 'url'),
           (SELECT o.option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) o WHERE o.option_name = 'metric'),
           (SELECT o.option_value::integer FROM pg_catalog.pg_options_to_table(f.ftoptions) o WHERE o.option_name = 'dimensions'),
           NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'attached'
    FROM pg_catalog.pg_foreign_table f
    JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 's3v'
    WHERE EXISTS (SELECT FROM pg_catalog.pg_options_to_table(f.ftoptions) o WHERE o.option_name = 'remote_index')
        AND pg_catalog.has_table_privilege(f.ftrelid, 'SELECT');
COMMENT ON VIEW s3v.s3v_indexes IS 'the indexes that the caller may read';
CREATE VIEW s3v.s3v_progress AS SELECT * FROM s3v.progress();
COMMENT ON VIEW s3v.s3v_progress IS 'long work of this database';
CREATE VIEW s3v.s3v_stat AS SELECT * FROM s3v.stat();
COMMENT ON VIEW s3v.s3v_stat IS 'sums of queries and syncs of this database since stats_reset';
CREATE VIEW s3v_indexes AS SELECT * FROM s3v.s3v_indexes;
COMMENT ON VIEW s3v_indexes IS 'the indexes that the caller may read';
COMMENT ON COLUMN s3v_indexes.skipped IS
    'rows without a vector, or with a zero one under cosine: exact after a build, rebuild or reconcile; each sync adds those it met';
CREATE VIEW s3v_progress AS SELECT * FROM s3v.s3v_progress;
COMMENT ON VIEW s3v_progress IS 'long work of this database';
CREATE VIEW s3v_stat AS SELECT * FROM s3v.s3v_stat;
COMMENT ON VIEW s3v_stat IS 'sums of queries and syncs of this database since stats_reset';
GRANT SELECT ON s3v.s3v_indexes, s3v.s3v_progress, s3v.s3v_stat, s3v_indexes, s3v_progress, s3v_stat TO PUBLIC;

-- ---- rights ---------------------------------------------------------------------------------------------------------
-- Nothing is granted to PUBLIC but what reads an index that the caller may read.

REVOKE ALL ON FUNCTION s3v_fdw_handler(), s3v_fdw_validator(text[], oid), s3v_capture(), s3v_ddl_command_end(),
    s3v_sql_drop(), s3v_table_rewrite(), s3v_query_support(internal), s3v_query_many_support(internal), s3v.price_replace() FROM PUBLIC;
REVOKE ALL ON FUNCTION s3v_create_index(text, regclass, name, name, name, text, name[], jsonb),
    s3v_attach(text, name, text), s3v_sync(regclass, text, jsonb), s3v_optimize(regclass), s3v_gc(name, interval), s3v_adopt(regclass),
    s3v_fork(regclass, name) FROM PUBLIC;
REVOKE ALL ON FUNCTION s3v_stat_reset() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s3v_stat_reset() TO pg_database_owner;
