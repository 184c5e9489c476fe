#!/bin/sh
# Makes the secrets that deploy/compose.yaml names, in the folder `secrets` beside this file or in
# the one that is named. What is there already is left as it is.
#
# The files are readable for all, as users of containers must read them; the folder is not.
set -eu

folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

password() { # letters and digits only: they need no quotes anywhere
  [ -s "$1" ] || (umask 022; openssl rand -hex 24 >"$1")
}

for name in nats_engine nats_publisher nats_ops nats_operator nats_provider nats_sys \
  postgres_superuser postgres_owner postgres_engine postgres_reader; do
  password "$name"
done

if [ ! -s nats_passwords.conf ]; then
  for name in engine publisher ops operator provider sys; do
    printf '%s_PASSWORD: "%s"\n' \
      "$(printf %s "$name" | tr '[:lower:]' '[:upper:]')" "$(cat "nats_$name")"
  done >nats_passwords.conf.new
  chmod 644 nats_passwords.conf.new
  mv nats_passwords.conf.new nats_passwords.conf
fi

# An authority of our own, and a certificate from it for each server.
days=3650
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
if [ ! -s tls_ca.crt ]; then
  # shellcheck disable=SC2086 # words
  openssl req -x509 $key -days $days -subj "/CN=Lockstep" -keyout tls_ca.key -out tls_ca.crt \
    -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
  chmod 600 tls_ca.key
fi
for name in nats postgres; do
  if [ ! -s "${name}_tls.crt" ]; then
    # shellcheck disable=SC2086 # words
    openssl req -x509 $key -days $days -subj "/CN=$name" -CA tls_ca.crt -CAkey tls_ca.key \
      -keyout "${name}_tls.key" -out "${name}_tls.crt.new" \
      -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
      -addext "basicConstraints=critical,CA:FALSE" 2>/dev/null
    chmod 644 "${name}_tls.key"
    mv "${name}_tls.crt.new" "${name}_tls.crt"
  fi
done
