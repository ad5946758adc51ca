/* s3v.allowed_endpoints: its syntax, and whether it names an endpoint. */
#include "postgres.h"

#include "endpoints.h"

/* host[:port], the host in lower case, without the dot that ends a rooted name. Port 0: not given. */
typedef struct HostPort
{
	char		host[256];
	int			port;
} HostPort;

/* Answers false when it is none. Stars are the caller's matter. */
static bool
parse_host_port(const char *text, size_t size, HostPort *result)
{
	size_t		host_size = size;
	size_t		bracket = 0;

	result->port = 0;
	for (size_t i = 0; i < size; i++)
	{
		if (text[i] == ']')
			bracket = i;
	}
	for (size_t i = bracket; i < size; i++)
	{
		if (text[i] == ':')
		{
			host_size = i;
			break;
		}
	}
	if (host_size < size)
	{
		if (host_size + 1 == size || size - host_size > 6)
			return false;
		for (size_t i = host_size + 1; i < size; i++)
		{
			if (text[i] < '0' || text[i] > '9')
				return false;
			result->port = result->port * 10 + (text[i] - '0');
		}
		if (result->port < 1 || result->port > 65535)
			return false;
	}
	if (host_size > 1 && text[host_size - 1] == '.')
		host_size--;
	if (host_size == 0 || host_size >= sizeof(result->host))
		return false;
	for (size_t i = 0; i < host_size; i++)
		result->host[i] = pg_ascii_tolower((unsigned char) text[i]);
	result->host[host_size] = '\0';
	return true;
}

/* The next entry of a list, without the blanks around it; false at the end. */
static bool
next_entry(const char **list, const char **entry, size_t *size)
{
	const char *end;

	if (*list == NULL)
		return false;
	while (**list == ' ' || **list == '\t')
		(*list)++;
	*entry = *list;
	*list = strchr(*entry, ',');
	end = *list != NULL ? (*list)++ : *entry + strlen(*entry);
	while (end > *entry && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*size = end - *entry;
	return true;
}

static bool
entry_is_valid(const char *entry, size_t size)
{
	HostPort	parsed;
	const char *host = parsed.host;

	if (!parse_host_port(entry, size, &parsed))
		return false;
	if (host[0] == '[')
		return strlen(host) > 2 && host[strlen(host) - 1] == ']' &&
			strspn(host + 1, "0123456789abcdef:.") == strlen(host) - 2;
	if (strncmp(host, "*.", 2) == 0)
		host += 2;
	return host[0] != '\0' && host[0] != '.' && host[0] != '-' &&
		strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") == strlen(host);
}

bool
endpoints_check(char **newval, void **extra, GucSource source)
{
	const char *list = *newval;
	const char *entry;
	size_t		size;

	if (list == NULL || list[strspn(list, " \t")] == '\0')
		return true;
	while (next_entry(&list, &entry, &size))
	{
		if (!entry_is_valid(entry, size))
		{
			GUC_check_errdetail("\"%.*s\" is not a host.", (int) size, entry);
			GUC_check_errhint("Entries are host, host:port, *.suffix or *.suffix:port, without http:// before or a path behind.");
			return false;
		}
	}
	return true;
}

bool
endpoint_is_allowed(const char *endpoint, const char *list)
{
	const char *authority = strstr(endpoint, "://");
	bool		is_https = pg_strncasecmp(endpoint, "https:", 6) == 0;
	HostPort	wanted;
	HostPort	allowed;
	const char *entry;
	size_t		size;

	if (authority == NULL || list == NULL)
		return false;
	authority += 3;
	if (!parse_host_port(authority, strcspn(authority, "/"), &wanted))
		return false;
	if (wanted.port == 0)
		wanted.port = is_https ? 443 : 80;
	while (next_entry(&list, &entry, &size))
	{
		if (!parse_host_port(entry, size, &allowed))
			continue;
		if (allowed.port != 0 && allowed.port != wanted.port)
			continue;
		if (strcmp(allowed.host, wanted.host) == 0)
			return true;
		if (allowed.host[0] == '*')
		{
			size_t		suffix = strlen(allowed.host) - 1;

			/* "*.example.com" names what ends in ".example.com", and not "example.com" itself. */
			if (strlen(wanted.host) > suffix && strcmp(wanted.host + strlen(wanted.host) - suffix, allowed.host + 1) == 0)
				return true;
		}
	}
	return false;
}
