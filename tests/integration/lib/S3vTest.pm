# What the integration tests share: clusters with s3v in them, S3 servers, tables of vectors, and the oracle that compares an
# index with its table.
package S3vTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use S3vTest::Session;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(
  require_s3 new_cluster own_radosgw server_sql make_table session
  objects store_object delete_objects
  slow_lookup differences wait_until explained log_of
);

my $here = $ENV{S3V_INTEGRATION_DIR} or die "run this with tests/integration/run";
my $home = $ENV{TESTDIR};
my @radosgw;

# Taken out of the environment: servers that a test starts must not know them, and PostgreSQL logs its environment at debug3.
my %given = map { $_ => delete $ENV{ "S3V_TEST_S3_" . uc $_ } } qw(endpoint bucket access_key secret_key);

# ---- S3 servers ----------------------------------------------------------------------------------------------------------

# The S3 server that our caller started, as a hash: endpoint, bucket, access_key, secret_key. Skips the file without one, or
# fails it where that must not be.
sub require_s3
{
	return { %given } if defined $given{endpoint};
	BAIL_OUT("no S3 server: S3V_TEST_S3_ENDPOINT is not set") if $ENV{S3V_TEST_S3_REQUIRED};
	plan(skip_all => 'no S3 server: S3V_TEST_S3_ENDPOINT is not set');
}

# A radosgw of our own: one that the test may stop and freeze. Further keys: pid.
sub own_radosgw
{
	my $directory = "$home/rgw";
	my $port = 20000 + int(rand(10000));
	my ($out, $err);

	push @radosgw, $directory;
	IPC::Run::run([ "$here/radosgw.sh", 'start', $directory, $port ], '>&', \$out) or die "radosgw did not start: $out";
	IPC::Run::run([ "$here/radosgw.sh", 'env', $directory ], '>', \$out) or die "no environment";
	my %s3 = map { lc($_) => $out =~ /S3V_TEST_S3_$_=(\S+)/ ? $1 : die "no $_" } qw(ENDPOINT BUCKET ACCESS_KEY SECRET_KEY);
	chomp($s3{pid} = slurp_file("$directory/rgw.pid"));
	return \%s3;
}

END
{
	my $status = $?;
	IPC::Run::run([ "$here/radosgw.sh", 'stop', $_ ], '>&', \my $out) foreach @radosgw;
	$? = $status;
}

# CREATE SERVER and a mapping for the current user. Overrides: endpoint, bucket, access_key, secret_key, prefix, options (more
# of them, as SQL), role.
sub server_sql
{
	my ($name, $s3, %params) = @_;
	my %all = (%$s3, role => 'CURRENT_USER', options => '', %params);
	die "a server needs a prefix" unless $all{prefix};

	return qq{
		CREATE SERVER $name FOREIGN DATA WRAPPER s3v OPTIONS (url 's3://$all{bucket}/$all{prefix}', region 'us-east-1',
			endpoint '$all{endpoint}', path_style 'true'$all{options});
		CREATE USER MAPPING FOR $all{role} SERVER $name
			OPTIONS (access_key_id '$all{access_key}', secret_access_key '$all{secret_key}');};
}

sub s3_tool
{
	my ($s3, $input, @arguments) = @_;
	my ($out, $err);

	local $ENV{S3V_TEST_S3_ENDPOINT} = $s3->{endpoint};
	local $ENV{S3V_TEST_S3_BUCKET} = $s3->{bucket};
	local $ENV{S3V_TEST_S3_ACCESS_KEY} = $s3->{access_key};
	local $ENV{S3V_TEST_S3_SECRET_KEY} = $s3->{secret_key};
	IPC::Run::run([ '/usr/bin/python3', "$here/s3.py", @arguments ], '<', \$input, '>', \$out, '2>', \$err) or die $err;
	return $out;
}

# Keys below a prefix, in order.
sub objects
{
	my ($s3, $prefix) = @_;

	return map { (split /\t/)[0] } split /\n/, s3_tool($s3, '', 'list', $prefix);
}

sub store_object
{
	my ($s3, $key, $content) = @_;

	s3_tool($s3, $content, 'put', $key);
	return;
}

sub delete_objects
{
	my ($s3, @keys) = @_;

	s3_tool($s3, '', 'delete', @keys);
	return;
}

# ---- PostgreSQL ----------------------------------------------------------------------------------------------------------

# The oracle and the data, in every database that a test makes. Vectors are functions of (id, dims, clusters) alone, so that
# tests can make the same row anywhere, and rows of a cluster are near each other.
my $test_functions = q{
	CREATE FUNCTION test_vector(id int, dims int, clusters int) RETURNS real[] LANGUAGE sql STABLE AS $$
		SELECT array_agg((sin((id % clusters) * 12.9898 + d * 78.233) + 0.25 * hashint4(id * 20011 + d) / 2147483648.0)::real ORDER BY d)
		FROM generate_series(1, dims) d $$;

	CREATE FUNCTION test_cosine(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
		SELECT 1 - sum(x::float8 * y) / sqrt(sum(x::float8 * x) * sum(y::float8 * y)) FROM unnest(a, b) v(x, y) $$;

	-- Rows in which the index, every list probed, and the table differ: missing, too many, or at another distance. Missing objects are
	-- an error here: the scan that would replace them agrees with the table whatever the index says.
	CREATE FUNCTION test_differences(index regclass, source regclass, probe real[]) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		result bigint;
	BEGIN
		EXECUTE format('SELECT count(*) FROM s3v_query(%L, $1, 10000, options => ''{"probes": 1000000, "on_missing": "error"}'') h
			FULL JOIN (SELECT id::text AS key, test_cosine(embedding, $1) AS distance FROM %s WHERE embedding IS NOT NULL) t
			USING (key) WHERE h.distance IS NULL OR t.distance IS NULL OR abs(h.distance - t.distance) > 1e-6', index, source)
			INTO result USING probe;
		RETURN result;
	END $$;
};

# A running cluster with s3v in database postgres. conf => more configuration; fault_points => 1: the library is the one with fault
# points; others go to init(). Without a local cache, unless conf
# says otherwise: most tests look at what a store does, and would see what the cache answers in its place.
sub new_cluster
{
	my ($name, %params) = @_;
	my $conf = delete $params{conf} // '';
	my $fault_points = delete $params{fault_points};
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ], %params);
	$node->append_conf('postgresql.conf', "shared_buffers = 16MB\nmax_connections = 20\nmax_wal_size = 512MB\nautovacuum = off\ns3v.cache_size = 0\n$conf");
	$node->start;
	add_extension($node, 'postgres');
	use_fault_points($node, 'postgres') if $fault_points;
	return $node;
}

# From the next session on. The build has it where it was configured with -DS3V_FAULT_POINTS=ON.
sub use_fault_points
{
	my ($node, $database) = @_;

	chomp(my $libraries = `pg_config --pkglibdir`);
	die "there is no $libraries/s3v_fault_points.so: configure with -DS3V_FAULT_POINTS=ON" unless -f "$libraries/s3v_fault_points.so";
	$node->safe_psql($database, q{UPDATE pg_proc SET probin = '$libdir/s3v_fault_points' WHERE probin = '$libdir/s3v'});
	return;
}

sub add_extension
{
	my ($node, $database) = @_;

	$node->safe_psql($database, "CREATE EXTENSION s3v; $test_functions");
	return;
}

# A table of `rows` clustered vectors with metadata: id, category, price, published, embedding.
sub make_table
{
	my ($node, $database, $table, %params) = @_;
	my %all = (rows => 1000, dims => 32, clusters => 20, %params);

	$node->safe_psql(
		$database, qq{
		CREATE TABLE $table (id int PRIMARY KEY, category text NOT NULL, price numeric, published bool, embedding real[]);
		INSERT INTO $table SELECT i, 'c' || i % 7, (hashint4(i) & 1023) / 8.0, i % 3 <> 0,
			test_vector(i, $all{dims}, $all{clusters}) FROM generate_series(1, $all{rows}) i;
		ANALYZE $table});
	return;
}

sub session
{
	return S3vTest::Session->new(@_);
}

# 0 when the index, all its lists probed, says what the table says; else in how many rows they differ, or the error.
sub differences
{
	my ($node, $database, $index, $table, $dims) = @_;
	my ($status, $out, $err) = $node->psql($database, "SELECT test_differences('$index', '$table', test_vector(77, $dims, 20))");

	return $status == 0 ? $out : $err;
}

# A library to be preloaded: looking up the name "slow.example" takes so many seconds.
sub slow_lookup
{
	my ($seconds) = @_;
	my $library = "$home/slow_lookup.so";

	append_to_file("$home/slow_lookup.c", <<"EOC");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	int (*original)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node != NULL && strcmp(node, "slow.example") == 0)
		sleep($seconds);
	return original(node, service, hints, result);
}
EOC
	system_or_bail('cc', '-shared', '-fPIC', '-o', $library, "$home/slow_lookup.c", '-ldl');
	return $library;
}

# One number or text of s3v_explain's answer.
sub explained
{
	my ($answer, $name) = @_;

	return $answer =~ /"$name": "?([^",}]*)/ ? $1 : die "no $name in $answer";
}

sub log_of
{
	my ($node) = @_;

	return slurp_file($node->logfile);
}

# Until `condition` holds, else after some seconds the test fails.
sub wait_until
{
	my ($what, $condition, $seconds) = @_;
	my $end = time + ($seconds // 30);

	until ($condition->())
	{
		die "waited in vain: $what" if time > $end;
		sleep(0.01);
	}
	return;
}

1;
