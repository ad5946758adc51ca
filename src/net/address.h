// Where a server may point: endpoints as text, and the addresses that their names turn out to stand for. Pure.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

namespace s3v {

// scheme://host[:port] and nothing else.
struct Endpoint {
  bool is_https = true;
  std::string host;  // lower case; an IPv6 address keeps its brackets
  int port = 443;

  // The Host header: the port is left out where it is the scheme's own.
  std::string HostHeader() const;
  // As users write it.
  std::string Text() const;
};

// Throws kInvalidArgument for anything that is not exactly an endpoint: user names, paths, queries, blanks.
Endpoint ParseEndpoint(const std::string& text);

// Is the host loopback by its spelling: localhost, *.localhost, 127.x.x.x, [::1]? Names that merely resolve to loopback
// are not, because a name can change.
bool IsLoopbackHost(const std::string& host);

// Is the host an address, or loopback by its spelling? Whoever lists such a host means that address; of other names
// somebody else says where they lead.
bool IsFixedHost(const std::string& host);

// Does one of the patterns name this endpoint: "host", "host:port", "*.suffix", "*.suffix:port"?
bool MatchesAny(const Endpoint& endpoint, const std::vector<std::string>& patterns);

bool IsLoopbackAddress(const sockaddr& address);

// Loopback, link-local, multicast, unspecified, reserved, and the addresses where clouds keep machine credentials, also
// when written as IPv6 (v4-mapped, v4-compatible, NAT64, 6to4). Private networks are ordinary addresses.
bool IsSpecialAddress(const sockaddr& address);

std::string AddressText(const sockaddr& address);

}  // namespace s3v
