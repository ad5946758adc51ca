# Disks without room, as a local cache and as a data directory: queries go on without the one, and what the other loses is no more than
# PostgreSQL loses (G3, G9). In mounts of our own, where the machine allows them.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use S3vTest;
use Test::More;

my $s3 = require_s3();
my $prefix = "it-disks-$$";
my $db = 'postgres';
my $node = new_cluster('disks');

$node->safe_psql($db, server_sql('lake', $s3, prefix => $prefix));
make_table($node, $db, 'docs', rows => 3000, dims => 64, clusters => 50);
$node->safe_psql($db, q{SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake', metadata => '{category,price}', options => '{"lists": 60}')});
my $top = q{SELECT string_agg(key, ' ' ORDER BY distance, key) FROM s3v_query('docs_s3v', test_vector(5, 64, 50), 50, options => '{"probes": 1000}')};
my $truth = $node->safe_psql($db, $top);

# ---- mounts of our own: a shell that is root in a namespace of its own ---------------------------------------------------------------

my ($in, $out, $err) = ('', '', '');
my $hidden;
my $shell = eval { IPC::Run::start([ 'unshare', '--user', '--map-root-user', '--mount', 'bash' ], '<', \$in, '>', \$out, '2>', \$err) };

# What a command in there prints; dies when it fails, unless told not to.
sub inside
{
	my ($command, %params) = @_;

	$out = '';
	$in .= "$command\necho \"done \$?\"\n";
	eval { $shell->pump until $out =~ /^done (\d+)$/m } or die "the shell is gone: $err $@";
	my ($status) = $out =~ /^done (\d+)$/m;
	die "inside: $command: $out $err" if $status && !$params{may_fail};
	return $status;
}

# Starts and stops the server in there, as the user that we are.
sub pg_ctl
{
	my ($server, @arguments) = @_;
	my $status = inside("unshare --user --map-user=$> --map-group=" . ($) + 0) . " pg_ctl -w -D '" . $server->data_dir . "' -l '" . $server->logfile
		  . "' -o --cluster-name=" . $server->name . " @arguments >/dev/null 2>&1 </dev/null", may_fail => 1);

	return $status if $status != 0;
	# The file that tells its number may lie in a mount that only the shell sees.
	inside("head -n 1 '" . $server->data_dir . "/postmaster.pid' 2>/dev/null", may_fail => 1);
	$server->{_pid} = $arguments[-1] eq 'start' && $out =~ /^(\d+)$/m ? $1 : undef;
	$hidden = $server->{_pid};
	return $status;
}

# Whatever happens to this test: a server in there is out of anyone else's reach.
END
{
	my $status = $?;
	kill('QUIT', $hidden) if $hidden;
	$? = $status;
}

my $may_mount = $shell && eval { inside("mkdir '$ENV{TESTDIR}/mount'; mount -t tmpfs -o size=1m,nr_inodes=60,mode=0700 none '$ENV{TESTDIR}/mount'"); 1 };
if (!$may_mount)
{
	diag("SKIPPED: no user namespaces with mounts here, so no full disks: $err");
	plan(skip_all => 'no user namespaces with mounts here');
}

# ---- G3: a cache directory that refuses ------------------------------------------------------------------------------------------------

{
	my $disk = "$ENV{TESTDIR}/mount";
	my $cache = "$disk/cache";
	my $fill = sub { return "dd if=/dev/zero of='$disk/filler' bs=1k " . ($_[0] ? "count=$_[0]" : '') . " >/dev/null 2>&1; true" };
	# How the server finds its directory, and how that is set right again.
	my %refusals = (
		'full' => [ $fill->(), "rm -f '$disk/filler'" ],
		'full but for 100 kB' => [ $fill->(900), "rm -f '$disk/filler'" ],
		'without an inode left' => [ "touch '$disk'/{1..200} 2>/dev/null; true", "rm -f '$disk'/*[0-9]" ],
		'read-only' => [ "mount -o remount,bind,ro '$disk'", "mount -o remount,bind,rw '$disk'" ],
		'not ours to write' => [ "chmod 0500 '$cache' '$cache/tmp' 2>/dev/null; true", "chmod 0700 '$cache' '$cache/tmp' 2>/dev/null; true" ],
		'a file' => [ "rm -rf '$cache'; touch '$cache'", "rm -f '$cache'; mkdir -m 0700 '$cache'" ]);

	$node->stop;
	$node->append_conf('postgresql.conf', "s3v.cache_dir = '$cache'\ns3v.cache_size = '64MB'\n");
	foreach my $how (sort keys %refusals)
	{
		my ($refuse, $allow) = @{ $refusals{$how} };
		inside("rm -rf '$cache'; mkdir -m 0700 '$cache'");
		inside($refuse);
		is(pg_ctl($node, 'start'), 0, "G3: a cache directory that is $how: the server starts");
		my $session = session($node, $db);
		my @warnings;
		foreach my $n (1 .. 3)
		{
			my $answer = $session->query($top);
			is($answer->{out}, $truth, "G3: a cache directory that is $how: query $n is right") or diag($answer->{err});
			push @warnings, $answer->{err} =~ /(WARNING:.*)/g;
		}
		# In 100 kB it may all have room.
		is(scalar(@warnings), $how =~ /100 kB/ && !@warnings ? 0 : 1, "G3: a cache directory that is $how: one warning in a session") or diag(join("\n", @warnings));
		like($_, qr/^WARNING:  58030: could not write to the local cache in "[^"]*"$/, "G3: a cache directory that is $how: which says where") foreach @warnings;
		is($session->query(q{SELECT * FROM s3v_sync('docs', 'reconcile')})->{state}, '', "G3: a cache directory that is $how: a sync works");
		$session->quit;
		inside($allow);
		is(pg_ctl($node, '-m', 'fast', 'stop'), 0, "G3: a cache directory that is $how: the server stops");
	}

	# While it runs: filled and removed under its feet.
	inside("rm -rf '$cache'/*");
	is(pg_ctl($node, 'start'), 0, 'G3: the server starts with an empty directory');
	my $session = session($node, $db);
	$session->must($top) foreach 1, 2;
	foreach my $how ('full', 'without an inode left', 'read-only', 'not ours to write')
	{
		inside($refusals{$how}[0]);
		is($session->query($top)->{out}, $truth, "G3: it becomes $how: a session that was there goes on");
		is($node->safe_psql($db, $top), $truth, "G3: it becomes $how: so does a new one");
		inside($refusals{$how}[1]);
	}
	inside("rm -rf '$cache'/*");
	is($session->query($top)->{out}, $truth, 'G3: it is emptied: a session that was there goes on');
	inside("rm -rf '$cache'; touch '$cache'");
	is($session->query($top)->{out}, $truth, 'G3: it is removed: a session that was there goes on');
	is($node->safe_psql($db, $top), $truth, 'G3: it is removed: so does a new one');
	$session->quit;
	is(pg_ctl($node, '-m', 'fast', 'stop'), 0, 'G3: the server stops');
	$node->append_conf('postgresql.conf', "s3v.cache_size = 0\n");
	$node->start;
	is(differences($node, $db, 'docs_s3v', 'docs', 64), '0', 'G3: afterwards the index equals the table');
}

# ---- G9: a data directory without room ---------------------------------------------------------------------------------------------------

{
	my $small = new_cluster('small', conf => "wal_keep_size = 0\nmin_wal_size = 32MB\nmax_wal_size = 64MB\nwal_recycle = off\n");
	my $data = $small->data_dir;

	$small->safe_psql($db, server_sql('lake', $s3, prefix => "$prefix-small"));
	make_table($small, $db, 'docs', rows => 1500);
	$small->safe_psql($db, q{SELECT s3v_create_index('near_s3v', 'docs', 'embedding'); SELECT s3v_create_index('docs_s3v', 'docs', 'embedding', server => 'lake')});
	$small->stop;
	inside("cp -a '$data' '$data.copy'; mount -t tmpfs -o size=180m,mode=0700 none '$data' && cp -a '$data.copy'/. '$data'");
	my %states;
	# Before each statement: a segment of WAL that is deleted gives its room back only when the last process has closed it.
	my $leave = sub {
		inside("free=\$(df --output=avail -k '$data' | tail -1); if [ \$free -gt $_[0] ]; then head -c \$(((free - $_[0]) * 1024)) /dev/zero >>'$data/filler' 2>/dev/null; fi; true");
	};
	foreach my $room (6000, 1500, 300, 0)
	{
		is(pg_ctl($small, 'start'), 0, "G9: $room kB of room: the server starts");
		my $session = session($small, $db);
		$session->must(q{SELECT pg_switch_wal(); CHECKPOINT});
	  ATTEMPT:
		foreach my $n (1 .. 6)
		{
			# Without room for another segment of WAL, PostgreSQL goes down.
			foreach my $sql (($room == 0 && $n >= 3 ? 'SELECT pg_switch_wal()' : ()), "UPDATE docs SET embedding = test_vector(id + $n + $room, 32, 20) WHERE id % 3 = 0", q{SELECT * FROM s3v_sync('docs')},
				q{SELECT * FROM s3v_sync('docs', 'rebuild')}, q{SELECT * FROM s3v_gc('s3v_local', keep => '0')})
			{
				$leave->($room);
				my $answer = $session->query($sql);
				$states{ $answer->{state} || 'done' }++;
				last ATTEMPT if !$answer->{alive};
			}
		}
		$session->quit;
		inside("rm -f '$data/filler'");
		# It may have gone down for want of WAL, as PostgreSQL does.
		pg_ctl($small, '-m', 'immediate', 'stop');
		is(pg_ctl($small, 'start'), 0, "G9: $room kB of room: with room, the server starts again");
		foreach my $index ('near_s3v', 'docs_s3v')
		{
			is(differences($small, $db, $index, 'docs', 32), '0', "G9: $room kB of room: $index equals the table");
		}
		is($small->psql($db, q{SELECT * FROM s3v_sync('docs')}), 0, "G9: $room kB of room: the next sync works");
		is($small->safe_psql($db, q{SELECT sum(pending) + sum(missing) + sum(orphaned) + sum(stale) + sum(corrupt) FROM s3v_check('docs')}), '0', "G9: $room kB of room: s3v_check finds nothing");
		is($small->psql($db, q{SELECT * FROM s3v_gc('s3v_local', keep => '0')}), 0, "G9: $room kB of room: a clean-up works");
		pg_ctl($small, '-m', 'fast', 'stop');
	}
	my $panics = () = log_of($small) =~ /PANIC:/g;
	note('G9: statements on a full disk: ' . join(', ', map { "$states{$_} x $_" } sort keys %states) . "; the server went down $panics times");
	cmp_ok($states{'53100'} // 0, '>=', 3, 'G9: the disk was full, and some statements said so');
	is_deeply([ grep { !/^(done|53100|58030|57P0[123]|08006|)$/ } keys %states ], [], 'G9: what else failed did so for want of room');
	unlike(log_of($small), qr/terminated by signal (4|7|8|11)\b/, 'G9: no crash but PostgreSQL\'s own');
}

$shell->kill_kill;
unlike(log_of($node), qr/terminated by signal|PANIC|leak/, 'the log shows no crash and no leak');

done_testing();
