#!/usr/bin/env bash
# Moves every collector module to one release: upgrade.sh v1.N.0 v0.M.0
# An unpinned update mixes releases that do not build together, so all are asked
# for by name in one call.
set -euo pipefail
stable=$1 beta=$2
cd "$(dirname "$0")"

# A module keeps its line: v1 modules follow the stable release, v0 the beta.
version() { case $1 in v1.*) echo "$stable" ;; *) echo "$beta" ;; esac; }

args=()
while read -r path old; do
	args+=("$path@$(version "$old")")
done < <(awk '$1 ~ /^(go\.opentelemetry\.io\/collector|github\.com\/open-telemetry\/opentelemetry-collector-contrib)\// && !/indirect/ { print $1, $2 }' go.mod)
go get "${args[@]}"
go get -modfile=tools.mod -tool "go.opentelemetry.io/collector/cmd/builder@$beta" "go.opentelemetry.io/collector/cmd/mdatagen@$beta"
for file in builder-config.yaml builder-config.full.yaml; do
	sed -i -E "/gomod: (go\.opentelemetry\.io\/collector|github\.com\/open-telemetry\/)/ { s/ v1\.[0-9.]+$/ $stable/; s/ v0\.[0-9.]+$/ $beta/ }" "$file"
done
go mod tidy
