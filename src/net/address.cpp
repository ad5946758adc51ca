#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace s3v {
namespace {

constexpr int kHttpPort = 80;
constexpr int kHttpsPort = 443;

using Ip6 = std::array<uint8_t, 16>;

[[noreturn]] void Refuse(const std::string& text) {
  // A user name comes with a password, a query may be a signature: such a text is not shown.
  const bool may_hold_secret = text.find_first_of("@?") != std::string::npos;
  throw Error(Code::kInvalidArgument, may_hold_secret ? "invalid endpoint" : "invalid endpoint \"" + text + "\"", {},
              "An endpoint is written http[s]://host[:port], without path or user name.");
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool IsHost(const std::string& host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    in6_addr parsed;
    return inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &parsed) == 1;
  }
  return !host.empty() && host.size() <= 253 && host.front() != '.' && host.front() != '-' &&
         std::all_of(host.begin(), host.end(), IsHostCharacter);
}

std::optional<int> ParsePort(std::string_view text) {
  int port = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || rest != text.data() + text.size() || port < 1 || port > 65535) return std::nullopt;
  return port;
}

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Where the host of "host[:port]" ends.
size_t HostEnd(const std::string& text) {
  const size_t bracket = text.rfind(']');
  const size_t colon = text.find(':', bracket == std::string::npos ? 0 : bracket);
  return std::min(colon, text.size());
}

bool IsBetween(uint32_t ip, uint32_t network, int bits) { return (ip ^ network) >> (32 - bits) == 0; }

bool IsLoopback4(uint32_t ip) { return IsBetween(ip, 0x7f000000, 8); }

bool IsSpecial4(uint32_t ip) {
  return IsLoopback4(ip) || IsBetween(ip, 0x00000000, 8)  // this host
         || IsBetween(ip, 0xa9fe0000, 16)                 // link-local, AWS and Google metadata
         || IsBetween(ip, 0xe0000000, 4)                  // multicast
         || IsBetween(ip, 0xf0000000, 4)                  // reserved, broadcast
         || IsBetween(ip, 0xc0000000, 24)                 // protocol assignments, Oracle metadata
         || ip == 0x646464c8                              // 100.100.100.200: Alibaba metadata
         || ip == 0xa83f8110;                             // 168.63.129.16: Azure's host
}

bool StartsWith(const Ip6& ip, std::initializer_list<uint8_t> bytes) {
  return std::equal(bytes.begin(), bytes.end(), ip.begin());
}

uint32_t Embedded(const Ip6& ip, size_t at) {
  return static_cast<uint32_t>(ip[at]) << 24 | static_cast<uint32_t>(ip[at + 1]) << 16 |
         static_cast<uint32_t>(ip[at + 2]) << 8 | ip[at + 3];
}

bool IsMapped(const Ip6& ip) { return StartsWith(ip, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}); }
bool IsLoopback6(const Ip6& ip) { return StartsWith(ip, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}); }

bool IsSpecial6(const Ip6& ip) {
  // ::/96 holds the unspecified address, loopback and v4-compatible addresses: nothing there is a store.
  if (StartsWith(ip, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) return true;
  if (IsMapped(ip) || StartsWith(ip, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return IsSpecial4(Embedded(ip, 12));
  }
  if (StartsWith(ip, {0x20, 0x02})) return IsSpecial4(Embedded(ip, 2));
  return ip[0] == 0xff                                 // multicast
         || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80)  // link-local
         || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0xc0)  // site-local, of old
         || StartsWith(ip, {0xfd, 0x00, 0x0e, 0xc2})   // AWS metadata
         || StartsWith(ip, {0xfd, 0x20, 0x00, 0xce});  // Google metadata
}

uint32_t Ip4Of(const sockaddr& address) {
  sockaddr_in v4;
  std::memcpy(&v4, &address, sizeof(v4));
  return ntohl(v4.sin_addr.s_addr);
}

Ip6 Ip6Of(const sockaddr& address) {
  Ip6 ip;
  std::memcpy(ip.data(), reinterpret_cast<const char*>(&address) + offsetof(sockaddr_in6, sin6_addr), ip.size());
  return ip;
}

}  // namespace

std::string Endpoint::HostHeader() const {
  const bool is_own_port = port == (is_https ? kHttpsPort : kHttpPort);
  return is_own_port ? host : host + ":" + std::to_string(port);
}

std::string Endpoint::Text() const { return (is_https ? "https://" : "http://") + HostHeader(); }

Endpoint ParseEndpoint(const std::string& text) {
  const std::string lower = LowerCase(text);
  Endpoint endpoint;
  std::string rest;
  if (lower.starts_with("https://")) {
    rest = lower.substr(8);
  } else if (lower.starts_with("http://")) {
    rest = lower.substr(7);
    endpoint.is_https = false;
    endpoint.port = kHttpPort;
  } else {
    Refuse(text);
  }
  if (rest.ends_with("/")) rest.pop_back();  // what people paste
  const size_t host_end = HostEnd(rest);
  endpoint.host = rest.substr(0, host_end);
  if (!IsHost(endpoint.host)) Refuse(text);
  if (host_end < rest.size()) {
    const std::optional<int> port = ParsePort(rest.substr(host_end + 1));
    if (!port) Refuse(text);
    endpoint.port = *port;
  }
  return endpoint;
}

bool IsLoopbackHost(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
  in_addr parsed;
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1 && IsLoopback4(ntohl(parsed.s_addr));
}

bool IsFixedHost(const std::string& host) {
  in_addr parsed;
  return host.starts_with('[') || inet_pton(AF_INET, host.c_str(), &parsed) == 1 || IsLoopbackHost(host);
}

bool MatchesAny(const Endpoint& endpoint, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& written) {
    const std::string pattern = LowerCase(written);
    const size_t host_end = HostEnd(pattern);
    if (host_end < pattern.size() && ParsePort(pattern.substr(host_end + 1)) != endpoint.port) return false;
    const std::string host = pattern.substr(0, host_end);
    if (host.starts_with("*.")) return host.size() > 2 && endpoint.host.ends_with(host.substr(1));
    return host == endpoint.host;
  });
}

bool IsLoopbackAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) return IsLoopback4(Ip4Of(address));
  if (address.sa_family != AF_INET6) return false;
  const Ip6 ip = Ip6Of(address);
  return IsLoopback6(ip) || (IsMapped(ip) && IsLoopback4(Embedded(ip, 12)));
}

bool IsSpecialAddress(const sockaddr& address) {
  if (address.sa_family == AF_INET) return IsSpecial4(Ip4Of(address));
  return address.sa_family != AF_INET6 || IsSpecial6(Ip6Of(address));
}

std::string AddressText(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    const in_addr ip{htonl(Ip4Of(address))};
    inet_ntop(AF_INET, &ip, text, sizeof(text));
  } else if (address.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, Ip6Of(address).data(), text, sizeof(text));
  }
  return text;
}

}  // namespace s3v
