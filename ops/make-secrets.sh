#!/bin/sh
# Makes the folder `secrets`, which docker-compose.yml mounts. PolyAI's token is asked for, the rest is random. Files
# that are there stay as they are.
set -eu
cd "$(dirname "$0")/.."

# Only its owner comes into the folder. The files are for the users of the containers, who see no others.
mkdir -p secrets/polykeep
chmod 700 secrets
chmod 755 secrets/polykeep

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep() {
  [ -s "secrets/$1" ] || printf '%s\n' "$2" > "secrets/$1"
  chmod 644 "secrets/$1"
}

if [ ! -s secrets/polykeep/polyai_auth_token ]; then
  if [ -t 0 ]; then
    printf 'PolyAI token (none where ACCOUNTS_FILE has all): '
    trap 'stty echo; echo' EXIT
    trap 'exit 1' INT TERM
    stty -echo
  fi
  read -r token || true
  [ -z "$token" ] || keep polykeep/polyai_auth_token "$token"
fi

# Of clients of the API, and of Prometheus.
keep api_key "$(random)"
keep metrics_key "$(random)"
keep polykeep/api_keys "client:write:$(cat secrets/api_key),metrics:read:$(cat secrets/metrics_key)"

keep postgres_password "$(random)"
keep polykeep/database_url "postgres://polykeep:$(cat secrets/postgres_password)@postgres:5432/polykeep"
keep polykeep/webhooks_secret "$(random)"

# Of Grafana's user admin, and of its role in Postgres, which `grant-reader` makes.
keep grafana_password "$(random)"
keep grafana_reader_password ''
