/* The s3v.* settings: names, bounds, who may turn them, and what that costs. */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"

#include "compat.h"
#include "endpoints.h"
#include "settings.h"

/* Of the search settings; what governs a query is worked out by settings_resolve(). */
static int	probes = 0;
static int	consistency = 0;
static int	on_missing = 0;
static int	max_bytes_kb = 0;

int			s3v_setting_max_k = 10000;
int			s3v_setting_request_timeout = 30000;
int			s3v_setting_max_parallel_requests = 64;
char	   *s3v_setting_allowed_endpoints = NULL;
char	   *s3v_setting_cache_dir = NULL;
int			s3v_setting_cache_size = 1024 * 1024;
uint64		s3v_connection_settings_changes = 0;

static const struct config_enum_entry consistency_values[] = {
	{"strong", false, false},
	{"eventual", true, false},
	{NULL, 0, false}
};

static const struct config_enum_entry on_missing_values[] = {
	{"scan", false, false},
	{"error", true, false},
	{NULL, 0, false}
};

/* Where the server keeps each search setting: the public functions tell its value, but not whether anybody set it. */
static struct
{
	const char *name;
	struct config_generic *record;
}			search_settings[] =
{
	{"s3v.probes"},
	{"s3v.consistency"},
	{"s3v.on_missing"},
	{"s3v.max_bytes"}
};

static void
connection_int_changed(int newval, void *extra)
{
	s3v_connection_settings_changes++;
}

static void
connection_string_changed(const char *newval, void *extra)
{
	s3v_connection_settings_changes++;
}

/* As PostgreSQL keeps its own directories: absolute, or below the data directory. */
static bool
check_cache_dir(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) >= MAXPGPATH / 2)
	{
		GUC_check_errdetail("The path is too long.");
		return false;
	}
	canonicalize_path(*newval);
	if (path_contains_parent_reference(*newval))
	{
		GUC_check_errdetail("The path must not contain \"..\".");
		return false;
	}
	return true;
}

static void
define_search_settings(void)
{
	DefineCustomIntVariable("s3v.probes",
							"Lists that a query reads; 0 lets it choose by how near they are.",
							"Higher: better recall, more entries scanned, and up to one more range read for each list when cold.",
							&probes, 0, 0, S3V_MAX_LISTS, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("s3v.consistency",
							 "Whether a query sees every row that its snapshot sees.",
							 "\"strong\" merges the rows that changed since the last sync, at some 10 microseconds each; \"eventual\" "
							 "leaves them out, so that deleted rows may show and new ones are missing.",
							 &consistency, 0, consistency_values, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("s3v.on_missing",
							 "What a query does when the store lacks objects of the index.",
							 "\"scan\" reads the whole source table, which is exact but slow, with a warning; \"error\" fails at once.",
							 &on_missing, 0, on_missing_values, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("s3v.max_bytes",
							"Most that a query may read from the store; 0 is no limit.",
							"Lower: the cost of a query is bounded, but one that reaches the limit answers from what it has read, "
							"with less recall.",
							&max_bytes_kb, 0, 0, INT_MAX, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("s3v.max_k",
							"Most hits that a query may ask for.",
							"Higher: users can make single queries that take more memory and requests.",
							&s3v_setting_max_k, 10000, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
define_connection_settings(void)
{
	DefineCustomIntVariable("s3v.request_timeout",
							"Longest that a call to the store may take, its retries included.",
							"Lower: a store that does not answer fails queries sooner; too low, slow transfers of large objects "
							"fail as well.",
							&s3v_setting_request_timeout, 30000, 100, 3600 * 1000, PGC_USERSET, GUC_UNIT_MS,
							NULL, connection_int_changed, NULL);
	DefineCustomIntVariable("s3v.max_parallel_requests",
							"Requests that a session has on their way to a store at the same time.",
							"Higher: cold queries wait for fewer round trips; costs one connection each, in every session.",
							&s3v_setting_max_parallel_requests, 64, 1, 256, PGC_USERSET, 0,
							NULL, connection_int_changed, NULL);
	DefineCustomStringVariable("s3v.cache_dir",
							   "Directory of the local cache, which all sessions share.",
							   "Relative paths are below the data directory. A fast local disk; not one that the network serves, where "
							   "nothing is mapped. Empty: no cache.",
							   &s3v_setting_cache_dir, "pgsql_tmp_s3v", PGC_SUSET, 0,
							   check_cache_dir, connection_string_changed, NULL);
	DefineCustomIntVariable("s3v.cache_size",
							"Most that the local cache may hold on disk; 0 is no cache.",
							"Higher: more queries send nothing to the store. What was not used for longest goes first.",
							&s3v_setting_cache_size, 1024 * 1024, 0, INT_MAX, PGC_SUSET, GUC_UNIT_KB,
							NULL, connection_int_changed, NULL);
	DefineCustomStringVariable("s3v.allowed_endpoints",
							   "Hosts that servers of roles other than superusers may name, separated by commas.",
							   "Entries are host, host:port, *.suffix or *.suffix:port. Each one lets these roles send requests there "
							   "from this machine, but a name never to this machine itself, nor to where clouds keep credentials; "
							   "empty allows them no s3:// server.",
							   &s3v_setting_allowed_endpoints, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   endpoints_check, connection_string_changed, NULL);
}

void
settings_define(void)
{
	define_search_settings();
	define_connection_settings();
	MarkGUCPrefixReserved("s3v");

	for (int i = 0; i < lengthof(search_settings); i++)
		search_settings[i].record = find_setting(search_settings[i].name);
}

S3vSearchSettings
settings_of_session(void)
{
	S3vSearchSettings settings = {
		.probes = probes,
		.eventual = consistency,
		.missing_is_error = on_missing,
		.max_bytes = (int64) max_bytes_kb * 1024
	};

	return settings;
}

bool
settings_is_set(const char *name)
{
	for (int i = 0; i < lengthof(search_settings); i++)
	{
		if (strcmp(search_settings[i].name, name) == 0)
			return search_settings[i].record->source != PGC_S_DEFAULT;
	}
	elog(ERROR, "\"%s\" is no search setting", name);
}
