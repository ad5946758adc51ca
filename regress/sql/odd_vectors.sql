-- Vectors and tables at the ends of what there is: every value that float4 has, dimensions from 1 to 16,000, tables of hardly anything, k and probes
-- beyond all bounds. Where all lists are read, distances are those of plain arithmetic on the table.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION distance(a real[], b real[], metric text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE metric WHEN 'l2' THEN sqrt(sum((x::float8 - y) ^ 2)) WHEN 'ip' THEN -sum(x::float8 * y)
        ELSE 1 - sum(x::float8 * y) / (sqrt(sum(x::float8 ^ 2)) * sqrt(sum(y::float8 ^ 2))) END FROM unnest(a, b) v (x, y) $$;
-- Rows of a table that its index shows not at all, more than once or elsewhere, and hits that are no rows; the indexes are named SOURCE_METRIC.
CREATE FUNCTION wrong(source regclass, probe real[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
    result text[];
    metric text;
BEGIN
    FOR metric IN SELECT m FROM unnest('{l2,cosine,ip}'::text[]) m WHERE to_regclass(source || '_' || m) IS NOT NULL LOOP
        CONTINUE WHEN metric = 'cosine' AND 0 = ALL (probe);
        EXECUTE format('SELECT count(*) FROM s3v_query(%L, $1, 10000, options => ''{"probes": 1000000}'') h FULL JOIN
            (SELECT id::text AS key, distance(v, $1, $2) AS distance FROM %s WHERE v IS NOT NULL AND NOT ($2 = ''cosine'' AND 0 = ALL (v))) t USING (key)
            WHERE h.distance IS NULL OR t.distance IS NULL OR NOT abs(h.distance - t.distance) <= 1e-9 * (1 + abs(t.distance))', source || '_' || metric, source)
            INTO found USING probe, metric;
        result := result || (metric || ' ' || found);
    END LOOP;
    RETURN array_to_string(result, ', ');
END $$;

-- ---- every kind of number -----------------------------------------------------------------------------------------------

CREATE TABLE odd (id int PRIMARY KEY, v real[]);
INSERT INTO odd SELECT i, ARRAY[i, 1, i % 7]::real[] FROM generate_series(1, 300) i;
-- minus zero, subnormal numbers, lengths that a float cannot hold, the largest numbers, zero, none
INSERT INTO odd VALUES (1001, '{-0,-0,-0}'), (1002, '{1e-45,0,0}'), (1003, '{1e-40,1e-42,0}'), (1004, '{1e38,1e38,1e38}'), (1005, '{3.4028235e38,-3.4028235e38,0}'),
    (1006, NULL), (1007, '{-0,1,0}'), (1008, '{0,0,0}'), (1009, '{1e19,1e19,0}'), (1010, '{1e-23,1e-23,0}');
CREATE TABLE probes (v real[]);
INSERT INTO probes VALUES ('{1,2,3}'), ('{1e38,1e38,1e38}'), ('{3.4028235e38,3.4028235e38,3.4028235e38}'), ('{1e-45,0,0}'), ('{-0,0,1e-30}'), ('{-3e38,1,0}'), ('{1e-40,1e-40,0}'),
    ('{0,0,0}'), ('{-0,-0,0}');
SELECT s3v_create_index('odd_l2', 'odd', 'v', metric => 'l2', options => '{"lists": 8}'), s3v_create_index('odd_cosine', 'odd', 'v', options => '{"lists": 8}'),
       s3v_create_index('odd_ip', 'odd', 'v', metric => 'ip', options => '{"lists": 8}');
SELECT index, rows, skipped FROM s3v_indexes ORDER BY index::text;
SELECT v AS probe, wrong('odd', v) FROM probes;
-- minus zero is zero, bit by bit as well
SELECT DISTINCT float4send(x), distance FROM s3v_query('odd_l2', '{-0,-0,-0}'::real[], 3, keys => '{1001,1008}'), unnest('{0}'::real[]) x;
-- pending, then written by a sync
DELETE FROM odd WHERE id BETWEEN 1001 AND 1005;
UPDATE odd SET v = ARRAY[-0.0, 1e-44, 3e38] WHERE id IN (1009, 1010);
INSERT INTO odd VALUES (1001, '{-0,-0,-0}'), (1002, '{1e-45,0,0}'), (1003, '{1e-40,1e-42,0}'), (1004, '{1e38,1e38,1e38}'), (1005, '{3.4028235e38,-3.4028235e38,0}');
SELECT v AS probe, wrong('odd', v) FROM probes;
SELECT index, upserted, deleted FROM s3v_sync('odd') ORDER BY index::text;
SELECT v AS probe, wrong('odd', v) FROM probes;
SELECT missing, orphaned, stale, corrupt FROM s3v_check('odd');
-- beyond float4 is infinite; below it is zero
SELECT key FROM s3v_query('odd_l2', '[1e39,0,0]', 1);
SELECT key FROM s3v_query('odd_l2', ARRAY[1e39, 0, 0]::float8[], 1);
SELECT key FROM s3v_query('odd_l2', '{1e400,0,0}'::numeric[], 1);
SELECT key FROM s3v_query('odd_cosine', ARRAY[1e-60, 0, 0]::float8[], 1);
DROP TABLE odd;

-- ---- dimensions -----------------------------------------------------------------------------------------------------------

CREATE TABLE one (id int PRIMARY KEY, v real[]);
INSERT INTO one SELECT i, ARRAY[i] FROM generate_series(-50, 50) i;
SELECT s3v_create_index('one_l2', 'one', 'v', metric => 'l2'), s3v_create_index('one_cosine', 'one', 'v'), s3v_create_index('one_ip', 'one', 'v', metric => 'ip');
SELECT wrong('one', '{7.25}'), wrong('one', '{0}'), wrong('one', '{-1e30}');
CREATE TABLE wide (id int PRIMARY KEY, v real[]);
INSERT INTO wide SELECT i, array_agg((hashint4(i * 20011 + d) / 2147483648.0)::real) FROM generate_series(1, 20) i, generate_series(1, 16000) d GROUP BY i;
SELECT s3v_create_index('wide_l2', 'wide', 'v', metric => 'l2');
SELECT dimensions, rows FROM s3v_indexes WHERE index = 'wide_l2'::regclass;
SELECT wrong('wide', v) FROM wide WHERE id = 7;
INSERT INTO wide SELECT 21, array_fill(1::real, '{16001}');
SELECT count(*) FROM s3v_query('wide_l2', array_fill(1::real, '{16001}'));
SELECT count(*) FROM s3v_query('wide_l2', array_fill(1::real, '{15999}'));
SELECT count(*) FROM s3v_query('wide_l2', '[' || repeat('1,', 1000000) || '1]');
CREATE TABLE wider (id int PRIMARY KEY, v real[]);
INSERT INTO wider SELECT 1, array_fill(1::real, '{16001}');
SELECT s3v_create_index('wider_l2', 'wider', 'v');
-- what is no vector of one dimension
SELECT count(*) FROM s3v_query('one_l2', '{}'::real[]);
SELECT count(*) FROM s3v_query('one_l2', '{{1}}'::real[]);
SELECT count(*) FROM s3v_query('one_l2', '{NULL}'::real[]);
SELECT count(*) FROM s3v_query('one_l2', '[5:5]={1}'::real[], 3);
SELECT count(*) FROM s3v_query('one_l2', '{{{{{{1}}}}}}'::int[]);
SELECT count(*) FROM s3v_query('one_l2', '[1,]');
SELECT count(*) FROM s3v_query('one_l2', '[[1]]');
SELECT count(*) FROM s3v_query('one_l2', '[');
SELECT count(*) FROM s3v_query('one_l2', '[1] 2');
SELECT count(*) FROM s3v_query('one_l2', '{"1"}');
SELECT count(*) FROM s3v_query('one_l2', '');
SELECT count(*) FROM s3v_query('one_l2', repeat('[', 1000000));
SELECT count(*) FROM s3v_query('one_l2', '[' || repeat('9', 1000000) || ']');
SELECT count(*) FROM s3v_query_many('one_l2', '{{1},{2}}'::real[], 2);
SELECT count(*) FROM s3v_query_many('one_l2', '{}'::real[], 2);
SELECT count(*) FROM s3v_query_many('one_l2', '{1,2}'::real[], 2);
SELECT count(*) FROM s3v_query_many('one_l2', '{{1},{NULL}}'::real[], 2);

-- ---- k and probes ---------------------------------------------------------------------------------------------------------

SELECT k, (SELECT count(*) FROM s3v_query('one_l2', '[1]', k)) AS hits FROM unnest('{1,100,101,102,10000}'::int[]) k;
SELECT count(*) FROM s3v_query('one_l2', '[1]', 10001);
SELECT count(*) FROM s3v_query('one_l2', '[1]', -2147483648);
SET s3v.max_k = 2147483647;
-- as large as an int, with little memory: nothing is set aside for hits that cannot be
SET work_mem = '64kB';
SELECT count(*) FROM s3v_query('one_l2', '[1]', 2147483647);
SELECT count(*) FROM s3v_query('one_l2', '[1]', 2147483647, options => '{"probes": 1000000}');
SELECT count(*) FROM s3v_query('one_l2', '[1]', 2147483647, keys => '{1,2,3}');
SELECT count(*) FROM s3v_query_many('one_l2', ARRAY['[1]', '[2]'], 2147483647);
SELECT e->'hits' AS hits FROM s3v_explain('one_l2', '[1]', 2147483647) e;
RESET work_mem;
RESET s3v.max_k;
SELECT p, (SELECT count(*) FROM s3v_query('one_l2', '[1]', 3, options => jsonb_build_object('probes', p))) AS hits FROM unnest('{0,1,2,1000000}'::int[]) p;
SELECT s3v_query('one_l2', '[1]', options => '{"probes": 1000001}');
SELECT s3v_query('one_l2', '[1]', options => '{"probes": 1e99}');
SELECT s3v_query('one_l2', '[1]', options => '{"probes": 1.5}');
SELECT s3v_recall('one_l2', 1000000);
SELECT s3v_recall('one_l2', 0);
SELECT s3v_recall('one_l2', 10, 2147483647) IS NULL;
DROP TABLE one, wide, wider;

-- ---- tables of hardly anything ----------------------------------------------------------------------------------------------

CREATE TABLE few (id int PRIMARY KEY, v real[]);
SELECT s3v_create_index('few_l2', 'few', 'v', metric => 'l2', options => '{"dimensions": 2, "lists": 100}'),
       s3v_create_index('few_cosine', 'few', 'v', options => '{"dimensions": 2, "lists": 100}'),
       s3v_create_index('few_ip', 'few', 'v', metric => 'ip', options => '{"dimensions": 2, "lists": 100}');
-- As a rebuild leaves it, as the next changes make it, and as an incremental sync leaves it.
CREATE FUNCTION tried(rows text) RETURNS TABLE (wrong text) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE few;
    EXECUTE 'INSERT INTO few ' || rows;
    PERFORM s3v_sync('few', 'rebuild');
    RETURN QUERY SELECT wrong('few', '{1,2}');
    UPDATE few SET id = -id WHERE id % 2 = 1;
    RETURN QUERY SELECT wrong('few', '{1,2}');
    PERFORM s3v_sync('few');
    RETURN QUERY SELECT wrong('few', '{1,2}');
    RETURN QUERY SELECT 'drift ' || sum(missing + orphaned + stale + corrupt) FROM s3v_check('few');
END $$;
SELECT name, string_agg(DISTINCT wrong, '; ') AS wrong
FROM (VALUES (1, 'no row', 'SELECT 1, NULL::real[] WHERE false'), (2, 'one', $$VALUES (1, '{1,1}'::real[])$$), (3, 'two', $$VALUES (1, '{1,1}'::real[]), (2, '{-1,3}')$$),
    (4, 'no vector', 'SELECT i, NULL::real[] FROM generate_series(1, 50) i'), (5, 'zero', $$SELECT i, '{0,0}'::real[] FROM generate_series(1, 50) i$$),
    (6, 'equal', $$SELECT i, '{3,4}'::real[] FROM generate_series(1, 200) i$$), (7, 'equal but one', $$SELECT i, CASE i WHEN 77 THEN '{1e12,-1e12}' ELSE '{3,4}' END::real[] FROM generate_series(1, 200) i$$),
    (8, 'one far away', $$SELECT i, CASE i WHEN 77 THEN ARRAY[1e15, 1] ELSE ARRAY[i % 20, i % 13] END::real[] FROM generate_series(1, 200) i$$),
    (9, 'fewer than lists', 'SELECT i, ARRAY[i, 1]::real[] FROM generate_series(1, 30) i')) x (no, name, rows), LATERAL tried(rows)
GROUP BY no, name ORDER BY no;
-- at defaults as well, rows far away cost the others nothing
CREATE FUNCTION recall(far real) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE few;
    INSERT INTO few SELECT i, ARRAY[i % 97, i % 89] FROM generate_series(1, 2000) i;
    UPDATE few SET v = ARRAY[far, 1] WHERE id IN (77, 78);
    PERFORM s3v_sync('few', 'rebuild');
    RETURN (SELECT string_agg(format('%s %s', index, CASE WHEN recall > 0.9 THEN 'good' ELSE recall::text END), ', ' ORDER BY index::text)
            FROM s3v_indexes, LATERAL (SELECT (s3v_recall(index, 100, 10)->>'recall')::float8 AS recall) r WHERE source = 'few'::regclass);
END $$;
SELECT far, recall(far) FROM unnest('{1e9}'::real[]) far;
-- (where lengths differ by more than 10^10, inner products of the short rows are all alike to a float)
DROP FOREIGN TABLE few_ip;
SELECT far, recall(far) FROM unnest('{3e38}'::real[]) far;
DROP TABLE few, probes;
DROP FUNCTION distance, wrong, tried, recall;
