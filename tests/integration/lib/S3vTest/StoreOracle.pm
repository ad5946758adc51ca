# What must hold for the store whatever happens: no name is ever given other bytes, and no object that a kept version names is deleted or
# missing. The proxy's log tells what was written and deleted, the manifests of kept versions what is named.
package S3vTest::StoreOracle;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use S3vTest;

# By key: objects never change.
my %manifests;

our @EXPORT_OK = qw(store_faults named_objects missing_objects);

# Header, length, JSON, checksum.
sub read_manifest
{
	my ($s3, $key) = @_;
	my ($json) = S3vTest::s3_tool($s3, '', 'get', $key) =~ /(\{"base".*)/s or die "$key holds no JSON";
	my ($manifest) = JSON::PP->new->decode_prefix($json);

	return $manifest;
}

# Keys of all objects below `prefix` that the present versions of the database's s3:// indexes name; kept => 1: and those that s3v_gc
# kept. Read past the proxy.
sub named_objects
{
	my ($node, $database, $s3, $prefix, %params) = @_;
	my $kept = $params{kept} ? 'UNION SELECT index_id, manifest FROM s3v.history' : '';
	my @named;

	foreach my $row (split /\n/, $node->safe_psql($database, qq{
			SELECT uuid, manifest FROM (SELECT index_id, manifest FROM s3v.version WHERE version > 0 $kept) v
			JOIN s3v.index USING (index_id) JOIN pg_foreign_table t ON t.ftrelid = index_id JOIN pg_foreign_server s ON s.oid = t.ftserver
			WHERE array_to_string(srvoptions, ' ') LIKE '%url=s3://%/$prefix%'}))
	{
		my ($uuid, $id) = split /\|/, $row;
		my $manifest = $manifests{"$prefix/$uuid/manifest/$id"} //= read_manifest($s3, "$prefix/$uuid/manifest/$id");
		push @named, "$prefix/$uuid/manifest/$id",
		  (map { "$prefix/$uuid/nav/$_->{id}" } $manifest->{base}, @{ $manifest->{deltas} }),
		  (map { "$prefix/$uuid/segment/$_->{id}" } @{ $manifest->{segments} });
	}
	die 'no object is named' unless @named;
	my %named = map { $_ => 1 } @named;
	return sort keys %named;
}

sub missing_objects
{
	my ($node, $database, $s3, $prefix, %params) = @_;
	my %exists = map { $_ => 1 } objects($s3, "$prefix/");

	return grep { !$exists{$_} } named_objects($node, $database, $s3, $prefix, %params);
}

# Over all that the proxy ever saw. A hash of lists: rewritten (names that got other bytes later), deleted (named nevertheless), missing
# (named, but not there); and counts: puts (names written), repeats (of them with the same bytes again, after a lost answer), deletes,
# named. s3v_gc must have come through last: a version that it was about to delete is not kept.
sub store_faults
{
	my ($node, $database, $s3, $proxy, $prefix) = @_;
	my (%written, %times, %deleted);

	foreach my $request ($proxy->history)
	{
		my $done = $request->{server} =~ /^2/;
		my $key = $request->{path} =~ s{^/[^/]+/}{}r;
		if ($request->{verb} eq 'PUT' && $done) { $written{$key}{ $request->{sha256} } = 1; $times{$key}++; }
		$deleted{$_}++ foreach $done ? @{ $request->{deleted} // [] } : ();
	}
	my @named = named_objects($node, $database, $s3, $prefix, kept => 1);
	return {
		puts => scalar(keys %written),
		repeats => scalar(grep { $times{$_} > 1 } keys %times),
		deletes => scalar(keys %deleted),
		named => scalar(@named),
		rewritten => [ grep { keys %{ $written{$_} } > 1 } sort keys %written ],
		deleted => [ grep { $deleted{$_} } @named ],
		missing => [ missing_objects($node, $database, $s3, $prefix, kept => 1) ] };
}

1;
