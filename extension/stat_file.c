/* Records of the file behind s3v_stat: trusted by their checksums, whoever may be writing them. */
#include "postgres.h"

#include <sys/file.h>
#include <unistd.h>

#include "miscadmin.h"

#include "stat_file.h"

#define STAT_FILE_FORMAT STAT_DIRECTORY "/stat.%u"	/* database */
#define STAT_MAGIC 0x53763373	/* "s3vS", format 1 */

StaticAssertDecl(sizeof(StatHeader) == 16 && sizeof(StatCopy) == 120, "records of the statistics file have no padding");

static pg_crc32c
crc_of(const void *record, size_t size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, record, size);
	FIN_CRC32C(crc);
	return crc;
}

bool
stat_header_is_whole(const StatHeader *header)
{
	return header->magic == STAT_MAGIC && header->crc == crc_of(header, offsetof(StatHeader, crc));
}

void
stat_seal_copy(StatCopy *copy)
{
	copy->magic = STAT_MAGIC;
	copy->crc = crc_of(copy, offsetof(StatCopy, crc));
}

bool
stat_newest_copy(const char *slot, StatCopy *newest)
{
	bool		found = false;

	for (int i = 0; i < COPIES; i++)
	{
		StatCopy	copy;

		memcpy(&copy, slot + i * COPY_BYTES, sizeof(copy));
		if (copy.magic != STAT_MAGIC || copy.crc != crc_of(&copy, offsetof(StatCopy, crc)))
			continue;
		if (!found || copy.sequence > newest->sequence)
			*newest = copy;
		found = true;
	}
	return found;
}

void
stat_add_sums(StatSums *to, const StatSums *from)
{
	to->queries += from->queries;
	to->waves += from->waves;
	to->requests += from->requests;
	to->bytes += from->bytes;
	to->cache_hits += from->cache_hits;
	to->ms += from->ms;
	to->syncs += from->syncs;
	to->rows += from->rows;
	to->sync_requests += from->sync_requests;
	to->bytes_written += from->bytes_written;
	to->sync_ms += from->sync_ms;
	to->errors += from->errors;
}

char *
stat_path(char *path, size_t size)
{
	snprintf(path, size, STAT_FILE_FORMAT, MyDatabaseId);
	return path;
}

bool
stat_begin_generation(int fd, bool only_if_broken)
{
	StatHeader	header;
	TimestampTz now = GetCurrentTimestamp();
	bool		whole;
	bool		done;
	int			error;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return false;
	whole = pread(fd, &header, sizeof(header), 0) == sizeof(header) && stat_header_is_whole(&header);
	if (whole && only_if_broken)
		done = true;
	else
	{
		header.generation = whole ? Max(now, header.generation + 1) : now;
		header.magic = STAT_MAGIC;
		header.crc = crc_of(&header, offsetof(StatHeader, crc));
		done = pwrite(fd, &header, sizeof(header), 0) == sizeof(header);
	}
	error = errno;
	(void) flock(fd, LOCK_UN);
	errno = error;
	return done;
}
