# G4: a backend that gets no more memory from the operating system, at one amount after the other, in queries, syncs, builds and
# clean-ups: 53200, the session goes on, the server never notices, and what failed works once there is memory again.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;

use constant PAGE_KB => 4;

my $db = 'postgres';
my $node = new_cluster('limit', conf => "s3v.cache_size = '8MB'\nmax_parallel_maintenance_workers = 1\nmaintenance_work_mem = '8MB'\n");
make_table($node, $db, 'docs', rows => 6000, dims => 64, clusters => 40);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', metadata => '{category,price}')});

# So that a clean-up has more to look at than what a new session has room for anyway.
mkdir $node->data_dir . '/s3v/others';
append_to_file($node->data_dir . "/s3v/others/$_", 'x') foreach 1 .. 4000;

my %statements = (
	query => q{SELECT count(*) FROM s3v_query('docs_s3v', test_vector(5, 64, 40), 50, '{"price": {"$lt": 100}}', options => '{"probes": 10000}')},
	sync => q{SELECT count(*) FROM s3v_sync('docs')},
	rebuild => q{SELECT count(*) FROM s3v_sync('docs', 'rebuild')},
	reconcile => q{SELECT count(*) FROM s3v_sync('docs', 'reconcile')},
	gc => q{SELECT count(*) FROM s3v_gc('s3v_local', keep => '0')});

sub limit
{
	my ($session, $kb) = @_;

	system_or_bail('prlimit', '--pid', $session->pid, '--as=' . ($kb eq 'unlimited' ? 'unlimited:' : $kb * 1024 . ':'));
	return;
}

my $turn = 0;
foreach my $what (sort keys %statements)
{
	my ($got_by, $failures) = (0, 0);
	# Ever more, so that it fails somewhere else each time, until it is enough.
	for (my $spare = 64; !$got_by && $spare < 512 * 1024; $spare *= 1.4)
	{
		# Other values each time, for a sync; and of a sync, an old version to delete.
		$turn++;
		$node->safe_psql($db, "UPDATE docs SET embedding = test_vector(id + $turn, 64, 40) WHERE id % 20 = 3");
		$node->safe_psql($db, $statements{sync}) if $what eq 'gc';
		my $session = session($node, $db);
		# What the library itself takes is not the point.
		$session->must(q{SELECT count(*) FROM s3v_indexes});
		limit($session, $session->status_kb('VmSize') + int($spare / PAGE_KB) * PAGE_KB);
		my $answer = $session->query($statements{$what});
		$got_by = $answer->{state} eq '';
		$failures += !$got_by;
		is("$answer->{state} $answer->{alive}", '53200 1', sprintf('%s with %d kB: out of memory, and the session lives', $what, $spare))
		  or diag($answer->{err})
		  unless $got_by;
		limit($session, 'unlimited');
		is($session->query($statements{$what})->{state}, '', sprintf('%s with %d kB: with more, the same session does it', $what, $spare));
		$session->quit;
	}
	ok($got_by, "$what: at last it is enough");
	cmp_ok($failures, '>=', 3, "$what: $failures times out of memory");
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', "$what: the query equals the table");
}
is($node->safe_psql($db, q{SELECT missing + orphaned + stale + corrupt FROM s3v_check('docs')}), '0', 's3v_check finds nothing');
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
