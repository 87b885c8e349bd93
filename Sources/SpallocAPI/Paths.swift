//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The places of the service under its base path (usually `/spalloc/`), without a leading slash.
public enum SpallocPath {
    public static let login = "system/login.html"
    public static let performLogin = "system/perform_login"
    public static let performLogout = "system/perform_logout"
    /// `auth/PROVIDER` leads to the issuer, `login/code/PROVIDER` back.
    public static let performOIDC = "system/perform_oidc/"
    public static let webRoot = "system/"
    /// The service description.
    public static let serviceRoot = "srv/spalloc/"
    public static let machines = "srv/spalloc/machines"
    public static let jobs = "srv/spalloc/jobs"
    public static let emergencyStop = "srv/spalloc/emergencyStop"
    public static let admin = "srv/spalloc/admin"
    /// The websocket of a job is `proxy/{id}`.
    public static let proxy = "proxy/"
}

/// What hangs under `jobs/{id}/`.
public enum SpallocJobPath {
    public static let keepalive = "keepalive"
    public static let machine = "machine"
    public static let power = "machine/power"
    public static let chip = "chip"
    public static let reportIssue = "report-issue"
    public static let memory = "memory"
    public static let router = "router"
    public static let fastDataRead = "fast-data-read"
    public static let fastDataWrite = "fast-data-write"
    /// Ours: where a job stands that waits for boards.
    public static let queue = "queue"
}

/// Names of the service's HTTP fields and cookies, and of query parameters.
public enum SpallocHTTP {
    public static let sessionCookie = "JSESSIONID"
    public static let csrfHeader = "X-CSRF-TOKEN"
    /// The hidden field of the login form.
    public static let csrfField = "_csrf"

    public static let wait = "wait"
    public static let deleted = "deleted"
    public static let limit = "limit"
    public static let start = "start"
    public static let reason = "reason"
}
