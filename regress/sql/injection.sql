-- Names and values that try to be more than that: a thousand strings as the names of everything, as keys and metadata, as every argument. All is
-- quoted or bound: it works or is refused, and the catalogue is as it was.
SET client_min_messages = error;
\set SHOW_CONTEXT never
CREATE ROLE s3v_canary;
-- everything that a string which got loose would want to change
CREATE FUNCTION fingerprint() RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
        SELECT concat('class ', oid, ' ', relname, ' ', relowner, ' ', relacl::text, ' ', relkind, ' ', relnamespace, ' ', relhastriggers) FROM pg_class
            WHERE relnamespace NOT IN ('s3v'::regnamespace, 'pg_toast'::regnamespace, pg_my_temp_schema()) AND relpersistence <> 't'
        UNION ALL SELECT concat('proc ', oid, ' ', proname, ' ', proowner, ' ', proacl::text, ' ', prosecdef) FROM pg_proc
        UNION ALL SELECT concat('role ', r.oid, ' ', r) FROM pg_roles r
        UNION ALL SELECT concat('member ', roleid, ' ', member) FROM pg_auth_members
        UNION ALL SELECT concat('schema ', oid, ' ', nspname, ' ', nspowner, ' ', nspacl::text) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
        UNION ALL SELECT concat('server ', oid, ' ', srvname, ' ', srvowner, ' ', srvacl::text, ' ', srvoptions::text) FROM pg_foreign_server
        UNION ALL SELECT concat('mapping ', m.oid) FROM pg_user_mapping m
        UNION ALL SELECT concat('trigger ', oid, ' ', tgname, ' ', tgenabled, ' ', tgfoid) FROM pg_trigger
        UNION ALL SELECT concat('type ', oid, ' ', typname) FROM pg_type WHERE typtype <> 'c' AND typelem = 0
        UNION ALL SELECT concat('setting ', name, ' ', setting) FROM pg_settings WHERE name IN ('search_path', 'role', 'session_replication_role', 'row_security')
        UNION ALL SELECT concat('price ', p) FROM s3v.price p
        UNION ALL SELECT concat('index ', i) FROM s3v.index i
        UNION ALL SELECT concat('version ', v) FROM s3v.version v
        UNION ALL SELECT concat('stale ', v) FROM s3v.stale v) x (line) $$;

-- ---- the strings --------------------------------------------------------------------------------------------------------
CREATE TABLE words (word text);
INSERT INTO words VALUES ('ALTER ROLE s3v_canary SUPERUSER'), ('DROP TABLE words'), ('s3v_canary'), ('SELECT 1/0'), ('pg_sleep(9)'), ('1'), ('x');
CREATE TABLE shells (shell text);
INSERT INTO shells VALUES ('{}'), (''';{};--'), ('";{};--'), ('"; SELECT "{}'), ('$$;{};$$'), ('$s3v$;{};$s3v$'), ('\'';{};--'), ('\";{};--'), (E'{}\n;{}'), (E'\r{}\r\n'), ('/*{}*/'),
    ('--{}'), (';{};'), ('); {}; --'), ('") SERVER s3v_local; {}; --'), (''') ; {}; --'), ('"{}"'), ('''{}'''), ('"""{}"""'), ('{{}}'), ('[{}]'), ('({})'), ('%s{}%n%I%L'), ('$1{}$2'), (':x{}:''x'''),
    ('a.{}.b'), ('"a"."{}"'), ('U&"\0022{}"'), ('E''\047{}'), ('{},{}'), ('"{}":1,"$or":[{}]'), ('{}::regclass'), ('${x}{}`{}`'), ('<{}>&amp;'), (E'\t{}\x0b\x01\x7f'), ('|| {} ||'), ('ä{}ß'),
    ('日本{}'), ('𝔘{}🐘'), (E'e\u0301{}\u200b\u202e'), (' {} '), ('{} OR 1=1'), ('\u0000{}'), ('../{}'), ('{}?x=1#y'), ('%27{}%22%00'), ('NULL{}'), ('{}\');
CREATE TABLE strings (n serial, s text UNIQUE);
INSERT INTO strings (s) SELECT replace(shell, '{}', word) FROM shells, words ORDER BY replace(shell, '{}', word) COLLATE "C";
-- names that are words of PostgreSQL and of ours; of 63 bytes, and of one more; of characters of four bytes
INSERT INTO strings (s) SELECT unnest(ARRAY['pg_temp', 'pg_catalog', 'information_schema', 'MixedCase', 'UPPER', 'public', 's3v', 's3v_capture', 'index_id', 'key',
    'distance', 'metadata', 'log', 'null', 'ctid', 'xmin', 'tableoid', '$eq', '$and', '$or', '$in', '$exists', 'name (metadata)', repeat('x', 62), repeat('x', 63), repeat('"', 63), repeat('''', 63), repeat('🐘', 15), repeat('🐘', 15) || 'abc', repeat('\', 63)]) ON CONFLICT DO NOTHING;
-- and any characters at all, always the same ones
INSERT INTO strings (s) SELECT string_agg(chr(CASE WHEN h % 5 = 0 THEN 128 + h % 55000 WHEN h % 7 = 0 THEN 65536 + h % 900000 ELSE 1 + h % 127 END), '' ORDER BY c)
    FROM generate_series(1, 620) i, generate_series(1, 12) c, LATERAL (SELECT abs(hashint4(i * 1000 + c) / 2) AS h) x GROUP BY i ON CONFLICT DO NOTHING;
-- and the words of SQL, of which each release of PostgreSQL has more
INSERT INTO strings (s) SELECT word FROM pg_get_keywords() WHERE catcode = 'R' ORDER BY word COLLATE "C" ON CONFLICT DO NOTHING;
SELECT count(*) >= 1000 AS enough FROM strings;

-- ---- as keys and as metadata --------------------------------------------------------------------------------------------
CREATE TABLE rows (id text PRIMARY KEY, note text, label varchar, doc jsonb, tags text[], v real[]);
INSERT INTO rows SELECT s, s, s, jsonb_build_object('s', s), ARRAY[s, 'all'], ARRAY[n, 1] FROM strings WHERE n % 2 = 0;
SELECT s3v_create_index('rows_s3v', 'rows', 'v', metric => 'l2', metadata => '{id,note,label,doc,tags}');
-- half of them come later, some go
INSERT INTO rows SELECT s, s, s, jsonb_build_object('s', s), ARRAY[s, 'all'], ARRAY[n, 1] FROM strings WHERE n % 2 = 1;
DELETE FROM rows USING strings WHERE id = s AND n % 17 = 0;
CREATE FUNCTION wrong_answers(path text) RETURNS TABLE (what text, strings bigint) LANGUAGE plpgsql AS $$
DECLARE
    string record; found text[]; wanted text[]; filters jsonb[]; counts bigint[] = '{0,0,0,0,0,0,0}';
BEGIN
    FOR string IN SELECT s.n, s.s, r.id FROM strings s LEFT JOIN rows r ON r.id = s.s LOOP
        wanted := array_remove(ARRAY[string.id], NULL);
        filters := ARRAY[jsonb_build_object('note', string.s), jsonb_build_object('label', jsonb_build_object('$in', jsonb_build_array(string.s))),
            jsonb_build_object('tags', string.s), jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('id', jsonb_build_object('$gte', string.s)), jsonb_build_object('note', jsonb_build_object('$lte', string.s))))];
        FOR i IN 1 .. 4 LOOP
            CONTINUE WHEN (string.n + i) % 4 <> 0;    -- one each
            SELECT array_agg(key) INTO found FROM s3v_query('rows_s3v', ARRAY[string.n, 1]::real[], 3, filters[i]);
            IF coalesce(found, '{}') IS DISTINCT FROM wanted THEN
                counts[i] := counts[i] + 1;
            END IF;
        END LOOP;
        SELECT array_agg(key) INTO found FROM s3v_query('rows_s3v', ARRAY[string.n, 1]::real[], 3, keys => ARRAY[string.s]) h WHERE h.metadata->>'note' = string.s AND h.metadata->'doc'->>'s' = string.s;
        IF coalesce(found, '{}') IS DISTINCT FROM wanted THEN
            counts[5] := counts[5] + 1;
        END IF;
    END LOOP;
    RETURN QUERY SELECT w, counts[o] FROM unnest('{equal,$in,tags,between,keys}'::text[]) WITH ORDINALITY u (w, o);
END $$;
SELECT * FROM wrong_answers('pending');
SELECT upserted > 400 AS synced, deleted > 10 AS deleted FROM s3v_sync('rows');
SELECT pending, missing, orphaned, stale, corrupt FROM s3v_check('rows');
SELECT * FROM wrong_answers('synced');
SELECT count(*) = (SELECT count(*) FROM rows) AS all FROM s3v_query('rows_s3v', '[1,1]', 10000, options => '{"probes": 100000}');
SELECT upserted, deleted FROM s3v_sync('rows', 'reconcile');

-- ---- as arguments -------------------------------------------------------------------------------------------------------
CREATE FUNCTION outcome(call text, argument anyelement) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE call USING argument;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'ZZ000' THEN 'ok' ELSE SQLSTATE END;
END $$;
-- what must be refused is, as bad input; never as a statement that does not parse
CREATE TABLE calls (place serial, what text, call text);
INSERT INTO calls (what, call) VALUES
    ('index name, as it is', $$SELECT s3v_create_index($1, 'rows', 'v', options => '{"build": false, "dimensions": 2}')$$),
    ('vector column', $$SELECT s3v_create_index('more', 'rows', $1::name)$$),
    ('server', $$SELECT s3v_create_index('more', 'rows', 'v', $1::name)$$),
    ('key column', $$SELECT s3v_create_index('more', 'rows', 'v', key_column => $1::name)$$),
    ('metric', $$SELECT s3v_create_index('more', 'rows', 'v', metric => $1)$$),
    ('metadata', $$SELECT s3v_create_index('more', 'rows', 'v', metadata => ARRAY[$1]::name[])$$),
    ('vector', $$SELECT FROM s3v_query('rows_s3v', $1)$$),
    ('mode', $$SELECT FROM s3v_sync('rows', $1)$$),
    ('server of s3v_gc', $$SELECT FROM s3v_gc($1::name)$$),
    ('server of s3v_fork', $$SELECT s3v_fork('rows_s3v', $1::name)$$),
    ('server of s3v_attach', $$SELECT s3v_attach('more', $1::name, 'x')$$),
    ('name of s3v_attach', $$SELECT s3v_attach($1, 's3v_local', 'x')$$),
    ('index of s3v_query', $$SELECT FROM s3v_query($1::regclass, '[1,1]')$$),
    ('value of an option', $$SELECT FROM s3v_query('rows_s3v', '[1,1]', options => jsonb_build_object('probes', $1))$$),
    ('another option', $$SELECT FROM s3v_query('rows_s3v', '[1,1]', options => jsonb_build_object($1, 1))$$),
    ('option of a new index', $$SELECT s3v_create_index('more', 'rows', 'v', options => jsonb_build_object($1, $1))$$),
    ('option of a sync', $$SELECT FROM s3v_sync('rows', options => jsonb_build_object($1, 1))$$),
    ('column of a filter', $$SELECT FROM s3v_query('rows_s3v', '[1,1]', filter => jsonb_build_object($1, 1))$$),
    ('operator of a filter', $$SELECT FROM s3v_query('rows_s3v', '[1,1]', filter => jsonb_build_object('note', jsonb_build_object($1, 1)))$$),
    ('keys', $$SELECT FROM s3v_query('rows_s3v', '[1,1]', keys => ARRAY[$1])$$),
    ('prefix', $$SELECT FROM s3v_query('rows_s3v', '[1,1]', filter => jsonb_build_object('note', jsonb_build_object('$startsWith', $1)))$$);
-- every twelfth string for each
CREATE TABLE before (state text);
INSERT INTO before SELECT fingerprint();
SELECT what, string_agg(DISTINCT o, ' ' ORDER BY o) AS outcomes FROM calls, strings, outcome(call, s) o WHERE (n + place) % 12 = 0 GROUP BY place, what ORDER BY place;
SELECT count(*) > 1800 AS enough FROM calls, strings WHERE (n + place) % 12 = 0;
SELECT state = fingerprint() AS unchanged FROM before;

-- ---- as names of everything ---------------------------------------------------------------------------------------------
-- A schema, a table and its columns, an index, a server and a role of that name, from the beginning to the end of their lives.
CREATE FUNCTION live(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    i CONSTANT text = quote_ident(name); source CONSTANT text = format('%1$I.%1$I', name); made regclass; of_name regclass; step text; answer text[];
BEGIN
    step := 'create';
    EXECUTE format('CREATE ROLE %s; CREATE SCHEMA %1$s; CREATE TYPE %1$s."enum" AS ENUM (%2$L, ''other''); CREATE DOMAIN %1$s."domain" AS text', i, name);
    EXECUTE format('CREATE SERVER %s FOREIGN DATA WRAPPER s3v OPTIONS (url ''file://./s3v/injection/%s'')', i, md5(name));
    EXECUTE format('CREATE TABLE %s (id text, %I real[], %s text PRIMARY KEY, n int, e %3$s."enum", d %3$s."domain")', source, left(name, 9) || ' v', i);
    EXECUTE format('INSERT INTO %s SELECT ''k'' || i, ARRAY[i, 1], $1 || i, i, $1::%s."enum", $1 FROM generate_series(1, 12) i', source, i) USING name;
    EXECUTE format('CREATE INDEX ON %s (e); CREATE INDEX ON %1$s (d)', source);
    step := 'index';
    of_name := source::regclass;
    made := s3v_create_index(format('%I.%I', name, left(name, 9) || ' i'), of_name, left(name, 9) || ' v', name, name, 'l2', ARRAY[name, 'id', 'n', 'e', 'd'], '{"probes": 9}');
    step := 'write';
    EXECUTE format('INSERT INTO %s VALUES (''late'', ''{1,2}'', $1 || ''late'', 99, $1::%s."enum", $1)', source, i) USING name;
    EXECUTE format('UPDATE %s SET %s = %2$s || ''!'' WHERE id = ''k3''', source, i);
    EXECUTE format('DELETE FROM %s WHERE id = ''k4''', source);
    step := 'query';
    SELECT array_agg(h.metadata->>'id' ORDER BY h.distance) INTO answer FROM s3v_query(made, '[3,1]', 3, jsonb_build_object(name, jsonb_build_object('$exists', true), 'e', name, 'd', name)) h;
    ASSERT answer = '{k3,k2,k1}', answer;
    SELECT array_agg(h.metadata->>'id') INTO answer FROM s3v_query(made, '[3,1]', 3, jsonb_build_object(name, name || '3!'), ARRAY[name || '3!', name || '4']) h;
    ASSERT answer = '{k3}', answer;
    step := 'sync';
    ASSERT (SELECT (upserted, deleted) FROM s3v_sync(of_name)) = (2::bigint, 2::bigint), 'sync';
    ASSERT (SELECT pending + missing + orphaned + stale + corrupt FROM s3v_check(of_name)) = 0, 'check';
    ASSERT (SELECT server = name::name AND pending = 0 AND rows = 12 FROM s3v_indexes s WHERE s.index = made), 'view';
    ASSERT s3v_explain(made, '[3,1]') ? 'path' AND s3v_recall(made, 5) ? 'recall' AND s3v_cost(made) ? 'prices', 'reports';
    PERFORM s3v_optimize(made), s3v_adopt(made), s3v_warm(made), s3v_fork(made);
    PERFORM FROM s3v_gc(name);
    step := 'rights';
    EXECUTE format('GRANT USAGE ON SCHEMA %1$s TO %1$s; ALTER TABLE %2$s OWNER TO %1$s; CREATE USER MAPPING FOR %1$s SERVER %1$s', i, source);
    ASSERT (SELECT has_table_privilege(name, log, 'SELECT') FROM s3v.index x WHERE x.source = of_name), 'log';
    step := 'rename';
    EXECUTE format('ALTER TABLE %s RENAME %s TO "new name"; ALTER TABLE %1$s RENAME id TO %2$s', source, i);
    SELECT array_agg(h.key) INTO answer FROM s3v_query(made, '[3,1]', 3, jsonb_build_object(name, 'k3')) h;
    ASSERT answer = ARRAY[name || '3!'], answer;
    EXECUTE format('ALTER TABLE %s DROP COLUMN %s', source, i);
    ASSERT (SELECT state FROM s3v_indexes s WHERE s.index = made) = 'stale', 'stale';
    ASSERT (SELECT error IS NULL FROM s3v_sync(of_name, 'reconcile')), 'reconcile';
    step := 'drop';
    EXECUTE format('DROP TABLE %s; DROP USER MAPPING FOR %s SERVER %2$s; DROP SERVER %2$s; DROP SCHEMA %2$s CASCADE; DROP ROLE %2$s', source, i);
    RETURN 'ok';
EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
    RETURN concat_ws(' ', step, SQLSTATE, SQLERRM);
END $$;
CREATE TABLE lives (n int, s text, result text);
UPDATE before SET state = fingerprint();
-- names that PostgreSQL itself takes for all of these, none of which the table has already, and which are none of the filters' own
INSERT INTO lives SELECT n, s, live(s) FROM strings
WHERE octet_length(s) <= 63 AND s !~ '^(public|s3v_canary|s3v|information_schema|none|null|id|n|e|d|ctid|xmin|tableoid|\$and|\$or)$' AND s !~ '^pg_' AND lower(s) NOT IN ('public', 'none', 'session_user', 'current_user', 'current_role', 'user')
    AND (n % 24 = 0 OR octet_length(s) > 58 OR s IN ('select', 'user', 'table', 'MixedCase', 'key', 'distance', 'metadata', 's3v_capture'));
SELECT result, count(*) > 50 AS many FROM lives GROUP BY 1 ORDER BY 1;
SELECT state = fingerprint() AS unchanged FROM before;

SELECT rolsuper FROM pg_roles WHERE rolname = 's3v_canary';
SELECT (SELECT count(*) FROM words) AS words, (SELECT count(*) FROM s3v_indexes) AS indexes;
DROP TABLE rows;
DROP TABLE words, shells, strings, before, calls, lives;
DROP FUNCTION fingerprint, wrong_answers, outcome, live;
DROP ROLE s3v_canary;
