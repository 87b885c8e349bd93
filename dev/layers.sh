#!/usr/bin/env bash
# The layer law by grep: rows 0 and 1 have no sockets and no clock, and nobody imports from above.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
ours='SpiNNakerMachine|SpiNNakerWire|SpiNNakerEngine|VirtualSpiNNaker|SpiNNakerLink|VirtualSpiNNakerHost|SpiNNaker|SpiNNakerDatabase|SpallocAPI|SpallocAllocator|SpallocClient|SpallocServer|SpiNNakerTesting|SpallocDemo|SpallocCommands|SpiNNakerDatabase|SpiNNakerSimCommands|CommandSupport'
# target: what it may import, as a regular expression; of modules that are not ours, only those named.
check() {
    local target=$1 allowed=$2
    local bad
    bad=$(grep -rnhE '^ *(@testable |public |package )?import ' "Sources/$target" --include='*.swift' 2>/dev/null \
        | sed -E 's/^[0-9]+: *(@testable |public |package )?import +(struct |class |func |enum )?//; s/\..*//' | sort -u \
        | grep -vxE "$allowed")
    if [ -n "$bad" ]; then
        echo "layers: $target must not import: $(tr '\n' ' ' <<<"$bad")" >&2
        failed=1
    fi
}
check SpiNNakerMachine 'Never'
check SpiNNakerWire 'SpiNNakerMachine|NIOCore|Foundation|FoundationEssentials'
check SpiNNakerEngine 'SpiNNakerMachine|SpiNNakerWire|NIOCore|DequeModule'
check VirtualSpiNNaker 'SpiNNakerMachine|SpiNNakerWire|NIOCore|DequeModule'
check SpiNNakerLink 'SpiNNakerMachine|SpiNNakerWire|SpiNNakerEngine|NIO[A-Za-z0-9]*|DequeModule|Logging|Foundation|Glibc|Musl|Darwin'
check VirtualSpiNNakerHost 'SpiNNakerMachine|SpiNNakerWire|SpiNNakerEngine|VirtualSpiNNaker|NIO[A-Za-z0-9]*|Logging|Glibc|Musl|Darwin'
check SpiNNakerDatabase 'SpiNNakerMachine|GRDB|Foundation'
check SpiNNakerSimCommands 'SpiNNakerMachine|SpiNNakerWire|VirtualSpiNNaker|VirtualSpiNNakerHost|CommandSupport|ArgumentParser|NIO[A-Za-z0-9]*|Logging|Foundation|Dispatch|Glibc|Darwin|Musl'
check SpallocAPI 'SpiNNakerMachine|Foundation|FoundationEssentials'
check SpallocAllocator 'SpiNNakerMachine'
for target in SpiNNaker SpallocClient SpallocServer SpiNNakerTesting; do
    bad=$(grep -rnhE '^ *import ' "Sources/$target" --include='*.swift' | sed -E 's/^[0-9]+: *import +//' | sort -u | grep -xE "$ours")
    case $target in
        SpiNNaker) up='SpallocAPI|SpallocAllocator|SpallocClient|SpallocServer|VirtualSpiNNaker|VirtualSpiNNakerHost|SpallocDemo|SpallocCommands' ;;
        SpallocClient) up='SpallocServer|SpallocAllocator|VirtualSpiNNaker|VirtualSpiNNakerHost|SpallocDemo|SpallocCommands' ;;
        SpallocServer) up='SpallocClient|VirtualSpiNNaker|VirtualSpiNNakerHost|SpallocDemo|SpallocCommands' ;;
        SpiNNakerTesting) up='SpallocClient|SpallocServer|SpallocDemo|SpallocCommands' ;;
    esac
    if grep -qxE "$up" <<<"$bad"; then
        echo "layers: $target must not import: $(grep -xE "$up" <<<"$bad" | tr '\n' ' ')" >&2
        failed=1
    fi
done
exit "$failed"
