#!/usr/bin/env bash
# Runs once in the compose project, inside Elasticsearch's image: gives Kibana our saved objects, and the alert rule if
# it has none. Idempotent: objects of ours are replaced by those of this version; others, and copies, stay.
set -euo pipefail
files=${FILES:-} # the folder of the two files; the root where that is not said
answer=$(mktemp)

# The password in a file, because a command line shows in every list of processes. Prints the status of the answer.
ask() {
    curl --silent --show-error --retry 5 --retry-connrefused --output "$answer" --write-out '%{http_code}' \
        --config <(printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD") --header 'kbn-xsrf: tagstream' "$@"
}

fail() {
    echo "Kibana at $KIBANA_URL did not take $1 (status $2):" >&2
    cat "$answer" >&2
    exit 1
}

status=$(ask --form "file=@$files/objects.ndjson" "$KIBANA_URL/api/saved_objects/_import?overwrite=true")
# An answer of 200 may still list objects that were refused.
[[ $status == 200 ]] && grep --quiet '"success":true' "$answer" || fail "the saved objects" "$status"

status=$(ask --header 'Content-Type: application/json' --data-binary "@$files/rule.json" "$KIBANA_URL/api/alerting/rule/$RULE_ID")
# 409: it is there already; what was changed of it in Kibana stays.
[[ $status == 200 || $status == 409 ]] || fail "the alert rule" "$status"
echo "Kibana has the dashboards of tagstream, and its alert rule"
