# The local cache: what one session read, no other asks the store for, also after a restart and while the store is down; damage and
# want of room are noticed, and cost no answer.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use S3vTest::Proxy;
use Test::More;

my $s3 = S3vTest::Proxy->before(require_s3());
my $proxy = $s3->{proxy};
my $node = new_cluster('cache', conf => "s3v.cache_size = '64MB'\n");
my $db = 'postgres';
my $cache = $node->data_dir . '/pgsql_tmp_s3v';

$node->safe_psql($db, server_sql('lake', $s3, prefix => "it-cache-$$"));
make_table($node, $db, 'docs', rows => 5000, dims => 64, clusters => 50);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}',
	options => '{"lists": 40}')});

# s3v_explain of one query, in a session of its own; and how many requests the proxy saw.
sub ask
{
	my ($probe, $more) = @_;

	$proxy->requests;
	my $told = $node->safe_psql($db, "SELECT s3v_explain('docs_s3v', test_vector($probe, 64, 50), 10" . ($more // '') . ')');
	return ($told, scalar($proxy->requests));
}

sub cache_files { return glob("$cache/*"); }

sub disk_bytes
{
	my $sum = 0;
	$sum += (stat)[12] * 512 foreach grep { -f } cache_files();
	return $sum;
}

# ---- one session fills, others find ----

my ($told, $sent) = ask(7);
is(explained($told, 'waves'), 2, 'nothing cached: two waves');
is(explained($told, 'requests'), $sent, "explain counts the $sent requests of it");
($told, $sent) = ask(7);
is($sent, 0, 'the same query in a new session sends nothing');
is(explained($told, 'waves') . ' ' . explained($told, 'requests') . ' ' . explained($told, 'bytes'), '0 0 0', 'and says so');
cmp_ok(explained($told, 'cache_hits'), '>=', 3, 'navigation and lists were in the cache');
($told, $sent) = ask(4000);
cmp_ok(explained($told, 'waves'), '<=', 1, 'another query with known navigation: at most one wave');
$node->restart;
is((ask(7))[1], 0, 'after a restart as well');
is((stat($cache))[2] & 0777, 0700, 'the directory is for the server alone');

# ---- warm: the store is not needed ----

cmp_ok($node->safe_psql($db, q{SELECT s3v_warm('docs_s3v')}), '>', 0, 's3v_warm fetches the rest');
is($node->safe_psql($db, q{SELECT s3v_warm('docs_s3v')}), 0, 'and then nothing');
foreach my $case ([ 'plain', '' ], [ 'filtered', q{, filter => '{"price": {"$lt": 50}}'} ], [ 'every list', q{, options => '{"probes": 1000}'} ])
{
	is((ask(11, $case->[1]))[1], 0, "warm, $case->[0]: nothing is sent");
}
$proxy->requests;
is($node->safe_psql($db, q{SELECT count(*) FROM s3v_query_many('docs_s3v', ARRAY(SELECT embedding::text FROM docs WHERE id <= 50), 10)}), 500,
	'fifty queries at once');
is(scalar($proxy->requests), 0, 'send nothing either');
is(differences($node, $db, 'docs_s3v', 'docs', 64), 0, 'what the cache gives equals the table');
$proxy->stop;
is(differences($node, $db, 'docs_s3v', 'docs', 64), 0, 'a warm index answers while its store is down');
$proxy->start;

# ---- damage ----

foreach my $file (grep { -f && -s > 4096 } cache_files())
{
	open(my $handle, '+<', $file) or die;
	binmode $handle;
	seek($handle, -s($file) / 2, 0);
	print $handle "\xff" x 64;
	close $handle;
}
$node->restart;
is(differences($node, $db, 'docs_s3v', 'docs', 64), 0, 'damaged files are noticed: the answer equals the table');
$node->safe_psql($db, q{SELECT s3v_warm('docs_s3v')});
is((ask(7))[1], 0, 'and replaced');
unlink cache_files();
is(differences($node, $db, 'docs_s3v', 'docs', 64), 0, 'files that vanish are fetched again');

# ---- want of room ----

$node->append_conf('postgresql.conf', "s3v.cache_size = '256kB'");
$node->restart;
$node->safe_psql($db, qq{SELECT s3v_explain('docs_s3v', test_vector($_ * 100, 64, 50), 10)}) foreach 1 .. 40;
cmp_ok(disk_bytes(), '<=', 1024 * 1024, 'a small cache stays small: ' . disk_bytes() . ' bytes');
is(differences($node, $db, 'docs_s3v', 'docs', 64), 0, 'and answers right');

# A directory that nobody can write to: queries go on.
$node->safe_psql($db, q{SET s3v.cache_dir = '/proc/no/such/directory'; SELECT count(*) FROM s3v_query('docs_s3v', test_vector(3, 64, 50), 10)});
pass('without a directory queries go on');

# ---- a backend that is killed while it fills ----

$node->append_conf('postgresql.conf', "s3v.cache_size = '64MB'\nrestart_after_crash = on");
$node->restart;
foreach my $round (1 .. 5)
{
	my $session = session($node, $db);
	unlink cache_files();
	$session->send("SELECT count(*) FROM generate_series(1, 500) i, s3v_query('docs_s3v', test_vector(i * 9, 64, 50), 10)");
	select(undef, undef, undef, 0.02 * $round);
	kill 'KILL', $session->pid;
	$session->result;
	wait_until('the server is back', sub { $node->psql($db, 'SELECT 1') == 0 });
}
is(differences($node, $db, 'docs_s3v', 'docs', 64), 0, 'after five kills the answer equals the table');

done_testing();
