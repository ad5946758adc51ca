# Fault points of the test library (docs/design/fault_points.md): which there are, sessions that meet one, and deaths of many at once.
package S3vTest::FaultPoints;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use S3vTest;

our @EXPORT = qw(points_of_sources points_passed session_at is_at let_go kill_at_once stop_at_once);

# Names as they are written in the sources; those of the core with the operations that pass them.
sub points_of_sources
{
	my $root = "$ENV{S3V_INTEGRATION_DIR}/../..";
	my %names;

	foreach my $file (glob("$root/extension/*.c"))
	{
		$names{$_} = 1 foreach slurp_file($file) =~ /FAULT_POINT\("([a-z_.]+)"\)/g;
	}
	my %in_core = map { $_ => 1 } slurp_file("$root/tests/fault_points/watched_store.cpp") =~ /(?:Pass\((?:is_manifest \? )?|g_passed\(|: )"([a-z_.]+)"/g;
	return ([ sort keys %names ], [ sort keys %in_core ]);
}

# What a statement passes, in order: [name, how often so far].
sub points_passed
{
	my ($node, $database, $sql) = @_;
	my $from = -s $node->logfile;
	my %passed;

	$node->safe_psql($database, "SET s3v.fault_points = '*=tell'; $sql");
	return map { [ $_, ++$passed{$_} ] } slurp_file($node->logfile, $from) =~ /fault point "([a-z_.]+)": tell/g;
}

# A session that has sent the statement, and will wait at the point's n-th passing.
sub session_at
{
	my ($node, $database, $point, $nth, $sql) = @_;
	my $session = session($node, $database);

	$session->must("SET s3v.fault_points = '$point=wait\@$nth'");
	return $session->send($sql);
}

sub _file { return $_[0]->data_dir . "/s3v_fault_points/$_[2]." . $_[1]->pid; }

# Once it is there, or its statement has ended elsewhere.
sub is_at
{
	my ($node, $session, $point) = @_;
	my $there = 0;

	wait_until("a session is at $point", sub { $there = -f _file($node, $session, $point); $there || !$session->is_busy });
	return $there;
}

sub let_go
{
	my ($node, $session, $point) = @_;

	unlink(_file($node, $session, $point)) or die "nobody waits at $point";
	return $session;
}

# All of them by SIGKILL, before the postmaster sees the first.
sub kill_at_once
{
	my ($node, @sessions) = @_;
	my $from = -s $node->logfile;
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

	kill('STOP', $postmaster) or die "cannot stop the postmaster";
	kill('KILL', $_->pid) foreach @sessions;
	kill('CONT', $postmaster);
	$_->result foreach @sessions;
	wait_until('the server is back', sub { slurp_file($node->logfile, $from) =~ /reinitializing.*ready to accept connections/s });
	$_->quit foreach @sessions;
	return;
}

sub stop_at_once
{
	my ($node, @sessions) = @_;

	$node->stop('immediate');
	$_->result foreach @sessions;
	$_->quit foreach @sessions;
	$node->start;
	return;
}

1;
