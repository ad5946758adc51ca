/* The SQL functions behind the view s3v_stat, and s3v_stat_reset. */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "stat_file.h"

/* Of a record that another process is writing. */
#define READ_ATTEMPTS 5

PG_FUNCTION_INFO_V1(s3v_stat);
PG_FUNCTION_INFO_V1(s3v_stat_reset);

static void
read_slots(int fd, TimestampTz generation, StatSums *sums)
{
	char		slot[SLOT_BYTES];

	for (int i = 0; pg_pread(fd, slot, sizeof(slot), SLOT_OFFSET(i)) > 0; i++)
	{
		StatCopy	copy;

		CHECK_FOR_INTERRUPTS();
		/* Its backend may have written both copies while we read: seldom once, never so often. */
		for (int attempts = 0; attempts < READ_ATTEMPTS; attempts++)
		{
			memset(slot, 0, sizeof(slot));
			if (pg_pread(fd, slot, sizeof(slot), SLOT_OFFSET(i)) < 0 || !stat_newest_copy(slot, &copy))
				continue;
			if (copy.generation == generation)
				stat_add_sums(sums, &copy.sums);
			break;
		}
	}
}

/* Answers when the sums were reset; 0: nothing was ever noted. */
static TimestampTz
read_file(StatSums *sums)
{
	char		path[MAXPGPATH];
	StatHeader	header = {0};
	int			fd = OpenTransientFile(stat_path(path, sizeof(path)), O_RDONLY | O_NOFOLLOW | PG_BINARY);

	if (fd < 0)
	{
		if (errno == ENOENT)
			return 0;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path)));
	}
	for (int attempts = 0; attempts < READ_ATTEMPTS && !stat_header_is_whole(&header); attempts++)
	{
		if (pg_pread(fd, &header, sizeof(header), 0) != sizeof(header))
			memset(&header, 0, sizeof(header));
	}
	if (!stat_header_is_whole(&header))
		header.generation = 0;
	else
		read_slots(fd, header.generation, sums);
	CloseTransientFile(fd);
	return header.generation;
}

Datum
s3v_stat(PG_FUNCTION_ARGS)
{
	StatSums	sums = {0};
	TimestampTz reset = read_file(&sums);
	TupleDesc	columns;
	Datum		values[13];
	bool		nulls[13] = {false};
	int			i = 0;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE || columns->natts != lengthof(values))
		elog(ERROR, "s3v.stat() is not declared as this library expects");
	values[i++] = Int64GetDatum(sums.queries);
	values[i++] = Int64GetDatum(sums.waves);
	values[i++] = Int64GetDatum(sums.requests);
	values[i++] = Int64GetDatum(sums.bytes);
	values[i++] = Int64GetDatum(sums.cache_hits);
	values[i++] = Float8GetDatum(sums.ms);
	values[i++] = Int64GetDatum(sums.syncs);
	values[i++] = Int64GetDatum(sums.rows);
	values[i++] = Int64GetDatum(sums.sync_requests);
	values[i++] = Int64GetDatum(sums.bytes_written);
	values[i++] = Float8GetDatum(sums.sync_ms);
	values[i++] = Int64GetDatum(sums.errors);
	nulls[i] = reset == 0;
	values[i++] = TimestampTzGetDatum(reset);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(columns, values, nulls)));
}

/* Who may, the grants of sql/s3v.sql say. */
Datum
s3v_stat_reset(PG_FUNCTION_ARGS)
{
	const int	flags = O_RDWR | O_CREAT | O_NOFOLLOW | PG_BINARY;
	char		path[MAXPGPATH];
	int			fd;

	stat_path(path, sizeof(path));
	fd = OpenTransientFilePerm(path, flags, S_IRUSR | S_IWUSR);
	if (fd < 0 && errno == ENOENT && (mkdir(STAT_DIRECTORY, S_IRWXU) == 0 || errno == EEXIST))
		fd = OpenTransientFilePerm(path, flags, S_IRUSR | S_IWUSR);
	while (fd >= 0 && !stat_begin_generation(fd, false))
	{
		if (errno != EWOULDBLOCK && errno != EINTR)
		{
			int			error = errno;

			CloseTransientFile(fd);
			errno = error;
			fd = -1;
			break;
		}
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
	if (fd < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", path)));
	CloseTransientFile(fd);
	PG_RETURN_VOID();
}
