#!/usr/bin/env bash
# The checks that need no build: format, the layer law, what must not be in the code.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
complain() { echo "lint: $1" >&2; failed=1; }

swift format lint --strict --parallel -r Sources Tests Package.swift || complain "run \`make format\`"

# A file starts by saying what it belongs to.
for file in $(git ls-files 'Sources/*.swift' 'Tests/*.swift'); do
    head -3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || complain "$file has no licence header"
done

# House rules: no traps, no hidden sharing without a reason beside it, nothing unfinished.
while IFS=: read -r file line text; do
    around=$(sed -n "$((line > 6 ? line - 6 : 1)),$((line + 3))p" "$file")
    grep -qiE '(reason|unchecked):' <<<"$around" || complain "$file:$line needs a written 'Unchecked: …' or 'Reason: …', or to go: $text"
done < <(grep -rnE '\btry!|\bfatalError\(|@unchecked Sendable|nonisolated\(unsafe\)' Sources --include='*.swift')
grep -rnEi '\b(TODO|FIXME|XXX)\b' Sources --include='*.swift' && complain "unfinished by its own word"

# The layer law: a target imports only what its row allows (docs/architecture.md).
dev/layers.sh || complain "a target imports from above its layer"

git ls-files | grep -qE '(^|/)\.build|Package\.resolved$' && complain "build products are committed"
[ "$(wc -l < README.md)" -le 120 ] || complain "README.md is longer than 120 lines"
[ "$failed" -eq 0 ] && echo "lint: clean"
exit "$failed"
