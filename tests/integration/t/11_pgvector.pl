# With pgvector installed its types are columns and query vectors like any other. Debian 12 has no package of it for PostgreSQL 15:
# where it is absent this file skips, and says so.
use strict;
use warnings;

use S3vTest;
use Test::More;

my $node = new_cluster('pgvector');
my $db = 'postgres';

plan(skip_all => 'pgvector is not installed')
  unless $node->safe_psql($db, q{SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'});
# In a schema of its own: types are found wherever they are.
$node->safe_psql($db, q{CREATE SCHEMA types; CREATE EXTENSION vector SCHEMA types; ALTER DATABASE postgres SET search_path = public, types});
my $halfvec = $node->safe_psql($db, q{SELECT to_regtype('types.halfvec') IS NOT NULL}) eq 't';

foreach my $type ('vector(16)', 'vector', $halfvec ? ('halfvec(16)') : ())
{
	(my $name = "t_$type") =~ s/\W//g;
	$node->safe_psql(
		$db, qq{
		SET client_min_messages = warning;
		CREATE TABLE $name (id int PRIMARY KEY, v $type);
		INSERT INTO $name SELECT i, test_vector(i, 16, 50)::$type FROM generate_series(1, 2000) i;});
	foreach my $metric (['l2', '<->'], ['cosine', '<=>'], ['ip', '<#>'])
	{
		my ($metric_name, $operator) = @$metric;
		my $index = "${name}_$metric_name";

		$node->safe_psql($db, qq{SELECT s3v_create_index('$index', '$name', 'v', metric => '$metric_name')});
		# The operators of pgvector compute in float4 or float8: distances agree to what that leaves, and no row comes out of order by more.
		my $query = qq{
			WITH q AS (SELECT v FROM $name WHERE id = 77),
			     hits AS (SELECT h.* FROM q, s3v_query('$index', q.v, 20, options => '{"probes": 100000}') h),
			     exact AS (SELECT d.id, d.v $operator q.v AS distance FROM $name d, q ORDER BY 2 LIMIT 20)
			SELECT (SELECT count(*) FROM hits),
			       (SELECT max(abs(h.distance - (d.v $operator q.v))) < 1e-4 FROM q, hits h JOIN $name d ON d.id = h.key::int),
			       (SELECT max(distance) FROM hits) <= (SELECT max(distance) FROM exact) + 1e-4};
		is($node->safe_psql($db, $query), '20|t|t', "$type, $metric_name: as pgvector's own operator says");
	}
	is($node->safe_psql($db, qq{SELECT count(DISTINCT key) FROM (SELECT key FROM s3v_query('${name}_l2', (SELECT v::real[] FROM $name WHERE id = 77), 1)
		UNION ALL SELECT key FROM s3v_query('${name}_l2', (SELECT v::text FROM $name WHERE id = 77), 1)) k}),
		1, "$type: the same query as real[] and as text");
	$node->safe_psql($db, qq{INSERT INTO $name VALUES (5000, (SELECT v FROM $name WHERE id = 77)); UPDATE $name SET v = NULL WHERE id = 77});
	is($node->safe_psql($db, qq{SELECT key FROM s3v_query('${name}_l2', (SELECT v FROM $name WHERE id = 5000), 1)}), '5000', "$type: changes are captured");
}

my ($status, $out, $error) = $node->psql($db, q{INSERT INTO t_vector VALUES (6000, '[1,2,3]')});
like($error, qr/row with key "6000" of table "t_vector" does not fit index .*\n.*3 dimensions, the index 16/, 'another dimension is refused');
is($node->safe_psql($db, q{SELECT dimensions FROM s3v_indexes WHERE index = 't_vector16_l2'::regclass}), 16, 'dimensions come from the type modifier');
done_testing();
