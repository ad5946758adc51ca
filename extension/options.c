/* Options of calls and of indexes: one table of them, their values, and how they combine with the settings. */
#include "postgres.h"

#include <math.h>

#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "option_json.h"
#include "option_values.h"
#include "settings.h"

/* pgvector's bound as well. */
#define MAX_DIMENSIONS 16000

/* More than any index has. */
#define MAX_VERSION INT64CONST(1000000000000)

/* Log rows that a limited sync takes; more than any log has. */
#define MAX_ROWS INT64CONST(1000000000000)

/* Where an option may stand. */
#define IN_QUERY  1				/* jsonb of s3v_query and its kin */
#define IN_INDEX  2				/* OPTIONS of the foreign table */
#define IN_CREATE 4				/* jsonb of s3v_create_index */
#define IN_SYNC   8				/* jsonb of s3v_sync in mode 'changes' */
#define IN_REPAIR 16			/* jsonb of s3v_sync in another mode, which knows no limits */
#define IN_ATTACHED 32			/* OPTIONS of a foreign table that s3v_attach made */

/* Which servers' indexes it says something to, where it does not to all. */
#define OF_STORES 64
#define OF_SERVICE 128

typedef struct OptionValues
{
	S3vSearchSettings search;
	S3vBuildSettings build;
	S3vRemoteSettings remote;
	S3vCreateOptions create;
	S3vSyncOptions sync;
} OptionValues;

typedef struct Option
{
	const char *name;
	int			places;
	const char *setting;		/* governs where neither call nor index says anything; NULL: nothing does */
	void		(*apply) (OptionValues *values, const char *name, const char *value);
} Option;

/* ---- values -------------------------------------------------------------------------------------------------------------- */

static void
apply_probes(OptionValues *values, const char *name, const char *value)
{
	values->search.probes = option_integer(name, value, 0, S3V_MAX_LISTS);
}

static void
apply_consistency(OptionValues *values, const char *name, const char *value)
{
	static const char *const choices[] = {"strong", "eventual", NULL};

	values->search.eventual = option_choice(name, value, choices) == 1;
}

static void
apply_on_missing(OptionValues *values, const char *name, const char *value)
{
	static const char *const choices[] = {"scan", "error", NULL};

	values->search.missing_is_error = option_choice(name, value, choices) == 1;
}

static void
apply_max_bytes(OptionValues *values, const char *name, const char *value)
{
	values->search.max_bytes = option_size(name, value);
}

static void
apply_as_of_version(OptionValues *values, const char *name, const char *value)
{
	values->search.as_of_version = option_integer(name, value, 1, MAX_VERSION);
}

static void
apply_lists(OptionValues *values, const char *name, const char *value)
{
	values->build.lists = option_integer(name, value, 0, S3V_MAX_LISTS);
}

static void
apply_recall(OptionValues *values, const char *name, const char *value)
{
	values->build.recall = option_fraction(name, value, 0.9, 0.99);
}

static void
apply_bits(OptionValues *values, const char *name, const char *value)
{
	values->build.bits = option_integer(name, value, 1, 8);
}

static void
apply_raw(OptionValues *values, const char *name, const char *value)
{
	/* In the order of s3v_raw. */
	static const char *const choices[] = {"none", "f32", "f16", NULL};

	values->build.raw = (s3v_raw) option_choice(name, value, choices);
}

/* A boolean, or "auto". */
static void
apply_soar(OptionValues *values, const char *name, const char *value)
{
	bool		on;

	if (pg_strcasecmp(value, "auto") == 0)
		values->build.soar = S3V_SOAR_AUTO;
	else if (parse_bool(value, &on))
		values->build.soar = on ? S3V_SOAR_ON : S3V_SOAR_OFF;
	else
		invalid_option_value(name, value, "true, false and \"auto\"");
}

/* Names of columns, which are looked for when the index is made or rebuilt. */
static void
apply_nonfilterable(OptionValues *values, const char *name, const char *value)
{
	int			count;

	option_names(name, value, &count);
	values->remote.nonfilterable = value;
}

static void
apply_create_bucket(OptionValues *values, const char *name, const char *value)
{
	values->remote.create_bucket = option_boolean(name, value);
}

static void
apply_index_mode(OptionValues *values, const char *name, const char *value)
{
	static const char *const choices[] = {"CLASSIC", "ENHANCED", NULL};

	values->remote.mode = choices[option_choice(name, value, choices)];
}

static void
apply_remote_index(OptionValues *values, const char *name, const char *value)
{
	if (value[0] == '\0' || strlen(value) >= S3V_MAX_REMOTE_NAME)
		invalid_option_value(name, value, "names of 3 to 63 characters");
	values->remote.attached_to = value;
}

static void
apply_metric(OptionValues *values, const char *name, const char *value)
{
	static const char *const choices[] = {"cosine", "l2", NULL};

	values->remote.metric = option_choice(name, value, choices) == 0 ? S3V_COSINE : S3V_L2;
}

static void
apply_build(OptionValues *values, const char *name, const char *value)
{
	values->create.build = option_boolean(name, value);
}

static void
apply_dimensions(OptionValues *values, const char *name, const char *value)
{
	values->create.dimensions = values->remote.dimensions = option_integer(name, value, 1, MAX_DIMENSIONS);
}

static void
apply_wait(OptionValues *values, const char *name, const char *value)
{
	values->sync.wait = option_boolean(name, value);
}

static void
apply_max_rows(OptionValues *values, const char *name, const char *value)
{
	values->sync.max_rows = option_integer(name, value, 1, MAX_ROWS);
}

static void
apply_max_seconds(OptionValues *values, const char *name, const char *value)
{
	double		result;

	if (!parse_real(value, &result, 0, NULL) || isnan(result) || isinf(result) || result <= 0)
		invalid_option_value(name, value, "numbers greater than 0");
	values->sync.max_seconds = result;
}

/* ---- the table ----------------------------------------------------------------------------------------------------------- */

static const Option options_table[] = {
	{"probes", IN_QUERY | IN_INDEX | IN_CREATE | OF_STORES, "s3v.probes", apply_probes},
	{"consistency", IN_QUERY | IN_INDEX | IN_CREATE, "s3v.consistency", apply_consistency},
	{"on_missing", IN_QUERY | IN_INDEX | IN_CREATE, "s3v.on_missing", apply_on_missing},
	{"max_bytes", IN_QUERY | IN_INDEX | IN_CREATE | OF_STORES, "s3v.max_bytes", apply_max_bytes},
	{"as_of_version", IN_QUERY, NULL, apply_as_of_version},
	{"lists", IN_INDEX | IN_CREATE | OF_STORES, NULL, apply_lists},
	{"recall", IN_INDEX | IN_CREATE | OF_STORES, NULL, apply_recall},
	{"bits", IN_INDEX | IN_CREATE | OF_STORES, NULL, apply_bits},
	{"raw", IN_INDEX | IN_CREATE | OF_STORES, NULL, apply_raw},
	{"soar", IN_INDEX | IN_CREATE | OF_STORES, NULL, apply_soar},
	{"nonfilterable", IN_INDEX | IN_CREATE | OF_SERVICE, NULL, apply_nonfilterable},
	{"create_bucket", IN_INDEX | IN_CREATE | OF_SERVICE, NULL, apply_create_bucket},
	{"index_mode", IN_INDEX | IN_CREATE | OF_SERVICE, NULL, apply_index_mode},
	{"remote_index", IN_ATTACHED, NULL, apply_remote_index},
	{"metric", IN_ATTACHED, NULL, apply_metric},
	{"build", IN_CREATE, NULL, apply_build},
	{"dimensions", IN_CREATE | IN_ATTACHED, NULL, apply_dimensions},
	{"wait", IN_SYNC | IN_REPAIR, NULL, apply_wait},
	{"max_rows", IN_SYNC, NULL, apply_max_rows},
	{"max_seconds", IN_SYNC, NULL, apply_max_seconds},
};

static char *
names_valid_in(int place)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(options_table); i++)
	{
		if (options_table[i].places & place)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", options_table[i].name);
	}
	return names.data;
}

static const Option *
find_option_in(int place, const char *name, int sqlstate)
{
	for (int i = 0; i < lengthof(options_table); i++)
	{
		if ((options_table[i].places & place) && strcmp(options_table[i].name, name) == 0)
			return &options_table[i];
	}
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("invalid option \"%s\"", name),
			 errhint("Valid options in this context are: %s", names_valid_in(place))));
}

static const char *
find_value(List *given, const char *name)
{
	ListCell   *cell;

	foreach(cell, given)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return strVal(option->arg);
	}
	return NULL;
}

/* ---- what governs -------------------------------------------------------------------------------------------------------- */

S3vSearchSettings
settings_resolve(List *index_options, Jsonb *call_options)
{
	List	   *of_call = options_from_jsonb(call_options);
	OptionValues values = {.search = settings_of_session()};
	ListCell   *cell;

	foreach(cell, of_call)
		(void) find_option_in(IN_QUERY, lfirst_node(DefElem, cell)->defname, ERRCODE_INVALID_PARAMETER_VALUE);

	for (int i = 0; i < lengthof(options_table); i++)
	{
		const Option *option = &options_table[i];
		const char *value;

		if (!(option->places & IN_QUERY))
			continue;
		value = find_value(of_call, option->name);
		if (value == NULL && option->setting != NULL && !settings_is_set(option->setting))
			value = find_value(index_options, option->name);
		if (value != NULL)
			option->apply(&values, option->name, value);
	}
	return values.search;
}

S3vBuildSettings
settings_for_build(Oid index_id)
{
	List	   *of_index = GetForeignTable(index_id)->options;
	OptionValues values = {.build = {.recall = 0.95, .bits = 4, .raw = S3V_RAW_NONE, .soar = S3V_SOAR_OFF}};

	for (int i = 0; i < lengthof(options_table); i++)
	{
		const Option *option = &options_table[i];
		const char *value = (option->places & IN_INDEX) ? find_value(of_index, option->name) : NULL;

		if (value != NULL)
			option->apply(&values, option->name, value);
	}
	return values.build;
}

S3vRemoteSettings
settings_for_remote(List *index_options)
{
	OptionValues values = {0};

	for (int i = 0; i < lengthof(options_table); i++)
	{
		const Option *option = &options_table[i];
		const char *value = (option->places & (OF_SERVICE | IN_ATTACHED)) ? find_value(index_options, option->name) : NULL;

		if (value != NULL)
			option->apply(&values, option->name, value);
	}
	return values.remote;
}

void
settings_check_kind(List *index_options, bool is_remote)
{
	ListCell   *cell;

	foreach(cell, index_options)
	{
		const Option *option = find_option_in(IN_INDEX, lfirst_node(DefElem, cell)->defname, ERRCODE_INVALID_PARAMETER_VALUE);

		if (option->places & (is_remote ? OF_STORES : OF_SERVICE))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" is for indexes on servers of another kind", option->name),
					 is_remote ? errhint("On s3vectors:// the service decides how vectors are kept and searched.") :
					 errhint("It is for s3vectors:// alone.")));
	}
}

void
settings_check_index_option(const char *name, const char *value)
{
	OptionValues ignored = {0};

	find_option_in(IN_INDEX | IN_ATTACHED, name, ERRCODE_FDW_INVALID_OPTION_NAME)->apply(&ignored, name, value);
}

S3vCreateOptions
settings_for_create(Jsonb *options)
{
	OptionValues values = {.create = {.build = true}};
	ListCell   *cell;

	foreach(cell, options_from_jsonb(options))
	{
		DefElem    *given = lfirst_node(DefElem, cell);
		const Option *option = find_option_in(IN_CREATE, given->defname, ERRCODE_INVALID_PARAMETER_VALUE);

		option->apply(&values, option->name, strVal(given->arg));
		if (option->places & IN_INDEX)
			values.create.index_options = lappend(values.create.index_options, given);
	}
	return values.create;
}

S3vSyncOptions
settings_for_sync(Jsonb *options, bool changes)
{
	OptionValues values = {.sync = {.wait = true}};
	int			place = changes ? IN_SYNC : IN_REPAIR;
	ListCell   *cell;

	foreach(cell, options_from_jsonb(options))
	{
		DefElem    *given = lfirst_node(DefElem, cell);

		find_option_in(place, given->defname, ERRCODE_INVALID_PARAMETER_VALUE)->apply(&values, given->defname,
																					  strVal(given->arg));
	}
	return values.sync;
}
