//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

import Hummingbird
import SpiNNakerMachine

/// Query parameters, as lenient as the stock clients need and no more.
struct Query {
    private let parameters: Parameters

    init(_ request: Request) { self.parameters = request.uri.queryParameters }

    func text(_ name: String) -> String? { self.parameters[Substring(name)].map(String.init) }

    /// `true` in any case (the Python client sends `True`); everything else is false.
    func flag(_ name: String) -> Bool { self.text(name)?.lowercased() == "true" }

    /// - Throws: 400 for what is there and is no number, or not in the range.
    func number(_ name: String, in range: ClosedRange<Int>, default value: Int? = nil) throws(APIError) -> Int {
        guard let text = self.text(name), !text.isEmpty else {
            guard let value else { throw .badRequest("the parameter \(name) is missing") }
            return value
        }
        guard let number = Int(text) else { throw .badRequest("\(name) is \"\(text)\", which is not a number") }
        guard range.contains(number) else {
            throw .badRequest("\(name) is \(number), which is not in \(range.lowerBound)...\(range.upperBound)")
        }
        return number
    }

    /// All parameters, in their order.
    var pairs: [(name: String, value: String)] { self.parameters.map { (String($0.key), String($0.value)) } }
}
