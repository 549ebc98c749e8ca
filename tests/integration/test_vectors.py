"""The vectors that the C tests read, read by Python: spec files through `trawl validate --json`, messages by a decoder of its own."""

import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SOURCE, TRAWL, Case, main

NUMBERS = {"join": 1, "joined": 2, "hello": 3, "welcome": 4, "need_hello": 5, "beat": 6, "beat_ack": 7, "launch": 8, "report": 9, "ack": 10,
           "kill": 11, "bye": 12, "drain": 13, "request": 14, "reply": 15, "error": 16}


class Vectors(Case):
    def test_spec_vectors_are_read_as_they_say(self):
        paths = sorted((SOURCE / "tests" / "vectors" / "spec").glob("*.yaml"))
        self.assertGreater(len(paths), 100)
        for path in paths:
            expected = json.loads(path.with_suffix(".json").read_text())
            result = subprocess.run([TRAWL, "validate", "--json", path], cwd=self.dir, env=self.env, capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 0 if expected["valid"] else 1, path.name)
            got = json.loads(result.stdout)
            for key in ("valid", "method", "parameters", "grid_points"):
                self.assertEqual(got[key], expected[key], f"{path.name}: {key}")
            for kind in ("errors", "warnings"):
                self.assertEqual([(p["line"], p["column"]) for p in got[kind]], [(p["line"], p["column"]) for p in expected.get(kind, [])], path.name)

    def test_message_vectors_have_the_header_that_the_protocol_describes(self):
        for vector in json.loads((SOURCE / "tests" / "vectors" / "wire" / "messages.json").read_text()):
            magic, version, number, sequence = struct.unpack("<4sHHQ", bytes.fromhex(vector["header"]))
            self.assertEqual((magic, version, number, sequence), (b"TRWL", 1, NUMBERS[vector["name"]], vector["sequence"]))
            if "raw" in vector:
                self.assertEqual(sum(chunk["length"] for chunk in vector["body"]["chunks"]), len(vector["raw"]))

    def test_protocol_document_names_every_message(self):
        text = (SOURCE / "docs" / "protocol.md").read_text()
        for name, number in NUMBERS.items():
            self.assertIn(f"| {number} | {name} |", text)


if __name__ == "__main__":
    main()
