# A network and a server that misbehave, by a proxy: what can be repeated is repeated, what cannot is an error that ends in
# time; no answer is wrong, and no sync publishes what is not whole.
use strict;
use warnings;

use S3vTest;
use S3vTest::Proxy;
use Test::More;

my $s3 = S3vTest::Proxy->before(require_s3());
my $proxy = $s3->{proxy};
my $prefix = "it-faults-$$";
my $node = new_cluster('faults');
my $db = 'postgres';

$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, 'docs', rows => 2000);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', options => '{"lists": 20}')});
my $hits = q{SELECT string_agg(key, ' ' ORDER BY distance, key) FROM s3v_query('docs_s3v', test_vector(7, 32, 20), 2000, options => '{"probes": 1000}')};
my $exact = q{SELECT string_agg(id::text, ' ' ORDER BY d, id::text) FROM (SELECT id, test_cosine(embedding, test_vector(7, 32, 20)) AS d FROM docs) x};

# A cold query under these rules.
sub query_under
{
	my (@rules) = @_;
	my $session = session($node, $db);

	$session->must(q{SET s3v.request_timeout = '4s'});
	$proxy->rules(@rules);
	my $answer = $session->query($hits);
	$answer->{hits} = $proxy->hits;
	$proxy->rules;
	$session->quit;
	return $answer;
}

my $round = 0;

sub sync_under
{
	my (@rules) = @_;
	my $session = session($node, $db);

	$node->safe_psql($db, 'UPDATE docs SET embedding = test_vector(id + 1, 32, 2000) WHERE id % 50 = ' . $round++);
	$session->must(q{SET s3v.request_timeout = '6s'});
	$proxy->rules(@rules);
	my $answer = $session->query(q{SELECT error FROM s3v_sync('docs')});
	$answer->{hits} = $proxy->hits;
	$proxy->rules;
	$session->quit;
	return $answer;
}

# ---- what is repeated ----

foreach my $case (
	[ 'every third request answered 503', 'every=3,fault=503' ],
	[ 'every third request answered 500', 'every=3,fault=500' ],
	[ 'every third request answered 429', 'every=3,fault=429' ],
	[ 'the first two requests answered 503', 'nth=1,times=2,fault=503' ],
	[ 'every third connection reset', 'every=3,fault=reset' ],
	[ 'every third connection reset after the request', 'every=3,fault=reset_after' ],
	[ 'a body that ends before it begins', 'key=/nav/,nth=1,fault=cut,at=0' ],
	[ 'a body that ends after one byte', 'key=/nav/,nth=2,fault=cut,at=1' ],
	[ 'a body that ends in its middle', 'key=/segment/,nth=1,fault=cut,at=1000' ],
	[ 'a bit flipped on the way, in the navigation tier', 'key=/nav/,nth=1,fault=flip,at=100' ],
	[ 'a bit flipped on the way, in a list', 'key=/segment/,nth=1,fault=flip,at=500' ],
	[ 'a clock that is off', 'nth=1,fault=skew' ],
	[ 'a slow server', 'fault=delay,ms=150' ])
{
	my ($what, @rules) = @$case;
	my $answer = query_under(@rules);
	is($answer->{state}, '', "$what: a query succeeds") or diag($answer->{err});
	cmp_ok($answer->{hits}, '>=', 1, "$what: although $answer->{hits} requests met it");
	is($answer->{out}, $node->safe_psql($db, $exact), "$what: and is right");
}

foreach my $case (
	[ 'every third request answered 503', 'every=3,fault=503' ],
	[ 'every third PUT done, but answered 500', 'verb=PUT,every=3,fault=after500' ],
	[ 'every PUT done once, but its answer lost', 'verb=PUT,every=2,fault=reset_after' ],
	[ 'a PUT of each kind reset', 'verb=PUT,every=2,fault=reset' ],
	[ 'the claim answered 409', 'verb=PUT,key=/owner/,nth=1,fault=409' ],
	[ 'a clock that is off', 'nth=1,fault=skew' ],
	[ 'faults of all kinds', 'chance=0.08,fault=503', 'chance=0.05,fault=429', 'chance=0.08,fault=reset', 'verb=PUT,chance=0.1,fault=after500' ])
{
	my ($what, @rules) = @$case;
	my $answer = sync_under(@rules);
	is($answer->{state}, '', "$what: a sync succeeds") or diag($answer->{err});
	cmp_ok($answer->{hits}, '>=', 1, "$what: although $answer->{hits} requests met it");
	is(differences($node, $db, 'docs_s3v', 'docs', 32), '0', "$what: and its version equals the table");
	is($node->safe_psql($db, 'SELECT pending FROM s3v_indexes'), '0', "$what: nothing is pending");
}

# ---- what is not ----

foreach my $case (
	[ 'a server that answers 503 only', '08006', 'fault=503' ],
	[ 'a server that resets every connection', '08006', 'fault=reset' ],
	[ 'a server that stalls', '08006', 'fault=stall' ],
	[ 'a body that stalls', '08006', 'key=/segment/,fault=stall,at=100' ],
	[ 'a server that redirects', '08006', 'fault=redirect' ],
	[ 'a permission denied', '42501', 'fault=403' ],
	[ 'a token that expired', '42501', 'fault=expired' ],
	[ 'bits that are always flipped', 'XX001', 'key=/segment/,fault=flip,at=500' ])
{
	my ($what, $state, @rules) = @$case;
	my $answer = query_under(@rules);
	is("$answer->{state} [$answer->{out}]", "$state []", "$what: $state, and no row") or diag($answer->{err});
	cmp_ok($answer->{ms}, '<', 5500, sprintf('%s: after %.0f ms', $what, $answer->{ms}));
	cmp_ok($answer->{hits}, '<=', 40, "$what: $answer->{hits} requests met it");
	is($node->safe_psql($db, $hits), $node->safe_psql($db, $exact), "$what: afterwards all is well");
}

foreach my $case (
	[ 'a server that answers 503 only', '08006', 'fault=503' ],
	[ 'a server that takes nothing more', '08006', 'verb=PUT,key=/segment/,fault=reset' ],
	[ 'a server that loses every answer', '08006', 'verb=PUT,key=/manifest/,fault=reset_after' ],
	[ 'a permission denied', '42501', 'verb=PUT,key=/nav/,fault=403' ],
	[ 'a server without conditional writes', '0A000', 'verb=PUT,key=/owner/,fault=501' ],
	[ 'a name that somebody else has', '55000', 'verb=PUT,key=/owner/,fault=412' ])
{
	my ($what, $state, @rules) = @$case;
	my ($version) = $node->safe_psql($db, 'SELECT version FROM s3v_indexes');
	my $answer = sync_under(@rules);
	is($answer->{state}, $state, "$what: a sync fails with $state") or diag($answer->{err});
	cmp_ok($answer->{ms}, '<', 15000, sprintf('%s: after %.0f ms', $what, $answer->{ms}));
	is($node->safe_psql($db, 'SELECT version, pending > 0 FROM s3v_indexes'), "$version|t", "$what: the old version stays, and the log");
	is(differences($node, $db, 'docs_s3v', 'docs', 32), '0', "$what: the query equals the table");
}
is($node->psql($db, q{SELECT * FROM s3v_sync('docs')}), 0, 'after all that, a sync works');
is(differences($node, $db, 'docs_s3v', 'docs', 32), '0', 'and its version equals the table');
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
