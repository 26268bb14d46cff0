#!/bin/sh
# Builds the real servers that tests run against, once, and prints the
# directory that holds them.
#
#   build.sh [-o DIR] [NAME...]
#
# NAME is alertmanager, amtool, prometheus, promtool or pint (default: the first
# four). DIR defaults to ${XDG_CACHE_HOME:-$HOME/.cache}/culprit/servers/HASH,
# where HASH is of the two go.sum and this script: other versions, another
# directory. A server that is there already is not built again.
set -eu

tags=remove_all_sd,enable_file_sd,enable_http_sd
here=$(cd "$(dirname "$0")" && pwd)
out=

while getopts o: flag; do
	case $flag in
	o) out=$OPTARG ;;
	*) echo "usage: build.sh [-o DIR] [NAME...]" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- alertmanager amtool prometheus promtool

if [ -z "$out" ]; then
	hash=$(cat "$here/go.sum" "$here/alertmanager/go.sum" "$here/build.sh" | sha256sum | cut -c1-16)
	out=${XDG_CACHE_HOME:-$HOME/.cache}/culprit/servers/$hash
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)

# Sets the module's folder and the package of server $1.
locate() {
	case $1 in
	alertmanager | amtool) module=$here/alertmanager package=github.com/prometheus/alertmanager/cmd/$1 ;;
	prometheus | promtool) module=$here package=github.com/prometheus/prometheus/cmd/$1 ;;
	pint) module=$here package=github.com/cloudflare/pint/cmd/pint ;;
	*) echo "build.sh: unknown server $1: use alertmanager, amtool, prometheus, promtool or pint" >&2; exit 2 ;;
	esac
}

# Two builds at a time would do the same work twice.
if command -v flock >/dev/null 2>&1; then
	exec 9>"$out/.lock"
	flock 9
fi

for name in "$@"; do
	locate "$name"
	[ -x "$out/$name" ] && continue
	echo "building $name into $out" >&2
	# The name appears only when the file is whole.
	(cd "$module" && CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -tags "$tags" \
		-ldflags '-s -w' -o "$out/.$name.new" "$package") >&2
	mv "$out/.$name.new" "$out/$name"
done
echo "$out"
