-- Who may do what: every object of the extension, by every kind of role. Each cell is tried in a subtransaction that is rolled back.
--   ok: allowed, and it told or did something    none: allowed, but there is nothing for this role    otherwise the SQLSTATE
SET client_min_messages = error;
\set SHOW_CONTEXT never
CREATE TABLE who (place serial, role name);
INSERT INTO who (role) SELECT 's3v_m_' || r FROM unnest('{super,owner,member,reader,cols,idx,src,policy,bypass,other}'::text[]) r;
-- owner: of both tables and their indexes; member: of owner; reader: SELECT on both; cols: on some columns of the tables, and on the indexes; idx, src:
-- SELECT on one alone; policy: a reader whom a policy lets see some rows; bypass: a reader with BYPASSRLS; other: nothing but USAGE of the schema
SELECT format('CREATE ROLE %I', role) FROM who ORDER BY place \gexec
ALTER ROLE s3v_m_super SUPERUSER;
ALTER ROLE s3v_m_bypass BYPASSRLS;
GRANT s3v_m_owner TO s3v_m_member;
CREATE SCHEMA shop AUTHORIZATION s3v_m_owner;
CREATE TABLE shop.docs (id bigint PRIMARY KEY, title text, secret text, v real[]);
INSERT INTO shop.docs SELECT i, 't' || i, 's' || i, ARRAY[i, 1]::real[] FROM generate_series(1, 20) i;
CREATE TABLE shop.files (LIKE shop.docs INCLUDING ALL);
INSERT INTO shop.files SELECT * FROM shop.docs;
ALTER TABLE shop.docs OWNER TO s3v_m_owner;
ALTER TABLE shop.files OWNER TO s3v_m_owner;
BEGIN;
GRANT EXECUTE ON FUNCTION s3v_create_index TO s3v_m_owner;
SET LOCAL ROLE s3v_m_owner;
SELECT s3v_create_index('docs_s3v', 'shop.docs', 'v', metric => 'l2', metadata => '{title,secret}') IS NOT NULL AND
    s3v_create_index('docs_titles', 'shop.docs', 'v', metric => 'l2', metadata => '{title}') IS NOT NULL AND
    s3v_create_index('files_s3v', 'shop.files', 'v', metric => 'l2', metadata => '{title,secret}') IS NOT NULL AND
    s3v_create_index('files_titles', 'shop.files', 'v', metric => 'l2', metadata => '{title}') IS NOT NULL AS made;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION s3v_create_index FROM s3v_m_owner;
COMMIT;
ALTER TABLE shop.files ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON shop.files TO s3v_m_policy USING (id % 4 = 0);
GRANT SELECT ON shop.docs, shop.files, shop.docs_s3v, shop.files_s3v, shop.docs_titles, shop.files_titles TO s3v_m_reader, s3v_m_policy, s3v_m_bypass;
GRANT SELECT (id, title, v) ON shop.docs, shop.files TO s3v_m_cols;
GRANT SELECT ON shop.docs_s3v, shop.files_s3v, shop.docs_titles, shop.files_titles TO s3v_m_cols, s3v_m_idx;
GRANT SELECT ON shop.docs, shop.files TO s3v_m_src;
GRANT USAGE ON SCHEMA shop TO PUBLIC;
-- everybody has a table
SELECT format('CREATE SCHEMA %I AUTHORIZATION %1$I CREATE TABLE own (id bigint PRIMARY KEY, v real[])', role) FROM who ORDER BY place \gexec
-- something is pending, and a server belongs to the owner
INSERT INTO shop.docs VALUES (21, 't21', 's21', '{21,1}');
INSERT INTO shop.files VALUES (21, 't21', 's21', '{21,1}');
CREATE SERVER s3v_m_server FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/roles');
ALTER SERVER s3v_m_server OWNER TO s3v_m_owner;

CREATE FUNCTION attempt(wanted name, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told bigint := 1;
BEGIN
    PERFORM set_config('role', wanted, true);
    IF call ~ '^SELECT' THEN
        EXECUTE call INTO told;
    ELSE
        EXECUTE call;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN SQLSTATE <> 'ZZ000' THEN SQLSTATE WHEN told > 0 THEN 'ok' ELSE 'none' END;
END $$;
-- {source} and {index} stand for the table and its index; calls that name neither are made once
CREATE TABLE probe (part int, place serial, object text, label text, call text);
CREATE FUNCTION matrix(wanted_part int, source text)
RETURNS TABLE (what text, super text, owner text, member text, reader text, cols text, idx text, src text, policy text, bypass text, other text) LANGUAGE sql AS $$
    SELECT p.label, max(r) FILTER (WHERE w.place = 1), max(r) FILTER (WHERE w.place = 2), max(r) FILTER (WHERE w.place = 3), max(r) FILTER (WHERE w.place = 4),
        max(r) FILTER (WHERE w.place = 5), max(r) FILTER (WHERE w.place = 6), max(r) FILTER (WHERE w.place = 7), max(r) FILTER (WHERE w.place = 8),
        max(r) FILTER (WHERE w.place = 9), max(r) FILTER (WHERE w.place = 10)
    FROM probe p, who w, attempt(w.role, replace(replace(replace(p.call, '{index}', source || '_s3v'), '{titles}', source || '_titles'), '{source}', source)) r
    WHERE p.part = wanted_part GROUP BY p.place, p.label ORDER BY p.place
$$;

-- ---- 1: functions that PUBLIC may execute: what they show is what the caller may read ----------------------------------
INSERT INTO probe (part, object, label, call)
SELECT 1, 'function ' || o, l, c FROM (VALUES
    ('s3v_query(regclass,anycompatible,integer,jsonb,text[],jsonb)', 's3v_query', $$SELECT count(*) FROM s3v_query('{index}', '[1,1]', 3)$$),
    (NULL, 's3v_query, title alone', $$SELECT count(*) FROM s3v_query('{titles}', '[1,1]', 3)$$),
    (NULL, 's3v_query, filter', $$SELECT count(*) FROM s3v_query('{index}', '[1,1]', 3, '{"title": {"$startsWith": "t"}}')$$),
    (NULL, 's3v_query, keys', $$SELECT count(*) FROM s3v_query('{index}', '[1,1]', 3, keys => '{4,5}')$$),
    (NULL, 's3v_query, no vector', $$SELECT 1 + count(*) FROM s3v_query('{index}', NULL::real[], 3)$$),
    (NULL, 's3v_query, version 1', $$SELECT count(*) FROM s3v_query('{index}', '[1,1]', 3, options => '{"as_of_version": 1}')$$),
    ('s3v_query_as(regclass,anyelement,anycompatible,integer,jsonb,text[],jsonb)', 's3v_query_as', $$SELECT count(*) FROM s3v_query_as('{index}', NULL::bigint, '[1,1]', 3)$$),
    ('s3v_query_many(regclass,anyarray,integer,jsonb,text[],jsonb)', 's3v_query_many', $$SELECT count(*) FROM s3v_query_many('{index}', ARRAY[[1,1],[2,1]], 3)$$),
    ('s3v_explain(regclass,anycompatible,integer,jsonb,text[],jsonb)', 's3v_explain', $$SELECT count(s3v_explain('{index}', '[1,1]', 3))$$),
    (NULL, 's3v_explain, work', $$SELECT count(s3v_explain('{index}', '[1,1]', 3) -> 'source_rows')$$),
    ('s3v_recall(regclass,integer,integer,jsonb)', 's3v_recall', $$SELECT count(s3v_recall('{index}'))$$),
    ('s3v_cost(regclass,bigint)', 's3v_cost', $$SELECT count(s3v_cost('{index}'))$$),
    ('s3v_warm(regclass)', 's3v_warm', $$SELECT count(s3v_warm('{index}'))$$),
    ('s3v_check(regclass)', 's3v_check', $$SELECT count(*) FROM s3v_check('{source}')$$),
    (NULL, 's3v_check, all', $$SELECT count(*) FROM s3v_check() c WHERE c.index = '{index}'::regclass$$),
    ('s3v.pending(regclass)', 's3v.pending', $$SELECT count(s3v.pending('{index}'))$$),
    ('s3v.progress()', 's3v.progress', $$SELECT count(*) FROM s3v.progress()$$),
    ('s3v.stat()', 's3v.stat', $$SELECT count(*) FROM s3v.stat()$$),
    (NULL, 's3v_indexes', $$SELECT count(*) FROM s3v_indexes WHERE source = '{source}'::regclass$$),
    (NULL, 's3v_indexes, counts', $$SELECT count(coalesce(rows, skipped, pending, lists, segments, bytes)) FROM s3v_indexes WHERE source = '{source}'::regclass$$)) f (o, l, c);
SELECT * FROM matrix(1, 'shop.docs');
-- the same of a table with policies, of which reader and cols have none that lets them see a row
SELECT * FROM matrix(1, 'shop.files');

-- ---- 2: functions that are not for PUBLIC, as installed and then with EXECUTE for everybody: they check for themselves --
INSERT INTO probe (part, object, label, call)
SELECT 2, 'function ' || o, l, c FROM (VALUES
    ('s3v_create_index(text,regclass,name,name,name,text,name[],jsonb)', 's3v_create_index', $$SELECT count(s3v_create_index('more', '{source}', 'v', metric => 'l2'))$$),
    (NULL, 's3v_create_index, own table', $$SELECT count(s3v_create_index('own_s3v', (current_user || '.own')::regclass, 'v', options => '{"dimensions": 2}'))$$),
    (NULL, 's3v_create_index, owner''s server', $$SELECT count(s3v_create_index('own_s3v', (current_user || '.own')::regclass, 'v', 's3v_m_server', options => '{"dimensions": 2}'))$$),
    (NULL, 's3v_create_index, unbuilt', $$SELECT count(s3v_create_index('more', '{source}', 'v', options => '{"build": false, "dimensions": 2}'))$$),
    ('s3v_sync(regclass,text,jsonb)', 's3v_sync', $$SELECT count(*) FROM s3v_sync('{source}')$$),
    (NULL, 's3v_sync, reconcile', $$SELECT count(*) FROM s3v_sync('{source}', 'reconcile')$$),
    (NULL, 's3v_sync, rebuild', $$SELECT count(*) FROM s3v_sync('{source}', 'rebuild')$$),
    (NULL, 's3v_sync, all', $$SELECT count(*) FROM s3v_sync()$$),
    ('s3v_optimize(regclass)', 's3v_optimize', $$SELECT s3v_optimize('{index}')$$),
    ('s3v_adopt(regclass)', 's3v_adopt', $$SELECT count(*) FROM s3v_adopt('{index}')$$),
    ('s3v_fork(regclass,name)', 's3v_fork', $$SELECT count(*) FROM s3v_fork('{index}')$$),
    (NULL, 's3v_fork, owner''s server', $$SELECT count(*) FROM s3v_fork('{index}', 's3v_m_server')$$),
    ('s3v_gc(name,interval)', 's3v_gc, s3v_local', $$SELECT count(*) FROM s3v_gc('s3v_local')$$),
    (NULL, 's3v_gc, owner''s server', $$SELECT count(*) FROM s3v_gc('s3v_m_server')$$),
    (NULL, 's3v_gc, all', $$SELECT count(*) FROM s3v_gc()$$),
    ('s3v_attach(text,name,text)', 's3v_attach, no service', $$SELECT count(s3v_attach('mine', 's3v_m_server', 'theirs'))$$),
    ('s3v.price_replace()', 's3v.price_replace', 'SELECT s3v.price_replace()'),
    ('s3v_stat_reset()', 's3v_stat_reset', $$SELECT count(*) FROM s3v_stat_reset()$$),
    ('s3v_fdw_handler()', 's3v_fdw_handler', $$SELECT count(*) FROM (SELECT s3v_fdw_handler()) h$$),
    ('s3v_fdw_validator(text[],oid)', 's3v_fdw_validator', $$SELECT count(*) FROM (SELECT s3v_fdw_validator('{url=file:///etc}', 'pg_foreign_server'::regclass)) v$$),
    ('s3v_capture()', 's3v_capture', $$SELECT s3v_capture()$$),
    (NULL, 's3v_capture, as a trigger', $$DO 'BEGIN EXECUTE format(''CREATE TRIGGER steal AFTER INSERT ON %I.own FOR EACH ROW EXECUTE FUNCTION s3v_capture(''''{source}'''')'', current_user);
        EXECUTE format(''INSERT INTO %I.own VALUES (1)'', current_user); END'$$),
    ('s3v_ddl_command_end()', 's3v_ddl_command_end', 'SELECT s3v_ddl_command_end()'),
    ('s3v_sql_drop()', 's3v_sql_drop', 'SELECT s3v_sql_drop()'),
    ('s3v_table_rewrite()', 's3v_table_rewrite', 'SELECT s3v_table_rewrite()'),
    -- no value of type internal can be had: undefined_function, since 16 feature_not_supported
    ('s3v_query_support(internal)', 's3v_query_support', $$DO 'BEGIN PERFORM s3v_query_support(NULL); EXCEPTION WHEN feature_not_supported THEN RAISE undefined_function; END'$$),
    ('s3v_query_many_support(internal)', 's3v_query_many_support', $$DO 'BEGIN PERFORM s3v_query_many_support(NULL); EXCEPTION WHEN feature_not_supported THEN RAISE undefined_function; END'$$)) f (o, l, c);
SELECT * FROM matrix(2, 'shop.docs');
BEGIN;
SELECT format('GRANT EXECUTE ON %s TO PUBLIC', object) FROM probe WHERE part = 2 AND object IS NOT NULL ORDER BY place \gexec
SELECT * FROM matrix(2, 'shop.docs');
UPDATE probe SET part = 3 WHERE part = 2 AND call ~ '\{(source|index)\}';
SELECT * FROM matrix(3, 'shop.files');
ROLLBACK;

-- ---- 4: tables, views and sequences: nobody writes them, whoever may read them is the list of sql/s3v.sql ---------------
CREATE VIEW members AS
    SELECT pg_describe_object(classid, objid, 0) AS object, classid::regclass AS catalog, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 's3v') AND deptype = 'e'
        -- later releases list the row types of tables and their arrays too
        AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (t.typrelid <> 0 OR e.typrelid <> 0));
CREATE FUNCTION probe_relation(described text, relation regclass, shown text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO probe (part, object, label, call)
    SELECT 4, CASE verb WHEN 'SELECT' THEN described END, format('%s %s', lower(verb), shown),
        CASE verb WHEN 'SELECT' THEN format('SELECT 1 + count(t) FROM %s t', relation)
            WHEN 'INSERT' THEN format('INSERT INTO %s (%I) SELECT NULL WHERE false', relation, attname)
            WHEN 'UPDATE' THEN format('UPDATE %s SET %I = NULL WHERE false', relation, attname)
            WHEN 'DELETE' THEN format('DELETE FROM %s WHERE false', relation)
            WHEN 'TRUNCATE' THEN format('TRUNCATE %s', relation)
            WHEN 'LOCK' THEN format('LOCK %s IN ACCESS EXCLUSIVE MODE', relation) END
    FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,LOCK}'::text[]) WITH ORDINALITY u (verb, n), pg_attribute a, (SELECT relkind FROM pg_class WHERE oid = relation) c (kind)
    WHERE attrelid = relation AND attnum = 1 AND (verb = 'SELECT' OR verb <> 'LOCK' AND kind = 'f' OR kind = 'r') ORDER BY n
$$;
SELECT count(*) AS relations FROM (SELECT m.* FROM members m JOIN pg_class c ON c.oid = m.objid
    WHERE catalog = 'pg_class'::regclass AND relkind <> 'S' ORDER BY relkind, objid::regclass::text) x, probe_relation(object, objid, objid::regclass::text);
SELECT count(*) AS logs FROM (SELECT DISTINCT source, log FROM s3v.index WHERE source = 'shop.docs'::regclass) x, probe_relation(NULL, log, 'the log of ' || source);
SELECT count(*) AS indexes FROM probe_relation(NULL, 'shop.docs_s3v', 'the index as a table');
INSERT INTO probe (part, object, label, call)
SELECT 4, o, l, c FROM members m, LATERAL (VALUES
    (m.object, 'read', format('SELECT last_value FROM %s', objid::regclass)),
    (NULL, 'nextval', format('SELECT nextval(%L)', objid::regclass)),
    (NULL, 'setval', format('SELECT setval(%L, 1)', objid::regclass))) v (o, verb, c), LATERAL (SELECT verb || ' ' || objid::regclass) n (l)
WHERE m.catalog = 'pg_class'::regclass AND EXISTS (SELECT FROM pg_class WHERE oid = objid AND relkind = 'S');
INSERT INTO probe (part, label, call) VALUES
    (4, 'which version, and when', 'SELECT 1 + count(index_id) FROM (SELECT index_id, version, synced_at FROM s3v.version) v');
SELECT * FROM matrix(4, '');

-- ---- 5: wrapper, servers, event triggers, the extension, and DDL on indexes ---------------------------------------------
INSERT INTO probe (part, object, label, call) VALUES
    (5, 'schema s3v', 'create in schema s3v', 'CREATE TABLE s3v.mine ()'),
    (5, 'foreign-data wrapper s3v', 'create server', $$CREATE SERVER mine FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/mine')$$),
    (5, NULL, 'alter wrapper', 'ALTER FOREIGN DATA WRAPPER s3v NO VALIDATOR'),
    (5, 'server s3v_local', 'alter server s3v_local', $$ALTER SERVER s3v_local OPTIONS (SET url 'file://./s3v/other')$$),
    (5, NULL, 'drop server s3v_m_server', 'DROP SERVER s3v_m_server'),
    (5, NULL, 'alter it', $$ALTER SERVER s3v_m_server OPTIONS (SET url 'file://./s3v/other')$$),
    (5, NULL, 'alter it: elsewhere', $$ALTER SERVER s3v_m_server OPTIONS (SET url 'file:///etc')$$),
    (5, NULL, 'alter it: endpoint', $$ALTER SERVER s3v_m_server OPTIONS (SET url 's3://bucket', ADD endpoint 'https://example.com')$$),
    (5, NULL, 'alter it: ca_file', $$ALTER SERVER s3v_m_server OPTIONS (SET url 's3://bucket', ADD ca_file 'ca.pem')$$),
    (5, NULL, 'alter it: allow_http', $$ALTER SERVER s3v_m_server OPTIONS (SET url 's3://bucket', ADD allow_http 'true')$$),
    (5, NULL, 'alter it: credentials', $$ALTER SERVER s3v_m_server OPTIONS (SET url 's3://bucket', ADD credentials 'instance')$$),
    (5, NULL, 'mapping for PUBLIC on it', 'CREATE USER MAPPING FOR PUBLIC SERVER s3v_m_server'),
    (5, NULL, 'mapping for oneself on it', 'CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_m_server'),
    (5, NULL, 'mapping on s3v_local', 'CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_local'),
    (5, NULL, 'index options', $$ALTER FOREIGN TABLE shop.docs_s3v OPTIONS (ADD probes '4')$$),
    (5, NULL, 'rename index', 'ALTER FOREIGN TABLE shop.docs_s3v RENAME TO other_s3v'),
    (5, NULL, 'drop index', 'DROP FOREIGN TABLE shop.docs_s3v'),
    (5, NULL, 'drop source', 'DROP TABLE shop.docs CASCADE'),
    (5, NULL, 'disable capture', 'ALTER TABLE shop.docs DISABLE TRIGGER s3v_capture'),
    (5, NULL, 'drop capture', 'DROP TRIGGER s3v_capture ON shop.docs'),
    (5, 'event trigger s3v_ddl_command_end', 'disable s3v_ddl_command_end', 'ALTER EVENT TRIGGER s3v_ddl_command_end DISABLE'),
    (5, 'event trigger s3v_sql_drop', 'disable s3v_sql_drop', 'ALTER EVENT TRIGGER s3v_sql_drop DISABLE'),
    (5, 'event trigger s3v_table_rewrite', 'disable s3v_table_rewrite', 'ALTER EVENT TRIGGER s3v_table_rewrite DISABLE'),
    (5, NULL, 'alter a function', 'ALTER FUNCTION s3v_capture() SECURITY DEFINER'),
    (5, NULL, 'alter extension', 'ALTER EXTENSION s3v DROP FUNCTION s3v_capture()'),
    (5, NULL, 'drop extension', 'DROP EXTENSION s3v CASCADE');
SELECT * FROM matrix(5, '');

-- ---- 6: settings: 55P02 is the configuration file's ---------------------------------------------------------------------
INSERT INTO probe (part, label, call) SELECT 6, name, format('SET LOCAL %s = %L', name, setting) FROM pg_settings WHERE name LIKE 's3v.%' ORDER BY name;
SELECT * FROM matrix(6, '');

-- ---- 7: an index of others, where EXECUTE is everybody's: USAGE of the server, then a mapping of one's own, then the service ------
BEGIN;
CREATE SERVER s3v_m_service FOREIGN DATA WRAPPER s3v OPTIONS (url 's3vectors://bucket', endpoint 'http://127.0.0.1:1');
CREATE USER MAPPING FOR s3v_m_owner SERVER s3v_m_service OPTIONS (access_key_id 'a', secret_access_key 'b');
GRANT USAGE ON FOREIGN SERVER s3v_m_service TO s3v_m_owner, s3v_m_reader;
GRANT EXECUTE ON FUNCTION s3v_attach TO PUBLIC;
INSERT INTO probe (part, label, call) VALUES (7, 's3v_attach', $$SELECT count(s3v_attach(current_user || '.mine', 's3v_m_service', 'theirs'))$$);
SELECT * FROM matrix(7, '');
ROLLBACK;

-- ---- what nobody put into the matrix: a new object must be --------------------------------------------------------------
SELECT object AS forgotten FROM members EXCEPT SELECT object FROM probe ORDER BY 1;
SELECT object AS gone FROM probe WHERE object IS NOT NULL EXCEPT SELECT object FROM members ORDER BY 1;
SELECT count(*) * 10 AS cells FROM (SELECT place FROM probe UNION ALL SELECT place FROM probe WHERE part IN (1, 2) UNION ALL
    SELECT place FROM probe WHERE part = 2 AND call ~ '\{(source|index)\}') x;
-- all of it was rolled back
SELECT index, version, rows, pending, state FROM s3v_indexes WHERE source::text LIKE 'shop.%' ORDER BY index::text;
SELECT index, pending, missing, orphaned, stale, corrupt FROM s3v_check() WHERE index::text LIKE 'shop.%' ORDER BY index::text;
DROP SCHEMA shop CASCADE;
DROP SERVER s3v_m_server;
SELECT format('DROP OWNED BY %I', role) FROM who ORDER BY place \gexec
DROP VIEW members;
DROP FUNCTION attempt, matrix, probe_relation;
SELECT format('DROP ROLE %I', role) FROM who ORDER BY place \gexec
DROP TABLE who, probe;
