//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Foundation
import SpallocServer
import SpiNNakerMachine
import Testing

@Suite(.timeLimit(.minutes(3))) struct MachineDefinitionFileTests {
    /// The example of allocation-service.md §4.6.
    static let example = #"""
        { "machines":[ {
            "name":"lab-triad", "tags":["default","lab"], "width":1, "height":1,
            "dead-boards":[],
            "dead-links":{ "[x:0,y:0,z:0]":["north","west"] },
            "board-locations":{ "[x:0,y:0,z:0]":{"c":0,"f":0,"b":0},
                                "[x:0,y:0,z:1]":{"cabinet":0,"frame":0,"board":1},
                                "[x:0,y:0,z:2]":[0,0,2] },
            "bmp-ips":{ "[c:0,f:0]":"10.9.0.1" },
            "spinnaker-ips":{ "[x:0,y:0,z:0]":"10.9.0.10","[x:0,y:0,z:1]":"10.9.0.11","[x:0,y:0,z:2]":"10.9.0.12" } } ],
          "port":22244, "ip":"", "timeout-check-interval":5.0, "max-retired-jobs":1200, "seconds-before-free":30 }
        """#

    @Test func theReferencesExample() throws {
        let machine = try #require(try MachineDefinitionFile.parse(Data(Self.example.utf8), name: "x").first)
        #expect(machine.name == "lab-triad" && machine.tags == ["default", "lab"])
        #expect(machine.boards.map(\.physical.board) == [0, 1, 2])
        #expect(machine.boards.map(\.address) == ["10.9.0.10", "10.9.0.11", "10.9.0.12"])
        #expect(machine.bmps == [.init(cabinet: 0, frame: 0, address: "10.9.0.1")])
        #expect(machine.deadLinks.map(\.side) == [.north, .west])
    }

    @Test(arguments: [
        (#""width""#, #""wdith""#, "unknown key \"wdith\"; did you mean \"width\"?"),
        (#""port""#, #""prot""#, "unknown key \"prot\"; did you mean \"port\"?"),
        (#""width":1"#, #""width":0"#, "0 x 1 triads is out of range"),
        (#""width":1"#, #""width":"one""#, "machines[0].width: this is not a number"),
        ("\"north\"", "\"up\"", "\"up\" is not a link"),
        ("10.9.0.12", "10.9.0.11", "board address \"10.9.0.11\" is given twice"),
        ("10.9.0.1\"", "10.9.0\"", "\"10.9.0\" is not an IPv4 address"),
        ("[c:0,f:0]", "[c:0,f:1]", "a frame without a BMP"),
        ("\"b\":0", "\"b\":24", "slot [c:0,f:0,b:24] is out of range"),
        ("[0,0,2]", "[0,0,1]", "slot [c:0,f:0,b:1] is given twice"),
        ("[0,0,2]", "[0,2]", "has no proper slot"),
        ("\"lab-triad\"", "\"lab triad\"", "the name is blank, too long or has odd characters"),
        ("\"[x:0,y:0,z:2]\":[0", "\"[x:0,y:0,z:3]\":[0", "has no entry in spinnaker-ips"),
        ("{ \"machines\"", "\"machines\"", "not JSON"),
    ])
    func everyMistakeIsNamed(_ right: String, _ wrong: String, _ message: String) throws {
        let text = Self.example.replacingOccurrences(of: right, with: wrong)
        #expect(text != Self.example)
        let error = try #require(
            #expect(throws: SpallocServerError.self) { try MachineDefinitionFile.parse(Data(text.utf8), name: "lab.json") })
        #expect(error.code == .machineDefinition)
        #expect(error.message.hasPrefix("lab.json: ") && error.message.contains(message), "\(error.message)")
    }
}

@Suite(.timeLimit(.minutes(3))) struct ConfigurationFileTests {
    private func load(_ json: String) throws -> SpallocServerConfiguration {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data(MachineDefinitionFileTests.example.utf8).write(to: directory.appendingPathComponent("lab.json"))
        try Data("from a file\n".utf8).write(to: directory.appendingPathComponent("pw"))
        let file = directory.appendingPathComponent("spallocd.json")
        try Data(json.utf8).write(to: file)
        return try SpallocDaemon.configuration(from: file.path)
    }

    @Test func everySetting() throws {
        let configuration = try self.load(
            #"""
            { "host":"0.0.0.0", "port":9091, "base-path":"/s/", "tls":{"certificate-chain":"c.pem","private-key":"/k.pem"},
              "database":"db/s.sqlite", "machine-files":["lab.json"], "proxy":false, "emergency-stop-code":"x", "maximum-body":1000,
              "users":[{"name":"a","password":"b","trust-level":"ADMIN"},{"name":"c","password-file":"pw"}],
              "timings":{"long-poll":5,"minimum-keepalive":"PT10S","maximum-keepalive":"PT10M","shutdown":1,"session-idle":3600},
              "power":{"off-wait":0,"settle":0.5,"fpga-attempts":2,"attempts":5,"retry-interval":1,"set-aside":"PT1H",
                       "command-timeout":1,"power-on-timeout":20},
              "lockout":{"failures":5,"duration":"PT1H"} }
            """#)
        #expect(configuration.host == "0.0.0.0" && configuration.port == 9091 && configuration.basePath == "/s/")
        #expect(
            configuration.tls?.certificateChainPath.hasSuffix("/c.pem") == true && configuration.tls?.privateKeyPath == "/k.pem"
        )
        #expect(configuration.databasePath.hasPrefix("/") && configuration.databasePath.hasSuffix("/db/s.sqlite"))
        #expect(configuration.machines.map(\.name) == ["lab-triad"])
        #expect(configuration.users.map(\.password) == ["b", "from a file"])
        #expect(configuration.users.map(\.trustLevel) == [.admin, .user])
        #expect(!configuration.proxyEnabled && configuration.emergencyStopCode == "x" && configuration.maximumBody == 1000)
        #expect(configuration.timings.longPoll == .seconds(5) && configuration.timings.maximumKeepalive == .seconds(600))
        #expect(configuration.timings.minimumKeepalive == .seconds(10) && configuration.timings.sessionIdle == .seconds(3600))
        #expect(configuration.power.offWait == .zero && configuration.power.settle == .milliseconds(500))
        #expect(configuration.power.setAside == .seconds(3600) && configuration.power.attempts == 5)
        #expect(configuration.lockout.failures == 5 && configuration.lockout.duration == .seconds(3600))
    }

    @Test func theDefaultsAreTheReferences() throws {
        let configuration = try self.load(#"{"database":"s.sqlite"}"#)
        #expect(configuration.basePath == "/spalloc/" && configuration.tls == nil && configuration.proxyEnabled)
        #expect(configuration.timings.longPoll == .seconds(30) && configuration.power.offWait == .seconds(30))
        #expect(configuration.power.fpgaAttempts == 3 && configuration.power.attempts == 2)
        #expect(
            configuration.timings.minimumKeepalive == .seconds(30) && configuration.timings.maximumKeepalive == .seconds(300))
    }

    @Test(arguments: [
        ("{}", "\"database\" is missing"),
        (#"{"database":"x","prot":1}"#, "unknown key \"prot\"; did you mean \"port\"?"),
        (#"{"database":"x","power":{"of-wait":1}}"#, "power: unknown key \"of-wait\"; did you mean \"off-wait\"?"),
        (#"{"database":"x","frobnicate":1}"#, "unknown key \"frobnicate\""),
        (#"{"database":"x","port":70000}"#, "port 70000 is not in 0...65535"),
        (#"{"database":"x","base-path":"s"}"#, "base path \"s\""),
        (#"{"database":"x","machine-files":["none.json"]}"#, "cannot read"),
        (#"{"database":"x","users":[{"name":"a"}]}"#, "user \"a\" needs either password or password-file"),
        (#"{"database":"x","users":[{"name":"a","password":"p","trust-level":"KING"}]}"#, "users[0].trust-level"),
        (#"{"database":"x","timings":{"long-poll":-1}}"#, "timings.long-poll: -1.0 s is out of range"),
        (#"{"database":"x","timings":{"session-idle":10}}"#, "the session idle time does not exceed the maximum keepalive"),
        ("nonsense", "not JSON"),
    ])
    func everyMistakeIsNamed(_ json: String, _ message: String) throws {
        let error = try #require(#expect(throws: SpallocServerError.self) { try self.load(json) })
        #expect(error.message.contains("spallocd.json: ") && error.message.contains(message), "\(error.message)")
    }

    @Test func aMissingFileIsNamed() throws {
        let error = try #require(
            #expect(throws: SpallocServerError.self) { try SpallocDaemon.configuration(from: "/nowhere/spallocd.json") })
        #expect(error.message == "cannot read /nowhere/spallocd.json")
    }
}
