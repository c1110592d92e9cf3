#!/usr/bin/env bash
# Runs once in the compose project, inside Elasticsearch's image: gives Kibana its password, and our processes an
# account that can do what they do and no more. Idempotent.
set -euo pipefail

# The body on standard input; the password in a file, because a command line shows in every list of processes.
ask() {
    curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused --output /dev/null \
        --config <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") \
        --header 'Content-Type: application/json' --request "$1" --data-binary @- "$ELASTICSEARCH_URL$2"
}

ask POST /_security/user/kibana_system/_password <<<"{\"password\": \"$KIBANA_PASSWORD\"}"
ask PUT /_security/role/tagstream <<'ROLE'
{
  "cluster": ["monitor", "manage_index_templates", "manage_ilm"],
  "indices": [{"names": ["tagstream-*"], "privileges": ["all"]}]
}
ROLE
ask PUT /_security/user/tagstream <<<"{\"password\": \"$INDEX_PASSWORD\", \"roles\": [\"tagstream\"]}"
echo "accounts kibana_system and tagstream are ready"
