//! The `state` blocks: one for each kind of store.

use crate::config::vocabulary::{Argument, BlockType, PLAIN, Takes};

/// Every kind of store with its block.
pub const STATES: &[(&str, &BlockType)] = &[
    ("local", &STATE),
    ("http", &STATE_HTTP),
    ("s3", &STATE_S3),
    ("gcs", &STATE_GCS),
    ("azure", &STATE_AZURE),
    ("postgres", &STATE_POSTGRES),
];

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

/// The name of the object.
const KEY: Argument = Argument {
    name: "key",
    takes: Takes::Text,
    default: Some("\"wgform.state.json\""),
    doc: "The name of the object. A workspace, `-workspace=NAME`, has one of its own: `wgform.state.env-NAME.json`.",
    ..PLAIN
};

/// The authorities of a server that has no certificate for everybody.
const CA_FILE: Argument = Argument {
    name: "ca_file",
    takes: Takes::Text,
    doc: "A file with the certificates of the authorities that are believed, and no others. Relative to the directory of the configuration.",
    ..PLAIN
};

/// `state "s3"`, in `wgform`.
pub const STATE_S3: BlockType = BlockType {
    name: "state",
    head: "state \"s3\"",
    doc: "A state in Amazon S3, or in a service that is compatible with it and honours conditional writes; one that does not is refused. The credentials are best left to the environment: `AWS_ACCESS_KEY_ID` and so on, a web identity, or the machine's.",
    arguments: &[
        Argument {
            name: "bucket",
            takes: Takes::Text,
            is_required: true,
            doc: "The bucket.",
            ..PLAIN
        },
        KEY,
        Argument {
            name: "region",
            takes: Takes::Text,
            default: Some("\"us-east-1\""),
            doc: "The region of the bucket; otherwise `AWS_REGION` or `AWS_DEFAULT_REGION`.",
            ..PLAIN
        },
        Argument {
            name: "endpoint",
            takes: Takes::Text,
            doc: "The URL of another service than Amazon's, such as `\"https://minio.example.com\"`; otherwise `AWS_ENDPOINT_URL`. `http` only for this machine.",
            ..PLAIN
        },
        Argument {
            name: "path_style",
            takes: Takes::Bool,
            doc: "Whether the bucket is named in the path of a URL, and not before its host. Without it: when there is an `endpoint`.",
            ..PLAIN
        },
        Argument {
            name: "access_key",
            takes: Takes::Text,
            doc: "The id of an access key, with `secret_key`. With it the environment is not looked at for credentials.",
            ..PLAIN
        },
        Argument {
            name: "secret_key",
            takes: Takes::Text,
            doc: "The secret of that access key: better `AWS_SECRET_ACCESS_KEY`, or a sensitive variable.",
            ..PLAIN
        },
        Argument {
            name: "session_token",
            takes: Takes::Text,
            doc: "The token of a temporary access key. A secret.",
            ..PLAIN
        },
        CA_FILE,
    ],
    blocks: &[],
};

/// `state "gcs"`, in `wgform`.
pub const STATE_GCS: BlockType = BlockType {
    name: "state",
    head: "state \"gcs\"",
    doc: "A state in Google Cloud Storage. The credentials are best left to the environment: `GOOGLE_APPLICATION_CREDENTIALS`, `GOOGLE_OAUTH_ACCESS_TOKEN`, those of `gcloud`, or the machine's.",
    arguments: &[
        Argument {
            name: "bucket",
            takes: Takes::Text,
            is_required: true,
            doc: "The bucket.",
            ..PLAIN
        },
        KEY,
        Argument {
            name: "credentials",
            takes: Takes::Text,
            doc: "The key file of a service account, relative to the directory of the configuration, or its JSON, which is a secret.",
            ..PLAIN
        },
        Argument {
            name: "access_token",
            takes: Takes::Text,
            doc: "An access token. A secret: better `GOOGLE_OAUTH_ACCESS_TOKEN`.",
            ..PLAIN
        },
        Argument {
            name: "endpoint",
            takes: Takes::Text,
            doc: "The URL of the service, when it is not the usual one. `http` only for this machine.",
            ..PLAIN
        },
        CA_FILE,
    ],
    blocks: &[],
};

/// `state "azure"`, in `wgform`.
pub const STATE_AZURE: BlockType = BlockType {
    name: "state",
    head: "state \"azure\"",
    doc: "A state in Azure Blob Storage. The credentials are best left to the environment: `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_TOKEN`, `AZURE_CLIENT_ID` and so on, or the machine's.",
    arguments: &[
        Argument {
            name: "account",
            takes: Takes::Text,
            doc: "The storage account; otherwise `AZURE_STORAGE_ACCOUNT_NAME`.",
            ..PLAIN
        },
        Argument {
            name: "container",
            takes: Takes::Text,
            is_required: true,
            doc: "The container.",
            ..PLAIN
        },
        KEY,
        Argument {
            name: "access_key",
            takes: Takes::Text,
            doc: "The key of the account. A secret: better `AZURE_STORAGE_ACCOUNT_KEY`, or a sensitive variable.",
            ..PLAIN
        },
        Argument {
            name: "sas_token",
            takes: Takes::Text,
            doc: "A shared access signature. A secret: better `AZURE_STORAGE_SAS_TOKEN`.",
            ..PLAIN
        },
        Argument {
            name: "endpoint",
            takes: Takes::Text,
            doc: "The URL of the account, when it is not the usual one; otherwise `AZURE_STORAGE_ENDPOINT`. `http` only for this machine.",
            ..PLAIN
        },
        CA_FILE,
    ],
    blocks: &[],
};

/// `state "postgres"`, in `wgform`.
pub const STATE_POSTGRES: BlockType = BlockType {
    name: "state",
    head: "state \"postgres\"",
    doc: "A state in a PostgreSQL database. Its tables are made at the first write. What is not written is taken from the environment, under the names that PostgreSQL's own programs use: `PGHOST`, `PGPASSWORD` and so on.",
    arguments: &[
        Argument {
            name: "conn_str",
            takes: Takes::Text,
            doc: "A connection string, such as `\"postgres://wgform@db.example.com/network\"`; otherwise `WGFORM_POSTGRES_CONN_STR`. A secret when it has a password in it.",
            ..PLAIN
        },
        Argument {
            name: "host",
            takes: Takes::Text,
            default: Some("\"localhost\""),
            doc: "The host, or the directory of a socket; otherwise `PGHOST`.",
            ..PLAIN
        },
        Argument {
            name: "port",
            takes: Takes::Number,
            default: Some("5432"),
            doc: "The port; otherwise `PGPORT`.",
            ..PLAIN
        },
        Argument {
            name: "database",
            takes: Takes::Text,
            doc: "The database; otherwise `PGDATABASE`, or the one that is called like the user.",
            ..PLAIN
        },
        Argument {
            name: "user",
            takes: Takes::Text,
            doc: "The user; otherwise `PGUSER`, or the one who runs wgform.",
            ..PLAIN
        },
        Argument {
            name: "password",
            takes: Takes::Text,
            doc: "The password. A secret: better `PGPASSWORD`, or a sensitive variable.",
            ..PLAIN
        },
        Argument {
            name: "sslmode",
            takes: Takes::Text,
            doc: "`verify-full` or `disable`; otherwise `PGSSLMODE`. Without it TLS is used, and the certificate checked, except for a database on this machine. `require` means `verify-full`.",
            ..PLAIN
        },
        CA_FILE,
        Argument {
            name: "schema",
            takes: Takes::Text,
            default: Some("\"wgform\""),
            doc: "The schema of the tables.",
            ..PLAIN
        },
        Argument {
            name: "table",
            takes: Takes::Text,
            default: Some("\"states\""),
            doc: "The table of the states. The other two are called like it, with `_history` and `_lock`.",
            ..PLAIN
        },
        Argument {
            name: "name",
            takes: Takes::Text,
            default: Some("\"default\""),
            doc: "Which state of the table it is: one for each configuration. A workspace, `-workspace=NAME`, has one of its own: `default.env-NAME`.",
            ..PLAIN
        },
    ],
    blocks: &[],
};
