/* What there is to know of indexes on s3vectors://: which they are, what their rows look like there, what the service takes. */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "boundary.h"
#include "compat.h"
#include "option_values.h"
#include "remote.h"
#include "server.h"

/* What the service takes of keys in one vector's metadata. */
#define MOST_METADATA 50

/* ---- which they are ------------------------------------------------------------------------------------------------------- */

bool
remote_server(Oid server)
{
	return s3v_url_is_remote(server_url(server));
}

bool
remote_index(Oid index_id)
{
	return remote_server(GetForeignTable(index_id)->serverid);
}

bool
remote_attached(Oid index_id, S3vRemoteSettings *settings)
{
	if (!is_s3v_index(index_id))
		return false;
	*settings = settings_for_remote(GetForeignTable(index_id)->options);
	return settings->attached_to != NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

static void
free_schema(void *remote)
{
	s3v_remote_free(remote);
}

s3v_remote *
remote_schema(const S3vIndex *index, const S3vSource *source)
{
	S3vHandle  *handle = handle_make(CurrentMemoryContext, free_schema);
	s3v_column *columns = palloc(sizeof(s3v_column) * Max(source->metadata_count, 1));
	uint8	   *nonfilterable = palloc(sizeof(uint8) * Max(source->metadata_count, 1));
	s3v_remote_schema schema = {.key_kind = source->key_kind, .dimensions = index->dimensions, .column_count = source->metadata_count,
	.columns = columns, .nonfilterable = nonfilterable};
	s3v_error	err;

	for (int i = 0; i < source->metadata_count; i++)
	{
		columns[i].name = metadata_to_utf8(index->remote_names[i]);
		columns[i].kind = source->metadata[i].kind;
		nonfilterable[i] = index->nonfilterable[i];
	}
	boundary_raise(s3v_remote_open(&schema, (s3v_remote **) &handle->ptr, &err), &err);
	pfree(columns);
	pfree(nonfilterable);
	return handle->ptr;
}

char *
remote_row_complaint(const s3v_remote *remote, const S3vKey *key, const void *metadata, Size size)
{
	char		complaint[256];
	int			fits;
	s3v_error	err;

	boundary_raise(s3v_remote_check_row(remote, key->data, key->size, metadata, size, &fits, complaint, &err), &err);
	return fits ? NULL : pstrdup(complaint);
}

/* ---- what a new one shall be ----------------------------------------------------------------------------------------------- */

static int
place_of(const char *name, char *const *names, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return -1;
}

/*
 * The columns that an index's option nonfilterable names, by their names on the service; a column that was renamed goes by its old name and
 * its new one.
 */
static char **
nonfilterable_names(const S3vRemoteSettings *settings, char *const *metadata, char *const *remote_names, int metadata_count, int *count)
{
	char	  **wanted;
	char	  **names;
	int			wanted_count = 0;

	*count = 0;
	if (settings->nonfilterable == NULL)
		return NULL;
	wanted = option_names("nonfilterable", settings->nonfilterable, &wanted_count);
	names = palloc(sizeof(char *) * Max(wanted_count, 1));
	for (int i = 0; i < wanted_count; i++)
	{
		int			place = place_of(wanted[i], metadata, metadata_count);

		if (place < 0)
			place = place_of(wanted[i], remote_names, metadata_count);
		if (place < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"nonfilterable\" names \"%s\", which is not a metadata column of the index", wanted[i])));
		if (place_of(remote_names[place], names, *count) < 0)
			names[(*count)++] = remote_names[place];
	}
	return names;
}

s3v_remote_creation
remote_creation(const S3vIndex *index, Datum *nonfilterable)
{
	S3vRemoteSettings settings = settings_for_remote(GetForeignTable(index->index_id)->options);
	s3v_remote_creation creation = {.metric = index->metric, .dimensions = index->dimensions, .create_bucket = settings.create_bucket,
	.mode = settings.mode};
	int			count;
	char	  **names = nonfilterable_names(&settings, index->metadata, index->remote_names, index->metadata_count, &count);
	const char **in_utf8 = palloc(sizeof(char *) * Max(count, 1));
	Datum	   *elements = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		in_utf8[i] = metadata_to_utf8(names[i]);
		elements[i] = DirectFunctionCall1(namein, CStringGetDatum(names[i]));
	}
	creation.nonfilterable = in_utf8;
	creation.nonfilterable_count = count;
	*nonfilterable = PointerGetDatum(construct_array(elements, count, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
	return creation;
}

void
remote_check_creation(s3v_metric metric, int dimensions, char *const *metadata, int metadata_count, s3v_key_kind key_kind,
					  List *index_options)
{
	S3vRemoteSettings settings = settings_for_remote(index_options);
	s3v_remote_creation creation = {.metric = metric, .dimensions = dimensions, .mode = settings.mode};
	int			count;
	s3v_error	err;

	if (metadata_count > MOST_METADATA)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an index on s3vectors:// cannot have %d metadata columns", metadata_count),
				 errdetail("Amazon S3 Vectors takes at most %d keys of metadata.", MOST_METADATA)));
	if (key_kind == S3V_KEY_TEXT && GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("an index on s3vectors:// cannot have a text key in a database with encoding %s", GetDatabaseEncodingName()),
				 errhint("Use an integer or uuid key, or a database with encoding UTF8.")));
	creation.nonfilterable = (const char *const *) nonfilterable_names(&settings, metadata, metadata, metadata_count, &count);
	creation.nonfilterable_count = count;
	boundary_raise(s3v_remote_check_creation(&creation, &err), &err);
}
