//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// A result, before it is known how it will be written: one way for tables, names and JSON.
package struct Report: Sendable {
    package enum Cell: Sendable, Equatable {
        case none
        case text(String)
        case number(Int)
        case list([Cell])
        case record([(key: String, value: Cell)])

        package static func == (a: Cell, b: Cell) -> Bool { a.json == b.json }

        package static func text(_ text: String?) -> Cell { text.map { .text($0) } ?? .none }
        package static func number(_ number: Int?) -> Cell { number.map { .number($0) } ?? .none }
    }

    package enum Style: Sendable {
        case table
        case names
        case json
    }

    private enum Shape: Sendable {
        case rows(columns: [String], [[Cell]])
        case record([(key: String, value: Cell)])
    }

    private let shape: Shape

    /// Many things alike. The first column names each.
    package static func rows(_ columns: [String], _ rows: [[Cell]]) -> Report { Report(shape: .rows(columns: columns, rows)) }
    /// One thing. The first field names it.
    package static func record(_ fields: [(key: String, value: Cell)]) -> Report { Report(shape: .record(fields)) }

    package func render(_ style: Style) -> String {
        switch (style, self.shape) {
        case (.json, .record(let fields)):
            return Cell.record(fields).json
        case (.json, .rows(let columns, let rows)):
            return Cell.list(rows.map { .record(zip(columns, $0).map { ($0, $1) }) }).json
        case (.names, .record(let fields)):
            return fields.first?.value.plain ?? ""
        case (.names, .rows(_, let rows)):
            return rows.compactMap { $0.first?.plain }.joined(separator: "\n")
        case (.table, .record(let fields)):
            let shown = fields.filter { $0.value != .none }
            let width = shown.map(\.key.count).max() ?? 0
            return shown.map { field in
                let lines = field.value.lines
                let indent = "\n" + String(repeating: " ", count: width + 2)
                return "\(Report.pad(field.key, width))  \(lines.joined(separator: indent))"
            }.joined(separator: "\n")
        case (.table, .rows(let columns, let rows)):
            return Report.table(columns, rows)
        }
    }

    private static func table(_ columns: [String], _ rows: [[Cell]]) -> String {
        let cells = rows.map { $0.map(\.plain) }
        var widths = columns.map(\.count)
        for row in cells {
            for (index, cell) in row.enumerated() where index < widths.count { widths[index] = max(widths[index], cell.count) }
        }
        // Numbers stand to the right, under a title that does too.
        let isNumeric = columns.indices.map { column in
            !rows.isEmpty
                && rows.allSatisfy { row in
                    guard column < row.count else { return true }
                    if case .text = row[column] { return false }
                    if case .list = row[column] { return false }
                    return true
                }
        }
        let lines = ([columns.map { $0.uppercased() }] + cells).map { row in
            let line = row.enumerated().map { index, cell in
                guard index < widths.count else { return cell }
                return isNumeric[index] ? Report.pad(cell, -widths[index]) : Report.pad(cell, widths[index])
            }.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
        return lines.joined(separator: "\n")
    }

    /// To the left, or to the right for a negative width.
    private static func pad(_ text: String, _ width: Int) -> String {
        let blanks = String(repeating: " ", count: max(0, abs(width) - text.count))
        return width < 0 ? blanks + text : text + blanks
    }
}

extension Report.Cell {
    /// On one line.
    var plain: String {
        switch self {
        case .none: "-"
        case .text(let text): Report.Cell.printable(text)
        case .number(let number): "\(number)"
        case .list(let cells): cells.isEmpty ? "-" : cells.map(\.plain).joined(separator: " ")
        case .record(let fields): fields.map { "\($0.key)=\($0.value.plain)" }.joined(separator: " ")
        }
    }

    /// In a record: a line for each item of a list.
    var lines: [String] {
        if case .list(let cells) = self, !cells.isEmpty { return cells.map(\.plain) }
        return [self.plain]
    }

    var json: String {
        switch self {
        case .none: return "null"
        case .text(let text): return Report.Cell.quote(text)
        case .number(let number): return "\(number)"
        case .list(let cells): return "[" + cells.map(\.json).joined(separator: ",") + "]"
        case .record(let fields):
            return "{" + fields.map { "\(Report.Cell.quote($0.key)):\($0.value.json)" }.joined(separator: ",") + "}"
        }
    }

    /// What a service says must not move our cursor.
    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
