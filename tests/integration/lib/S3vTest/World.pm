# A source, a server and an index that belong to one experiment alone, so that many can be under way in one cluster; and all that must be
# true of them after a death: the oracles O1 to O4. Operations on a world are told by name.
package S3vTest::World;

use strict;
use warnings;

use File::Find;
use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use S3vTest;

my $count = 0;
my $stores;

# What a database needs to make worlds. Answers of world_state: "absent" and what is left nevertheless, else "version V, pending P" and
# how many rows differ (O1), come twice (O2), and what s3v_check finds (O3).
my $functions = q{
	CREATE FUNCTION world_rows(source text, ids int4range, turn int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE format('INSERT INTO %I SELECT i, ''c'' || i %% 3, test_vector(i + %s, 16, 12) FROM generate_series(%s, %s) i
			ON CONFLICT (id) DO UPDATE SET embedding = EXCLUDED.embedding', source, turn, lower(ids), upper(ids) - 1);
	END $$;

	CREATE FUNCTION world_state(source text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		built regclass := to_regclass(source || '_s3v');
		answer text;
		the_version bigint;
		log_rows bigint;
		twice bigint;
	BEGIN
		IF built IS NULL THEN
			SELECT format('absent; %s triggers, %s rows of bookkeeping, %s logs',
				(SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(source) AND NOT tgisinternal),
				(SELECT count(*) FROM s3v.index i WHERE i.source = to_regclass(world_state.source)),
				(SELECT count(*) FROM pg_class c WHERE relnamespace = 's3v'::regnamespace AND relkind = 'r' AND relname LIKE 'log\_%'
					AND NOT EXISTS (SELECT FROM s3v.index i WHERE i.log = c.oid))) INTO answer;
			RETURN answer;
		END IF;
		SELECT i.version, i.pending INTO the_version, log_rows FROM s3v_indexes i WHERE i.index = built;
		SELECT format('version %s, pending %s; %s differ, ', the_version, log_rows, CASE WHEN the_version = 0 THEN 0 ELSE
			test_differences(built, source::regclass, test_vector(77, 16, 12)) END) INTO answer;
		SELECT count(*) - count(DISTINCT key) INTO twice FROM s3v_query(built, test_vector(77, 16, 12), 10000, options => '{"probes": 100000}');
		SELECT answer || format('%s twice; missing %s, orphaned %s, stale %s, corrupt %s', twice, missing, orphaned, stale, corrupt)
			INTO answer FROM s3v_check(source::regclass);
		RETURN answer;
	END $$;
};

sub prepare_database
{
	my ($node, $database) = @_;

	$node->safe_psql($database, $functions);
	return;
}

# Of an index that is as it should be.
my $sound = '0 differ, 0 twice; missing 0, orphaned 0, stale 0, corrupt 0';

# What is done, in a world of which table t, server srv and number n are known; what has to come before; and how the state after it
# follows from that before: it must be one of the two, and which of them is decided by the commit.
my %operations = (
	changes => { sql => q{SELECT * FROM s3v_sync('t')}, before => \&change_rows, after => \&next_version },
	limited => { sql => q{SELECT * FROM s3v_sync('t', options => '{"max_rows": 7}')}, before => \&change_rows,
		after => sub { $_[0] =~ /version (\d+), pending (\d+)/ or die $_[0]; 'version ' . ($1 + 1) . ', pending ' . ($2 - 7) . "; $sound" } },
	rebuild => { sql => q{SELECT * FROM s3v_sync('t', 'rebuild')}, before => \&change_rows, after => \&next_version },
	reconcile => { sql => q{SELECT * FROM s3v_sync('t', 'reconcile')}, before => \&drift, after => \&next_version },
	optimize => { sql => q{SELECT s3v_optimize('t_s3v')}, before => \&change_rows, after => \&next_version },
	create => { sql => q{SELECT s3v_create_index('t_s3v', 't', 'embedding', server => 'srv', metadata => '{category}')},
		before => sub { $_[0]->drop_index }, after => sub { "version 1, pending 0; $sound" } },
	register => { sql => q{SELECT s3v_create_index('t_s3v', 't', 'embedding', server => 'srv', options => '{"build": false}')},
		before => sub { $_[0]->drop_index }, after => qr/^version 0, pending 0; 0 differ, 0 twice; missing \d+, orphaned 0, stale 0, corrupt 0$/ },
	drop => { sql => q{DROP FOREIGN TABLE t_s3v}, before => \&change_rows, after => sub { 'absent; 0 triggers, 0 rows of bookkeeping, 0 logs' } },
	'drop source' => { sql => q{DROP TABLE t}, before => \&change_rows, after => sub { 'absent; 0 triggers, 0 rows of bookkeeping, 0 logs' } },
	gc => { sql => q{SELECT * FROM s3v_gc('srv', keep => '0')}, before => \&litter, after => sub { $_[0] } },
	adopt => { sql => q{SELECT s3v_adopt('t_s3v')}, before => \&change_rows, after => sub { $_[0] } },
	fork => { sql => q{SELECT s3v_fork('t_s3v')}, before => \&change_rows, after => sub { $_[0] } },
	query => { sql => q{SET s3v.cache_dir = 's3v_cache_srv_TURN'; SELECT count(*) FROM s3v_query('t_s3v', test_vector(5, 16, 12), 5)}, before => \&change_rows, after => sub { $_[0] } });

# Those that others are like only where asked for.
sub operations
{
	my ($all) = @_;

	return grep { $all || !/^(limited|optimize)$/ } sort keys %operations;
}

# For all the worlds of a test; containers have little by default.
sub _has_room
{
	my ($directory) = @_;

	return -w $directory && `df --output=avail -k '$directory'` =~ /(\d+)\s*$/ && $1 >= 256 * 1024;
}

sub new
{
	my ($class, $node, $database, $rows) = @_;
	my $n = ++$count;
	my $self = bless { node => $node, database => $database, n => $n, rows => $rows, turn => 0, table => "w$n" }, $class;

	# In memory where that is possible: a store on a disk waits for it most of the time, and no test here pulls the cable.
	$stores //= tempdir('s3v-worlds-XXXXXX', DIR => _has_room('/dev/shm') ? '/dev/shm' : $node->basedir, CLEANUP => 1);
	$self->{store} = "$stores/w$n";
	$self->run(qq{CREATE SERVER srv FOREIGN DATA WRAPPER s3v OPTIONS (url 'file://$self->{store}')});
	$self->make_source;
	return $self;
}

# Statements that are written for table t, server srv; TURN is another number for each experiment.
sub sql
{
	my ($self, $sql) = @_;

	$sql =~ s/\bt(?=\b|_s3v|_pkey)/$self->{table}/g;
	$sql =~ s/srv(?![a-z])/srv$self->{n}/g;
	$sql =~ s/TURN/$self->{turn}/g;
	return $sql;
}

# One session for all worlds, to be ended before the server dies: starting one costs more than most of what they ask.
my $control;

sub query
{
	my ($self, $sql) = @_;

	$control //= session($self->{node}, $self->{database});
	return $control->query($self->sql($sql));
}

sub run
{
	my ($self, $sql) = @_;
	my $answer = $self->query($sql);

	die "failed: $sql\n$answer->{err}" if $answer->{state} ne '' || !$answer->{alive};
	return $answer->{out};
}

sub end
{
	$control->quit if $control;
	$control = undef;
	return;
}

sub make_source
{
	my ($self) = @_;

	$self->run(qq{CREATE TABLE t (id int PRIMARY KEY, category text, embedding real[]); SELECT world_rows('t', '[1,$self->{rows}]', 0);
		$operations{create}{sql}});
	return;
}

sub drop_index
{
	my ($self) = @_;

	$self->run('DROP FOREIGN TABLE IF EXISTS t_s3v');
	return;
}

# Inserts, updates and deletes.
sub change_rows
{
	my ($self) = @_;
	my ($turn, $rows) = (++$self->{turn}, $self->{rows});
	my $from = $rows + 20 * $turn;

	$self->run(qq{SELECT world_rows('t', '[$from,@{[$from + 9]}]', $turn), world_rows('t', '[@{[1 + $turn % 50]},@{[10 + $turn % 50]}]', $turn);
		DELETE FROM t WHERE id % 37 = $turn % 37});
	return;
}

# Differences that the log does not explain, and some that it does.
sub drift
{
	my ($self) = @_;

	$self->change_rows;
	my $log = $self->run(q{SELECT log FROM s3v.index WHERE source = 't'::regclass});
	$self->run("DELETE FROM $log WHERE id % 2 = 0");
	return;
}

# An old version, and orphans of attempts that failed.
sub litter
{
	my ($self) = @_;

	$self->change_rows;
	$self->run($operations{changes}{sql});
	$self->change_rows;
	$self->run(qq{BEGIN; $operations{changes}{sql}; ROLLBACK});
	return;
}

sub next_version
{
	my ($before) = @_;

	$before =~ /version (\d+)/ or die "no version: $before";
	return 'version ' . ($1 + 1) . ", pending 0; $sound";
}

sub is_absent { return $_[0]->run("SELECT to_regclass('$_[1]') IS NULL") eq 't'; }

sub state { return $_[0]->run(q{SELECT world_state('t')}); }

# Makes the world ready for an operation, and remembers what it was before.
sub get_ready
{
	my ($self, $operation) = @_;

	$self->make_source if $self->is_absent('t');
	$self->run($operations{create}{sql}) if $self->is_absent('t_s3v');
	$operations{$operation}{before}->($self);
	$self->{before} = $self->state;
	return;
}

sub statement { return $_[0]->sql($operations{ $_[1] }{sql}); }

# 'before', 'after' or, when it is neither, what it is. An operation that changes nothing that shows is both.
sub outcome
{
	my ($self, $operation) = @_;
	my $state = $self->state;
	my $after = $operations{$operation}{after};

	return 'before' if $state eq $self->{before};
	return ref $after eq 'Regexp' ? ($state =~ $after ? 'after' : $state) : $state eq $after->($self->{before}) ? 'after' : "was $self->{before}, is $state";
}

# Whether it can be told from its outcome that the operation was done.
sub shows { return $_[1] !~ /^(gc|adopt|fork|query)$/; }

# The operation again, undisturbed, if it was not done; then a sync and a clean-up of everything old. Says what is wrong after it, or ''.
sub recover
{
	my ($self, $operation, $outcome) = @_;

	if ($outcome eq 'before')
	{
		my $answer = $self->query($operations{$operation}{sql});
		return "a repeat fails: $answer->{err}" if $answer->{state} ne '';
		my $repeated = $self->outcome($operation);
		return "after a repeat: $repeated" if $repeated ne ($self->shows($operation) ? 'after' : 'before');
	}
	if (!$self->is_absent('t_s3v'))
	{
		my $answer = $self->query($operations{changes}{sql});
		return "the next sync fails: $answer->{err}" if $answer->{state} ne '';
		return 'after the next sync: ' . $self->state if $self->state !~ /pending 0; \Q$sound\E$/;
	}
	return $self->left_on_store;
}

# Names of all objects, and how long they are.
sub stored
{
	my ($self) = @_;
	my @objects;

	find({ no_chdir => 1, wanted => sub { push @objects, "$_ " . -s if -f } }, $self->{store}) if -d $self->{store};
	return join("\n", sort @objects);
}

# O4: after a clean-up without grace, the store has what the version names, and nothing else.
sub left_on_store
{
	my ($self) = @_;
	my %found = (manifest => [], nav => [], segment => [], owner => []);
	my $answer = $self->query($operations{gc}{sql});

	return "s3v_gc fails: $answer->{err}" if $answer->{state} ne '';
	# What forks left to whoever else uses it stays for ever.
	my $left = join('|', split(/\n/, $self->run(q{SELECT uuid FROM s3v.dropped WHERE server = 'srv' AND dropped_at = 'infinity'})), 'none');
	my $wanted = sub {
		push @{ $found{$1} // ($found{other} //= []) }, $2 if -f && !m{/($left)/} && m{/([^/]+)/([^/]+)$};
	};
	find({ no_chdir => 1, wanted => $wanted }, $self->{store}) if -d $self->{store};
	my $names = $self->run(q{SELECT manifest || ' ' || array_to_string(array(SELECT unnest(base || deltas) ORDER BY 1), ',') || ' ' || segments
		FROM s3v.version WHERE index_id = to_regclass('t_s3v') AND version > 0});
	my $stored = join(',', @{ $found{manifest} }) . ' ' . join(',', sort @{ $found{nav} }) . ' ' . @{ $found{segment} };
	return "on the store: @{ $found{other} }" if $found{other};
	return "markers of a dropped index: @{ $found{owner} }" if @{ $found{owner} } && $self->is_absent('t_s3v');
	return $stored eq ($names || '  0') ? '' : "the version names $names, the store has $stored";
}

1;
