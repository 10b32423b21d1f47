//! A request and its reply without a socket, the envelope that every answer has, and the reasons for which one is refused.

use serde::{Deserialize, Serialize};

use crate::simulator::pfsense::value::Value;

pub use crate::simulator::http::Reply;

/// What a client asks.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent, nothing in it decoded: `/api/v2/vpn/wireguard/peers`.
    pub path: String,
    /// What follows the `?`, as it was sent.
    pub query: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `X-API-Key`.
    pub api_key: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The header `Accept`.
    pub accept: Option<String>,
    /// The header `Prefer`.
    pub prefer: Option<String>,
    /// The body.
    #[serde(with = "as_text")]
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest may hold keys.
        write!(f, "Request({} {})", self.method, self.path)
    }
}

/// A body in a file of rules is text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(body))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Ok(String::deserialize(from)?.into_bytes())
    }
}

/// A refusal, as the package throws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) id: &'static str,
    pub(super) message: String,
    /// In seconds.
    pub(super) retry_after: Option<u32>,
    /// The answer asks for a password.
    pub(super) asks_password: bool,
}

impl Refused {
    pub(super) fn new(status: u16, id: &'static str, message: impl Into<String>) -> Self {
        // The package turns all quotes into backticks.
        let message = message.into().replace(['\'', '"'], "`");
        Self { status, id, message, retry_after: None, asks_password: false }
    }

    /// Says that a value does not do.
    pub(super) fn bad(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, id, message)
    }

    pub(super) fn unauthenticated(asks_password: bool) -> Self {
        let refused = Self::new(401, "AUTH_AUTHENTICATION_FAILED", "Authentication failed.");
        Self { asks_password, ..refused }
    }

    pub(super) fn unauthorized() -> Self {
        let why =
            "Authorization failed. You do not have sufficient privileges to access this resource.";
        Self::new(403, "AUTH_AUTHORIZATION_FAILED", why)
    }

    pub(super) fn by_admin_policy(id: &'static str) -> Self {
        Self::new(403, id, "The requested action is not allowed by admin policy")
    }

    pub(super) fn method(path: &str, method: &str) -> Self {
        let why =
            format!("Resource at {path} does not support the requested HTTP method `{method}`");
        Self::new(405, "ENDPOINT_METHOD_NOT_ALLOWED", why)
    }

    pub(super) fn read_only(path: &str, method: &str) -> Self {
        let why = format!(
            "Resource at {path} cannot support the requested HTTP method `{method}` because the REST API is \
             currently in read-only mode."
        );
        Self::new(405, "ENDPOINT_METHOD_NOT_ALLOWED_IN_READ_ONLY_MODE", why)
    }

    pub(super) fn not_enabled() -> Self {
        let why = "The REST API is currently not enabled.";
        Self::new(503, "ENDPOINT_REST_API_IS_NOT_ENABLED", why)
    }

    pub(super) fn unavailable() -> Self {
        let why = "This resource is either not installed or is currently updating. Please try again later.";
        Self::new(503, "ENDPOINT_UNAVAILABLE", why)
    }

    pub(super) fn locked() -> Self {
        let why = "Failed to write to the configuration file after multiple attempts.";
        Self::new(503, "MODEL_WRITE_CONFIG_LOCKED", why)
    }

    pub(super) fn too_many_processes() -> Self {
        let why = "Dispatcher allows for a maximum of `10` processes to be queued at once, try again after \
                   `300` seconds.";
        let refused = Self::new(503, "DISPATCHER_TOO_MANY_QUEUED_PROCESSES", why);
        Self { retry_after: Some(300), ..refused }
    }

    pub(super) fn no_package(status: u16, id: &'static str) -> Self {
        let why = "The requested action requires the `pfSense-pkg-WireGuard` package but it is not installed.";
        Self::new(status, id, why)
    }

    pub(super) fn no_object(id: &Value) -> Self {
        let why = format!("Object with ID `{}` does not exist.", id.to_text());
        Self::new(404, "MODEL_OBJECT_NOT_FOUND", why)
    }

    pub(super) fn no_parent(id: &Value) -> Self {
        let why = format!("Parent object with ID `{}` does not exist.", id.to_text());
        Self::new(404, "MODEL_PARENT_OBJECT_NOT_FOUND", why)
    }

    pub(super) fn no_id() -> Self {
        Self::bad("MODEL_REQUIRES_ID", "Field `id` is required.")
    }

    pub(super) fn no_id_to_read() -> Self {
        let why = "An ID is required when refreshing objects from config on model with `many`.";
        Self::new(500, "MODEL_ID_REQUIRED_FOR_REFRESH", why)
    }

    pub(super) fn no_parent_to_read() -> Self {
        let why = "Model `get_config_path()` cannot be called until the parent Model has been constructed. Run \
                   the `get_parent_model()` method first.";
        Self::new(500, "MODEL_CANNOT_GET_CONFIG_PATH_WITHOUT_PARENT_MODEL", why)
    }

    /// An error that nobody has thought of, with where it happened.
    pub(super) fn php(what: &str) -> Self {
        Self::new(500, "ENDPOINT_RECEIVED_UNEXPECTED_ERROR", what)
    }

    pub(super) fn type_of(field: &str, name: &str) -> Self {
        Self::bad("FIELD_INVALID_TYPE", format!("Field `{field}` must be of type `{name}`"))
    }

    /// The same as an error of a field that holds objects, where it happened.
    pub(super) fn within(self, field: &str) -> Self {
        let why = format!(
            "Field `{field}` encountered a nested validation error: {message}",
            message = self.message
        );
        Self::new(400, self.id, why)
    }
}

/// Wraps what was asked for.
pub(super) fn success(data: &Value, links: Option<&Value>) -> Reply {
    let mut envelope = envelope(200, "SUCCESS", "", data.clone());
    if let Some(links) = links {
        envelope.set("_links", links.clone());
    }
    reply(200, &envelope)
}

/// Wraps a refusal. `with_links` says that a member for links is there, which stays empty.
pub(super) fn refusal(refused: &Refused, with_links: bool) -> Reply {
    let Refused { status, id, message, retry_after, asks_password } = refused;
    let mut envelope = envelope(*status, id, message, Value::List(Vec::new()));
    if with_links {
        envelope.set("_links", Value::List(Vec::new()));
    }
    let mut reply = reply(*status, &envelope);
    if let Some(seconds) = retry_after {
        reply.headers.push(("retry-after", seconds.to_string()));
    }
    if *asks_password {
        let realm = "Basic realm=\"Login for pfSense REST API\"";
        reply.headers.push(("www-authenticate", realm.to_owned()));
    }
    reply
}

fn envelope(status: u16, id: &str, message: &str, data: Value) -> Value {
    Value::map([
        ("code", Value::Int(status.into())),
        ("status", status_text(status).into()),
        ("response_id", id.into()),
        ("message", message.into()),
        ("data", data),
    ])
}

fn reply(status: u16, envelope: &Value) -> Reply {
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("referer", "no-referrer".to_owned()),
    ];
    let mut body = envelope.to_json();
    body.push('\n');
    Reply { status, headers, body: body.into_bytes() }
}

fn status_text(status: u16) -> &'static str {
    match status {
        200 => "ok",
        400 => "bad request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not found",
        405 => "method not allowed",
        406 => "not acceptable",
        409 => "conflict",
        415 => "unsupported media type",
        424 => "failed dependency",
        503 => "service unavailable",
        _ => "internal server error",
    }
}

/// Answers with a page of the web server, which knows nothing of the REST API.
pub(super) fn page(status: u16) -> Reply {
    let title = match status {
        404 => "404 Not Found",
        502 => "502 Bad Gateway",
        503 => "503 Service Temporarily Unavailable",
        504 => "504 Gateway Time-out",
        _ => "500 Internal Server Error",
    };
    let body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
             <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let headers = vec![("content-type", "text/html;charset=UTF-8".to_owned())];
    Reply { status, headers, body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use crate::simulator::pfsense::request::{Refused, refusal, success};
    use crate::simulator::pfsense::value::Value;

    #[test]
    fn every_answer_has_an_envelope_and_no_data_with_an_error() {
        let text = |reply: crate::simulator::pfsense::request::Reply| {
            String::from_utf8(reply.body).unwrap()
        };
        assert_eq!(
            text(success(&Value::map([("applied", Value::Bool(true))]), None)),
            "{\"code\":200,\"status\":\"ok\",\"response_id\":\"SUCCESS\",\"message\":\"\",\"data\":{\"applied\":true}}\n"
        );
        assert_eq!(
            text(refusal(&Refused::bad("X", "it's \"so\""), false)),
            "{\"code\":400,\"status\":\"bad request\",\"response_id\":\"X\",\"message\":\"it`s `so`\",\"data\":[]}\n"
        );
        let busy = refusal(&Refused::too_many_processes(), false);
        assert_eq!(
            (busy.status, busy.headers[2].clone()),
            (503, ("retry-after", "300".to_owned()))
        );
    }
}
