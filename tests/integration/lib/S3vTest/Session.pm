# One psql session that a test can leave waiting: send() a statement, look elsewhere, take its result() later. An answer
# is a hash: out, err (as printed), state (SQLSTATE of the first ERROR or FATAL, else ''), ms (from sending to the end),
# alive (false: the server closed the connection).
package S3vTest::Session;

use strict;
use warnings;

use Time::HiRes qw(time sleep);

use constant LONGEST_WAIT => 120;

# user => a role other than the node's superuser.
sub new
{
	my ($class, $node, $database, %params) = @_;
	my @extra = $params{user} ? ('-U', $params{user}) : ();
	my $psql = $node->background_psql(
		$database,
		on_error_stop => 0,
		timeout => LONGEST_WAIT,
		wait => 0,
		extra_params => \@extra);
	my $self = bless { psql => $psql, count => 0 }, $class;

	$self->query('\set VERBOSITY verbose');
	$self->{pid} = $self->query('SELECT pg_backend_pid()')->{out};
	return $self;
}

# All that the session was ever told.
sub transcript { return $_[0]->{transcript}; }

# Process id of the backend.
sub pid { return $_[0]->{pid}; }

sub send
{
	my ($self, $sql) = @_;
	my $psql = $self->{psql};

	$self->{count}++;
	$self->{sent} = time;
	$psql->{stdout} = '';
	$psql->{stderr} = '';
	$psql->{timeout}->start(LONGEST_WAIT);
	$psql->{stdin} .= "$sql\n;\n\\echo done $self->{count}.\n\\warn done $self->{count}.\n";
	$psql->{run}->pump_nb while $psql->{stdin} ne '';
	return $self;
}

sub _is_done
{
	my ($self) = @_;
	my $mark = qr/^done $self->{count}\.\r?\n/m;

	return $self->{psql}->{stdout} =~ $mark && $self->{psql}->{stderr} =~ $mark;
}

# Whether the statement is still running.
sub is_busy
{
	my ($self) = @_;

	$self->{psql}->{run}->pump_nb;
	return !$self->_is_done;
}

sub result
{
	my ($self) = @_;
	my $psql = $self->{psql};

	# pump() dies when psql is gone, which it is once its connection is lost.
	eval { $psql->{run}->pump until $self->_is_done; };
	my $alive = $self->_is_done ? 1 : 0;
	my $ms = (time - $self->{sent}) * 1000;
	die "no answer within " . LONGEST_WAIT . " s" if $psql->{timeout}->is_expired;

	my ($out, $err) = ($psql->{stdout}, $psql->{stderr});
	s/^done \d+\.\r?\n//m for $out, $err;
	$out =~ s/\n\z//;
	$self->{transcript} .= "$out\n$err\n";
	my ($state) = $err =~ /(?:ERROR|FATAL|PANIC):  ([0-9A-Z]{5}):/;
	return { out => $out, err => $err, state => $state // '', ms => $ms, alive => $alive };
}

# For statements that may take longer than LONGEST_WAIT: the wait for their answer begins anew.
sub wait_longer
{
	my ($self) = @_;

	$self->{psql}->{timeout}->start(LONGEST_WAIT);
	return;
}

sub query
{
	my ($self, $sql) = @_;

	return $self->send($sql)->result;
}

# Like query(), for what must not fail: dies with the error.
sub must
{
	my ($self, $sql) = @_;
	my $answer = $self->query($sql);

	die "failed: $sql\n$answer->{err}" if $answer->{state} ne '' || !$answer->{alive};
	return $answer->{out};
}

sub quit
{
	my ($self) = @_;

	eval { $self->{psql}->quit };
	return;
}

# ---- what the backend holds, by /proc and by the server's own view ----

# What its descriptors are open for, but for the tables, which the server keeps open as it likes.
sub open_files
{
	my ($self) = @_;

	die "no process $self->{pid}" unless -d "/proc/$self->{pid}/fd";
	return grep { !m{/(?:base|global|pg_wal|pg_xact|pg_multixact)/\d} } map { readlink($_) // () } glob("/proc/$self->{pid}/fd/*");
}

sub descriptors { return scalar(my @all = $_[0]->open_files); }

# A value of /proc/PID/status in kB: VmRSS, VmHWM, RssAnon.
sub status_kb
{
	my ($self, $name) = @_;

	open(my $file, '<', "/proc/$self->{pid}/status") or die "no process $self->{pid}";
	while (<$file>)
	{
		return $1 if /^$name:\s+(\d+) kB/;
	}
	die "no $name in /proc/$self->{pid}/status";
}

# Forgets the peak that VmHWM tells, so that it counts from now on.
sub reset_peak
{
	my ($self) = @_;

	open(my $file, '>', "/proc/$self->{pid}/clear_refs") or die "cannot reset the peak: $!";
	print $file "5\n";
	close($file) or die "cannot reset the peak: $!";
	return;
}

# Number and bytes of the server's memory contexts, and the names of those that only a running call of s3v may have.
sub contexts
{
	my ($self) = @_;
	my ($count, $bytes, $names) = split /\|/, $self->must(q{
		SELECT count(*), sum(total_bytes), coalesce(string_agg(name, ' ') FILTER (WHERE name LIKE 's3v%' AND name NOT IN ('s3v stores', 's3v known indexes',
			's3v known index')), '')
		FROM pg_backend_memory_contexts});

	return { count => $count, bytes => $bytes, names => $names };
}

1;
