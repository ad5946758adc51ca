/* Options of servers, user mappings and indexes: what there is, who may set it, and the validator that holds everyone to it. */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "boundary.h"
#include "server_options.h"
#include "server_rights.h"
#include "settings.h"

#define NO_FIELD SIZE_MAX
#define FIELD(name) offsetof(s3v_store_config, name)

typedef struct StoreOption
{
	const char *name;
	Oid			catalog;		/* what it belongs to */
	bool		superuser_only;
	bool		is_flag;		/* the field is an int, else a string */
	size_t		field;			/* of s3v_store_config */
	void		(*check) (const char *name, const char *value);
} StoreOption;

PG_FUNCTION_INFO_V1(s3v_fdw_validator);

/* ---- values. What they mean together is for s3v_store_check() ---------------------------------------------------------- */

static void
check_not_empty(const char *name, const char *value)
{
	if (value[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" must not be empty", name)));
}

static void
check_flag(const char *name, const char *value)
{
	bool		ignored;

	if (!parse_bool(value, &ignored))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name, value),
				 errhint("Valid values are true and false.")));
}

static void
check_url(const char *name, const char *value)
{
	if (!is_file_url(value) && !needs_credentials(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("url names no kind of store"),
				 errhint("A url begins with file://, s3:// or s3vectors://, for example s3://bucket/prefix, file:///directory or s3vectors://vector-bucket.")));
}

static void
check_credentials(const char *name, const char *value)
{
	if (strcmp(value, "mapping") == 0)
		return;
	if (strcmp(value, "environment") == 0 || strcmp(value, "instance") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("credentials \"%s\" are not supported by this version of s3v", value),
				 errhint("Use \"mapping\", and put the credentials into user mappings.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", name, value),
			 errhint("The only valid value is \"mapping\".")));
}

/* The value stays unseen. */
static void
check_secret(const char *name, const char *value)
{
	check_not_empty(name, value);
	for (const unsigned char *c = (const unsigned char *) value; *c != '\0'; c++)
	{
		if (*c <= ' ' || *c > '~')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" contains a blank, a control character or a byte that is not ASCII", name),
					 errhint("Write the value without surrounding blanks and line ends.")));
	}
}

static const StoreOption store_options[] = {
	{"url", ForeignServerRelationId, false, false, FIELD(url), check_url},
	{"region", ForeignServerRelationId, false, false, FIELD(region), check_not_empty},
	{"endpoint", ForeignServerRelationId, false, false, FIELD(endpoint), check_not_empty},
	{"path_style", ForeignServerRelationId, false, true, FIELD(path_style), check_flag},
	{"sse", ForeignServerRelationId, false, false, FIELD(sse), check_not_empty},
	{"kms_key_id", ForeignServerRelationId, false, false, FIELD(kms_key_id), check_not_empty},
	{"ca_file", ForeignServerRelationId, false, false, FIELD(ca_file), check_not_empty},
	{"allow_http", ForeignServerRelationId, true, true, FIELD(allow_http), check_flag},
	{"credentials", ForeignServerRelationId, true, false, NO_FIELD, check_credentials},
	{"access_key_id", UserMappingRelationId, false, false, FIELD(access_key_id), check_secret},
	{"secret_access_key", UserMappingRelationId, false, false, FIELD(secret_access_key), check_secret},
	{"session_token", UserMappingRelationId, false, false, FIELD(session_token), check_secret},
};

static const StoreOption *
find_store_option(const char *name)
{
	for (int i = 0; i < lengthof(store_options); i++)
	{
		if (strcmp(store_options[i].name, name) == 0)
			return &store_options[i];
	}
	return NULL;
}

static void
fill_config(List *options, s3v_store_config *config)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *given = lfirst_node(DefElem, cell);
		const StoreOption *option = find_store_option(given->defname);
		char	   *field;

		if (option == NULL || option->field == NO_FIELD)
			continue;
		field = (char *) config + option->field;
		if (option->is_flag)
			*(int *) field = defGetBoolean(given);
		else
			*(const char **) field = defGetString(given);
	}
}

/* ---- a server as a whole ------------------------------------------------------------------------------------------------ */

static void
check_server(const s3v_store_config *config, Oid role)
{
	s3v_error	err;

	boundary_raise(s3v_store_check(config, &err), &err);
	server_check_rights(config, role);
}

/* ---- the validator ------------------------------------------------------------------------------------------------------- */

static char *
names_valid_for(Oid catalog)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(store_options); i++)
	{
		if (store_options[i].catalog == catalog)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", store_options[i].name);
	}
	return names.data;
}

static void
refuse_name(const char *name, Oid catalog)
{
	const StoreOption *elsewhere = find_store_option(name);
	char	   *valid = names_valid_for(catalog);

	if (catalog == ForeignServerRelationId && elsewhere != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" does not belong on a server, which everybody can read", name),
				 errhint("Put credentials into a user mapping: CREATE USER MAPPING FOR role SERVER server OPTIONS (%s '...').",
						 name)));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 valid[0] != '\0' ? errhint("Valid options in this context are: %s", valid) :
			 errhint("There are no valid options in this context.")));
}

static void
check_names(List *options, Oid catalog)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;
		const StoreOption *option = find_store_option(name);

		if (option == NULL || option->catalog != catalog)
			refuse_name(name, catalog);
		if (option->superuser_only && !superuser())
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for option \"%s\"", name),
					 errhint("Only superusers may set or keep it.")));
	}
}

static void
check_values(List *options)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *given = lfirst_node(DefElem, cell);

		find_store_option(given->defname)->check(given->defname, defGetString(given));
	}
}

static void
validate_server(List *options)
{
	s3v_store_config config = {0};

	config.data_directory = DataDir;
	config.allowed_endpoints = s3v_setting_allowed_endpoints;
	config.max_parallel_requests = s3v_setting_max_parallel_requests;
	config.request_timeout_ms = s3v_setting_request_timeout;
	fill_config(options, &config);
	if (config.url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"url\" is required for servers of s3v"),
				 errhint("For example: OPTIONS (url 's3://bucket/prefix', region 'us-east-1').")));
	check_server(&config, GetUserId());
}

/* Nothing at all is fine: so dumps bring back the mappings whose secrets the dumping role may not see. */
static void
validate_mapping(List *options)
{
	s3v_store_config config = {0};

	fill_config(options, &config);
	if (options != NIL && (config.access_key_id == NULL || config.secret_access_key == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("options \"access_key_id\" and \"secret_access_key\" must be given together")));
}

static void
validate_index(List *options)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *given = lfirst_node(DefElem, cell);

		settings_check_index_option(given->defname, defGetString(given));
	}
}

Datum
s3v_fdw_validator(PG_FUNCTION_ARGS)
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);

	if (catalog == ForeignTableRelationId)
	{
		validate_index(options);
		PG_RETURN_VOID();
	}
	check_names(options, catalog);
	check_values(options);
	if (catalog == ForeignServerRelationId)
		validate_server(options);
	if (catalog == UserMappingRelationId)
		validate_mapping(options);
	PG_RETURN_VOID();
}

/* ---- for opening --------------------------------------------------------------------------------------------------------- */

static bool
has_mapping(ForeignServer *server, Oid role)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(role), ObjectIdGetDatum(server->serverid));
}

static void
fill_credentials(ForeignServer *server, Oid owner, s3v_store_config *config)
{
	char	   *role = GetUserNameFromId(owner, false);

	if (!has_mapping(server, owner) && !has_mapping(server, InvalidOid))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no credentials for server \"%s\"", server->servername),
				 errdetail("Role \"%s\", which owns the index, has no user mapping.", role),
				 errhint("CREATE USER MAPPING FOR %s SERVER %s OPTIONS (access_key_id '...', secret_access_key '...').",
						 quote_identifier(role), quote_identifier(server->servername))));
	fill_config(GetUserMapping(owner, server->serverid)->options, config);
	if (config->access_key_id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no credentials for server \"%s\"", server->servername),
				 errdetail("The user mapping of role \"%s\", which owns the index, or of PUBLIC has no options.", role),
				 errhint("ALTER USER MAPPING ... OPTIONS (ADD access_key_id '...', ADD secret_access_key '...').")));
}

void
server_config(Oid server_id, Oid owner, s3v_store_config *config)
{
	ForeignServer *server = GetForeignServer(server_id);

	memset(config, 0, sizeof(*config));
	config->data_directory = DataDir;
	config->allowed_endpoints = s3v_setting_allowed_endpoints;
	config->max_parallel_requests = s3v_setting_max_parallel_requests;
	config->request_timeout_ms = s3v_setting_request_timeout;
	if (s3v_setting_cache_dir[0] != '\0')
		config->cache_directory = is_absolute_path(s3v_setting_cache_dir)
			? s3v_setting_cache_dir
			: psprintf("%s/%s", DataDir, s3v_setting_cache_dir);
	config->cache_bytes = (uint64) s3v_setting_cache_size * 1024;
	fill_config(server->options, config);
	config->check_address = !superuser_arg(server->owner);
	check_server(config, server->owner);
	if (needs_credentials(config->url))
		fill_credentials(server, owner, config);
}
