# Single faults of a store, each with what must hold: an answer that is the table's, or an error of the right kind in time; a sync that
# publishes what is whole, or nothing; a clean-up that deletes nothing that is needed. The numbers are those of the catalogue of faults.
use strict;
use warnings;

use S3vTest;
use S3vTest::Proxy;
use S3vTest::StoreOracle qw(store_faults named_objects missing_objects);
use Test::More;
use Time::HiRes qw(time sleep);

my $direct = require_s3();
my $s3 = S3vTest::Proxy->before($direct);
my $proxy = $s3->{proxy};
my $prefix = "it-answers-$$";
my $node = new_cluster('answers');
my $db = 'postgres';

$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
foreach my $table ('docs', 'notes')
{
	make_table($node, $db, $table, rows => 1500);
	$node->safe_psql($db, qq{SELECT s3v_create_index('${table}_s3v', '$table', 'embedding', server => 'lake', options => '{"lists": 20}')});
}
my $differences = q{SELECT test_differences('docs_s3v', 'docs', test_vector(77, 32, 20))};
my $gc = q{SELECT deleted, foreign_objects FROM s3v_gc('lake', keep => '0')};

# The answer of a statement in a new session, which knows nothing of the store, while these rules hold; with the number of requests hit,
# and by how much its process grew.
sub under
{
	my ($sql, @rules) = @_;
	my $session = session($node, $db);

	$session->must(q{SET s3v.request_timeout = '3s'});
	$session->reset_peak;
	my $before = $session->status_kb('VmRSS');
	$proxy->rules(@rules);
	my $answer = $session->query($sql);
	$answer->{hits} = $proxy->hits;
	$answer->{grown} = ($session->status_kb('VmHWM') - $before) / 1024;
	$proxy->rules;
	$session->quit;
	return $answer;
}

sub state_now { return $node->safe_psql($db, q{SELECT version, pending FROM s3v_indexes WHERE index = 'docs_s3v'::regclass}); }

my $round = 0;

sub sync_under
{
	my (@rules) = @_;

	$node->safe_psql($db, 'UPDATE docs SET embedding = test_vector(id + 1, 32, 2000) WHERE id % 50 = ' . $round++ % 50);
	return under(q{SELECT * FROM s3v_sync('docs')}, @rules);
}

sub agrees { my ($what) = @_; is(differences($node, $db, 'docs_s3v', 'docs', 32), '0', $what); return; }

# ---- queries that come through -------------------------------------------------------------------------------------------------

foreach my $case (
	[ 'A4: a navigation object cut before its last byte', 'key=/nav/,nth=1,fault=cut,at=-1' ],
	[ 'A4: a list cut before its last byte', 'key=/segment/,nth=1,fault=cut,at=-1' ],
	[ 'A5: an answer without a length', 'every=2,fault=head,kind=no_length' ],
	[ 'A5: an answer longer than it says', 'nth=1,fault=head,kind=longer' ],
	[ 'A6: a server that ignores ranges', 'range=1,fault=norange' ],
	[ 'A6: another range, and it says so', 'range=1,every=2,fault=head,kind=wrong_range' ],
	[ 'B3: another range in place of the right one, once', 'key=/segment/,nth=1,fault=swap' ],
	[ 'another ETag', 'fault=head,kind=etag' ],
	[ 'an encoding that nobody asked for, once', 'nth=1,fault=head,kind=encoded' ],
	[ 'A11: an error in a 200, once', 'nth=1,fault=error' ],
	[ 'A14: a clock 16 minutes ahead', 'fault=skew,seconds=-960' ],
	[ 'A14: a clock 16 minutes behind', 'fault=skew,seconds=960' ],
	[ 'A14: a clock a day ahead', 'fault=skew,seconds=-86400' ],
	[ 'A14: a clock a day behind', 'fault=skew,seconds=86400' ],
	[ 'A21: a body of 10 GB, once', 'key=/segment/,nth=1,fault=huge,kind=body' ],
	[ 'A21: a body without end, once', 'key=/segment/,nth=1,fault=huge,kind=chunked' ])
{
	my ($what, @rules) = @$case;
	my $answer = under($differences, @rules);
	is("$answer->{state} $answer->{out}", ' 0', "$what: a query equals the table") or diag($answer->{err});
	cmp_ok($answer->{hits}, '>=', 1, "$what: although $answer->{hits} requests met it");
}

# ---- queries that do not ------------------------------------------------------------------------------------------------------

# How long what fails may take: its limit, and what a busy machine adds. What does not end at its limit would not end at all.
sub in_time { my ($answer, $limit_ms, $what) = @_; cmp_ok($answer->{ms}, '<', $limit_ms + 10_000, sprintf('%s: in time, after %.0f ms', $what, $answer->{ms})); return; }

foreach my $case (
	[ 'A5: answers without a length', '08006', 'fault=head,kind=no_length' ],
	[ 'A6: other ranges, and they say so', '08006', 'range=1,fault=head,kind=wrong_range' ],
	[ 'A6: ranges that do not say which', '08006', 'range=1,fault=head,kind=no_range' ],
	[ 'B3: other ranges in place of the right ones', 'XX001', 'key=/segment/,fault=swap' ],
	[ 'A12: a redirect to a server without TLS', '08006', 'fault=redirect' ],
	[ 'A13: ten bytes a second', '08006', 'key=/segment/,fault=drip,rate=10' ],
	[ 'A14: a clock that is off however it is corrected', '42501', 'fault=skew' ],
	[ 'A14: a clock that tells nonsense', '42501', 'fault=skew,date=yesterday' ],
	[ 'A14: a clock that tells the year 9999', '42501', 'fault=skew,date=31 Dec 9999 23:59:59 GMT' ],
	[ 'A15: a key that is unknown', '42501', 'fault=403,code=InvalidAccessKeyId' ],
	[ 'A21: headers of 1 MB', '54000', 'fault=huge,kind=line' ],
	[ 'A21: headers without end', '54000', 'fault=huge,kind=headers' ],
	[ 'A21: bodies of 10 GB', '08006', 'fault=huge,kind=body' ],
	[ 'A21: bodies without end', '08006', 'fault=huge,kind=chunked' ])
{
	my ($what, $state, @rules) = @$case;
	my $answer = under($differences, @rules);
	is("$answer->{state} [$answer->{out}]", "$state []", "$what: $state, and no row") or diag($answer->{err});
	in_time($answer, 3000, $what);
	cmp_ok($answer->{hits}, '<=', 40, "$what: no loop, $answer->{hits} requests");
	cmp_ok($answer->{grown}, '<=', 24, sprintf('%s: the backend grows by %.1f MB', $what, $answer->{grown}));
	unlike($answer->{err}, qr/\Q$s3->{secret_key}\E/, "$what: no secret in the message");
}
agrees('after all that, a query equals the table');

# ---- syncs that come through ----------------------------------------------------------------------------------------------------

foreach my $case (
	(map { [ "A7: the $_ is written, but answered 500", "verb=PUT,key=/$_/,nth=1,fault=after500" ],
		[ "A9: the $_ meets a conflict", "verb=PUT,key=/$_/,nth=1,times=2,fault=409" ] } qw(owner segment nav manifest)),
	[ 'A4: reset in the middle of what is sent', 'verb=PUT,key=/segment/,nth=1,fault=reset,at=1000' ],
	[ 'A7: every answer to a write is lost once', 'verb=PUT,every=2,fault=reset_after' ],
	[ 'A10: a server that overwrites, and loses an answer', 'verb=PUT,key=/owner/,nth=1,fault=after500', 'verb=PUT,key=/owner/,fault=noif' ],
	[ 'A11: each write has an error in its 200, once', 'verb=PUT,every=2,fault=error' ],
	[ 'A11: a listing has an error in its 200, once', 'query=list-type,nth=1,fault=error,code=SlowDown' ],
	[ 'A14: a clock a day ahead', 'fault=skew,seconds=-86400' ])
{
	my ($what, @rules) = @$case;
	my ($version) = split /\|/, state_now();
	my $answer = sync_under(@rules);
	is($answer->{state}, '', "$what: a sync succeeds") or diag($answer->{err});
	cmp_ok($answer->{hits}, '>=', 1, "$what: although $answer->{hits} requests met it");
	is(state_now(), $version + 1 . '|0', "$what: a new version, and nothing is pending");
	agrees("$what: which equals the table");
}

# ---- syncs that do not ------------------------------------------------------------------------------------------------------------

foreach my $case (
	(map { [ "A8: the name of the $_ is somebody else's", $_ eq 'owner' ? '55000' : '08006', "verb=PUT,key=/$_/,fault=412" ] } qw(owner segment nav manifest)),
	[ 'A9: a conflict that does not end', '08006', 'verb=PUT,key=/segment/,fault=409' ],
	[ 'A11: writes that have an error in their 200', '08006', 'verb=PUT,key=/nav/,fault=error' ],
	[ 'A11: writes that are denied in a 200', '42501', 'verb=PUT,key=/nav/,fault=error,code=AccessDenied' ],
	[ 'A12: writes are sent elsewhere', '08006', 'verb=PUT,fault=redirect' ],
	[ 'A13: an answer that does not come', '08006', 'verb=PUT,key=/segment/,fault=stall' ],
	[ 'A15: the token expires in its middle', '42501', 'verb=PUT,key=/manifest/,fault=expired' ],
	[ 'A16: a listing that repeats itself', '08006', 'query=list-type,fault=list,kind=repeat' ],
	[ 'A16: a listing without the newest markers', '55000', 'query=list-type,fault=list,kind=first' ])
{
	my ($what, $state, @rules) = @$case;
	my ($version) = split /\|/, state_now();
	my $answer = sync_under(@rules);
	is($answer->{state}, $state, "$what: a sync fails with $state") or diag($answer->{err});
	cmp_ok($answer->{ms}, '<', 15000, sprintf('%s: after %.0f ms, %d requests', $what, $answer->{ms}, $answer->{hits}));
	cmp_ok($answer->{hits}, '<=', 40, "$what: no loop");
	like(state_now(), qr/^$version\|[1-9]/, "$what: the old version stays, and the log");
	agrees("$what: a query equals the table");
	is($node->psql($db, q{SELECT * FROM s3v_sync('docs')}), 0, "$what: the next sync works");
}
agrees('and its version equals the table');

# ---- clean-ups -----------------------------------------------------------------------------------------------------------------------

# Old versions, for there to be something to delete.
sub make_rubbish
{
	foreach (1, 2)
	{
		$node->safe_psql($db, "UPDATE docs SET price = price + 1, embedding = test_vector(id, 32, 2000) WHERE id % 50 = $round; SELECT * FROM s3v_sync('docs')");
		$round = ($round + 1) % 50;
	}
	return;
}

foreach my $case (
	[ 'A17: the answer to a delete is lost', 'done', 'query=delete,nth=1,fault=reset_after' ],
	[ 'A17: a delete is answered 500', 'done', 'query=delete,nth=1,fault=after500' ],
	[ 'A17: a delete finds nothing', 'done', 'query=delete,nth=1,fault=404,asked=1' ],
	[ 'A17: no permission to delete', '42501', 'query=delete,fault=403' ],
	[ 'A11: a delete has an error in its 200', '08006', 'query=delete,fault=error' ],
	[ 'A11: every key has a passing error, once', 'done', 'query=delete,nth=1,fault=denied,code=InternalError' ],
	[ 'A11: every key has a passing error', '08006', 'query=delete,fault=denied,code=InternalError' ],
	[ 'A11: every key is denied', '42501', 'query=delete,fault=denied,code=AccessDenied' ],
	[ 'A11: one key is denied, the others are gone', '42501', 'query=delete,fault=denied,code=AccessDenied,first=1,asked=1' ],
	[ 'A16: a listing that repeats itself', '08006', 'query=list-type,fault=list,kind=repeat' ],
	[ 'A16: half a listing', 'done', 'query=list-type,nth=2,fault=list,kind=half' ],
	[ 'A16: the first half of a listing, without our marker', '55000', 'query=list-type,nth=2,fault=list,kind=first' ],
	[ 'A16: a listing with names that nobody wrote', 'done', 'query=list-type,fault=list,kind=odd' ],
	[ 'A16: a listing with objects that are gone', 'done', 'query=list-type,fault=list,kind=stale' ])
{
	my ($what, $outcome, @rules) = @$case;
	make_rubbish();
	my $answer = under($gc, @rules);
	is($answer->{state}, $outcome =~ /^\d/ ? $outcome : '', "$what: " . ($outcome =~ /^\d/ ? $outcome : 'a clean-up works')) or diag($answer->{err});
	cmp_ok($answer->{hits}, '>=', 1, "$what: although $answer->{hits} requests met it");
	cmp_ok($answer->{hits}, '<=', 40, "$what: no loop");
	is(join(' ', missing_objects($node, $db, $direct, $prefix)), '', "$what: nothing is gone that the present version names");
	agrees("$what: a query equals the table");
	my $next = under($gc);
	is($next->{state}, '', "$what: the next clean-up works");
	my @left = grep { !m{/owner/} } objects($direct, "$prefix/");
	my @needed = named_objects($node, $db, $direct, $prefix, kept => 1);
	is(scalar(@left), scalar(@needed), "$what: and leaves what is needed, no more");
}
{
	# New pages for ever: only the one who asked can end it early.
	my $answer = under("SET statement_timeout = '1s'; $gc", 'query=list-type,fault=list,kind=endless');
	is($answer->{state}, '57014', 'A16: a listing without end can be cancelled');
	in_time($answer, 1000, "A16: after $answer->{hits} pages");
}

# ---- A2: an outage ---------------------------------------------------------------------------------------------------------------------

{
	my $warm = session($node, $db);
	my $top = q{SELECT string_agg(key, ' ' ORDER BY distance, key) FROM s3v_query('docs_s3v', test_vector(5, 32, 20), 20, options => '{"probes": 1000}')};
	$warm->must(q{SET s3v.cache_size = '64MB'});

	foreach my $outage ('503', 'stall', 'nobody listens')
	{
		$warm->must(q{SELECT s3v_warm('docs_s3v')});
		my $expected = $warm->must($top);
		my $restore = sub { $proxy->rules };
		if ($outage =~ /^nobody/) { $proxy->stop; $restore = sub { $proxy->start }; }
		else { $proxy->requests; $proxy->rules("fault=$outage"); }

		my $other = session($node, $db);
		$other->must(q{SET s3v.cache_size = '64MB'; SET s3v.request_timeout = '2s'});
		is($warm->query($top)->{out}, $expected, "A2, $outage: a cached query works");
		is($other->query($top)->{out}, $expected, "A2, $outage: in another session as well");
		my $then = time;
		is($other->query(q{INSERT INTO docs SELECT 90000 + i, 'new', 1, true, test_vector(i, 32, 20) FROM generate_series(1, 200) i;
			UPDATE docs SET embedding = test_vector(id + 5, 32, 20) WHERE id > 90000; DELETE FROM docs WHERE id > 90100})->{state}, '',
			sprintf('A2, %s: writers of the table do not notice, %.0f ms', $outage, (time - $then) * 1000));
		is(scalar($proxy->requests), 0, "A2, $outage: all that sent nothing") unless $outage =~ /^nobody/;
		is($other->query($top)->{out}, $warm->query($top)->{out}, "A2, $outage: what they wrote is in the answers");
		my $answer = $other->query(q{SELECT * FROM s3v_query('notes_s3v', test_vector(5, 32, 20))});
		is($answer->{state}, '08006', "A2, $outage: what is not cached is an error");
		in_time($answer, 2000, "A2, $outage");
		like($answer->{err}, qr/\Q127.0.0.1:$proxy->{listen}\E/, "A2, $outage: it names the endpoint");
		unlike($answer->{err}, qr/\Q$s3->{secret_key}\E/, "A2, $outage: and no secret");
		my $version = state_now();
		is($other->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '08006', "A2, $outage: a sync fails");
		is(state_now(), $version, "A2, $outage: and changes nothing");
		$restore->();
		is($other->query(q{SELECT * FROM s3v_sync('docs')})->{state}, '', "A2, $outage: the next one works");
		agrees("A2, $outage: and its version equals the table");
		$node->safe_psql($db, 'DELETE FROM docs WHERE id > 90000');
		$other->quit;
	}

	# One that begins with a lost answer to the claim, and outlasts many scheduled syncs: none of them may make us a stranger to ourselves.
	$node->safe_psql($db, 'UPDATE docs SET embedding = test_vector(id + 9, 32, 20) WHERE id < 40');
	$proxy->rules('verb=PUT,key=/owner/,fault=reset_after');
	my @states = ($warm->query(q{SELECT * FROM s3v_sync('docs')})->{state});
	cmp_ok($proxy->hits, '>=', 1, 'A2: the first of many syncs gets as far as its claim');
	$proxy->rules('fault=503');
	$warm->must(q{SET s3v.request_timeout = '100ms'});
	push @states, $warm->query(q{SELECT * FROM s3v_sync('docs')})->{state} foreach 1 .. 12;
	is("@states", join(' ', ('08006') x 13), 'A2: thirteen scheduled syncs fail in one outage');
	$proxy->rules;
	$warm->must(q{RESET s3v.request_timeout});
	my $answer = $warm->query(q{SELECT * FROM s3v_sync('docs')});
	is($answer->{state}, '', 'A2: the next one works') or diag($answer->{err});
	agrees('A2: and its version equals the table');
	$warm->quit;
}

# ---- the whole run ----------------------------------------------------------------------------------------------------------------------

is($node->psql($db, $gc), 0, 'a last clean-up works');
my $faults = store_faults($node, $db, $direct, $proxy, $prefix);
note("$faults->{puts} objects written, $faults->{deletes} deleted; kept versions name $faults->{named}");
cmp_ok($faults->{puts}, '>=', 150, "O5: $faults->{puts} objects were written");
cmp_ok($faults->{repeats}, '>=', 5, "O5: $faults->{repeats} of them again, after a lost answer");
is("@{ $faults->{rewritten} }", '', 'O5: no name got other bytes');
is("@{ $faults->{deleted} } @{ $faults->{missing} }", ' ', 'O5: nothing is gone that a kept version names');
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
