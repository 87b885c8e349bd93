# SPDX-License-Identifier: Apache-2.0
"""What the stock SpiNNMan 7.4.1 transceiver does with a machine, for a machine of any size; no test of its own."""
import contextlib
import logging
import socket
import struct
import time

from simulator import OPAQUE, built_in, simulator

APP = 30
HEAP = 0x60240000
FREE_SDRAM = 123_469_792


class BoardsTest:
    """Mixed into a test case that names its machine. The machine is booted once, by SpiNNMan, for all tests of the class."""
    OPTIONS = ()
    VERSION = 5
    SIZE = (8, 8)
    CHIPS = 48
    ETHERNETS = ((0, 0),)
    # Chips at which memory, tags and the like are tried.
    SAMPLE = ((0, 0), (1, 1), (7, 7))

    @classmethod
    def setUpClass(cls):
        cls._stack = contextlib.ExitStack()
        try:
            cls.sim = cls._stack.enter_context(simulator(*cls.OPTIONS))
            cls.configure()
            cls.txrx = cls.connect()
            cls._stack.callback(cls.txrx.close)
            cls.txrx.discover_scamp_connections()
            cls.machine = cls.txrx.get_machine_details()
            cls.writer.set_machine(cls.machine)
        except BaseException:
            cls._stack.close()
            raise

    @classmethod
    def configure(cls):
        from spinn_utilities.config_holder import set_config
        from spinnman.config_setup import unittest_setup
        from spinnman.data.spinnman_data_writer import SpiNNManDataWriter
        logging.disable(logging.WARNING)
        unittest_setup()
        set_config("Machine", "version", str(cls.VERSION))
        cls.writer = SpiNNManDataWriter.mock()

    @classmethod
    def connect(cls):
        """Boots the machine, if it is not."""
        from spinnman.model import BMPConnectionData
        from spinnman.transceiver import create_transceiver_from_hostname
        return create_transceiver_from_hostname(
            cls.sim.boards[0], extended=True,
            bmp_connection_data=BMPConnectionData(cls.sim.bmp, list(range(len(cls.sim.boards)))[:24], None))

    @classmethod
    def tearDownClass(cls):
        cls._stack.close()

    def tearDown(self):
        self.txrx.stop_application(APP)

    # -- Helpers

    def cores(self, *xyps):
        from spinn_machine import CoreSubsets
        subsets = CoreSubsets()
        for x, y, p in xyps:
            subsets.add_processor(x, y, p)
        return subsets

    def sample_cores(self, n=3):
        return self.cores(*((x, y, p) for x, y in self.SAMPLE for p in range(1, n + 1)))

    def states(self, cores):
        infos = self.txrx.get_cpu_infos(cores)
        return {xyp: infos.get_cpu_info(*xyp).state.name for xyp in infos}

    def wait_for(self, cores, state, timeout=5.0):
        self.txrx.wait_for_cores_to_be_in_state(cores, APP, state, timeout=timeout, time_between_polls=0.02)

    # -- The machine

    def test_details(self):
        machine = self.machine
        self.assertEqual((machine.width, machine.height), self.SIZE)
        self.assertEqual(machine.n_chips, self.CHIPS)
        self.assertEqual(sorted((c.x, c.y) for c in machine.ethernet_connected_chips), sorted(self.ETHERNETS))
        self.assertEqual({c.ip_address for c in machine.ethernet_connected_chips}, set(self.sim.boards))
        for chip in machine.chips:
            self.assertEqual(chip.sdram, FREE_SDRAM)
            self.assertEqual(chip.n_processors, 17 if self.has_17_cores(chip) else 18, chip)
            # What one chip says of a link, its neighbour says too.
            for link in chip.router.links:
                there = machine[link.destination_x, link.destination_y]
                back = there.router.get_link((link.source_link_id + 3) % 6)
                self.assertEqual((back.destination_x, back.destination_y), (chip.x, chip.y))
        machine.validate()

    def has_17_cores(self, chip):
        local = self.machine.get_local_xy(chip)
        return self.VERSION == 5 and local in {(1, 1), (1, 3), (3, 1), (3, 3), (3, 5), (5, 2), (5, 4), (5, 6)}

    def test_boards_are_booted(self):
        self.assertEqual(set(self.sim.board_states()), {"booted"})

    def test_connections(self):
        from spinnman.connections.udp_packet_connections import SCAMPConnection
        there = {c.remote_ip_address for c in self.txrx.get_connections() if isinstance(c, SCAMPConnection)}
        self.assertEqual(there, set(self.sim.boards))

    def test_version_of_every_ethernet_chip(self):
        for x, y in self.ETHERNETS:
            info = self.txrx._get_scamp_version(x, y)
            self.assertEqual((info.name, info.hardware, info.version_number), ("SC&MP", "SpiNNaker", (4, 0, 0)))
            self.assertEqual((info.x, info.y, info.p), (x, y, 0))

    # -- Memory

    def test_memory(self):
        data = bytes((i * 131 + i // 251) & 0xFF for i in range(20_001))
        for i, (x, y) in enumerate(self.SAMPLE):
            n, total = self.txrx.write_memory(x, y, HEAP + 4096, data[i:-1 - i])
            self.assertEqual(n, len(data) - 1 - 2 * i)
        for i, (x, y) in enumerate(self.SAMPLE):
            self.assertEqual(bytes(self.txrx.read_memory(x, y, HEAP + 4096, 20_000 - 2 * i)), data[i:-1 - i])
        for length in (1, 2, 3, 5, 255, 257):
            self.assertEqual(bytes(self.txrx.read_memory(*self.SAMPLE[0], HEAP + 4097, length)), data[1:1 + length])

    def test_words_and_user_registers(self):
        from spinnman.model.enums import UserRegister
        x, y = self.SAMPLE[-1]
        self.txrx.write_memory(x, y, HEAP + 64, 0xDEADBEEF)
        self.assertEqual(self.txrx.read_word(x, y, HEAP + 64), 0xDEADBEEF)
        # The same cells by their other address.
        self.assertEqual(self.txrx.read_word(x, y, HEAP + 64 + 0x10000000), 0xDEADBEEF)
        for register in UserRegister:
            self.txrx.write_user(x, y, 2, register, 0x1000 + register.value)
            self.assertEqual(self.txrx.read_user(x, y, 2, register), 0x1000 + register.value)
        self.txrx.write_user_many([(x, y, p, UserRegister.USER_1, 77 + p) for p in range(1, 5)])
        self.assertEqual([self.txrx.read_user(x, y, p, UserRegister.USER_1) for p in range(1, 5)], [78, 79, 80, 81])

    def test_memory_of_a_neighbour(self):
        chip = next(c for c in self.machine.chips if (c.x, c.y) == (0, 0))
        for link in chip.router.links:
            address = struct.pack("<H", link.destination_x << 8 | link.destination_y)
            self.assertEqual(bytes(self.txrx.read_neighbour_memory(
                0, 0, link.source_link_id, 0xF5007F00, 4)[:2]), address)
        link = next(iter(chip.router.links))
        self.txrx.write_neighbour_memory(0, 0, link.source_link_id, HEAP + 128, b"\x11\x22\x33\x44\x55\x66\x77\x88")
        self.assertEqual(
            bytes(self.txrx.read_memory(link.destination_x, link.destination_y, HEAP + 128, 8)).hex(), "1122334455667788")

    def test_system_variables(self):
        from spinnman.messages.spinnaker_boot import SystemVariableDefinition as SV
        for x, y in self.SAMPLE:
            self.assertEqual(self.txrx._get_sv_data(x, y, SV.hardware_version), self.VERSION)
            self.assertEqual(self.txrx._get_sv_data(x, y, SV.iobuf_size), 16384)
            self.assertEqual(self.txrx._get_sv_data(x, y, SV.cpu_clock_mhz), 200)
        self.assertIsInstance(self.txrx.get_clock_drift(0, 0), float)

    # -- Heaps

    def test_malloc_and_heap_walk(self):
        for x, y in self.SAMPLE:
            before = self.txrx.get_heap(x, y)
            self.assertEqual([(b.is_free, b.size) for b in before], [(True, FREE_SDRAM)])
            first = self.txrx.malloc_sdram(x, y, 1001, APP, 7)
            second = self.txrx.malloc_sdram(x, y, 4000, APP)
            self.assertEqual((first, second), (HEAP + 24, HEAP + 24 + 1004 + 8))
            blocks = self.txrx.get_heap(x, y)
            self.assertEqual(
                [(b.is_free, b.size, b.app_id, b.tag) for b in blocks],
                [(False, 1004, APP, 7), (False, 4000, APP, 0), (True, FREE_SDRAM - 1012 - 4008, None, None)])
            self.txrx.free_sdram(x, y, first)
            self.assertEqual([b.is_free for b in self.txrx.get_heap(x, y)], [True, False, True])
        self.txrx.stop_application(APP)
        for x, y in self.SAMPLE:
            self.assertEqual([(b.is_free, b.size) for b in self.txrx.get_heap(x, y)], [(True, FREE_SDRAM)])

    def test_malloc_of_many(self):
        asked = [(x, y, 100, APP, tag) for x, y in self.SAMPLE for tag in range(1, 6)]
        there = self.txrx.malloc_sdram_multi(asked)
        expected = [HEAP + 24 + 108 * i for i in range(5)]
        self.assertEqual(there, expected * len(self.SAMPLE))

    def test_malloc_of_too_much(self):
        from spinnman.exceptions import SpinnmanGenericProcessException
        with self.assertRaises(SpinnmanGenericProcessException):
            self.txrx.malloc_sdram(*self.SAMPLE[0], FREE_SDRAM + 1, APP)
        # A tag is given once.
        self.txrx.malloc_sdram(*self.SAMPLE[0], 100, APP, 9)
        with self.assertRaises(SpinnmanGenericProcessException):
            self.txrx.malloc_sdram(*self.SAMPLE[0], 104, APP, 9)

    def test_system_heaps(self):
        from spinnman.messages.spinnaker_boot import SystemVariableDefinition as SV
        sizes = [262144, 16400, 262144, 2048, 1024, 32768]
        blocks = self.txrx.get_heap(0, 0, SV.system_sdram_heap_address)
        self.assertEqual([b.size for b in blocks if not b.is_free][:len(sizes)], sizes)
        blocks = self.txrx.get_heap(0, 0, SV.system_ram_heap_address)
        self.assertEqual([b.size for b in blocks if not b.is_free][:1], [7 * 292])

    # -- Tags

    def test_ip_tags(self):
        from spinn_machine.tags import IPTag, ReverseIPTag
        board = self.sim.boards[-1]
        ex, ey = self.ethernet_of(board)
        self.txrx.set_ip_tag(IPTag(board, ex, ey, 3, "127.0.0.1", 50003, strip_sdp=True))
        self.txrx.set_ip_tag(IPTag(board, ex, ey, 4, "127.0.0.1", 50004))
        self.txrx.set_reverse_ip_tag(ReverseIPTag(board, 5, 12345, ex, ey, 3, sdp_port=2))
        tags = {tag.tag: tag for tag in self.tags() if tag.board_address == board}
        self.assertEqual(set(tags), {3, 4, 5})
        self.assertEqual((tags[3].ip_address, tags[3].port, tags[3].strip_sdp), ("127.0.0.1", 50003, True))
        self.assertEqual((tags[4].ip_address, tags[4].port, tags[4].strip_sdp), ("127.0.0.1", 50004, False))
        self.assertEqual(
            (tags[5].port, tags[5].destination_x, tags[5].destination_y, tags[5].destination_p, tags[5].sdp_port),
            (12345, ex, ey, 3, 2))
        for tag in (3, 4, 5):
            self.txrx.clear_ip_tag(tag, board)
        self.assertEqual(self.tags(), [])

    def test_a_tag_on_every_board(self):
        from spinn_machine.tags import IPTag
        for (x, y), board in ((self.ethernet_of(board), board) for board in self.sim.boards):
            self.txrx.set_ip_tag(IPTag(board, x, y, 6, "127.0.0.1", 50006))
        self.assertEqual({tag.board_address for tag in self.tags()}, set(self.sim.boards))
        self.txrx.clear_ip_tag(6)
        self.assertEqual(self.tags(), [])

    def tags(self):
        """Those that hosts set; the request for them holds a transient one itself."""
        return [tag for tag in self.txrx.get_tags() if tag.tag < 8]

    def ethernet_of(self, board):
        return next((c.x, c.y) for c in self.machine.ethernet_connected_chips if c.ip_address == board)

    def test_a_message_goes_out_by_a_tag_and_comes_in_by_a_reverse_tag(self):
        from spinn_machine.tags import IPTag, ReverseIPTag
        from spinnman.connections.udp_packet_connections import SDPConnection
        from spinnman.exceptions import SpinnmanTimeoutException
        from spinnman.messages.sdp import SDPFlag, SDPHeader, SDPMessage
        from spinnman.messages.scp.enums import Signal
        x, y = self.SAMPLE[-1]
        chip = self.machine[x, y]
        board = self.machine[chip.nearest_ethernet_x, chip.nearest_ethernet_y].ip_address
        with contextlib.closing(SDPConnection(x, y)) as listener:
            self.txrx.set_ip_tag(IPTag(board, x, y, 1, "127.0.0.1", listener.local_port))
            self.txrx.set_reverse_ip_tag(ReverseIPTag(board, 2, 23456, x, y, 1, sdp_port=2))
            cores = self.cores((x, y, 1))
            self.txrx.execute_flood(cores, built_in("sdp-echo", 0, 0, 0, 0, 0), APP)
            self.wait_for(cores, self.state("RUNNING"))
            self.txrx.send_sdp_message(SDPMessage(
                SDPHeader(flags=SDPFlag.REPLY_NOT_EXPECTED, destination_port=2, destination_cpu=1,
                          destination_chip_x=x, destination_chip_y=y), b"hello out there"))
            back = listener.receive_sdp_message(2.0)
            self.assertEqual(bytes(back.data[back.offset:]), b"hello out there")
            self.assertEqual((back.sdp_header.source_chip_x, back.sdp_header.source_chip_y), (x, y))
            # The port is open once its tag is there; a datagram before would be lost, as on hardware.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                limit = time.monotonic() + 5
                while True:
                    udp.sendto(b"hello in there", (board, 23456))
                    with contextlib.suppress(SpinnmanTimeoutException):
                        back = listener.receive_sdp_message(0.2)
                        break
                    self.assertLess(time.monotonic(), limit)
            self.assertEqual(bytes(back.data[back.offset:]), b"hello in there")
            self.txrx.send_signal(APP, Signal.EXIT)
            self.wait_for(cores, self.state("FINISHED"))
            self.txrx.clear_ip_tag(1, board)
            self.txrx.clear_ip_tag(2, board)

    def state(self, name):
        from spinnman.model.enums import CPUState
        return CPUState[name]

    # -- Routers

    def test_multicast_routes(self):
        from spinn_machine import MulticastRoutingEntry, RoutingEntry
        routes = [
            MulticastRoutingEntry(
                0x1000 * i, 0xFFFFF000, RoutingEntry(processor_ids=[i % 16 + 1], link_ids=[i % 6]))
            for i in range(1, 101)]
        for x, y in self.SAMPLE:
            self.txrx.load_multicast_routes(x, y, routes, APP)
            there = self.txrx.get_multicast_routes(x, y, APP)
            self.assertEqual(
                [(r.key, r.mask, set(r.processor_ids), set(r.link_ids)) for r in there],
                [(r.key, r.mask, set(r.processor_ids), set(r.link_ids)) for r in routes])
        self.txrx.clear_multicast_routes(self.SAMPLE[0])
        self.assertEqual(self.txrx.get_multicast_routes(*self.SAMPLE[0], APP), [])
        self.txrx.stop_application(APP)
        for x, y in self.SAMPLE:
            self.assertEqual(self.txrx.get_multicast_routes(x, y, APP), [])

    def test_too_many_routes(self):
        from spinn_machine import MulticastRoutingEntry, RoutingEntry
        from spinnman.exceptions import SpinnmanInvalidParameterException
        routes = [
            MulticastRoutingEntry(i << 8, 0xFFFFFF00, RoutingEntry(processor_ids=[1], link_ids=[])) for i in range(1024)]
        self.txrx.load_multicast_routes(0, 0, routes[:1023], APP)
        with self.assertRaises(SpinnmanInvalidParameterException):
            self.txrx.load_multicast_routes(0, 0, routes[:1], APP)

    def test_fixed_routes(self):
        from spinn_machine import RoutingEntry
        for x, y in self.SAMPLE:
            self.txrx.load_fixed_route(x, y, RoutingEntry(processor_ids=[3, 5], link_ids=[1, 4]), APP)
            there = self.txrx.read_fixed_route(x, y, APP)
            self.assertEqual((set(there.processor_ids), set(there.link_ids)), ({3, 5}, {1, 4}))

    def test_router_diagnostics_and_filters(self):
        from spinnman.model import DiagnosticFilter
        from spinnman.model.enums import DiagnosticFilterPacketType, DiagnosticFilterSource
        x, y = self.SAMPLE[-1]
        ours = DiagnosticFilter(
            enable_interrupt_on_counter_event=False, match_emergency_routing_status_to_incoming_packet=False,
            destinations=[], sources=[DiagnosticFilterSource.LOCAL], payload_statuses=[], default_routing_statuses=[],
            emergency_routing_statuses=[], packet_types=[DiagnosticFilterPacketType.MULTICAST])
        self.txrx.set_router_diagnostic_filter(x, y, 13, ours)
        there = self.txrx.get_router_diagnostic_filter(x, y, 13)
        self.assertEqual(there.filter_word, ours.filter_word)
        self.assertEqual(self.txrx.get_router_diagnostic_filter(x, y, 0).filter_word, 0x01FE7CF1)
        self.txrx.clear_router_diagnostic_counters((x, y))
        diagnostics = self.txrx.get_router_diagnostics(x, y)
        self.assertEqual((diagnostics.n_dropped_multicast_packets, diagnostics.error_count), (0, 0))
        self.assertEqual(diagnostics.wait_1, 0x40)

    def test_reset_routing(self):
        self.txrx.reset_routing()
        self.assertEqual(self.txrx.get_router_diagnostic_filter(*self.SAMPLE[-1], 14).filter_word, 0x01FFB5F1)

    # -- Applications

    def test_load_wait_start_finish(self):
        from spinnman.messages.scp.enums import Signal
        cores = self.sample_cores()
        self.txrx.execute_flood(cores, OPAQUE, APP, wait=True)
        self.wait_for(cores, self.state("READY"))
        self.assertEqual(set(self.states(cores).values()), {"READY"})
        self.assertEqual(self.txrx.get_core_state_count(APP, self.state("READY")), len(cores))
        self.assertEqual(self.txrx.get_core_state_count(APP + 1, self.state("READY")), 0)
        for x, y in self.SAMPLE:
            self.assertEqual(bytes(self.txrx.read_memory(x, y, 0x67800000, len(OPAQUE))), OPAQUE)
        self.txrx.send_signal(APP, Signal.START)
        self.wait_for(cores, self.state("RUNNING"))
        self.wait_for(cores, self.state("FINISHED"))
        infos = self.txrx.get_cpu_infos(cores)
        self.assertEqual(len(infos), len(cores))
        for xyp in infos:
            info = infos.get_cpu_info(*xyp)
            self.assertEqual(info.application_id, APP)
            self.assertEqual(info.software_version, 0x00040000)
        self.txrx.stop_application(APP)
        self.assertEqual(self.txrx.get_core_state_count(APP, self.state("FINISHED")), 0)
        self.assertEqual(set(self.states(cores).values()), {"IDLE"})

    def test_execute_on_one_chip(self):
        x, y = self.SAMPLE[-1]
        self.txrx.execute(x, y, [1, 2], OPAQUE, APP)
        self.wait_for(self.cores((x, y, 1), (x, y, 2)), self.state("RUNNING"))

    def test_iobuf(self):
        cores = self.sample_cores(1)
        self.txrx.execute_flood(cores, OPAQUE, APP)
        self.wait_for(cores, [self.state("RUNNING"), self.state("FINISHED")])
        texts = {(b.x, b.y, b.p): b.iobuf for b in self.txrx.get_iobuf(cores)}
        self.assertEqual(texts, {(x, y, 1): "loaded\n" for x, y in self.SAMPLE})

    def test_pause_and_continue(self):
        from spinnman.messages.scp.enums import Signal
        cores = self.sample_cores(2)
        self.txrx.execute_flood(cores, built_in("spike-sink", 0, 0, 0, 0, 0), APP)
        self.wait_for(cores, self.state("RUNNING"))
        self.txrx.send_signal(APP, Signal.PAUSE)
        self.wait_for(cores, self.state("PAUSED"))
        self.txrx.send_signal(APP, Signal.CONTINUE)
        self.wait_for(cores, self.state("RUNNING"))
        self.txrx.send_signal(APP, Signal.EXIT)
        self.wait_for(cores, self.state("FINISHED"))

    def test_barriers(self):
        from spinnman.messages.scp.enums import Signal
        from spinnman.model.enums import UserRegister
        cores = self.sample_cores(2)
        self.txrx.execute_flood(cores, built_in("barrier-test", 3, 0, 0, 0, 0), APP)
        for state, signal in (("SYNC0", Signal.SYNC0), ("SYNC1", Signal.SYNC1), ("SYNC0", Signal.SYNC0)):
            self.wait_for(cores, self.state(state))
            self.txrx.send_signal(APP, signal)
        self.wait_for(cores, self.state("FINISHED"))
        self.assertEqual(self.txrx.read_user(*self.SAMPLE[0], 1, UserRegister.USER_2), 3)

    def test_run_time_error_is_found(self):
        from spinnman.exceptions import SpiNNManCoresNotInStateException
        cores = self.sample_cores(1)
        self.txrx.execute_flood(cores, built_in("rte-test", 13, 0, 0, 0, 0), APP)
        with self.assertRaises(SpiNNManCoresNotInStateException) as caught:
            self.wait_for(cores, self.state("FINISHED"))
        self.assertEqual(len(caught.exception.failed_core_states()), len(cores))
        info = self.txrx.get_cpu_infos(cores).get_cpu_info(*self.SAMPLE[0], 1)
        self.assertEqual((info.state.name, info.run_time_error.value), ("RUN_TIME_EXCEPTION", 13))

    def test_leds(self):
        self.txrx.set_leds(0, 0, 0, {0: 1})
        self.txrx.set_leds(0, 0, 0, {0: 0})
        self.txrx.set_leds(0, 0, 0, {0: 2})

    def test_sync_beacon(self):
        self.txrx.control_sync(False)
        self.txrx.control_sync(True)

    def test_a_bad_chip_or_core_is_refused(self):
        from spinnman.exceptions import SpinnmanGenericProcessException
        with self.assertRaises(SpinnmanGenericProcessException):
            self.txrx.read_memory(200, 200, HEAP, 4)
        with self.assertRaises(SpinnmanGenericProcessException):
            self.txrx.read_memory(0, 0, HEAP, 4, cpu=18)
