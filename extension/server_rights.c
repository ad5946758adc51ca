/* Who may point a server where: checked when options are set, and again when a store is opened. */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"

#include "../src/api/s3v_remote_c.h"
#include "boundary.h"
#include "compat.h"
#include "endpoints.h"
#include "server_rights.h"

/* Below the data directory; open to everybody who may create servers. */
#define OWN_FOLDER "s3v"

bool
is_file_url(const char *url)
{
	return strncmp(url, "file://", 7) == 0;
}

bool
needs_credentials(const char *url)
{
	return strncmp(url, "s3://", 5) == 0 || s3v_url_is_remote(url);
}

/* The core has refused "." and ".." and empty segments. */
static char *
directory_of(const char *url)
{
	const char *path = url + strlen("file://");

	return is_absolute_path(path) ? pstrdup(path) : psprintf("%s/%s", DataDir, path + strlen("./"));
}

static void
check_directory_rights(const char *url, Oid role)
{
	char	   *own_folder = psprintf("%s/%s", DataDir, OWN_FOLDER);

	if (path_is_prefix_of_path(own_folder, directory_of(url)))
		return;
	if (has_privs_of_role(role, ROLE_PG_READ_SERVER_FILES) && has_privs_of_role(role, ROLE_PG_WRITE_SERVER_FILES))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for url \"%s\"", url),
			 errdetail("Role \"%s\" is not a member of both pg_read_server_files and pg_write_server_files.",
					   GetUserNameFromId(role, false)),
			 errhint("Directories below file://./%s are open to every role that may create servers.", OWN_FOLDER)));
}

static void
check_endpoint_rights(const s3v_store_config *config, Oid role)
{
	char		endpoint[256];
	s3v_error	err;

	boundary_raise(s3v_store_endpoint(config, endpoint, &err), &err);
	if (endpoint_is_allowed(endpoint, config->allowed_endpoints))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for endpoint \"%s\"", endpoint),
			 errdetail("Servers of role \"%s\", which is no superuser, may only name hosts in s3v.allowed_endpoints.",
					   GetUserNameFromId(role, false)),
			 errhint("Add the host to s3v.allowed_endpoints in the configuration file, or let a superuser own the server.")));
}

static void
check_ca_file_rights(const char *ca_file)
{
	char	   *path = is_absolute_path(ca_file) ? pstrdup(ca_file) : psprintf("%s/%s", DataDir, ca_file);

	canonicalize_path(path);
	if (!path_contains_parent_reference(path) && path_is_prefix_of_path(DataDir, path))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for ca_file \"%s\"", ca_file),
			 errhint("Name a file below the data directory, or let a superuser own the server.")));
}

void
server_check_rights(const s3v_store_config *config, Oid role)
{
	if (superuser_arg(role))
		return;
	if (is_file_url(config->url))
		check_directory_rights(config->url, role);
	else
		check_endpoint_rights(config, role);
	if (config->ca_file != NULL)
		check_ca_file_rights(config->ca_file);
}
