//! A request from its first byte to its answer, in the order in which the package looks at it: is the API on, who asks and
//! may they, in which form, with which method, and what for.

use jiff::Timestamp;

use crate::simulator::pfsense::config::Config;
use crate::simulator::pfsense::endpoint::{Endpoint, Target};
use crate::simulator::pfsense::firewall::{Firewall, JobKind, Package};
use crate::simulator::pfsense::request::{Refused, Reply, Request, page, refusal, success};
use crate::simulator::pfsense::select::{Page, select};
use crate::simulator::pfsense::show::show_status;
use crate::simulator::pfsense::turn::{Control, Turn};
use crate::simulator::pfsense::users::{Login, Users};
use crate::simulator::pfsense::value::{Value, parse_query};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Who asks, and what goes on beside that.
pub(super) struct Caller<'a> {
    /// Those who may ask; none for somebody at the firewall, who need not ask.
    pub(super) users: Option<&'a Users>,
    /// Whether something else is writing the configuration, and does not end.
    pub(super) is_locked: bool,
}

impl Firewall {
    /// Answers a request that began with this configuration.
    pub(super) fn serve(
        &mut self,
        begun: Config,
        request: &Request,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Reply {
        let mut reply = match (self.runtime.package, Endpoint::find(&request.path, self.profile)) {
            (Package::Absent, _) | (_, None) => page(404),
            (Package::Updating, _) => refusal(&Refused::unavailable(), false),
            (_, Some(it)) if self.dies(it) => page(500),
            (_, Some(endpoint)) => {
                let answer = self.act(begun, endpoint, request, caller, now);
                let has_links = self.has_links();
                answer.unwrap_or_else(|refused| refusal(&refused, has_links))
            }
        };
        if request.method == "HEAD" {
            reply.body.clear();
        }
        reply
    }

    fn dies(&self, endpoint: &Endpoint) -> bool {
        endpoint.target == Target::SystemStatus && self.switches.status_dies
    }

    fn act(
        &mut self,
        begun: Config,
        endpoint: &'static Endpoint,
        request: &Request,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<Reply, Refused> {
        let login = match caller.users {
            Some(users) => self.let_in(endpoint, request, users, now)?,
            None => Login { may_write: true },
        };
        check_accept(request)?;
        self.check_method(endpoint, &request.method)?;
        let mut data = decode(request)?;
        let control = self.control(endpoint, request, &mut data)?;
        let links = self.answer_links(endpoint, &request.method, &control.page);
        let mut begins_session = false;
        let data = match endpoint.target {
            Target::Many(store) | Target::One(store) => {
                let mut turn = Turn {
                    firewall: self,
                    config: begun,
                    store,
                    data,
                    control,
                    may_write: login.may_write,
                    is_locked: caller.is_locked,
                    has_written: false,
                };
                let data = turn.carry_out(&request.method, endpoint.is_many())?;
                begins_session = turn.has_written;
                data
            }
            Target::ApplyWireGuard => {
                let before = self.wireguard_state();
                if request.method == "POST" {
                    self.apply(JobKind::WireGuard, control.is_async)?;
                }
                before
            }
            Target::ApplyInterfaces => {
                let before = self.interface_state();
                if request.method == "POST" {
                    self.check_pending_interfaces()?;
                    self.apply(JobKind::Interfaces, control.is_async)?;
                }
                before
            }
            target if endpoint.is_many() => self.status(target, &data, &control.page)?,
            target => self.single(target, now),
        };
        let mut reply = success(&data, links.as_ref());
        if begins_session {
            let session = format!("PHPSESSID={:016x}; path=/; HttpOnly", self.seed);
            reply.headers.push(("set-cookie", session));
        }
        Ok(reply)
    }

    fn let_in(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        users: &Users,
        now: Timestamp,
    ) -> Result<Login, Refused> {
        if !self.api("enabled").is_true() {
            return Err(Refused::not_enabled());
        }
        let allowed = self.api("allowed_interfaces");
        let allowed = allowed.elements().unwrap_or_default();
        // Every request comes over the loopback.
        if !allowed.is_empty() && !allowed.iter().any(|it| it.text() == Some("lo0")) {
            return Err(Refused::by_admin_policy("ENDPOINT_INTERFACE_NOT_ALLOWED"));
        }
        if request.method == "OPTIONS" {
            // Nobody has logged in then, and the access list wants a name.
            return Err(Refused::php(NO_NAME));
        }
        let privilege = endpoint.privilege(&request.method);
        users.let_in(request, &self.api("auth_methods"), &privilege, now)
    }

    fn check_method(&self, endpoint: &Endpoint, method: &str) -> Result<(), Refused> {
        if !endpoint.methods.contains(&method) {
            return Err(Refused::method(&endpoint.url(), method));
        }
        match self.api("read_only").is_true() && method != "GET" {
            true => Err(Refused::read_only(&endpoint.url(), method)),
            false => Ok(()),
        }
    }

    fn status(&self, target: Target, query: &Value, page: &Page) -> Result<Value, Refused> {
        if target != Target::AvailableInterfaces && !self.runtime.has_wireguard {
            return Err(Refused::no_package(404, "MODEL_MISSING_REQUIRED_PACKAGE"));
        }
        let items = match target {
            Target::TunnelStatus => self.tunnel_status(),
            Target::PeerStatus => self.peer_status(),
            _ => self.available_interfaces(),
        };
        let found = select(items, query, page)?;
        Ok(Value::List(found.iter().map(|item| show_status(target, item)).collect()))
    }

    /// Takes what a request wants beside fields out of its data. What a version does not know stays there.
    fn control(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        data: &mut Value,
    ) -> Result<Control, Refused> {
        if request.method == "PUT" && matches!(data, Value::Map(_)) {
            let why = "PUT requests to `many` endpoints must contain an indexed array of objects to replace.";
            return Err(Refused::bad("ENDPOINT_REQUEST_DATA_MUST_BE_INDEXED_ARRAY", why));
        }
        let is_async = take_flag(data, "async", "ENDPOINT_ASYNC_FIELD_INVALID_TYPE")?;
        let is_reversed = take_flag(data, "reverse", "ENDPOINT_REVERSE_FIELD_INVALID_TYPE")?;
        let sort_by = take_sort_by(endpoint, self, data)?;
        let is_descending = take_sort_order(data)?;
        let appends = take_flag(data, "append", "ENDPOINT_APPEND_FIELD_INVALID_TYPE")?;
        let removes = take_flag(data, "remove", "ENDPOINT_REMOVE_FIELD_INVALID_TYPE")?;
        let limit = take_number(data, "limit", "ENDPOINT_LIMIT_FIELD_INVALID_TYPE")?;
        let offset = take_number(data, "offset", "ENDPOINT_OFFSET_FIELD_INVALID_TYPE")?;
        let page = Page {
            sort_by,
            is_descending,
            is_reversed: is_reversed.unwrap_or_default(),
            limit,
            offset,
            keeps_ids: self.switches.offset_keeps_ids,
        };
        Ok(Control {
            is_async: is_async.unwrap_or(true),
            appends: appends.unwrap_or_default(),
            removes: removes.unwrap_or_default(),
            is_rehearsal: self.profile.has_dry_run() && take_rehearsal(request, data)?,
            page,
        })
    }
}

impl Turn<'_> {
    fn carry_out(&mut self, method: &str, is_many: bool) -> Result<Value, Refused> {
        match (method, is_many) {
            ("GET", true) => self.list(),
            ("GET", false) => self.read(),
            ("POST", _) => self.create(),
            ("PATCH", _) => self.update(),
            ("PUT", _) => self.replace_all(),
            (_, true) => self.delete_many(),
            (_, false) => self.delete(),
        }
    }
}

const NO_NAME: &str = "RESTAPI\\Models\\RESTAPIAccessListEntry::is_allowed_by_acl(): Argument #2 ($username) must be \
                       of type string, null given, called in /usr/local/pkg/RESTAPI/Core/Endpoint.inc on line 670";

fn check_accept(request: &Request) -> Result<(), Refused> {
    let accept = request.accept.as_deref().unwrap_or_default().to_lowercase();
    let kind = accept.split(';').next().unwrap_or_default();
    if accept.is_empty() || accept == "*/*" || kind == JSON {
        return Ok(());
    }
    let why = format!(
        "No content handler exists for `{kind}`. Change the value of your `Accept` header to a valid option and try \
         again."
    );
    Err(Refused::new(406, "CONTENT_HANDLER_ENCODE_NOT_FOUND", why))
}

/// Reads what was sent with a request. A form is in the query, and JSON in the body; with a content type of JSON, the query
/// is not looked at.
fn decode(request: &Request) -> Result<Value, Refused> {
    let sent = request.content_type.as_deref().unwrap_or_default().to_lowercase();
    let sent = sent.split(';').next().unwrap_or_default();
    let kind = match (sent, request.method.as_str()) {
        ("", "GET" | "DELETE") => FORM,
        ("", _) => JSON,
        (sent, _) => sent,
    };
    match kind {
        FORM if request.query.is_empty() => {
            Ok(parse_query(&String::from_utf8_lossy(&request.body)))
        }
        FORM => Ok(parse_query(&request.query)),
        JSON if request.body.is_empty() || request.body == b"0" => Ok(Value::List(Vec::new())),
        JSON => match serde_json::from_slice::<Value>(&request.body) {
            Ok(Value::Null) => Ok(Value::List(Vec::new())),
            Ok(data @ (Value::List(_) | Value::Map(_))) => Ok(data),
            Ok(_) => Err(Refused::php("array_merge(): Argument #1 must be of type array")),
            Err(_) => {
                let why = "Request body could not be decoded as JSON.";
                Err(Refused::bad("JSON_CONTENT_HANDLER_COULD_NOT_DECODE_JSON", why))
            }
        },
        _ => {
            let why = format!(
                "No content handler exists for `{kind}`. Change the value of your `Content-Type` header to a valid \
                 option and try again."
            );
            Err(Refused::new(415, "CONTENT_HANDLER_DECODE_NOT_FOUND", why))
        }
    }
}

/// Takes an entry that is not null.
fn take(data: &mut Value, name: &str) -> Option<Value> {
    let Value::Map(entries) = data else { return None };
    let at = entries.iter().position(|(it, value)| it == name && !value.is_null())?;
    Some(entries.remove(at).1)
}

fn take_flag(data: &mut Value, name: &str, id: &'static str) -> Result<Option<bool>, Refused> {
    match take(data, name) {
        None => Ok(None),
        Some(Value::Bool(it)) => Ok(Some(it)),
        Some(_) => Err(Refused::bad(id, format!("Field `{name}` must be of type `boolean`."))),
    }
}

fn take_number(data: &mut Value, name: &str, id: &'static str) -> Result<usize, Refused> {
    match take(data, name) {
        None => Ok(0),
        Some(Value::Int(number)) => Ok(usize::try_from(number).unwrap_or_default()),
        Some(_) => Err(Refused::bad(id, format!("Field `{name}` must be of type `integer`."))),
    }
}

fn take_sort_by(
    endpoint: &Endpoint,
    firewall: &Firewall,
    data: &mut Value,
) -> Result<Option<Vec<String>>, Refused> {
    let Some(wanted) = take(data, "sort_by") else { return Ok(None) };
    let wanted = match wanted {
        Value::List(list) => list,
        one => vec![one],
    };
    let has = |name: &str| match endpoint.target {
        Target::Many(store) | Target::One(store) => store.model().has(name, firewall.profile),
        target => crate::simulator::pfsense::shown::order(target).contains(&name),
    };
    let mut fields = Vec::new();
    for field in wanted {
        let Value::Text(name) = field else {
            let why = "Field `sort_by` must be of type `string`.";
            return Err(Refused::bad("ENDPOINT_SORT_BY_FIELD_INVALID_TYPE", why));
        };
        if !has(&name) {
            let why = "Field `sort_by` must be a valid field in the Model.";
            return Err(Refused::bad("ENDPOINT_SORT_BY_FIELD_NON_EXISTENT_FIELD", why));
        }
        fields.push(name);
    }
    Ok(Some(fields))
}

fn take_sort_order(data: &mut Value) -> Result<bool, Refused> {
    match take(data, "sort_order") {
        None => Ok(false),
        Some(Value::Text(order)) if order == "SORT_ASC" => Ok(false),
        Some(Value::Text(order)) if order == "SORT_DESC" => Ok(true),
        Some(Value::Text(_)) => {
            let why = "Field `sort_order` must be one of: [`SORT_ASC`, `SORT_DESC`].";
            Err(Refused::bad("ENDPOINT_SORT_ORDER_FIELD_UNKNOWN_SORT_ORDER", why))
        }
        Some(_) => {
            let why = "Field `sort_order` must be of type `string`.";
            Err(Refused::bad("ENDPOINT_SORT_ORDER_FIELD_INVALID_TYPE", why))
        }
    }
}

/// Returns whether a request is only to be rehearsed: its data or a header says so.
fn take_rehearsal(request: &Request, data: &mut Value) -> Result<bool, Refused> {
    let wanted = take_flag(data, "dry_run", "ENDPOINT_DRY_RUN_FIELD_INVALID_TYPE")?;
    let prefer = request.prefer.as_deref().unwrap_or_default().to_lowercase();
    let is_preferred = prefer.split(',').any(|token| token.trim() == "dry-run");
    let is_rehearsal = wanted.unwrap_or_default() || is_preferred;
    if is_rehearsal && request.method == "GET" {
        let why = "The `dry_run` parameter is not supported on GET requests.";
        return Err(Refused::bad("ENDPOINT_DRY_RUN_NOT_SUPPORTED_ON_GET", why));
    }
    Ok(is_rehearsal)
}
