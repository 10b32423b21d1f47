//! The REST service: which command a method and a path mean, and what each may answer.

use jiff::Timestamp;

use crate::simulator::routeros::body::{Body, body};
use crate::simulator::routeros::menu::{Form, Menu};
use crate::simulator::routeros::query::{Selection, fits, words};
use crate::simulator::routeros::request::{Answer, Fields, Refused, Request};
use crate::simulator::routeros::router::{Arguments, Router};
use crate::simulator::routeros::users::Rights;
use crate::simulator::routeros::value::print_id;

/// What a path leads to.
enum Target<'a> {
    Menu(&'static Menu),
    /// Something below a menu: an object, or a command.
    Below(&'static Menu, &'a str),
    Inspect,
}

impl Router {
    /// Carries out a request of somebody with these rights.
    pub(super) fn serve(
        &mut self,
        request: &Request,
        rights: &Rights,
        now: Timestamp,
    ) -> Result<Answer, Refused> {
        self.now = now;
        let path = request.path.strip_prefix("/rest").ok_or_else(Refused::not_found)?;
        let path = path.strip_prefix('/').ok_or_else(Refused::no_command)?;
        let is_json = |it: &String| it.split(';').next() == Some("application/json");
        if !request.body.is_empty() && !request.content_type.as_ref().is_some_and(is_json) {
            return Err(Refused::plain(415));
        }
        if !rights.has("read") {
            return Err(Refused::not_permitted());
        }
        let target = self.target(path)?;
        let may_write = rights.has("write");
        match (request.method.as_str(), target) {
            ("GET", target) => self.get(&target, &request.query, rights, now),
            ("PUT", Target::Menu(_)) | ("DELETE", _) if !may_write => Err(Refused::not_permitted()),
            ("PUT", Target::Menu(menu)) => self.put(menu, &request.body, rights),
            ("PUT", _) => Err(Refused::no_command()),
            ("PATCH", _) if !may_write => Err(Refused::no_identifier()),
            ("PATCH", Target::Below(menu, word)) => self.patch(menu, word, &request.body, rights),
            ("DELETE", Target::Below(menu, word)) => {
                let id = self.find(menu, word)?;
                must_be_objects(menu, "remove")?;
                self.remove(menu, id)?;
                Ok(Answer::Gone)
            }
            ("PATCH" | "DELETE", _) => Err(Refused::no_identifier()),
            ("POST", Target::Inspect) => {
                Ok(Answer::List(self.inspect(&body(&request.body)?.arguments)?))
            }
            ("POST", Target::Below(menu, word)) => self.post(menu, word, request, rights, now),
            ("POST", Target::Menu(_)) => Err(Refused::no_command()),
            ("OPTIONS", _) => Err(Refused::plain(503)),
            _ => Err(Refused::plain(501)),
        }
    }

    fn target<'a>(&self, path: &'a str) -> Result<Target<'a>, Refused> {
        if path == "console/inspect" {
            return Ok(Target::Inspect);
        }
        if let Some(menu) = self.menu(path) {
            return Ok(Target::Menu(menu));
        }
        let (parent, word) = path.rsplit_once('/').unwrap_or(("", path));
        match self.menu(parent) {
            Some(menu) if !word.is_empty() => Ok(Target::Below(menu, word)),
            _ => Err(Refused::no_directory(word)),
        }
    }

    fn get(
        &self,
        target: &Target<'_>,
        query: &str,
        rights: &Rights,
        now: Timestamp,
    ) -> Result<Answer, Refused> {
        let selection = Selection::parse(query);
        match target {
            Target::Inspect | Target::Below(_, "print") => Err(Refused::no_command()),
            Target::Menu(menu) if matches!(menu.form, Form::Single { .. }) => {
                let fields = self.print_single(menu, rights, now)?;
                match self.switches.resource_is_array && menu.path == "system/resource" {
                    true => Ok(Answer::List(vec![fields])),
                    false => Ok(Answer::One(fields)),
                }
            }
            Target::Menu(menu) => {
                let rows = self.print(menu, rights);
                Ok(Answer::List(selection.apply(rows, !self.switches.proplist_without_id)))
            }
            Target::Below(menu, word) => {
                let row = self.print_one(menu, self.find(menu, word)?, rights)?;
                let rows = selection.apply(vec![row], !self.switches.proplist_without_id);
                rows.into_iter().next().map(Answer::One).ok_or_else(Refused::not_found)
            }
        }
    }

    fn put(
        &mut self,
        menu: &'static Menu,
        bytes: &[u8],
        rights: &Rights,
    ) -> Result<Answer, Refused> {
        must_be_objects(menu, "add")?;
        let id = self.add(menu, body(bytes)?.arguments)?;
        let location = format!("/rest/{}/{}", menu.path, print_id(id));
        Ok(Answer::Made(self.print_one(menu, id, rights)?, location))
    }

    fn patch(
        &mut self,
        menu: &'static Menu,
        word: &str,
        bytes: &[u8],
        rights: &Rights,
    ) -> Result<Answer, Refused> {
        must_be_objects(menu, "set").map_err(|_| Refused::no_identifier())?;
        let id = self.find(menu, word)?;
        let arguments = body(bytes)?.arguments;
        let is_by_name = !word.starts_with('*');
        let is_known = |name: &String| menu.argument(name, self.profile).is_some();
        if is_by_name && !arguments.set.keys().all(is_known) {
            return Err(Refused::no_identifier());
        }
        self.set(menu, id, arguments)?;
        Ok(Answer::One(self.print_one(menu, id, rights)?))
    }

    fn post(
        &mut self,
        menu: &'static Menu,
        command: &str,
        request: &Request,
        rights: &Rights,
        now: Timestamp,
    ) -> Result<Answer, Refused> {
        let mut body = body(&request.body)?;
        if command == "print" {
            return self.post_print(menu, &body, rights, now);
        }
        let has_objects = !matches!(menu.form, Form::Single { .. });
        if has_objects && matches!(command, "get" | "find") {
            return self.look_up(menu, command, body, rights);
        }
        if !rights.has("write") {
            return Err(Refused::not_permitted());
        }
        match (menu.form, command) {
            (Form::Single { .. }, "set") => self.set_single(menu, body.arguments)?,
            (Form::Objects { .. }, "add") => {
                let id = self.add(menu, body.arguments)?;
                return Ok(Answer::One(ret(&print_id(id))));
            }
            (
                Form::Objects { .. },
                "set" | "remove" | "enable" | "disable" | "comment" | "unset",
            ) => {
                let ids = self.take_ids(menu, &mut body.arguments)?;
                for id in ids {
                    self.post_to(menu, command, id, &body.arguments)?;
                }
            }
            (Form::Objects { .. }, "move") if menu.is_ordered => {
                let ids = self.take_ids(menu, &mut body.arguments)?;
                let before = body.arguments.set.get("destination");
                let before = before.map(|word| self.find(menu, word)).transpose()?;
                ids.into_iter().for_each(|id| self.put_before(menu, id, before));
            }
            _ => return Err(Refused::no_directory(command)),
        }
        Ok(Answer::List(Vec::new()))
    }

    /// Answers what the console would have as a value: a property of an object, or ids.
    fn look_up(
        &self,
        menu: &Menu,
        command: &str,
        mut body: Body,
        rights: &Rights,
    ) -> Result<Answer, Refused> {
        if command == "find" {
            let mut ids = Vec::new();
            for row in self.print(menu, rights) {
                if fits(&row, &body.query)? {
                    ids.push(String::from_utf8_lossy(&row[".id"]).into_owned());
                }
            }
            return Ok(Answer::One(ret(&ids.join(";"))));
        }
        let ids = self.take_ids(menu, &mut body.arguments)?;
        let [id] = ids[..] else { return Err(Refused::bad("no such item")) };
        let mut row = self.print_one(menu, id, rights)?;
        let value = match body.arguments.set.get("value-name") {
            Some(name) => row.remove(name).ok_or_else(|| Refused::invalid("value-name"))?,
            None => row.iter().fold(Vec::new(), |all: Vec<u8>, (name, value)| {
                let separator: &[u8] = if all.is_empty() { b"" } else { b";" };
                [&all, separator, name.as_bytes(), b"=", value].concat()
            }),
        };
        Ok(Answer::One(Fields::from([("ret".to_owned(), value)])))
    }

    fn post_to(
        &mut self,
        menu: &'static Menu,
        command: &str,
        id: u64,
        arguments: &Arguments,
    ) -> Result<(), Refused> {
        let disabled = |value: &str| Arguments {
            set: [("disabled".to_owned(), value.to_owned())].into(),
            ..Arguments::default()
        };
        let same = || Arguments { set: arguments.set.clone(), unset: arguments.unset.clone() };
        match command {
            "remove" => self.remove(menu, id),
            "enable" => self.set(menu, id, disabled("no")),
            "disable" => self.set(menu, id, disabled("yes")),
            "unset" => {
                let name = arguments.set.get("value-name");
                let name = name.ok_or_else(|| Refused::missing("value-name"))?;
                self.set(
                    menu,
                    id,
                    Arguments { unset: [name.clone()].into(), ..Arguments::default() },
                )
            }
            _ => self.set(menu, id, same()),
        }
    }

    fn post_print(
        &self,
        menu: &Menu,
        body: &Body,
        rights: &Rights,
        now: Timestamp,
    ) -> Result<Answer, Refused> {
        let mut rows = match menu.form {
            Form::Single { .. } => vec![self.print_single(menu, rights, now)?],
            _ => self.print(menu, rights),
        };
        let mut kept = Vec::new();
        for row in rows.drain(..) {
            if fits(&row, &body.query)? {
                kept.push(row);
            }
        }
        if body.arguments.set.contains_key("count-only") {
            return Ok(Answer::One(ret(&kept.len().to_string())));
        }
        if let Some(properties) = &body.properties {
            kept.iter_mut().for_each(|row| row.retain(|name, _| properties.contains(name)));
        }
        Ok(Answer::List(kept))
    }

    /// Takes the ids that a command is for out of its arguments.
    fn take_ids(&self, menu: &Menu, arguments: &mut Arguments) -> Result<Vec<u64>, Refused> {
        let ids = arguments.set.remove(".id").or_else(|| arguments.set.remove("numbers"));
        let ids = ids.ok_or_else(|| Refused::missing(".id"))?;
        let find = |word: &String| {
            self.find(menu, word).map_err(|refused| match refused.status {
                404 => Refused::bad("no such item"),
                _ => refused,
            })
        };
        words(&ids).iter().map(find).collect()
    }
}

fn must_be_objects(menu: &Menu, command: &str) -> Result<(), Refused> {
    match menu.form {
        Form::Objects { .. } => Ok(()),
        Form::Single { .. } | Form::Shown => Err(Refused::no_directory(command)),
    }
}

fn ret(value: &str) -> Fields {
    Fields::from([("ret".to_owned(), value.as_bytes().to_vec())])
}
