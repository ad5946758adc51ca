-- Many rows at once, by every statement that can: each row that changed is pending once and the next sync takes them all; and two rows that change places.
SET client_min_messages = warning;
CREATE TABLE authors (id int PRIMARY KEY);
CREATE TABLE docs (id int PRIMARY KEY, author int REFERENCES authors ON DELETE CASCADE ON UPDATE CASCADE, price int, v real[]);
SELECT s3v_create_index('docs_s3v', 'docs', 'v', metric => 'l2', metadata => '{author,price}', options => '{"dimensions": 4}');
-- A vector of its own for each number, near its neighbours'.
CREATE FUNCTION vector(i int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$ SELECT ARRAY[i % 100, i / 100 % 100, i / 10000, i % 7]::real[] $$;
-- What the log says was changed: changes, keys. What the index, all its lists read, and the table do not agree on: of rows, of distances, of metadata.
CREATE FUNCTION logged(index_id regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT count(*) || '' changes of '' || count(DISTINCT key) || '' keys'' FROM %s WHERE index_id = $1', (SELECT log FROM s3v.index i WHERE i.index_id = logged.index_id)) INTO result USING index_id;
    RETURN result;
END $$;
CREATE FUNCTION wrong(index_id regclass, source regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT id, author, price, v FROM %s WHERE v IS NOT NULL) d FULL JOIN s3v_query(%L, ''[0,0,0,0]'', 1000000) h ON h.key = d.id::text WHERE d.id IS NULL OR h.key IS NULL
        OR abs(h.distance - sqrt(d.v[1]::float8 ^ 2 + d.v[2]::float8 ^ 2 + d.v[3]::float8 ^ 2 + d.v[4]::float8 ^ 2)) > 1e-6 OR (h.metadata->>''price'')::int IS DISTINCT FROM d.price OR (h.metadata->>''author'')::int IS DISTINCT FROM d.author',
        source, index_id) INTO result;
    RETURN result;
END $$;
SET s3v.max_k = 1000000;
INSERT INTO authors SELECT generate_series(1, 1000);
INSERT INTO docs SELECT i, 1 + i % 1000, i % 50, vector(i) FROM generate_series(1, 8000) i;
SELECT logged('docs_s3v') AS "insert select", wrong('docs_s3v', 'docs');
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT logged('docs_s3v') AS synced, wrong('docs_s3v', 'docs');
COPY docs FROM PROGRAM 'seq 8001 10000 | sed "s/.*/&\t1\t2\t{&,0,0,0}/"';
SELECT logged('docs_s3v') AS copy;
INSERT INTO docs SELECT i, 1, 99, vector(i + 1) FROM generate_series(9501, 10500) i ON CONFLICT (id) DO UPDATE SET v = excluded.v, price = 99;
SELECT logged('docs_s3v') AS "on conflict", wrong('docs_s3v', 'docs');
MERGE INTO docs USING generate_series(10251, 11000) s (i) ON docs.id = s.i WHEN MATCHED AND i % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET price = 7 WHEN NOT MATCHED THEN INSERT VALUES (i, 1, 1, vector(i));
SELECT logged('docs_s3v') AS merge;
DELETE FROM authors WHERE id BETWEEN 501 AND 520;
UPDATE authors SET id = id + 10000 WHERE id <= 20;
SELECT logged('docs_s3v') AS "cascades", wrong('docs_s3v', 'docs');
SELECT upserted, deleted FROM s3v_sync('docs');
UPDATE docs SET price = price + 1;
SELECT logged('docs_s3v') = (SELECT format('%s changes of %1$s keys', count(*)) FROM docs) AS all_rows;
UPDATE docs SET id = -id WHERE id % 2 = 0;
SELECT wrong('docs_s3v', 'docs');
SELECT upserted = (SELECT count(*) FROM docs) AS all_rows, deleted = (SELECT count(*) FROM docs WHERE id < 0) AS moved FROM s3v_sync('docs');
SELECT logged('docs_s3v') AS synced, wrong('docs_s3v', 'docs');
SELECT pending, missing, orphaned, stale, corrupt FROM s3v_check('docs');
-- two rows change places, before and after a sync: first by one statement each, then in a transaction that also goes back
BEGIN;
UPDATE docs SET id = 0 WHERE id = 1;
UPDATE docs SET id = 1 WHERE id = 3;
UPDATE docs SET id = 3 WHERE id = 0;
COMMIT;
SELECT key, distance FROM s3v_query('docs_s3v', vector(1), 3, keys => '{1,3}');
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT key, distance FROM s3v_query('docs_s3v', vector(1), 3, keys => '{1,3}');
BEGIN;
UPDATE docs SET id = 0 WHERE id = 1;
UPDATE docs SET id = 1 WHERE id = 3;
UPDATE docs SET id = 3 WHERE id = 0;
SAVEPOINT s;
UPDATE docs SET id = 0 WHERE id = 1;
UPDATE docs SET id = 1 WHERE id = 3;
SELECT key, distance FROM s3v_query('docs_s3v', vector(1), 3, keys => '{0,1,3}');
ROLLBACK TO s;
SELECT upserted, deleted FROM s3v_sync('docs');
SELECT key, distance FROM s3v_query('docs_s3v', vector(1), 3, keys => '{0,1,3}');
COMMIT;
SELECT wrong('docs_s3v', 'docs');
DROP TABLE docs, authors;
-- rows that move from leaf to leaf, all at once, and back
CREATE TABLE parts (id int PRIMARY KEY, author int, price int, v real[]) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (3001) PARTITION BY HASH (id);
CREATE TABLE parts_1_0 PARTITION OF parts_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_1_1 PARTITION OF parts_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (3001) TO (6001);
SELECT s3v_create_index('parts_s3v', 'parts', 'v', metric => 'l2', metadata => '{author,price}', options => '{"dimensions": 4}');
INSERT INTO parts SELECT i, 1, i % 50, vector(i) FROM generate_series(1, 3000) i;
SELECT logged('parts_s3v') AS "insert select";
SELECT upserted, deleted FROM s3v_sync('parts');
UPDATE parts SET id = id + 3000;
SELECT logged('parts_s3v') AS moved, wrong('parts_s3v', 'parts');
SELECT upserted, deleted FROM s3v_sync('parts');
UPDATE parts SET id = 6001 - id WHERE id > 4500;
SELECT logged('parts_s3v') AS "moved back", wrong('parts_s3v', 'parts');
SELECT upserted, deleted FROM s3v_sync('parts');
SELECT wrong('parts_s3v', 'parts'), (SELECT missing + orphaned + stale + corrupt FROM s3v_check('parts')) AS drift;
DROP TABLE parts;
DROP FUNCTION vector, logged, wrong;
