#!/usr/bin/env bash
# The documentation of the layers that others build on: DocC archives in .build/docs. A link to nothing is an error.
# Needs a debug build; the compiler's own tools do the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(swift build --show-bin-path)
out=.build/docs
rm -rf "$out"
# Beside the compiler, which need not be the `swift` on the path.
tools=$(swift -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)\/lib\/swift".*/\1\/bin/p')
# The C modules of what we depend on: of their own sources, and of the build where it makes the map.
maps=()
while IFS= read -r map; do maps+=(-Xcc "-fmodule-map-file=$map"); done < <(
    find .build/checkouts/*/Sources -path '*include/module.modulemap'
    find "$build" -maxdepth 2 -name module.modulemap)
for module in SpiNNakerMachine SpiNNakerWire SpallocClient; do
    mkdir -p "$out/symbols/$module"
    "$tools/swift-symbolgraph-extract" -module-name "$module" -target "$(uname -m)-unknown-linux-gnu" -I "$build/Modules" \
        "${maps[@]}" -minimum-access-level public -skip-synthesized-members -output-dir "$out/symbols/$module"
    "$tools/docc" convert "Sources/$module/Documentation.docc" \
        --fallback-display-name "$module" --fallback-bundle-identifier "swift-spinnaker.$module" \
        --additional-symbol-graph-dir "$out/symbols/$module" --output-path "$out/$module.doccarchive" > "$out/$module.log" 2>&1 || true
    test -f "$out/$module.doccarchive/index/index.json" || { cat "$out/$module.log" >&2; exit 1; }
    # Parameters whose names say it all are not documented; anything else that docc finds is a fault.
    if awk '/^(warning|error)/ { shown = /is missing documentation/ ? 0 : 4; faults += shown > 0 } shown-- > 0 { print } END { exit !faults }' \
        "$out/$module.log" >&2; then
        echo "docs: $module has the faults above" >&2
        exit 1
    fi
    echo "docs: $out/$module.doccarchive"
done
