"""What the measurements share: a configuration of any number of peers, and a program run and measured."""

import base64
import hashlib
import ipaddress
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build():
    """Builds the program as it is released."""
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    return ROOT / "target/release/wgform"


@dataclass
class Usage:
    """What one run of a program took."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    peak: float  # MiB resident; what this script itself has (some 15) is the least that can be seen


def measure(command, cwd, ends=(0,)):
    """Runs a program without a terminal, and returns what it took. Any other exit code ends the measurement."""
    with open(Path(cwd) / "output", "wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ends:
        tail = (Path(cwd) / "output").read_text(errors="replace")[-2000:]
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{tail}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def best(command, cwd, ends=(0,), runs=3):
    """Runs a program that changes nothing several times, and returns the run that took the least CPU."""
    return min((measure(command, cwd, ends) for _ in range(runs)), key=lambda usage: usage.cpu)


def key(what, number):
    """Returns 32 bytes, the same ones at each call, as WireGuard writes keys."""
    return base64.b64encode(hashlib.sha256(f"{what} {number}".encode()).digest()).decode()


def address(first, number):
    """Returns the address that is so many after the first one."""
    return str(ipaddress.ip_address(first) + number)


def write_configuration(directory, peers, backend, per_interface=1_000, keepalive="25s", changed=None, quiet=False):
    """Writes the configuration of some sites, each an interface with its peers in a file of its own.

    Each peer has a key, two prefixes and the keepalive of all; every second one has an endpoint, every tenth a
    pre-shared key. The one that is `changed` has another keepalive. Quiet peers have no endpoint and no keepalive, as
    those of a hub: nothing is sent to them, so that only what a command costs is measured.
    """
    main = f"""
{backend}

variable "port" {{
  type    = number
  default = 51820
}}

locals {{
  keepalive = "{keepalive}"
  tunnel    = "10.0.0.0/8"
}}
"""
    (directory / "main.wg.hcl").write_text(main)
    for site, first in enumerate(range(0, max(peers, 1), per_interface)):
        numbers = range(first, min(first + per_interface, peers))
        with open(directory / f"site_{site:02}.wg.hcl", "w") as file:
            file.write(interface_block(site))
            for number in numbers:
                file.write(peer_block(site, number, number == changed, quiet))


def write_for_each(directory, peers, backend):
    """Writes one interface, and one peer block that stands for every entry of a JSON file."""
    for old in directory.glob("*.wg.hcl"):
        old.unlink()
    users = {
        f"peer{number:05}": {"key": key("peer", number), "allowed_ips": allowed_ips(number)}
        for number in range(peers)
    }
    (directory / "users.json").write_text(json.dumps(users))
    (directory / "main.wg.hcl").write_text(
        f"""{backend}

locals {{
  users = jsondecode(file("users.json"))
}}

interface "hub" {{
  listen_port = 51820
  persist     = "none"
}}

peer "user" {{
  for_each             = local.users
  interface            = interface.hub
  public_key           = each.value.key
  allowed_ips          = each.value.allowed_ips
  persistent_keepalive = "25s"
}}
"""
    )


def endpoint(number):
    """Returns the address of a peer that has an endpoint; none for the others."""
    return address("198.18.0.0", number) if number % 2 == 0 else None


def has_preshared_key(number):
    return number % 10 == 0


def allowed_ips(number):
    return [f"{address('10.0.0.0', number)}/32", f"{address('172.16.0.0', number)}/32"]


def interface_block(site):
    return f"""interface "site_{site}" {{
  name        = "wg{site}"
  listen_port = var.port + {site}
  addresses   = ["192.0.2.{site + 1}/32"]
}}
"""


def peer_block(site, number, is_changed, quiet):
    _, behind = allowed_ips(number)
    lines = [
        f"interface            = interface.site_{site}",
        f'public_key           = "{key("peer", number)}"',
        f'allowed_ips          = ["${{cidrhost(local.tunnel, {number})}}/32", "{behind}"]',
    ]
    if is_changed or not quiet:
        lines.append("persistent_keepalive = " + ('"17s"' if is_changed else "local.keepalive"))
    secret = ""
    if endpoint(number) and not quiet:
        lines.append(f'endpoint             = "{endpoint(number)}:${{var.port}}"')
    if has_preshared_key(number):
        secret = f'\npreshared_key "customer_{number}" {{}}\n'
        lines.append(f"preshared_key        = preshared_key.customer_{number}")
    body = "\n".join(f"  {line}" for line in lines)
    return f'{secret}\npeer "customer_{number}" {{\n{body}\n}}\n'


def write_peers_of_wg(path, peers):
    """Writes the quiet peers of that configuration as `wg setconf` takes them."""
    with open(path, "w") as file:
        for number in range(peers):
            lines = [f"PublicKey = {key('peer', number)}", f"AllowedIPs = {', '.join(allowed_ips(number))}"]
            if has_preshared_key(number):
                lines.append(f"PresharedKey = {key('preshared', number)}")
            file.write("\n[Peer]\n" + "\n".join(lines) + "\n")
