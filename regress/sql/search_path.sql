-- Traps: functions, operators, types, relations and casts that shadow those of PostgreSQL, in a schema ahead of pg_catalog, in the schema of the
-- extension itself, and among temporary objects. Whoever calls s3v, whatever he calls: none of them is ever taken.
SET client_min_messages = error;
\set SHOW_CONTEXT never
SELECT current_database() AS home \gset
CREATE ROLE s3v_trapper;
CREATE ROLE s3v_keeper;
CREATE ROLE s3v_visitor;
CREATE ROLE s3v_admin SUPERUSER;
CREATE DATABASE s3v_traps TEMPLATE template0;
\c s3v_traps
SET client_min_messages = warning;
SET check_function_bodies = off;

-- ---- the traps ----------------------------------------------------------------------------------------------------------
CREATE SCHEMA traps AUTHORIZATION s3v_trapper;
GRANT USAGE ON SCHEMA traps TO PUBLIC;
SET ROLE s3v_trapper;
-- counted by a sequence, which no rollback turns back
CREATE SEQUENCE traps.calls MINVALUE 0 START 0;
GRANT ALL ON SEQUENCE traps.calls TO PUBLIC;
CREATE FUNCTION traps.spring(what pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.int8lt(pg_catalog.nextval('traps.calls'::pg_catalog.regclass), 20) THEN
        RAISE WARNING 'trapped: % as %', what, current_user;
    END IF;
    RETURN true;
END $$;
-- every function with its own arguments, and with texts: a literal of no type prefers those
CREATE FUNCTION pg_temp.function_traps() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made integer := 0; f record;
BEGIN
    FOR f IN
        WITH usable AS (SELECT oid, typtype = 'p' AS pseudo FROM pg_type WHERE typtype <> 'p' OR typname ~ '^any' AND typname <> 'any'),
        own AS (
            SELECT proname, proretset, ARRAY(SELECT unnest(proargtypes)) AS args, CASE WHEN r.oid IS NULL THEN 'text'::regtype WHEN NOT r.pseudo THEN prorettype WHEN EXISTS (SELECT FROM usable u WHERE u.pseudo AND u.oid = ANY (proargtypes)) THEN prorettype
                ELSE 'text'::regtype END AS result
            FROM pg_proc LEFT JOIN usable r ON r.oid = prorettype
            WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND provariadic = 0 AND pronargs <= 6
                AND (SELECT count(*) = pronargs FROM unnest(proargtypes) a JOIN usable u ON u.oid = a)),
        textual AS (
            SELECT DISTINCT ON (proname, cardinality(args)) proname, proretset, array_fill('text'::regtype::oid, ARRAY[cardinality(args)]) AS args,
                CASE WHEN u.pseudo THEN 'text'::regtype ELSE result END AS result
            FROM own JOIN usable u ON u.oid = result WHERE cardinality(args) > 0 ORDER BY proname, cardinality(args), args)
        SELECT DISTINCT ON (proname, args) proname, (SELECT coalesce(string_agg(format_type(a, NULL), ', ' ORDER BY n), '') FROM unnest(args) WITH ORDINALITY x (a, n)) AS arguments,
            proretset, format_type(result, NULL) AS result
        FROM (SELECT * FROM own UNION ALL SELECT * FROM textual) x ORDER BY proname, args
    LOOP
        EXECUTE format('CREATE FUNCTION traps.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', f.proname, f.arguments, CASE WHEN f.proretset THEN 'SETOF' END, f.result,
            format('BEGIN PERFORM traps.spring(%L); RETURN%s; END', f.proname, CASE WHEN f.proretset THEN '' ELSE ' NULL' END));
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
SELECT pg_temp.function_traps() > 4000 AS functions;
-- every operator of two operands, and the usual ones of operands that PostgreSQL would convert first
CREATE FUNCTION pg_temp.operator_traps() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made integer := 0; o record; types CONSTANT oid[] = '{regclass,oid,name,text,varchar,bool,int2,int4,int8,float4,float8,numeric,uuid,xid8,jsonb,date,timestamptz,interval,text[],int8[],name[],xid8[],anyelement}'::regtype[];
BEGIN
    FOR o IN
        WITH wanted AS (
            SELECT oprname, oprleft, oprright FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' AND oprresult = 'bool'::regtype
            UNION SELECT n, l, r FROM unnest('{=,<>,<,<=,>,>=,~~,@>,&&}'::name[]) n, unnest(types) l, unnest(types) r
            UNION SELECT n, l, r FROM unnest('{+,-,||}'::name[]) n, unnest('{int2,int4,int8,xid8,float8,text,name,name[],timestamptz,interval}'::regtype[]) l, unnest('{int2,int4,int8,float8,text,name,name[],timestamptz,interval}'::regtype[]) r)
        SELECT format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r, array_agg(oprname) AS names FROM wanted
        WHERE NOT EXISTS (SELECT FROM pg_type WHERE oid IN (oprleft, oprright) AND typtype = 'p' AND typname !~ '^any') AND (oprleft::regtype::text ~ '^any') = (oprright::regtype::text ~ '^any') GROUP BY 1, 2
    LOOP
        EXECUTE format('CREATE FUNCTION traps.operation(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L', o.l, o.r,
            format('BEGIN RETURN traps.spring(%L); END', 'operator ' || o.l || ' ' || o.r));
        FOR i IN 1 .. cardinality(o.names) LOOP
            EXECUTE format('CREATE OPERATOR traps.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = traps.operation)', o.names[i], o.l, o.r);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
SELECT pg_temp.operator_traps() > 4000 AS operators;
-- types that check their values, and relations that answer
CREATE FUNCTION pg_temp.type_and_relation_traps(schema text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made integer := 0; t record;
BEGIN
    FOR t IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0 ORDER BY typname LOOP
        EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%2$I CHECK (traps.spring(%L))', schema, t.typname, 'type ' || t.typname);
        made := made + 1;
    END LOOP;
    FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
        UNION SELECT unnest('{index,version,history,stale,dropped,price,change_id}'::name[]) LOOP
        EXECUTE format('CREATE VIEW %I.%I AS SELECT traps.spring(%L) AS oid', schema, t.relname, 'relation ' || t.relname);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
SELECT pg_temp.type_and_relation_traps('traps') > 150 AS "types and relations";
-- a type of one's own, which casts come with
CREATE TYPE traps.mood AS ENUM ('glad', 'sad');
CREATE FUNCTION traps.mood_text(traps.mood) RETURNS pg_catalog.text LANGUAGE plpgsql AS $$ BEGIN PERFORM traps.spring('cast'); RETURN ''; END $$;
CREATE CAST (traps.mood AS pg_catalog.text) WITH FUNCTION traps.mood_text(traps.mood) AS IMPLICIT;
CREATE FUNCTION traps.mood_json(traps.mood) RETURNS pg_catalog.json LANGUAGE plpgsql AS $$ BEGIN PERFORM traps.spring('cast to json'); RETURN '{}'; END $$;
CREATE CAST (traps.mood AS pg_catalog.json) WITH FUNCTION traps.mood_json(traps.mood);
-- they work
SET search_path = traps, pg_catalog;
SELECT length('three'::pg_catalog.text);
SELECT 1::pg_catalog.int8 = 1::pg_catalog.int2 AS equal;
SET search_path = pg_temp, pg_catalog;
SELECT 1::pg_catalog.float8 OPERATOR(traps.>=) 0 AS more, 'x'::traps.text AS typed;
SELECT oid FROM traps.pg_class;
RESET search_path;
RESET ROLE;
SELECT setval('traps.calls', 0, false);

-- ---- CREATE EXTENSION, in the very schema of the traps ------------------------------------------------------------------
-- nothing that is there already is taken for its own
SET ROLE s3v_trapper;
CREATE FUNCTION traps.s3v_capture() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM traps.spring('s3v_capture'); RETURN NULL; END $$;
RESET ROLE;
CREATE EXTENSION s3v SCHEMA traps;
DROP FUNCTION traps.s3v_capture();
-- whoever installs it gives all his tables away; these he does not: a trigger on them would run as a superuser
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO s3v_trapper;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO s3v_trapper;
CREATE EXTENSION s3v SCHEMA traps;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM s3v_trapper;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM s3v_trapper;
SELECT c.oid::regclass AS relation, privilege_type FROM pg_class c, aclexplode(relacl) WHERE relnamespace = 's3v'::regnamespace AND relkind IN ('r', 'S') AND grantee = 's3v_trapper'::regrole;
SET ROLE s3v_trapper;
CREATE TRIGGER trap BEFORE INSERT ON s3v.version FOR EACH ROW EXECUTE FUNCTION traps.spring();
RESET ROLE;
SELECT last_value AS calls FROM traps.calls;
-- views, defaults and constraints took nothing in
SELECT pg_describe_object(d.classid, d.objid, 0) AS expression, pg_describe_object(d.refclassid, d.refobjid, 0) AS stranger FROM pg_depend d
WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass)
    AND (d.refclassid, d.refobjid) IN (SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p WHERE pronamespace = 'traps'::regnamespace AND proowner = 's3v_trapper'::regrole
        UNION ALL SELECT 'pg_operator'::regclass, o.oid FROM pg_operator o WHERE oprnamespace = 'traps'::regnamespace)
    AND d.objid IN (SELECT oid FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM pg_class WHERE relname ~ '^s3v_' OR relnamespace = 's3v'::regnamespace)
        UNION ALL SELECT oid FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 's3v'::regnamespace)
        UNION ALL SELECT oid FROM pg_constraint WHERE connamespace = 's3v'::regnamespace);

-- ---- everybody calls everything -----------------------------------------------------------------------------------------
CREATE SCHEMA shop AUTHORIZATION s3v_keeper;
CREATE SCHEMA annex AUTHORIZATION s3v_keeper;
CREATE SCHEMA lab;
GRANT USAGE ON SCHEMA shop, lab TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA traps, s3v TO PUBLIC;
GRANT USAGE ON FOREIGN DATA WRAPPER s3v TO s3v_keeper;
CREATE SERVER s3v_traps_server FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://./s3v/traps');
ALTER SERVER s3v_traps_server OWNER TO s3v_keeper;
SET ROLE s3v_keeper;
CREATE DOMAIN shop.note AS text;
CREATE TABLE shop.docs (id bigint PRIMARY KEY, title shop.note, mood traps.mood, tags text[], price numeric, made date, body jsonb, v real[]);
INSERT INTO shop.docs SELECT i, 't' || i, 'glad', ARRAY['a', 'b'], i, '2026-01-01', '{"a": 1}', ARRAY[i, 1] FROM generate_series(1, 400) i;
CREATE INDEX ON shop.docs (price);
CREATE INDEX ON shop.docs (title);
CREATE INDEX ON shop.docs (mood);
CREATE TABLE shop.parts (id text PRIMARY KEY, title varchar(20), v real[]) PARTITION BY RANGE (id);
CREATE TABLE shop.parts_a PARTITION OF shop.parts FOR VALUES FROM ('a') TO ('b');
CREATE TABLE shop.other (LIKE shop.parts INCLUDING ALL);
INSERT INTO shop.parts SELECT 'a' || i, 't' || i, ARRAY[i, 1] FROM generate_series(1, 20) i;
INSERT INTO shop.other VALUES ('b1', 't', '{1,1}');
SELECT traps.s3v_create_index('docs_s3v', 'shop.docs', 'v', metric => 'l2', metadata => '{id,title,mood,tags,price,made,body}');
SELECT traps.s3v_create_index('parts_s3v', 'shop.parts', 'v', server => 's3v_traps_server', metric => 'l2', metadata => '{title}');
INSERT INTO shop.docs VALUES (1001, 'pending', 'sad', '{}', 1, '2026-01-02', '[]', '{1,2}');
DELETE FROM shop.docs WHERE id = 3;
INSERT INTO shop.parts VALUES ('a99', 'pending', '{9,9}');
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO s3v_visitor;
RESET ROLE;
-- from here on temporary objects come last for us; for the calls they come first
SET search_path = pg_catalog, shop, pg_temp;
SELECT pg_temp.type_and_relation_traps('pg_temp') > 150 AS "temporary ones";
-- in the hostile path, and rolled back; what was called, as whom
CREATE FUNCTION lab.attempt(wanted text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
BEGIN
    PERFORM pg_catalog.set_config('role', wanted, true);
    PERFORM pg_catalog.set_config('search_path', 'pg_temp, traps, pg_catalog, shop, public', true);
    EXECUTE call;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE;
    RETURN pg_catalog.replace(state, 'ZZ000', 'ok');
END $$;
CREATE TABLE lab.probe (place serial, call text);
INSERT INTO lab.probe (call) VALUES
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3)$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '{1,1}'::pg_catalog.float8[], 300)$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, keys => '{4,5}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, '{"title": "t7"}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, '{"title": {"$startsWith": "t7"}}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, '{"title": {"$lt": "t3"}, "price": {"$gt": 3, "$in": [1, 5, 9]}}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, '{"$or": [{"mood": "sad"}, {"tags": "a"}, {"made": {"$gte": "2026-01-01"}}]}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, '{"mood": {"$in": ["sad", "glad"]}, "body": {"$exists": true}, "id": {"$lte": 100}}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, options => '{"as_of_version": 1}')$$),
    ($$SELECT FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3, options => '{"consistency": "eventual", "probes": 2, "max_bytes": "1MB", "on_missing": "error"}')$$),
    ($$SELECT FROM traps.s3v_query('shop.parts_s3v', '[1,1]', 3, '{"title": "t7"}')$$),
    ($$SELECT FROM traps.s3v_query_as('shop.docs_s3v', NULL::pg_catalog.int8, '[1,1]', 3)$$),
    ($$SELECT FROM traps.s3v_query_as('shop.parts_s3v', NULL::pg_catalog.varchar, '[1,1]', 3)$$),
    ($$SELECT FROM traps.s3v_query_many('shop.docs_s3v', ARRAY[[1,1],[2,1]], 3)$$),
    ($$SELECT FROM traps.s3v_query_many('shop.parts_s3v', '{"[1,1]","[2,2]"}'::pg_catalog.text[], 3)$$),
    ($$SELECT traps.s3v_explain('shop.docs_s3v', '[1,1]', 3)$$),
    ($$EXPLAIN (VERBOSE, ANALYZE) SELECT * FROM traps.s3v_query('shop.docs_s3v', '[1,1]', 3)$$),
    ($$SELECT traps.s3v_recall('shop.docs_s3v', 10)$$),
    ($$SELECT traps.s3v_cost('shop.docs_s3v', 10)$$),
    ($$SELECT traps.s3v_warm('shop.docs_s3v')$$),
    ($$SELECT FROM traps.s3v_check('shop.docs')$$),
    ($$SELECT FROM traps.s3v_check()$$),
    ($$SELECT s3v.pending('shop.docs_s3v')$$),
    ($$SELECT FROM s3v.progress()$$),
    ($$SELECT FROM s3v.stat()$$),
    ($$SELECT * FROM traps.s3v_indexes$$),
    ($$SELECT * FROM s3v.s3v_indexes$$),
    ($$SELECT * FROM traps.s3v_progress$$),
    ($$SELECT * FROM s3v.s3v_progress$$),
    ($$SELECT * FROM traps.s3v_stat$$),
    ($$SELECT * FROM s3v.s3v_stat$$),
    ($$SELECT index_id, version FROM s3v.version$$),
    ($$SELECT * FROM s3v.index, s3v.history, s3v.stale, s3v.dropped, s3v.price$$),
    ($$SELECT traps.s3v_stat_reset()$$),
    ($$SELECT traps.s3v_create_index('more_s3v', 'shop.docs', 'v', 's3v_traps_server', metric => 'ip', metadata => '{title}', options => '{"probes": 3}')$$),
    ($$SELECT traps.s3v_create_index('shop.later_s3v', 'shop.parts', 'v', options => '{"build": false, "dimensions": 2}')$$),
    ($$SELECT traps.s3v_attach('shop.mine', 's3v_traps_server', 'theirs')$$),
    ($$SELECT FROM traps.s3v_sync('shop.docs')$$),
    ($$SELECT FROM traps.s3v_sync('shop.docs', 'reconcile')$$),
    ($$SELECT FROM traps.s3v_sync('shop.docs', 'rebuild', '{"wait": true}')$$),
    ($$SELECT FROM traps.s3v_sync('shop.parts', 'changes', '{"max_rows": 1}')$$),
    ($$SELECT FROM traps.s3v_sync('shop.parts', 'reconcile')$$),
    ($$SELECT FROM traps.s3v_sync(mode => 'reconcile')$$),
    ($$SELECT traps.s3v_optimize('shop.docs_s3v')$$),
    ($$SELECT FROM traps.s3v_gc('s3v_traps_server', '0')$$),
    ($$SELECT FROM traps.s3v_gc(keep => '1 hour')$$),
    ($$SELECT traps.s3v_adopt('shop.docs_s3v')$$),
    ($$SELECT traps.s3v_fork('shop.docs_s3v')$$),
    ($$SELECT traps.s3v_fork('shop.docs_s3v', 's3v_traps_server')$$),
    ($$SELECT traps.s3v_fdw_handler()$$),
    ($$SELECT traps.s3v_fdw_validator('{}', 0)$$),
    ($$SELECT traps.s3v_capture()$$),
    ($$SELECT s3v.price_replace()$$),
    ($$SELECT traps.s3v_ddl_command_end()$$),
    ($$SELECT traps.s3v_sql_drop()$$),
    ($$SELECT traps.s3v_table_rewrite()$$),
    -- changes of rows: the capture triggers
    ($$INSERT INTO shop.docs VALUES (2001, 'new', 'sad', '{}', 1, '2026-01-02', '[]', '{1,2}')$$),
    ($$INSERT INTO shop.docs VALUES (4, 'new', 'sad', '{}', 1, '2026-01-02', '[]', '{1,2}') ON CONFLICT (id) DO UPDATE SET title = 'again', v = '{4,4}'$$),
    ($$UPDATE shop.docs SET title = 'new', body = '{}'$$),
    ($$UPDATE shop.docs SET id = 3001 WHERE id OPERATOR(pg_catalog.=) 7$$),
    ($$DELETE FROM shop.docs$$),
    ($$TRUNCATE shop.docs, shop.parts$$),
    ($$INSERT INTO shop.parts VALUES ('abc', 'new', '{3,3}')$$),
    ($$UPDATE shop.parts SET title = 'new'$$),
    ($$TRUNCATE shop.parts_a$$),
    ($$INSERT INTO s3v.price (item, usd, unit) VALUES ('s3.get', 1, 'one')$$),
    -- changes of tables: the event triggers
    ($$ALTER TABLE shop.docs RENAME title TO headline$$),
    ($$ALTER TABLE shop.docs ALTER v TYPE pg_catalog.float8[]$$),
    ($$ALTER TABLE shop.docs ALTER title TYPE pg_catalog.varchar(99)$$),
    ($$ALTER TABLE shop.docs DROP COLUMN price CASCADE$$),
    ($$ALTER TABLE shop.docs DROP CONSTRAINT docs_pkey$$),
    ($$ALTER TABLE shop.docs DISABLE TRIGGER ALL$$),
    ($$ALTER TABLE shop.docs SET UNLOGGED$$),
    ($$ALTER TABLE shop.docs SET SCHEMA annex$$),
    ($$ALTER TABLE shop.docs OWNER TO s3v_admin$$),
    ($$ALTER TYPE traps.mood RENAME VALUE 'sad' TO 'blue'$$),
    ($$CREATE OR REPLACE TRIGGER s3v_capture_truncate AFTER TRUNCATE ON shop.docs EXECUTE FUNCTION traps.s3v_capture()$$),
    ($$DROP TRIGGER s3v_capture ON shop.docs$$),
    ($$CREATE TABLE shop.child () INHERITS (shop.docs)$$),
    ($$CREATE TABLE shop.parts_b PARTITION OF shop.parts FOR VALUES FROM ('b') TO ('c')$$),
    ($$ALTER TABLE shop.parts ATTACH PARTITION shop.other FOR VALUES FROM ('b') TO ('c')$$),
    ($$ALTER TABLE shop.parts DETACH PARTITION shop.parts_a$$),
    ($$ALTER TABLE shop.parts RENAME title TO headline$$),
    ($$DROP TABLE shop.parts_a$$),
    ($$DROP TABLE shop.docs$$),
    ($$DROP FOREIGN TABLE shop.parts_s3v$$),
    ($$ALTER FOREIGN TABLE shop.docs_s3v OPTIONS (ADD probes '4')$$),
    ($$ALTER SERVER s3v_traps_server RENAME TO s3v_traps_other$$),
    ($$ALTER SERVER s3v_traps_server OPTIONS (SET url 'file://./s3v/traps2')$$),
    ($$CREATE SERVER s3v_traps_more FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://bucket', endpoint 'http://127.0.0.1:1')$$),
    ($$CREATE USER MAPPING FOR CURRENT_USER SERVER s3v_traps_server OPTIONS (access_key_id 'a', secret_access_key 'b')$$),
    ($$DROP SERVER s3v_traps_server CASCADE$$),
    ($$DO 'BEGIN SET LOCAL client_min_messages = error; DROP OWNED BY s3v_keeper CASCADE; END'$$),
    ($$DROP SCHEMA shop CASCADE$$),
    ($$CREATE TABLE annex.unrelated (id pg_catalog.int4 PRIMARY KEY, t pg_catalog.text)$$),
    ($$DROP EXTENSION s3v CASCADE$$);
CREATE TEMP TABLE tried AS
    SELECT place, call, (SELECT array_agg(lab.attempt(r, call) ORDER BY n) FROM unnest('{s3v_admin,s3v_keeper,s3v_visitor}'::text[]) WITH ORDINALITY u (r, n)) AS results FROM lab.probe;
SELECT call, results[1] AS admin, results[2] AS keeper, results[3] AS visitor FROM tried ORDER BY place;
-- functions that no call above names; supports cannot be called
SELECT proname AS forgotten FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 's3v') AND NOT EXISTS (SELECT FROM lab.probe WHERE call ~ ('\m' || proname || '\(')) ORDER BY 1;
SELECT relname AS forgotten FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 's3v') AND NOT EXISTS (SELECT FROM lab.probe WHERE call ~ ('\m' || relname || '\M')) ORDER BY 1;
SELECT last_value AS calls, is_called FROM traps.calls;
SELECT count(*) * 3 AS attempts FROM lab.probe;

-- ---- a table whose owner waits for a superuser --------------------------------------------------------------------------
-- Everything of a table that can call a function calls this one, which makes its owner a superuser whenever it is run as one.
RESET search_path;
DISCARD TEMP;
SELECT setval('traps.calls', 0, false);
SET ROLE s3v_trapper;
CREATE SEQUENCE traps.own_calls;
GRANT ALL ON SEQUENCE traps.own_calls TO PUBLIC;
CREATE FUNCTION traps.lure(what text, value text DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RETURN true; END $$;
CREATE FUNCTION traps.lure_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM traps.lure('trigger ' || TG_NAME); RETURN NEW; END $$;
CREATE DOMAIN traps.lure_key AS integer CHECK (traps.lure('key type', VALUE::text));
CREATE DOMAIN traps.lure_text AS text CHECK (traps.lure('text type', VALUE));
CREATE DOMAIN traps.lure_vector AS real[] CHECK (traps.lure('vector type', VALUE::text));
CREATE TABLE traps.lures (id traps.lure_key NOT NULL, note traps.lure_text CHECK (traps.lure('constraint', note)), mood traps.mood,
    made text GENERATED ALWAYS AS ('made ' || traps.lure('generated', note)) STORED, price numeric DEFAULT CASE WHEN traps.lure('default') THEN 1 END, v traps.lure_vector);
CREATE UNIQUE INDEX lures_partial ON traps.lures (id) WHERE traps.lure('predicate');
CREATE UNIQUE INDEX lures_rest ON traps.lures (id) WHERE traps.lure('row predicate', note);
ALTER TABLE traps.lures ADD PRIMARY KEY (id);    -- later: of unique indexes the first one is asked first
CREATE INDEX lures_expression ON traps.lures ((traps.lure('expression', note)));
CREATE INDEX lures_constant ON traps.lures ((traps.lure('constant')));
CREATE INDEX lures_mood ON traps.lures (mood);
CREATE STATISTICS traps.lures_statistics ON (traps.lure('statistics', note)) FROM traps.lures;
CREATE TABLE traps.lure_parts (LIKE traps.lures INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE traps.lure_part PARTITION OF traps.lure_parts (CHECK (traps.lure('leaf constraint'))) DEFAULT;
INSERT INTO traps.lures (id, note, mood, v) SELECT i, 'n' || i, 'glad', ARRAY[i, 1] FROM generate_series(1, 300) i;
INSERT INTO traps.lure_parts (id, note, mood, v) SELECT id, note, mood, v FROM traps.lures;
ANALYZE traps.lures, traps.lure_parts;
CREATE VIEW traps.lure_view AS SELECT *, traps.lure('view') FROM traps.lures;
CREATE TRIGGER lure_before BEFORE INSERT OR UPDATE OR DELETE ON traps.lures FOR EACH ROW EXECUTE FUNCTION traps.lure_row();
CREATE TRIGGER lure_after AFTER INSERT OR UPDATE OR DELETE ON traps.lures FOR EACH STATEMENT EXECUTE FUNCTION traps.lure_row();
ALTER TABLE traps.lures ENABLE ROW LEVEL SECURITY;
CREATE POLICY lure_all ON traps.lures USING (traps.lure('policy', note));
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA traps TO s3v_trapper;
SET ROLE s3v_trapper;
SELECT traps.s3v_create_index('lures_s3v', 'traps.lures', 'v', metric => 'l2', metadata => '{id,note,mood,made,price}');
SELECT traps.s3v_create_index('lure_parts_s3v', 'traps.lure_parts', 'v', metric => 'l2', metadata => '{id,note,mood,made}');
ALTER FOREIGN TABLE traps.lures_s3v ADD CHECK (traps.lure('constraint of the index', note)), ALTER note SET DEFAULT 'd' || traps.lure('default of the index');
INSERT INTO traps.lures (id, note, mood, v) SELECT i, 'n' || i, 'sad', ARRAY[i, 1] FROM generate_series(301, 310) i;
DELETE FROM traps.lures WHERE id < 10;
INSERT INTO traps.lure_parts (id, note, mood, v) SELECT id, note, mood, v FROM traps.lures WHERE id > 300;
-- the lures are laid: from now on they tell
CREATE OR REPLACE FUNCTION traps.lure(what text, value text DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$
BEGIN
    IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        IF pg_catalog.nextval('traps.calls') < 20 THEN
            RAISE WARNING 'lured: %', what;
        END IF;
        ALTER ROLE s3v_trapper SUPERUSER;
    ELSE
        PERFORM pg_catalog.nextval('traps.own_calls');
    END IF;
    RETURN true;
END $$;
RESET ROLE;
CREATE FUNCTION lab.as_superuser(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL ROLE s3v_admin;
    EXECUTE call;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN OTHERS THEN
    RETURN replace(SQLSTATE, 'ZZ000', 'ok');
END $$;
CREATE FUNCTION lab.lured(call text, OUT result text, OUT calls bigint) LANGUAGE plpgsql AS $$
DECLARE
    before bigint = (SELECT last_value + is_called::int FROM traps.calls);
BEGIN
    result := lab.as_superuser(call);
    calls := (SELECT last_value + is_called::int FROM traps.calls) - before;
END $$;
-- a superuser, or a job of his, keeps everybody's indexes in order
SELECT call, result, calls FROM unnest(ARRAY[
    $$SELECT FROM traps.s3v_sync()$$,
    $$SELECT FROM traps.s3v_sync('traps.lures')$$,
    $$SELECT FROM traps.s3v_sync('traps.lures', 'reconcile')$$,
    $$SELECT FROM traps.s3v_sync('traps.lures', 'rebuild')$$,
    $$SELECT FROM traps.s3v_sync('traps.lure_parts')$$,
    $$SELECT FROM traps.s3v_sync('traps.lure_parts', 'reconcile')$$,
    $$SELECT FROM traps.s3v_sync('traps.lure_parts', 'rebuild')$$,
    $$SELECT traps.s3v_optimize('traps.lures_s3v')$$,
    $$SELECT traps.s3v_create_index('traps.second_s3v', 'traps.lures', 'v', metadata => '{id,note,mood,made,price}')$$,
    $$SELECT traps.s3v_create_index('traps.third_s3v', 'traps.lures', 'v', options => '{"build": false}')$$,
    $$SELECT FROM traps.s3v_check()$$,
    $$SELECT FROM traps.s3v_check('traps.lures')$$,
    $$SELECT FROM traps.s3v_check('traps.lure_parts')$$,
    $$SELECT FROM traps.s3v_gc(keep => '0')$$,
    $$SELECT traps.s3v_adopt('traps.lures_s3v')$$,
    $$SELECT traps.s3v_fork('traps.lures_s3v')$$,
    $$SELECT traps.s3v_warm('traps.lures_s3v')$$,
    $$SELECT * FROM traps.s3v_indexes, traps.s3v_progress, traps.s3v_stat$$,
    $$SELECT s3v.pending('traps.lures_s3v')$$,
    $$ANALYZE traps.lures_s3v$$,
    $$DROP FOREIGN TABLE traps.lures_s3v$$,
    $$DROP TABLE traps.lures CASCADE$$,
    $$DROP EXTENSION s3v CASCADE$$]) WITH ORDINALITY c (call, place), lab.lured(call) ORDER BY place;
SELECT last_value AS "calls as a superuser", is_called FROM traps.calls;
-- not even as the owner: of a table, rows alone are read
SELECT last_value AS "calls as the owner", is_called FROM traps.own_calls;
SELECT rolsuper FROM pg_roles WHERE rolname = 's3v_trapper';
-- whoever queries reads the table as himself, which the planner may do with functions of its owner's, as for any SELECT: so the lures are laid
SELECT call, result, calls > 0 AS lured FROM unnest(ARRAY[
    $$SELECT id, v, note, mood, made, price FROM traps.lures$$,
    $$SELECT FROM traps.s3v_query('traps.lures_s3v', '[1,1]', 3)$$,
    $$SELECT FROM traps.s3v_query('traps.lures_s3v', '[1,1]', 3, '{"mood": "sad"}')$$,
    $$SELECT FROM traps.s3v_query('traps.lures_s3v', '[1,1]', 3, '{"note": "n7"}')$$,
    $$SELECT traps.s3v_explain('traps.lures_s3v', '[1,1]', 3)$$,
    $$SELECT traps.s3v_recall('traps.lures_s3v')$$,
    $$SELECT traps.s3v_cost('traps.lures_s3v')$$]) WITH ORDINALITY c (call, place), lab.lured(call) ORDER BY place;

\c :home
SET client_min_messages = error;
DROP DATABASE s3v_traps;
DROP ROLE s3v_trapper, s3v_keeper, s3v_visitor, s3v_admin;
