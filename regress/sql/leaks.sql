-- What a view shows of tables that the caller may not read is decided before any function of the caller's sees it, however the planner joins.
SET client_min_messages = error;
SET jit = off;    -- planner settings below make every plan look dear
\set SHOW_CONTEXT never
CREATE ROLE s3v_peeper;
CREATE TABLE docs (id bigint PRIMARY KEY, v real[]);
INSERT INTO docs SELECT i, ARRAY[i, 1] FROM generate_series(1, 77) i;
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2');
INSERT INTO docs VALUES (100, '{1,2}');
CREATE TABLE seen (what text, value text);
GRANT INSERT, SELECT ON seen TO PUBLIC;
SET ROLE s3v_peeper;
-- cheap, and strict, so that outer joins become inner ones
CREATE FUNCTION pg_temp.peep(what text, value anyelement) RETURNS boolean LANGUAGE plpgsql STRICT COST 0.0000001 AS $$
BEGIN
    INSERT INTO seen VALUES (what, value::text);
    RETURN true;
END $$;
CREATE FUNCTION pg_temp.peep_everywhere(view regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tries bigint = 0; attribute name; planner text; use text;
BEGIN
    FOR attribute IN SELECT attname FROM pg_attribute WHERE attrelid = view AND attnum > 0 ORDER BY attnum LOOP
        FOREACH planner IN ARRAY '{enable_hashjoin,enable_nestloop,join_collapse_limit,none}'::text[] LOOP
            PERFORM set_config(planner, CASE planner WHEN 'join_collapse_limit' THEN '1' ELSE 'off' END, true) WHERE planner <> 'none';
            FOREACH use IN ARRAY ARRAY['SELECT count(*) FROM %2$s s WHERE pg_temp.peep(%1$L, s.%1$I)',
                'SELECT count(*) FROM (SELECT 1) x LEFT JOIN %2$s s ON pg_temp.peep(%1$L, s.%1$I)',
                'SELECT count(*) FROM %2$s s GROUP BY s.%1$I HAVING pg_temp.peep(%1$L, s.%1$I)'] LOOP
                EXECUTE format(use, attribute, view);
                tries := tries + 1;
            END LOOP;
            PERFORM set_config(planner, CASE planner WHEN 'join_collapse_limit' THEN '8' ELSE 'on' END, true) WHERE planner <> 'none';
        END LOOP;
    END LOOP;
    RETURN tries;
END $$;
-- without any right
SELECT pg_temp.peep_everywhere('s3v_indexes') AS tries, pg_temp.peep_everywhere('s3v.s3v_indexes') AS more;
SELECT DISTINCT what, value FROM seen ORDER BY 1, 2;
-- with the right to know that there is an index
RESET ROLE;
GRANT SELECT ON docs_s3v TO s3v_peeper;
SET ROLE s3v_peeper;
SELECT pg_temp.peep_everywhere('s3v_indexes') AS tries, pg_temp.peep_everywhere('s3v.s3v_indexes') AS more;
SELECT DISTINCT what FROM seen ORDER BY 1;
-- under a policy: no counts
RESET ROLE;
TRUNCATE seen;
GRANT SELECT ON docs TO s3v_peeper;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON docs USING (id < 3);
SET ROLE s3v_peeper;
SELECT pg_temp.peep_everywhere('s3v_indexes') AS tries, pg_temp.peep_everywhere('s3v.s3v_indexes') AS more;
SELECT DISTINCT what FROM seen ORDER BY 1;
-- and where there is nothing to hide, what the view is for
RESET ROLE;
TRUNCATE seen;
ALTER TABLE docs DISABLE ROW LEVEL SECURITY;
SET ROLE s3v_peeper;
SELECT pg_temp.peep_everywhere('s3v_indexes') AS tries, pg_temp.peep_everywhere('s3v.s3v_indexes') AS more;
SELECT DISTINCT what, value FROM seen WHERE what IN ('rows', 'pending') ORDER BY 1;
-- statistics and the tables themselves
SELECT count(*) FROM s3v.version WHERE pg_temp.peep('table', rows);
SELECT count(*) FROM s3v.version v WHERE v IS NOT NULL;
RESET ROLE;
ANALYZE s3v.version;
SET ROLE s3v_peeper;
SELECT attname FROM pg_stats WHERE schemaname = 's3v' AND tablename = 'version' ORDER BY 1;
RESET ROLE;
DROP TABLE docs, seen;
DROP OWNED BY s3v_peeper;
DROP ROLE s3v_peeper;
