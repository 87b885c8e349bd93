//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// What one connection wants to be told of: nothing, some by name, or all.
///
/// The rules are the original server's: who watches all can neither add nor drop a single one.
package struct V1Watch<ID: Hashable & Sendable>: Sendable {
    private enum Scope {
        case some(Set<ID>)
        case all
    }

    /// A client can name what does not exist, so there is a limit.
    package static var limit: Int { 4096 }

    private var scope = Scope.some([])

    package init() {}

    /// nil: all.
    ///
    /// - Returns: false when the connection watches too many already.
    package mutating func add(_ id: ID?) -> Bool {
        guard case .some(var ids) = self.scope else { return true }
        guard let id else {
            self.scope = .all
            return true
        }
        guard ids.count < V1Watch.limit || ids.contains(id) else { return false }
        // Not held twice, so that it is changed where it is.
        self.scope = .some([])
        ids.insert(id)
        self.scope = .some(ids)
        return true
    }

    /// nil: all, whether they were named or not.
    package mutating func drop(_ id: ID?) {
        guard let id else {
            self.scope = .some([])
            return
        }
        guard case .some(var ids) = self.scope else { return }
        self.scope = .some([])
        ids.remove(id)
        self.scope = .some(ids)
    }

    package func covers(_ id: ID) -> Bool {
        switch self.scope {
        case .some(let ids): ids.contains(id)
        case .all: true
        }
    }
}

/// Changes that wait to be told, each once, in the order in which they were first seen.
package struct V1Changes<ID: Hashable & Sendable>: Sendable {
    private var order: [ID] = []
    private var known: Set<ID> = []

    package init() {}

    package var isEmpty: Bool { self.order.isEmpty }
    package var count: Int { self.order.count }

    package mutating func note(_ id: ID) {
        if self.known.insert(id).inserted { self.order.append(id) }
    }

    /// All of them; none wait any more.
    package mutating func take() -> [ID] {
        defer { self = V1Changes() }
        return self.order
    }

    package mutating func keep(where isWanted: (ID) -> Bool) {
        self.order.removeAll { !isWanted($0) }
        self.known = Set(self.order)
    }
}
