#include "answer.hpp"

#include <gmock/gmock.h>

namespace imprint::handshake {
namespace {

using std::string_literals::operator""s;
using testing::HasSubstr;
using testing::StartsWith;

/// As nginx 1.22 sends it.
const std::string kOfNginx =
    "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\n"
    "Content-Length: 208\r\nConnection: close\r\n\r\n<html>\r\n"
    "<head><title>400 The SSL certificate error</title></head>\r\n<body>\r\n"
    "<center><h1>400 Bad Request</h1></center>\r\n"
    "<center>The SSL certificate error</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n"
    "</html>\r\n";

TEST(Answer, SaysWhatNginxSays) {
  const auto answer = parse_answer(kOfNginx);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->reason, "Bad Request");
  EXPECT_EQ(answer->said, "400 The SSL certificate error");
  EXPECT_TRUE(is_refusal(*answer));
}

TEST(Answer, TakesTheFirstLineOfAText) {
  const auto answer = parse_answer("HTTP/1.1 403 Forbidden\r\n\r\ncertificate revoked\nmore\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->said, "certificate revoked");
  EXPECT_TRUE(is_refusal(*answer));
}

TEST(Answer, WhatAnybodyCanGetIsNoRefusal) {
  for (const char* status : {"200 ok", "302 Found", "401 Unauthorized", "404 Not Found", "405",
                             "500 Internal Server Error", "502 Bad Gateway"}) {
    const auto answer = parse_answer("HTTP/1.0 "s + status + "\r\n\r\n");
    ASSERT_TRUE(answer.has_value()) << status;
    EXPECT_FALSE(is_refusal(*answer)) << status;
  }
  for (const char* status :
       {"400 Bad Request", "403 Forbidden", "421 Misdirected Request", "495 x", "496"}) {
    const auto answer = parse_answer("HTTP/1.0 "s + status + "\r\n\r\n");
    ASSERT_TRUE(answer.has_value()) << status;
    EXPECT_TRUE(is_refusal(*answer)) << status;
  }
}

TEST(Answer, IsTheOneAfterInterimAnswers) {
  const auto answer = parse_answer(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 "
      "Forbidden\r\n\r\n");
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 403);
  EXPECT_TRUE(is_refusal(*answer));
}

TEST(Answer, IsWholeWhenItsLengthIsThere) {
  const std::size_t head = kOfNginx.find("\r\n\r\n") + 4;
  for (std::size_t size = 0; size < kOfNginx.size(); ++size) {
    const std::string_view part = std::string_view(kOfNginx).substr(0, size);
    EXPECT_EQ(has_status(part), size >= head) << size;
    EXPECT_FALSE(is_whole(part) && size + 1 < head) << size;
  }
  EXPECT_TRUE(is_whole("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(is_whole("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"));
  EXPECT_TRUE(is_whole("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"));
  EXPECT_FALSE(is_whole("HTTP/1.1 200 OK\r\n\r\nwithout a length: until the end"));
  EXPECT_TRUE(is_whole("SSH-2")) << "nothing to wait for";
  EXPECT_FALSE(is_whole("HTTP"));
  EXPECT_FALSE(is_whole("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc"));
}

TEST(Answer, WhatIsNoHttpIsNone) {
  for (const char* text : {"", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 abc",
                           "HTTP/1.1 99 x", "HTTP/1.1 1000 x", "<html></html>"}) {
    EXPECT_FALSE(parse_answer(text).has_value()) << text;
  }
}

TEST(Answer, ShowsAHostileServersTextAsOneShortLine) {
  const auto answer =
      parse_answer("HTTP/1.1 403 \x1b[31mred\r\n\r\n\x1b]0;title\x07" + std::string(100000, 'x'));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->reason, "\\x1b[31mred");
  EXPECT_LT(answer->said.size(), 200U);
  EXPECT_EQ(answer->said.find('\x1b'), std::string::npos);
  EXPECT_EQ(parse_answer("HTTP/1.1 403 x\r\n\r\n<title>open")->said, "open");
  EXPECT_EQ(parse_answer("HTTP/1.1 403 x\r\n\r\n<b>no title</b>")->said, "");
}

TEST(Request, ChangesNothingAtTheServer) {
  const std::string request = harmless_request("mtls.example.com:8443");
  EXPECT_THAT(request, StartsWith("GET /api/devices/ HTTP/1.1\r\nHost: mtls.example.com:8443\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_TRUE(request.ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace imprint::handshake
