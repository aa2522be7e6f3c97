// What starts an edge: names of variables, paths in containers and users are those of Mender's
// documentation ("Mutual TLS authentication" of the server integration) and of the gateway's
// change log.

#include "edge_texts.hpp"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace imprint::server {

namespace {

using Values = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// `@NAME@` in the text becomes the value; nginx and the shell have braces of their own.
std::string filled(std::string_view text, Values values) {
  std::string result(text);
  for (const auto& [name, value] : values) {
    for (std::size_t at = result.find(name); at != std::string::npos;
         at = result.find(name, at + value.size()))
      result.replace(at, name.size(), value);
  }
  return result;
}

constexpr std::string_view kGatewayEnvironment =
    R"(# Settings of mender-gateway, for docker run --env-file (run-mender-gateway.sh).
# Fill in a user of the Mender server who may preauthorize devices; an API-only user will do.
# No quotes: docker takes everything after the = as it stands.
MTLS_MENDER_USERNAME=
MTLS_MENDER_PASSWORD=
MTLS_ENABLED=true
MTLS_CA_CERTIFICATE=/etc/mender/edge/ca.crt
MTLS_BLACKLIST_PATH=/etc/mender/edge/blacklist
HTTPS_ENABLED=true
HTTPS_LISTEN=:8443
HTTPS_SERVER_CERTIFICATE=/etc/mender/edge/server.crt
HTTPS_SERVER_KEY=/etc/mender/edge/server.key
HTTPS_MINIMUM_TLS_VERSION=1.2
UPSTREAM_SERVER_URL=@BACKEND@
UPSTREAM_SERVER_INSECURE_SKIP_VERIFY=false
)";

constexpr std::string_view kAmbassadorEnvironment =
    R"(# Settings of mtls-ambassador, for docker run --env-file (run-mtls-ambassador.sh).
# It is deprecated: mender-gateway takes its place.
# Fill in a user of the Mender server who may preauthorize devices; an API-only user will do.
# No quotes: docker takes everything after the = as it stands.
MTLS_MENDER_USER=
MTLS_MENDER_PASS=
MTLS_MENDER_BACKEND=@BACKEND@
MTLS_LISTEN=8080
MTLS_SERVER_CERT=/etc/mtls/certs/server/server.crt
MTLS_SERVER_KEY=/etc/mtls/certs/server/server.key
MTLS_TENANT_CA_PEM=/etc/mtls/certs/tenant-ca/tenant.ca.pem
MTLS_INSECURE_SKIP_VERIFY=false
MTLS_DEBUG_LOG=false
)";

constexpr std::string_view kNginx =
    R"(# The edge for devices with certificates, by nginx alone, for a server without mender-gateway.
# Start: ./run-nginx.sh, or nginx -p FOLDER -c nginx.conf. File names are relative to this file.
#
# Let in is who has a certificate of a CA in ca.crt that is valid and not revoked. A device sends its
# own certificate alone, so ca.crt holds the CA that issued it and those above, up to the root.
#
# nginx cannot see whether the key in an authorization request (and of its X-MEN-Signature) is that
# of the certificate, and it accepts nobody at the Mender server: preauthorize the devices with the
# keys of their certificates (imprint preauthorize). A device with a certificate can then ask for
# another identity, but is not accepted with it, since it cannot sign with that device's key.
#
# Lists of revoked certificates: imprint edge --refresh, then nginx -s reload -p FOLDER -c nginx.conf.

pid nginx.pid;
events { worker_connections 4096; }

http {
  access_log off;
  server_tokens off;
  client_body_temp_path nginx-body;
  proxy_temp_path nginx-proxy;
  fastcgi_temp_path nginx-fastcgi;
  uwsgi_temp_path nginx-uwsgi;
  scgi_temp_path nginx-scgi;

  # Serial numbers of revoked certificates, whichever CA of ca.crt they are from.
  map_hash_bucket_size 128;
  map_hash_max_size 262144;
  map $ssl_client_serial $device_is_revoked {
    default 0;
    include revoked.map;
  }

  # The device's terminal and file transfer are web sockets.
  map $http_upgrade $connection_header {
    default upgrade;
    '' '';
  }

  server {
    listen @LISTEN@ ssl;
    server_name _;
    ssl_certificate server.crt;
    ssl_certificate_key server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    # A session that is taken up again would be looked at with the lists of its first day.
    ssl_session_tickets off;

    ssl_client_certificate ca.crt;
    ssl_verify_client on;
    ssl_verify_depth @DEPTH@;
@CRL@
    if ($device_is_revoked) {
      return 403 "certificate revoked\n";
    }

    location /api/devices/ {
      proxy_pass @PASS@;
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 4;
      proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      # Of the certificate that was verified; what a client sends under these names is replaced.
      proxy_set_header X-SSL-Client-Fingerprint $ssl_client_fingerprint;
      proxy_set_header X-SSL-Client-Serial $ssl_client_serial;
      proxy_set_header X-SSL-Client-Subject $ssl_client_s_dn;
      # The certificate itself, PEM in URL encoding: its key can be held against that of a request.
      proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
      client_max_body_size 10m;
      proxy_read_timeout 300s;
    }

    location / {
      return 404;
    }
  }
}
)";

constexpr std::string_view kCrl =
    R"(    # Nobody is let in once this is past its next update: refresh it in time.
    ssl_crl devices.crl.pem;
)";

constexpr std::string_view kNoCrl =
    R"(    # No ssl_crl: nginx wants CRLs of all CAs in ca.crt then, in one file. revoked.map does the same.
)";

constexpr std::string_view kGatewayScript = R"sh(#!/bin/sh
# Starts mender-gateway with the files of this folder, on @LISTEN@.
#
# MENDER_GATEWAY_IMAGE names the image: registry.mender.io/mendersoftware/mender-gateway:VERSION (docker login first).
# The container runs as uid 65534, and server.key is only its owner's: chown 65534 server.key
# Start it anew after imprint edge --refresh.
set -eu
cd "$(dirname "$0")"
for name in MTLS_MENDER_USERNAME MTLS_MENDER_PASSWORD; do
  if ! grep -q "^$name=." mender-gateway.env; then
    echo "$name is empty in $PWD/mender-gateway.env: fill it in" >&2
    exit 1
  fi
done
exec docker run --rm --name mender-gateway -p @LISTEN@:8443 \
  --env-file mender-gateway.env \
  -v "$PWD/server.crt:/etc/mender/edge/server.crt:ro" \
  -v "$PWD/server.key:/etc/mender/edge/server.key:ro" \
  -v "$PWD/ca.crt:/etc/mender/edge/ca.crt:ro" \
  -v "$PWD/blacklist:/etc/mender/edge/blacklist:ro" \
  "${MENDER_GATEWAY_IMAGE:?set it to registry.mender.io/mendersoftware/mender-gateway:VERSION}" "$@"
)sh";

constexpr std::string_view kAmbassadorScript = R"sh(#!/bin/sh
# Starts mtls-ambassador with the files of this folder, on @LISTEN@.
#
# MTLS_AMBASSADOR_IMAGE names the image: registry.mender.io/mendersoftware/mtls-ambassador:VERSION (docker login first).
# The container runs as uid 65534, and server.key is only its owner's: chown 65534 server.key
set -eu
cd "$(dirname "$0")"
for name in MTLS_MENDER_USER MTLS_MENDER_PASS; do
  if ! grep -q "^$name=." mtls-ambassador.env; then
    echo "$name is empty in $PWD/mtls-ambassador.env: fill it in" >&2
    exit 1
  fi
done
exec docker run --rm --name mtls-ambassador -p @LISTEN@:8080 \
  --env-file mtls-ambassador.env \
  -v "$PWD/server.crt:/etc/mtls/certs/server/server.crt:ro" \
  -v "$PWD/server.key:/etc/mtls/certs/server/server.key:ro" \
  -v "$PWD/ca.crt:/etc/mtls/certs/tenant-ca/tenant.ca.pem:ro" \
  "${MTLS_AMBASSADOR_IMAGE:?set it to registry.mender.io/mendersoftware/mtls-ambassador:VERSION}" "$@"
)sh";

constexpr std::string_view kNginxScript = R"sh(#!/bin/sh
# Runs nginx with the files of this folder, in the foreground, messages on standard error.
set -eu
cd "$(dirname "$0")"
# Debian has nginx in /usr/sbin, which is not in every user's PATH.
PATH=$PATH:/usr/sbin:/sbin
exec nginx -p "$PWD" -c nginx.conf -e stderr -g 'daemon off;' "$@"
)sh";

/// With a path in the backend's URL nginx has to be told what follows it.
std::string pass_to(const std::string& backend) {
  const std::size_t host = backend.find("//") + 2;
  const bool has_path = backend.find('/', host) != std::string::npos;
  return has_path ? backend + "/api/devices/" : backend;
}

}  // namespace

std::string gateway_environment(const EdgeSettings& settings) {
  return filled(kGatewayEnvironment, {{"@BACKEND@", settings.backend}});
}

std::string ambassador_environment(const EdgeSettings& settings) {
  return filled(kAmbassadorEnvironment, {{"@BACKEND@", settings.backend}});
}

std::string nginx_configuration(const EdgeSettings& settings) {
  return filled(kNginx, {{"@LISTEN@", settings.listen},
                         {"@DEPTH@", std::to_string(settings.authorities)},
                         {"@CRL@", settings.crl ? kCrl : kNoCrl},
                         {"@PASS@", pass_to(settings.backend)}});
}

std::string gateway_script(const EdgeSettings& settings) {
  return filled(kGatewayScript, {{"@LISTEN@", settings.listen}});
}

std::string ambassador_script(const EdgeSettings& settings) {
  return filled(kAmbassadorScript, {{"@LISTEN@", settings.listen}});
}

std::string nginx_script() {
  return std::string(kNginxScript);
}

}  // namespace imprint::server
