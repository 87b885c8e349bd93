//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Testing

@testable import SpallocServer

/// Logins that are on their way.
@Suite struct PendingLoginTests {
    private let start = TurnedClock().now()

    @Test func everySecretIsNewAndLong() {
        var pending = PendingLogins()
        let logins = (0..<100).map { _ in pending.begin(callback: "c", place: nil, now: self.start) }
        let secrets = logins.flatMap { [$0.state, $0.nonce, $0.challenge, $0.cookie] }
        #expect(Set(secrets).count == 400 && secrets.allSatisfy { $0.wholeMatch(of: /[\w-]{43}/) != nil })
    }

    @Test func itIsTakenOnceByItsBrowserAndInTime() {
        var pending = PendingLogins()
        let place = ReturnPlace("list_jobs")
        let new = pending.begin(callback: "c", place: place, now: self.start)
        #expect(pending.take(state: new.state, cookie: "x", now: self.start) == nil)
        #expect(pending.take(state: "x", cookie: new.cookie, now: self.start) == nil)
        let taken = pending.take(state: new.state, cookie: new.cookie, now: self.start + .milliseconds(599_999))
        #expect(taken?.nonce == new.nonce && taken?.callback == "c" && taken?.place == place)
        #expect(pending.take(state: new.state, cookie: new.cookie, now: self.start) == nil && pending.count == 0)
        let late = pending.begin(callback: "c", place: nil, now: self.start)
        #expect(pending.take(state: late.state, cookie: late.cookie, now: self.start + .seconds(600)) == nil)
        #expect(pending.count == 0)
    }

    @Test func theirNumberHasALimit() {
        var pending = PendingLogins()
        var first: PendingLogins.New?
        var last: PendingLogins.New?
        for index in 0..<(PendingLogins.maximum + 10) {
            last = pending.begin(callback: "c", place: nil, now: self.start + .milliseconds(Int64(index)))
            first = first ?? last
            #expect(pending.count <= PendingLogins.maximum)
        }
        // The newest are kept.
        let end = self.start + .seconds(20)
        #expect(first.flatMap { pending.take(state: $0.state, cookie: $0.cookie, now: end) } == nil)
        #expect(last.flatMap { pending.take(state: $0.state, cookie: $0.cookie, now: end) } != nil)
        // Those that are over go first.
        for _ in pending.count..<PendingLogins.maximum { _ = pending.begin(callback: "c", place: nil, now: end) }
        let young = pending.begin(callback: "c", place: nil, now: end + .seconds(590))
        #expect(pending.take(state: young.state, cookie: young.cookie, now: end + .seconds(590)) != nil)
    }
}
