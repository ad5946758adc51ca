-- Settings, servers, user mappings, options of indexes: what there is, who may set it, and how a mistake is answered.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS s3v;
LOAD 's3v';
RESET client_min_messages;

-- ---- settings -------------------------------------------------------------------------------------------------------

SELECT name, setting, unit, context, min_val, max_val, enumvals
FROM pg_settings WHERE name LIKE 's3v.%' AND name NOT LIKE 's3v.cache%' ORDER BY name;

SET s3v.probes = 0;
SET s3v.probes = 1000000;
SET s3v.probes = -1;
SET s3v.probes = 1000001;
SET s3v.probes = 'many';
RESET s3v.probes;
SET s3v.consistency = 'eventual';
SET s3v.consistency = 'weak';
RESET s3v.consistency;
SET s3v.on_missing = 'ignore';
SET s3v.max_bytes = '64MB';
SHOW s3v.max_bytes;
-- (releases of PostgreSQL word these ranges differently)
\set VERBOSITY sqlstate
SET s3v.max_bytes = -1;
\set VERBOSITY default
SET s3v.max_bytes = '3TB';
RESET s3v.max_bytes;
SET s3v.max_k = 0;
SET s3v.max_k = 2147483647;
RESET s3v.max_k;
SET s3v.request_timeout = '2min';
SHOW s3v.request_timeout;
\set VERBOSITY sqlstate
SET s3v.request_timeout = '99ms';
SET s3v.request_timeout = '61min';
\set VERBOSITY default
RESET s3v.request_timeout;
SET s3v.max_parallel_requests = 0;
SET s3v.max_parallel_requests = 257;
SET s3v.allowed_endpoints = 'example.com';
SET s3v.probe = 1;

-- The list of hosts is checked before it is written.
ALTER SYSTEM SET s3v.allowed_endpoints = 'http://s3.example.com';
ALTER SYSTEM SET s3v.allowed_endpoints = 's3.example.com/path';
ALTER SYSTEM SET s3v.allowed_endpoints = 's3.example.com:0';
ALTER SYSTEM SET s3v.allowed_endpoints = 's3.example.com:65536';
ALTER SYSTEM SET s3v.allowed_endpoints = '*';
ALTER SYSTEM SET s3v.allowed_endpoints = 'a.example.com,,b.example.com';
ALTER SYSTEM SET s3v.allowed_endpoints = 'user@example.com';

-- ---- servers --------------------------------------------------------------------------------------------------------

SELECT srvname, srvoptions FROM pg_foreign_server WHERE srvname = 's3v_local';

CREATE SERVER s3v_regress_lake FOREIGN DATA WRAPPER s3v
    OPTIONS (url 's3://bucket/some/prefix', region 'eu-west-1', endpoint 'http://127.0.0.1:7070', path_style 'true',
             sse 'aws:kms', kms_key_id 'alias/x', ca_file '/etc/ssl/certs/ca-certificates.crt', allow_http 'off',
             credentials 'mapping');
ALTER SERVER s3v_regress_lake OPTIONS (DROP sse, DROP kms_key_id, SET region 'us-east-1');
CREATE SERVER s3v_regress_file FOREIGN DATA WRAPPER s3v OPTIONS (url 'file:///tmp/s3v_regress');
ALTER SERVER s3v_regress_file OPTIONS (SET url 's3://bucket');
ALTER SERVER s3v_regress_file OPTIONS (SET url 'file://./s3v/regress');
ALTER SERVER s3v_regress_file OPTIONS (DROP url);
ALTER SERVER s3v_regress_file OPTIONS (ADD endpoint 'https://example.com');

-- Each of these is refused, and leaves nothing behind.
CREATE SERVER bad FOREIGN DATA WRAPPER s3v;
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url '');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 'gs://bucket');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 'memory://x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket/prefix');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://Bucket');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', path_style 'true');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', endpoint 'http://s3vectors.example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', sse 'aws:kms', kms_key_id 'alias/x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://b');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket/a/../b');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket/a%2e%2e');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url E's3://bucket/a\r\nx-evil: 1');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://relative');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 'file:///tmp/../etc');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', bucket 'x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', secret_access_key 'canary-secret');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', path_style 'perhaps');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', region 'us east');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', sse 'rot13');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', kms_key_id 'alias/x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', endpoint 's3.example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', endpoint 'https://s3.example.com/path');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', endpoint 'http://s3.example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', credentials 'environment');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', credentials 'none');
SELECT count(*) FROM pg_foreign_server WHERE srvname = 'bad';
-- The same, as SQLSTATEs.
\set VERBOSITY sqlstate
CREATE SERVER bad FOREIGN DATA WRAPPER s3v;
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 'gs://bucket');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket/prefix');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://Bucket');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', path_style 'true');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', endpoint 'http://s3vectors.example.com');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', sse 'aws:kms', kms_key_id 'alias/x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', bucket 'x');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', secret_access_key 'canary-secret');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', path_style 'perhaps');
CREATE SERVER bad FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', credentials 'environment');
\set VERBOSITY default

ALTER FOREIGN DATA WRAPPER s3v OPTIONS (ADD url 's3://bucket');
IMPORT FOREIGN SCHEMA x FROM SERVER s3v_regress_lake INTO public;

-- ---- user mappings --------------------------------------------------------------------------------------------------

CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_regress_lake
    OPTIONS (access_key_id 'AKIAEXAMPLE', secret_access_key 'canary-secret', session_token 'canary-token');
ALTER USER MAPPING FOR CURRENT_USER SERVER s3v_regress_lake OPTIONS (DROP session_token);
ALTER USER MAPPING FOR CURRENT_USER SERVER s3v_regress_lake OPTIONS (DROP secret_access_key);
-- As dumps bring it back that may not see the options.
CREATE USER MAPPING FOR PUBLIC SERVER s3v_regress_lake;
ALTER USER MAPPING FOR PUBLIC SERVER s3v_regress_lake OPTIONS (ADD access_key_id 'AKIAEXAMPLE');
ALTER USER MAPPING FOR PUBLIC SERVER s3v_regress_lake OPTIONS (ADD password 'canary-secret');
ALTER USER MAPPING FOR PUBLIC SERVER s3v_regress_lake OPTIONS (ADD region 'us-east-1');
ALTER USER MAPPING FOR PUBLIC SERVER s3v_regress_lake
    OPTIONS (ADD access_key_id 'AKIAEXAMPLE', ADD secret_access_key E'canary-secret\n');
ALTER USER MAPPING FOR PUBLIC SERVER s3v_regress_lake
    OPTIONS (ADD access_key_id '', ADD secret_access_key 'canary-secret');

-- ---- options of an index, and the index as a table ------------------------------------------------------------------

CREATE TABLE s3v_regress_source (id bigint PRIMARY KEY, v real[]);
INSERT INTO s3v_regress_source VALUES (1, '{1,2}');
SELECT s3v_create_index('s3v_regress_index', 's3v_regress_source', 'v', options => '{"build": false, "dimensions": 2, "probes": 8}');
SELECT ftoptions FROM pg_foreign_table WHERE ftrelid = 's3v_regress_index'::regclass;
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET probes '64');
ALTER FOREIGN TABLE s3v_regress_index
    OPTIONS (ADD consistency 'eventual', ADD on_missing 'error', ADD max_bytes '64MB', ADD lists '100', ADD recall '0.9');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET probes '-1');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET probes '1.5');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET consistency 'weak');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET on_missing '');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET max_bytes '64 parsecs');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET lists '1000001');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET recall '1.01');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (SET recall 'NaN');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (ADD build 'false');
ALTER FOREIGN TABLE s3v_regress_index OPTIONS (ADD secret_access_key 'canary-secret');
ALTER FOREIGN TABLE s3v_regress_index ALTER COLUMN v OPTIONS (ADD probes '1');
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', options => '{"dimension": 2}');
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', options => '{"dimensions": 0}');
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', options => '{"build": "perhaps"}');
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', options => '{"probes": [1]}');
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', options => '[]');
SELECT count(*) FROM pg_class WHERE relname = 'bad';

SELECT * FROM s3v_regress_index;
EXPLAIN SELECT count(*) FROM s3v_regress_index;
INSERT INTO s3v_regress_index (id) VALUES (1);
UPDATE s3v_regress_index SET id = 2;
DELETE FROM s3v_regress_index;
TRUNCATE s3v_regress_index;
COPY s3v_regress_index (id) FROM stdin;
1
\.
COPY (SELECT * FROM s3v_regress_index) TO stdout;
ANALYZE s3v_regress_index;
\set VERBOSITY sqlstate
SELECT * FROM s3v_regress_index;
INSERT INTO s3v_regress_index (id) VALUES (1);
DELETE FROM s3v_regress_index;
\set VERBOSITY default
SELECT * FROM s3v_progress;

-- ---- what governs a query: the call, then a setting that somebody set, then the index, then the default -------------

INSERT INTO s3v_regress_source SELECT i, ARRAY[i, 1000 - i] FROM generate_series(2, 400) i;
ALTER FOREIGN TABLE s3v_regress_index
    OPTIONS (SET probes '3', SET lists '20', DROP consistency, DROP on_missing, DROP max_bytes, DROP recall);
SET client_min_messages = warning;
SELECT version, upserted, error FROM s3v_sync('s3v_regress_source', 'rebuild');
RESET client_min_messages;
CREATE FUNCTION pg_temp.probed(options jsonb DEFAULT NULL) RETURNS text LANGUAGE sql
    AS $$ SELECT s3v_explain('s3v_regress_index', '{200,800}', options => probed.options) ->> 'lists_probed' $$;
SELECT pg_temp.probed();
SET s3v.probes = 5;
SELECT pg_temp.probed(), pg_temp.probed('{"probes": 7}'), pg_temp.probed('{"probes": "2"}');
RESET s3v.probes;
SELECT pg_temp.probed();
BEGIN;
SET LOCAL s3v.probes = 4;
SELECT pg_temp.probed();
COMMIT;
SELECT pg_temp.probed();
SELECT pg_temp.probed('{"probe": 7}');
SELECT pg_temp.probed('{"lists": 7}');
SELECT pg_temp.probed('{"probes": -1}');
SELECT pg_temp.probed('{"probes": null}');
SELECT pg_temp.probed('{"max_bytes": "many"}');
SELECT pg_temp.probed('[]');

-- ---- roles other than superusers ------------------------------------------------------------------------------------

CREATE ROLE regress_s3v_joe;
SET ROLE regress_s3v_joe;
CREATE SERVER joe FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/joe');
SET s3v.max_k = 20000;
RESET ROLE;
GRANT USAGE ON FOREIGN DATA WRAPPER s3v TO regress_s3v_joe;
SET ROLE regress_s3v_joe;
CREATE SERVER joe FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/joe');
ALTER SERVER joe OPTIONS (SET url 'file://./s3vjoe');
ALTER SERVER joe OPTIONS (SET url 'file://./base');
ALTER SERVER joe OPTIONS (SET url 'file:///tmp/joe');
ALTER SERVER joe OPTIONS (SET url 's3://bucket');
ALTER SERVER joe OPTIONS (SET url 's3://bucket', ADD endpoint 'http://127.0.0.1:7070');
ALTER SERVER joe OPTIONS (SET url 's3://bucket', ADD endpoint 'http://169.254.169.254');
ALTER SERVER joe OPTIONS (ADD credentials 'mapping');
ALTER SERVER joe OPTIONS (ADD allow_http 'false');
RESET ROLE;
GRANT pg_write_server_files TO regress_s3v_joe;
SET ROLE regress_s3v_joe;
ALTER SERVER joe OPTIONS (SET url 'file:///tmp/joe');
RESET ROLE;
GRANT pg_read_server_files TO regress_s3v_joe;
SET ROLE regress_s3v_joe;
ALTER SERVER joe OPTIONS (SET url 'file:///tmp/joe');
RESET ROLE;

ALTER SYSTEM SET s3v.allowed_endpoints = 's3.example.com:9000, *.lake.example, [2001:db8::1]';
SELECT pg_reload_conf();
-- Wait until this session has read it.
\set ECHO none
\o /dev/null
SELECT $$SELECT pg_sleep(0.1) WHERE current_setting('s3v.allowed_endpoints') = ''$$ FROM generate_series(1, 100) \gexec
\o
\set ECHO all
SHOW s3v.allowed_endpoints;
SET ROLE regress_s3v_joe;
ALTER SERVER joe OPTIONS (SET url 's3://bucket', ADD endpoint 'https://s3.example.com:9000');
ALTER SERVER joe OPTIONS (SET endpoint 'https://S3.Example.COM:9000');
ALTER SERVER joe OPTIONS (SET endpoint 'https://a.b.lake.example');
ALTER SERVER joe OPTIONS (SET endpoint 'https://a.lake.example:8443');
ALTER SERVER joe OPTIONS (SET endpoint 'https://[2001:db8::1]:7');
\set VERBOSITY terse
ALTER SERVER joe OPTIONS (SET endpoint 'https://s3.example.com');
ALTER SERVER joe OPTIONS (SET endpoint 'https://s3.example.com:9001');
ALTER SERVER joe OPTIONS (SET endpoint 'https://lake.example');
ALTER SERVER joe OPTIONS (SET endpoint 'https://evillake.example');
ALTER SERVER joe OPTIONS (SET endpoint 'https://a.lake.example.evil.com');
ALTER SERVER joe OPTIONS (SET endpoint 'https://a.lake.example@evil.com');
ALTER SERVER joe OPTIONS (SET endpoint 'https://evil.com#.lake.example');
ALTER SERVER joe OPTIONS (SET endpoint 'https://evil.com?.lake.example');
ALTER SERVER joe OPTIONS (SET endpoint 'https://evil.com\.lake.example');
ALTER SERVER joe OPTIONS (SET endpoint 'https://[2001:db8::2]');
ALTER SERVER joe OPTIONS (SET endpoint 'http://a.lake.example');
ALTER SERVER joe OPTIONS (ADD ca_file '/etc/ssl/certs/ca-certificates.crt');
ALTER SERVER joe OPTIONS (ADD ca_file '../postgresql.conf');
ALTER SERVER joe OPTIONS (ADD ca_file 's3v/../../ca.pem');
ALTER SERVER joe OPTIONS (ADD ca_file 'ca.pem');
\set VERBOSITY default
RESET ROLE;
SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'joe';

-- Rights count when a store is opened as well: the owner may have changed, or the list of hosts.
ALTER SYSTEM RESET s3v.allowed_endpoints;
SELECT pg_reload_conf();
ALTER SERVER s3v_regress_lake OWNER TO regress_s3v_joe;
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', server => 's3v_regress_lake');
ALTER SERVER s3v_regress_lake OWNER TO CURRENT_USER;
DROP USER MAPPING FOR CURRENT_USER SERVER s3v_regress_lake;
CREATE ROLE regress_s3v_owner SUPERUSER;
ALTER TABLE s3v_regress_source OWNER TO regress_s3v_owner;
SET ROLE regress_s3v_owner;
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', server => 's3v_regress_lake');
DROP USER MAPPING FOR PUBLIC SERVER s3v_regress_lake;
SELECT s3v_create_index('bad', 's3v_regress_source', 'v', server => 's3v_regress_lake');
RESET ROLE;
SELECT count(*) FROM pg_class WHERE relname = 'bad';

DROP SERVER joe, s3v_regress_file, s3v_regress_lake CASCADE;
DROP TABLE s3v_regress_source CASCADE;
REVOKE USAGE ON FOREIGN DATA WRAPPER s3v FROM regress_s3v_joe;
DROP ROLE regress_s3v_joe, regress_s3v_owner;
