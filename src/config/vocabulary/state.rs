//! The `state` blocks: one for each kind of store.

use crate::config::vocabulary::{Argument, BlockType, PLAIN, Takes};

/// Every kind of store with its block.
pub const STATES: &[(&str, &BlockType)] = &[("local", &STATE), ("http", &STATE_HTTP)];

/// `state "local"`, in `wgform`.
pub const STATE: BlockType = BlockType {
    name: "state",
    head: "state \"local\"",
    doc: "Where the state is kept; `docs/remote-state.md` says which kind is for whom. `local` is a file of this host, and what holds without a block. A workspace, `-workspace=NAME`, has a file of its own: `wgform.state.env-NAME.json`.",
    arguments: &[Argument {
        name: "path",
        takes: Takes::Text,
        default: Some("\"wgform.state.json\""),
        doc: "The file, relative to the directory of the configuration.",
        ..PLAIN
    }],
    blocks: &[],
};

/// `state "http"`, in `wgform`.
pub const STATE_HTTP: BlockType = BlockType {
    name: "state",
    head: "state \"http\"",
    doc: "A state behind HTTP, with the protocol of Terraform's backend of that name: the state that GitLab keeps for a project, or a small server. What is not written is taken from the environment: `WGFORM_HTTP_ADDRESS`, `WGFORM_HTTP_LOCK_ADDRESS` and so on.",
    arguments: &[
        Argument {
            name: "address",
            takes: Takes::Text,
            doc: "Where the state is read with GET and written with POST, such as `\"https://gitlab.example.com/api/v4/projects/7/terraform/state/wireguard\"`. Required, here or as `WGFORM_HTTP_ADDRESS`. A workspace is put behind the name at its end: `…/wireguard-env-NAME`.",
            ..PLAIN
        },
        Argument {
            name: "lock_address",
            takes: Takes::Text,
            doc: "Where the lock is taken; with GitLab, the address with `/lock`. Without it, a run that writes is refused unless it says `-lock=false`.",
            ..PLAIN
        },
        Argument {
            name: "unlock_address",
            takes: Takes::Text,
            doc: "Where the lock is given back, when that is not `lock_address`.",
            ..PLAIN
        },
        Argument {
            name: "update_method",
            takes: Takes::Text,
            default: Some("\"POST\""),
            doc: "The method that writes the state.",
            ..PLAIN
        },
        Argument {
            name: "lock_method",
            takes: Takes::Text,
            default: Some("\"LOCK\""),
            doc: "The method that takes the lock; `\"POST\"` with GitLab.",
            ..PLAIN
        },
        Argument {
            name: "unlock_method",
            takes: Takes::Text,
            default: Some("\"UNLOCK\""),
            doc: "The method that gives the lock back; `\"DELETE\"` with GitLab.",
            ..PLAIN
        },
        Argument { name: "username", takes: Takes::Text, doc: "Who asks.", ..PLAIN },
        Argument {
            name: "password",
            takes: Takes::Text,
            doc: "The password of that user, or a token. A secret: better `WGFORM_HTTP_PASSWORD`, or a sensitive variable.",
            ..PLAIN
        },
        Argument {
            name: "headers",
            doc: "Further headers of each request, as a map. Their values are taken for secrets.",
            ..PLAIN
        },
        Argument {
            name: "retry_max",
            takes: Takes::Number,
            default: Some("2"),
            doc: "How often a request is repeated that found no server, or one that is not well.",
            ..PLAIN
        },
        Argument {
            name: "retry_wait_min",
            takes: Takes::Text,
            default: Some("\"1s\""),
            doc: "How long to wait before the first repetition; each further one waits twice as long.",
            ..PLAIN
        },
        Argument {
            name: "retry_wait_max",
            takes: Takes::Text,
            default: Some("\"30s\""),
            doc: "How long to wait at most.",
            ..PLAIN
        },
        Argument {
            name: "skip_cert_verification",
            takes: Takes::Bool,
            default: Some("false"),
            doc: "Whether any certificate is believed. Better is `ca_file`.",
            ..PLAIN
        },
        Argument {
            name: "ca_file",
            takes: Takes::Text,
            doc: "A file with the certificates of the authorities that are believed, and no others, or with the server's own. Relative to the directory of the configuration.",
            ..PLAIN
        },
    ],
    blocks: &[],
};
