//===----------------------------------------------------------------------===//
// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//===----------------------------------------------------------------------===//

/// The tables by which the toolchain tells visualisers what runs where. Source: SpiNNFrontEndCommon's `DatabaseWriter`, vector
/// `notify.schema`.
///
/// | Table | Holds |
/// |---|---|
/// | configuration_parameters | time step (µs), scale, whether and how long (ms) it runs, application |
/// | proxy_configuration | how to reach the boards by a job's proxy. Secret |
/// | Machine_layout, Machine_chip | size of the machine; chips, their boards and those boards' addresses |
/// | Application_vertices, Machine_vertices, graph_mapper_vertex | populations, their parts, which part is of which |
/// | Placements | which core each part is on |
/// | m_vertex_to_lpg_vertex, IP_tags | which part sends live output by which gatherer, and by which tag that does |
/// | event_to_atom_mapping | which 32-bit key stands for which atom |
enum SimulationSchema {
    static let statements = """
        CREATE TABLE configuration_parameters(parameter_id TEXT, value REAL, PRIMARY KEY(parameter_id));
        CREATE TABLE proxy_configuration(kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL);
        CREATE TABLE Machine_layout(
            machine_id INTEGER PRIMARY KEY AUTOINCREMENT, x_dimension INTEGER, y_dimension INTEGER);
        CREATE TABLE Machine_chip(
            no_processors INTEGER, chip_x INTEGER, chip_y INTEGER, machine_id INTEGER, ip_address INTEGER,
            nearest_ethernet_x INTEGER, nearest_ethernet_y INTEGER,
            PRIMARY KEY(chip_x, chip_y, machine_id),
            FOREIGN KEY(machine_id) REFERENCES Machine_layout(machine_id));
        CREATE TABLE Application_vertices(vertex_id INTEGER PRIMARY KEY AUTOINCREMENT, vertex_label TEXT);
        CREATE TABLE Machine_vertices(vertex_id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT);
        CREATE TABLE graph_mapper_vertex(
            application_vertex_id INTEGER, machine_vertex_id INTEGER,
            PRIMARY KEY(application_vertex_id, machine_vertex_id),
            FOREIGN KEY(application_vertex_id) REFERENCES Application_vertices(vertex_id),
            FOREIGN KEY(machine_vertex_id) REFERENCES Machine_vertices(vertex_id));
        CREATE TABLE Placements(
            vertex_id INTEGER PRIMARY KEY, machine_id INTEGER, chip_x INTEGER, chip_y INTEGER, chip_p INTEGER,
            FOREIGN KEY(vertex_id) REFERENCES Machine_vertices(vertex_id),
            FOREIGN KEY(chip_x, chip_y, machine_id) REFERENCES Machine_chip(chip_x, chip_y, machine_id));
        CREATE TABLE m_vertex_to_lpg_vertex(
            pre_vertex_id INTEGER, partition_id TEXT, post_vertex_id INTEGER,
            FOREIGN KEY(pre_vertex_id) REFERENCES Machine_vertices(vertex_id),
            FOREIGN KEY(post_vertex_id) REFERENCES Machine_vertices(vertex_id));
        CREATE TABLE IP_tags(
            vertex_id INTEGER, tag INTEGER, board_address TEXT, ip_address TEXT, port INTEGER, strip_sdp BOOLEAN,
            FOREIGN KEY(vertex_id) REFERENCES Machine_vertices(vertex_id));
        CREATE TABLE event_to_atom_mapping(
            vertex_id INTEGER, atom_id INTEGER, event_id INTEGER PRIMARY KEY,
            FOREIGN KEY(vertex_id) REFERENCES Machine_vertices(vertex_id));
        CREATE INDEX event_by_vertex ON event_to_atom_mapping(vertex_id);

        CREATE VIEW label_event_atom_view AS
            SELECT e.atom_id AS atom, e.event_id AS event, a.vertex_label AS label
            FROM event_to_atom_mapping e
            JOIN graph_mapper_vertex g ON g.machine_vertex_id = e.vertex_id
            JOIN Application_vertices a ON a.vertex_id = g.application_vertex_id;
        CREATE VIEW app_output_tag_view AS
            SELECT t.ip_address AS ip_address, t.port AS port, t.strip_sdp AS strip_sdp,
                t.board_address AS board_address, t.tag AS tag, a.vertex_label AS pre_vertex_label,
                post.label AS post_vertex_label, p.chip_x AS chip_x, p.chip_y AS chip_y
            FROM m_vertex_to_lpg_vertex m
            JOIN IP_tags t ON t.vertex_id = m.post_vertex_id
            JOIN Machine_vertices post ON post.vertex_id = m.post_vertex_id
            JOIN Placements p ON p.vertex_id = m.post_vertex_id
            JOIN graph_mapper_vertex g ON g.machine_vertex_id = m.pre_vertex_id
            JOIN Application_vertices a ON a.vertex_id = g.application_vertex_id;
        CREATE VIEW application_vertex_placements AS
            SELECT p.chip_x AS x, p.chip_y AS y, p.chip_p AS p, a.vertex_label AS vertex_label
            FROM Placements p
            JOIN graph_mapper_vertex g ON g.machine_vertex_id = p.vertex_id
            JOIN Application_vertices a ON a.vertex_id = g.application_vertex_id;
        CREATE VIEW chip_eth_info AS
            SELECT c.chip_x AS x, c.chip_y AS y, eth.chip_x AS eth_x, eth.chip_y AS eth_y, eth.ip_address AS eth_ip_address
            FROM Machine_chip c
            JOIN Machine_chip eth ON eth.chip_x = c.nearest_ethernet_x AND eth.chip_y = c.nearest_ethernet_y
                AND eth.machine_id = c.machine_id;
        """
}
