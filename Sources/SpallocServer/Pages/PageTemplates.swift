//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Crypto
import Mustache

/// The pages' templates, style and script, which are in the program itself: an operator installs one file.
struct PageTemplates: Sendable {
    /// A page, by the template that it is made of.
    enum Page: String, CaseIterable {
        case login, index, machines, machine, jobs, job, account, error
        case admin, adminUsers = "adminusers", adminUser = "adminuser", adminMachines = "adminmachines"
        case adminGroups = "admingroups", adminGroup = "admingroup"
        case adminBoards = "adminboards", adminReports = "adminreports"
    }

    /// What pages refer to.
    struct Resource: Sendable {
        var type: String
        var bytes: [UInt8]
    }

    static let resources: [String: Resource] = [
        "style.css": Resource(type: "text/css; charset=UTF-8", bytes: PackageResources.style_css),
        "live.js": Resource(type: "text/javascript; charset=UTF-8", bytes: PackageResources.live_js),
        "icon.svg": Resource(type: "image/svg+xml", bytes: PackageResources.icon_svg),
    ]

    static let sources: [String: [UInt8]] = [
        "layout": PackageResources.layout_mustache, "login": PackageResources.login_mustache,
        "index": PackageResources.index_mustache, "machines": PackageResources.machines_mustache,
        "machinetable": PackageResources.machinetable_mustache, "machine": PackageResources.machine_mustache,
        "map": PackageResources.map_mustache, "jobs": PackageResources.jobs_mustache,
        "jobtable": PackageResources.jobtable_mustache, "job": PackageResources.job_mustache,
        "account": PackageResources.account_mustache, "error": PackageResources.error_mustache,
        "admin": PackageResources.admin_mustache, "adminusers": PackageResources.adminusers_mustache,
        "adminuser": PackageResources.adminuser_mustache, "adminmachines": PackageResources.adminmachines_mustache,
        "adminboards": PackageResources.adminboards_mustache, "adminreports": PackageResources.adminreports_mustache,
        "reporttable": PackageResources.reporttable_mustache, "admingroups": PackageResources.admingroups_mustache,
        "admingroup": PackageResources.admingroup_mustache,
    ]

    private let library: MustacheLibrary
    /// Changes with the resources, and is in their address: a browser may keep them for good.
    let version: String

    /// - Throws: ``SpallocServerError`` that names the template that cannot be read.
    init(sources: [String: [UInt8]] = PageTemplates.sources) throws(SpallocServerError) {
        var library = MustacheLibrary()
        HTMLEscaping.register()
        for (name, source) in sources {
            do {
                // Each for itself: one that another includes begins with the engine's own escaping.
                try library.register(HTMLEscaping.pragma + String(decoding: source, as: UTF8.self), named: name)
            } catch {
                throw SpallocServerError(.pages, "the template \(name) cannot be read: \(error)")
            }
        }
        for page in Page.allCases where sources[page.rawValue] == nil {
            throw SpallocServerError(.pages, "there is no template \(page.rawValue)")
        }
        self.library = library
        var hash = SHA256()
        for (_, resource) in PageTemplates.resources.sorted(by: { $0.key < $1.key }) { hash.update(data: resource.bytes) }
        self.version = hash.finalize().prefix(4).map { String($0, radix: 16) }.joined()
    }

    /// Every value is escaped, whatever it is: no template has a triple brace.
    func render(_ page: Page, _ model: Any) -> String {
        self.library.render(model, withTemplate: page.rawValue) ?? ""
    }
}
