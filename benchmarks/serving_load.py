"""Many clients against a served model: `python -m benchmarks.serving_load RUN`.

Exports the run, serves it with `tests/prediction_server.py`, and lets 32 clients ask for two minutes, each for a small
scan of its own, while the server is killed and started again twice. Every answer must equal the local one or be a clear
error. Prints how many there were of each, and the server's memory soon after its last start and at the end.
"""

import argparse
import collections
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.provenance import provenance
from tf_msgan.cli.exit_status import exit_on_input_error
from tf_msgan.errors import InputError
from tf_msgan.inference.saved_model import export_model
from tf_msgan.inference.segmenter import Segmenter
from tf_msgan.inference.serving import ServedSegmenter
from tf_msgan.runs.trained_model import load_model

SERVER = Path(__file__).parent.parent / "tests" / "prediction_server.py"
NAME = "brain"


def parse(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_load", description=__doc__)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run by tf_msgan.train")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--restarts", type=int, default=2)
    return parser.parse_args(argv)


def noise_scan(number):
    """Returns noise in a box of zeros; sizes differ."""
    rng = np.random.default_rng(number)
    image = np.zeros((40 + number % 5, 44, 38 + number % 3, 2), np.float32)
    image[3:-3, 4:-4, 2:-2] = rng.normal(800, 60, image[3:-3, 4:-4, 2:-2].shape)
    return image


def start_server(base, port):
    command = [sys.executable, SERVER, base, NAME, port]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process.stdout.readline()
    return process


def memory_gib(process):
    (line,) = [x for x in Path(f"/proc/{process.pid}/status").read_text().splitlines() if x.startswith("VmRSS")]
    return int(line.split()[1]) / 2**20


def ask(number, address, expected, end, counts):
    image = noise_scan(number)
    client = None
    while time.monotonic() < end:
        try:
            client = client or ServedSegmenter(address, NAME, deadline=60)
            equal = np.array_equal(client(image).labels, expected)
            counts["equal" if equal else "different"] += 1
        except InputError as error:
            counts[f"error: {error}"] += 1


@exit_on_input_error
def main(argv=None):
    options = parse(argv)
    print(provenance(), flush=True)
    model = load_model(options.run)
    local = Segmenter(model)
    expected = [local(noise_scan(number)).labels for number in range(options.clients)]
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / NAME
        export_model(model, base)
        server = start_server(base, port)
        counts = collections.Counter()
        begin = time.monotonic()
        arguments = [
            (n, f"localhost:{port}", expected[n], begin + options.seconds, counts) for n in range(options.clients)
        ]
        clients = [threading.Thread(target=ask, args=each) for each in arguments]
        for client in clients:
            client.start()
        part = options.seconds / (options.restarts + 1)
        for number in range(1, options.restarts + 1):
            time.sleep(max(begin + number * part - time.monotonic(), 0))
            server.kill()
            server.wait()
            server = start_server(base, port)
        time.sleep(part / 3)
        memory = [memory_gib(server)]
        for client in clients:
            client.join()
        memory.append(memory_gib(server))
        server.kill()
    print(f"{options.clients} clients, {options.seconds:g} s, {options.restarts} restarts:")
    for what, count in counts.most_common():
        print(f"{count:>6}  {what}")
    print(f"memory of the server a third into its last part {memory[0]:.2f} GiB, at the end {memory[1]:.2f} GiB")


if __name__ == "__main__":
    main()
