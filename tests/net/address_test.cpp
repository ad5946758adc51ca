#include "net/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

#include "base/error.h"

namespace s3v {
namespace {

sockaddr_storage AddressOf(const std::string& text) {
  sockaddr_storage storage{};
  if (text.find(':') == std::string::npos) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &v4->sin_addr), 1) << text;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr), 1) << text;
  }
  return storage;
}

const sockaddr& Generic(const sockaddr_storage& storage) { return reinterpret_cast<const sockaddr&>(storage); }

TEST(Endpoint, Parses) {
  const Endpoint plain = ParseEndpoint("http://127.0.0.1:7070");
  EXPECT_FALSE(plain.is_https);
  EXPECT_EQ(plain.HostHeader(), "127.0.0.1:7070");
  const Endpoint amazon = ParseEndpoint("https://S3.eu-west-1.amazonaws.com:443/");
  EXPECT_TRUE(amazon.is_https);
  EXPECT_EQ(amazon.HostHeader(), "s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(amazon.Text(), "https://s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(ParseEndpoint("http://[::1]:9000").HostHeader(), "[::1]:9000");
  EXPECT_EQ(ParseEndpoint("http://[::1]").port, 80);
}

TEST(Endpoint, RefusesEverythingElse) {
  for (const char* bad : {"",
                          "127.0.0.1:7070",
                          "ftp://host",
                          "http://",
                          "http://user@host",
                          "http://user:pw@host",
                          "http://host/path",
                          "http://host?x=1",
                          "http://host#x",
                          "http://host:",
                          "http://host:0",
                          "http://host:65536",
                          "http://host:80:80",
                          "http://ho st",
                          "http://host\r\nX: y",
                          "http://[::1",
                          "http://[zz]",
                          "http://h%6fst",
                          "http://.host",
                          "http://-host",
                          "http://host\\evil",
                          "http://ex\xc3\xa4mple"}) {
    EXPECT_THROW(ParseEndpoint(bad), Error) << bad;
  }
}

TEST(Endpoint, LoopbackBySpelling) {
  for (const char* host : {"localhost", "s3.localhost", "127.0.0.1", "127.9.9.9", "[::1]"}) {
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
  }
  for (const char* host : {"notlocalhost", "localhost.example.com", "128.0.0.1", "2130706433", "0x7f000001", "127.1",
                           "0177.0.0.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
  }
}

TEST(Endpoint, FixedBySpelling) {
  for (const char* host :
       {"localhost", "s3.localhost", "127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[2001:db8::1]"}) {
    EXPECT_TRUE(IsFixedHost(host)) << host;
  }
  for (const char* host :
       {"example.com", "127.0.0.1.example.com", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "1.2.3.4.5"}) {
    EXPECT_FALSE(IsFixedHost(host)) << host;
  }
}

TEST(Endpoint, MatchesPatterns) {
  const Endpoint endpoint = ParseEndpoint("https://store.example.com:9000");
  EXPECT_TRUE(MatchesAny(endpoint, {"other", "store.example.com"}));
  EXPECT_TRUE(MatchesAny(endpoint, {"STORE.example.com:9000"}));
  EXPECT_TRUE(MatchesAny(endpoint, {"*.example.com"}));
  EXPECT_TRUE(MatchesAny(endpoint, {"*.example.com:9000"}));
  EXPECT_FALSE(MatchesAny(endpoint, {}));
  EXPECT_FALSE(MatchesAny(endpoint, {"", "*", "*.", "example.com", "store.example.com:443", "*ample.com"}));
  EXPECT_FALSE(MatchesAny(ParseEndpoint("https://evilexample.com"), {"*.example.com"}));
  EXPECT_FALSE(MatchesAny(ParseEndpoint("https://example.com.evil.org"), {"*.example.com", "example.com"}));
}

TEST(Address, SpecialOnes) {
  for (const char* ip : {"127.0.0.1",
                         "127.255.255.254",
                         "0.0.0.0",
                         "0.1.2.3",
                         "169.254.169.254",
                         "169.254.170.2",
                         "224.0.0.1",
                         "239.1.1.1",
                         "255.255.255.255",
                         "240.0.0.1",
                         "100.100.100.200",
                         "192.0.0.192",
                         "168.63.129.16",
                         "::",
                         "::1",
                         "::ffff:127.0.0.1",
                         "::ffff:169.254.169.254",
                         "::127.0.0.1",
                         "64:ff9b::7f00:1",
                         "2002:7f00:1::",
                         "fe80::1",
                         "febf::1",
                         "fec0::1",
                         "ff02::1",
                         "fd00:ec2::254",
                         "fd20:ce::254"}) {
    const sockaddr_storage address = AddressOf(ip);
    EXPECT_TRUE(IsSpecialAddress(Generic(address))) << ip;
  }
  for (const char* ip :
       {"8.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "52.216.0.1", "126.255.255.255", "128.0.0.1", "169.253.0.1",
        "223.255.255.255", "2600:1f18::1", "fd12:3456::1", "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
    const sockaddr_storage address = AddressOf(ip);
    EXPECT_FALSE(IsSpecialAddress(Generic(address))) << ip;
  }
  sockaddr_storage unknown{};
  unknown.ss_family = AF_UNIX;
  EXPECT_TRUE(IsSpecialAddress(Generic(unknown)));
}

TEST(Address, LoopbackAndText) {
  for (const char* ip : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
    const sockaddr_storage address = AddressOf(ip);
    EXPECT_TRUE(IsLoopbackAddress(Generic(address))) << ip;
    EXPECT_EQ(AddressText(Generic(address)), ip);
  }
  for (const char* ip : {"0.0.0.0", "10.0.0.1", "::", "::ffff:10.0.0.1"}) {
    const sockaddr_storage address = AddressOf(ip);
    EXPECT_FALSE(IsLoopbackAddress(Generic(address))) << ip;
  }
}

}  // namespace
}  // namespace s3v
