//! The `backend` blocks, by their kinds.

use crate::config::vocabulary::{Argument, BlockType, COUNT, FOR_EACH, PLAIN, Takes};

/// `reached_through`.
const REACHED_THROUGH: Argument = Argument {
    name: "reached_through",
    takes: Takes::Patterns,
    is_required: false,
    default: None,
    doc: "The peers through which packets come to it, such as `[peer.hq_to_branch]`: a plan that would cut them is refused. When it is not written, they are found by its address, in the allowed IPs of peers and the addresses of its own interfaces; `[]` says that it is reached past all tunnels. Of a repeated peer without a key in it, a repeated backend means the one with its own key.",
};

/// `backend "local"`.
pub const BACKEND_LOCAL: BlockType = BlockType {
    name: "backend",
    head: "backend \"local\" \"NAME\"",
    doc: "This Linux host, or a network namespace of it. Others refer to it as `backend.NAME`, which has the attributes `id`, `kind` and `display_name`. It is contacted only when something is on it.",
    arguments: &[
        FOR_EACH,
        COUNT,
        Argument {
            name: "display_name",
            takes: Takes::Text,
            doc: "How messages call it.",
            ..PLAIN
        },
        Argument {
            name: "driver",
            takes: Takes::Choice(&["auto", "kernel", "userspace"]),
            default: Some("\"auto\""),
            doc: "Which WireGuard to use: the kernel's, the one of `userspace_program`, or the kernel's where it is there.",
            ..PLAIN
        },
        Argument {
            name: "netns",
            takes: Takes::Text,
            doc: "A network namespace, as `ip netns list` shows it, in place of the one in which wgform runs.",
            ..PLAIN
        },
        REACHED_THROUGH,
        Argument {
            name: "simulate",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether a strict simulated host stands in for it, kept under `.wgform/simulated/`. A state belongs to either.",
            ..PLAIN
        },
        Argument {
            name: "userspace_program",
            takes: Takes::Text,
            default: Some("\"wireguard-go\""),
            doc: "The program of a userspace WireGuard, by its name or its absolute path.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `backend "linux"`.
pub const BACKEND_LINUX: BlockType = BlockType {
    name: "backend",
    head: "backend \"linux\" \"NAME\"",
    doc: "Another Linux host, over SSH. Nothing has to be installed there but `wg` and `ip`, and `sudo` where the user is not root. Others refer to it as `backend.NAME`, with the attributes of a `local` one.",
    arguments: BACKEND_LOCAL.arguments,
    blocks: &[SSH, READ_SSH],
};

/// `ssh`, in `backend "linux"`.
pub const SSH: BlockType = BlockType {
    name: "ssh",
    head: "ssh",
    doc: "How the host is reached, by the `ssh` of the machine on which wgform runs: its agent, its keys and certificates and its `ssh_config` hold here too. The host's key is always checked.",
    arguments: &[
        Argument {
            name: "host",
            takes: Takes::Text,
            is_required: true,
            doc: "A name, an address, or a `Host` of the `ssh_config`.",
            ..PLAIN
        },
        Argument {
            name: "port",
            takes: Takes::Number,
            doc: "The port of its SSH server, when it is not the one of the `ssh_config` or 22.",
            ..PLAIN
        },
        Argument {
            name: "user",
            takes: Takes::Text,
            doc: "Who to log in as, when it is not the one of the `ssh_config` or the one who runs wgform.",
            ..PLAIN
        },
        Argument {
            name: "identity_file",
            takes: Takes::Text,
            doc: "A private key, or a public one whose private half an agent holds; no other is then offered. A certificate beside it, `-cert.pub`, goes with it. Relative to the directory of the configuration.",
            ..PLAIN
        },
        Argument {
            name: "known_hosts",
            takes: Takes::Text,
            doc: "A file with the host keys that are believed, and the only one; the user's and the system's when it is not written. Relative to the directory of the configuration.",
            ..PLAIN
        },
        Argument {
            name: "host_key",
            takes: Takes::Text,
            doc: "The fingerprint of the one host key that is believed, `SHA256:…` as `ssh-keygen -l` shows it. Needs OpenSSH 8.5 here.",
            ..PLAIN
        },
        Argument {
            name: "jump",
            takes: Takes::Text,
            doc: "A host to go through, `user@host:port`, or several with commas between them, as for `ssh -J`. Their host keys are checked against the same files.",
            ..PLAIN
        },
        Argument {
            name: "sudo",
            takes: Takes::Bool,
            doc: "Whether `wg` and `ip` are run by `sudo -n`. When it is not written: unless the user is root.",
            ..PLAIN
        },
        Argument {
            name: "timeout",
            takes: Takes::Text,
            default: Some("\"2m\""),
            doc: "How long the host may be silent while it works, such as `\"30s\"`.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `backend "routeros"`.
pub const BACKEND_ROUTEROS: BlockType = BlockType {
    name: "backend",
    head: "backend \"routeros\" \"NAME\"",
    doc: "A MikroTik router with RouterOS 7.12 or later, over its REST service. The user needs the policies `rest-api`, `api`, `read` and `write`, and `sensitive` for keys. Others refer to it as `backend.NAME`, with the attributes of a `local` one.",
    arguments: &[
        FOR_EACH,
        COUNT,
        Argument {
            name: "api_url",
            takes: Takes::Text,
            is_required: true,
            doc: "Where its REST service is, such as `\"https://192.168.88.1\"`; `/rest` is added when it is missing.",
            ..PLAIN
        },
        Argument {
            name: "api_user",
            takes: Takes::Text,
            is_required: true,
            doc: "Who to log in as. A user for wgform alone does not wait for others.",
            ..PLAIN
        },
        Argument {
            name: "api_password",
            takes: Takes::Text,
            default: Some("\"\""),
            doc: "The password, best from a sensitive variable or `env(…)`.",
            ..PLAIN
        },
        Argument {
            name: "api_password_command",
            takes: Takes::Command,
            doc: "A program that prints the password in its first line, such as `[\"pass\", \"show\", \"branch\"]`, in the place of `api_password`. It is run on this machine and without a shell, in the directory of the configuration, once in a run that asks the router, and has a minute.",
            ..PLAIN
        },
        Argument {
            name: "api_timeout",
            takes: Takes::Text,
            default: Some("\"90s\""),
            doc: "How long an answer may take. The router itself ends a command after 60 s.",
            ..PLAIN
        },
        Argument {
            name: "api_verify_tls",
            takes: Takes::Bool,
            default: Some("true"),
            doc: "Whether the router has to prove that it is the router. Without it, whoever is on the way can read the password.",
            ..PLAIN
        },
        Argument {
            name: "ca_file",
            takes: Takes::Text,
            doc: "A PEM file with the certificate of the router, or of the authority that signed it, in place of those that the system believes. Relative to the directory of the configuration.",
            ..PLAIN
        },
        Argument {
            name: "concurrency",
            takes: Takes::Number,
            default: Some("2"),
            doc: "How many reads may be on their way at once, 1 to 16. Writes are one after another.",
            ..PLAIN
        },
        Argument {
            name: "debug",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether each request and each answer is shown on stderr, without what is secret.",
            ..PLAIN
        },
        Argument {
            name: "display_name",
            takes: Takes::Text,
            doc: "How messages call it.",
            ..PLAIN
        },
        REACHED_THROUGH,
        Argument {
            name: "simulate",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether a strict simulated router stands in for it, kept under `.wgform/simulated/`. A state belongs to either.",
            ..PLAIN
        },
        Argument {
            name: "tls_pin_sha256",
            takes: Takes::Text,
            doc: "The SHA-256 of the one certificate that is believed, as 64 hexadecimal digits, with or without colons.",
            ..PLAIN
        },
    ],
    blocks: &[READ_ROUTEROS],
};

/// `backend "pfsense"`.
pub const BACKEND_PFSENSE: BlockType = BlockType {
    name: "backend",
    head: "backend \"pfsense\" \"NAME\"",
    doc: "A pfSense firewall with the REST API package v2.4.3 or later. docs/pfsense.md says which privileges its key needs. Others refer to it as `backend.NAME`, with the attributes of a `local` one.",
    arguments: &[
        FOR_EACH,
        COUNT,
        Argument {
            name: "api_url",
            takes: Takes::Text,
            is_required: true,
            doc: "Where the web interface of the firewall is, such as `\"https://192.168.1.1\"`; `/api/v2` is added.",
            ..PLAIN
        },
        Argument {
            name: "api_key",
            takes: Takes::Text,
            doc: "The key, made in `System > REST API > Keys`, best from a sensitive variable or `env(…)`.",
            ..PLAIN
        },
        Argument {
            name: "api_key_command",
            takes: Takes::Command,
            doc: "A program that prints the key in its first line, such as `[\"pass\", \"show\", \"office\"]`, in the place of `api_key`. It is run on this machine and without a shell, in the directory of the configuration, once in a run that asks the firewall, and has a minute.",
            ..PLAIN
        },
        Argument {
            name: "api_user",
            takes: Takes::Text,
            doc: "A user of the firewall's own database, in the place of a key.",
            ..PLAIN
        },
        Argument {
            name: "api_password",
            takes: Takes::Text,
            doc: "The password of that user.",
            ..PLAIN
        },
        Argument {
            name: "api_password_command",
            takes: Takes::Command,
            doc: "A program that prints the password in its first line, as `api_key_command`.",
            ..PLAIN
        },
        Argument {
            name: "api_timeout",
            takes: Takes::Text,
            default: Some("\"190s\""),
            doc: "How long an answer may take. The firewall itself ends a request after 180 s.",
            ..PLAIN
        },
        Argument {
            name: "api_verify_tls",
            takes: Takes::Bool,
            default: Some("true"),
            doc: "Whether the firewall has to prove that it is the firewall. Without it, whoever is on the way can read the key.",
            ..PLAIN
        },
        Argument {
            name: "ca_file",
            takes: Takes::Text,
            doc: "A PEM file with the certificate of the firewall, or of the authority that signed it, in place of those that the system believes. Relative to the directory of the configuration.",
            ..PLAIN
        },
        Argument {
            name: "debug",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether each request and each answer is shown on stderr, without what is secret.",
            ..PLAIN
        },
        Argument {
            name: "display_name",
            takes: Takes::Text,
            doc: "How messages call it.",
            ..PLAIN
        },
        Argument {
            name: "manage_service",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether an apply switches WireGuard on where it is off. While it is off, nothing that is written reaches the kernel of the firewall.",
            ..PLAIN
        },
        Argument {
            name: "read_only",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether nothing is ever written to the firewall: plans are made, and an apply that would change it is refused.",
            ..PLAIN
        },
        REACHED_THROUGH,
        Argument {
            name: "simulate",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether a strict simulated firewall stands in for it, kept under `.wgform/simulated/`. A state belongs to either.",
            ..PLAIN
        },
        Argument {
            name: "tls_pin_sha256",
            takes: Takes::Text,
            doc: "The SHA-256 of the one certificate that is believed, as 64 hexadecimal digits, with or without colons.",
            ..PLAIN
        },
    ],
    blocks: &[READ_PFSENSE],
};

/// What the blocks are called that say how whoever only reads logs in.
pub const READ: &str = "read";

/// `read` in a `linux` backend.
const READ_SSH: BlockType = BlockType {
    name: READ,
    head: READ,
    doc: "How `plan`, `drift` and all that cannot write log in, where that is somebody else. What is not written here is as in `ssh`.",
    arguments: &[
        Argument {
            name: "user",
            takes: Takes::Text,
            doc: "Who to log in as. The user needs what reading needs: `wg show` and `ip`, by `sudo` where it is not root.",
            ..PLAIN
        },
        Argument {
            name: "identity_file",
            takes: Takes::Text,
            doc: "A private key, or a public one whose private half an agent holds.",
            ..PLAIN
        },
        Argument {
            name: "sudo",
            takes: Takes::Bool,
            doc: "Whether `wg` and `ip` are run by `sudo -n`.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `read` in a `routeros` backend.
const READ_ROUTEROS: BlockType = BlockType {
    name: READ,
    head: READ,
    doc: "How `plan`, `drift` and all that cannot write log in, where that is somebody else: a user with the policies `rest-api`, `api` and `read`. Without `sensitive`, keys cannot be compared. The login that writes is then not evaluated before an `apply`, so that it need not be known where plans are made.",
    arguments: &[
        Argument {
            name: "api_user",
            takes: Takes::Text,
            is_required: true,
            doc: "Who to log in as.",
            ..PLAIN
        },
        Argument {
            name: "api_password",
            takes: Takes::Text,
            default: Some("\"\""),
            doc: "The password, best from a sensitive variable or `env(…)`.",
            ..PLAIN
        },
        Argument {
            name: "api_password_command",
            takes: Takes::Command,
            doc: "A program that prints the password in its first line.",
            ..PLAIN
        },
    ],
    blocks: &[],
};

/// `read` in a `pfsense` backend.
const READ_PFSENSE: BlockType = BlockType {
    name: READ,
    head: READ,
    doc: "How `plan`, `drift` and all that cannot write log in, where that is somebody else: a key of a user with the privileges to read. The login that writes is then not evaluated before an `apply`, so that it need not be known where plans are made.",
    arguments: &[
        Argument {
            name: "api_key",
            takes: Takes::Text,
            doc: "The key, best from a sensitive variable or `env(…)`.",
            ..PLAIN
        },
        Argument {
            name: "api_key_command",
            takes: Takes::Command,
            doc: "A program that prints the key in its first line.",
            ..PLAIN
        },
        Argument {
            name: "api_user",
            takes: Takes::Text,
            doc: "A user of the firewall's own database, in the place of a key.",
            ..PLAIN
        },
        Argument {
            name: "api_password",
            takes: Takes::Text,
            doc: "The password of that user.",
            ..PLAIN
        },
        Argument {
            name: "api_password_command",
            takes: Takes::Command,
            doc: "A program that prints the password in its first line.",
            ..PLAIN
        },
    ],
    blocks: &[],
};
