//! CSV of RFC 4180, with a header line: as strict as Terraform, which refuses a quote that stands in the middle of a field.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::function::{Answer, Call, Failure, fits};
use crate::config::value::{Map, Value};

pub(super) fn csvdecode(call: &Call) -> Answer {
    let text = call.text(0)?;
    let mut reader = Reader { rest: &text, line: 1 };
    let Some(names) = reader.row()? else {
        return Err(Failure::at(0, "the header line is missing"));
    };
    let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(Failure::at(0, format!("two columns have the name {:?}", &**twice)));
    }
    let (mut rows, mut size) = (Vec::new(), 0_usize);
    loop {
        let line = reader.line;
        let Some(fields) = reader.row()? else { return Ok(Value::list(rows)) };
        if fields.len() != names.len() {
            let (fields, names) = (fields.len(), names.len());
            let message = format!(
                "line {line} has another number of fields than the header: {fields}, not {names}"
            );
            return Err(Failure::at(0, message));
        }
        let row: Map = names.iter().cloned().zip(fields.into_iter().map(Value::text)).collect();
        let row = Value::map(row);
        size = size.saturating_add(row.size());
        fits(size)?;
        rows.push(row);
    }
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl Reader<'_> {
    /// Reads the next line that is not empty; none at the end.
    fn row(&mut self) -> Answer<Option<Vec<String>>> {
        while let Some(rest) = after_line_end(self.rest) {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            self.line += 1;
            self.rest = after_line_end(self.rest).unwrap_or("");
            return Ok(Some(fields));
        }
    }

    fn field(&mut self) -> Answer<String> {
        if let Some(rest) = self.rest.strip_prefix('"') {
            self.rest = rest;
            return self.quoted();
        }
        let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
        let (mut field, rest) = self.rest.split_at(end);
        self.rest = rest;
        if !rest.starts_with(',') {
            field = field.strip_suffix('\r').unwrap_or(field);
        }
        match field.contains('"') {
            true => Err(self.wrong("a field that has a quote has to stand in quotes")),
            false => Ok(field.to_owned()),
        }
    }

    fn quoted(&mut self) -> Answer<String> {
        let start = self.line;
        let mut field = String::new();
        loop {
            let Some((part, rest)) = self.rest.split_once('"') else {
                self.line = start;
                return Err(self.wrong("a field in quotes does not end"));
            };
            field.push_str(&part.replace("\r\n", "\n"));
            self.line += part.matches('\n').count();
            if let Some(rest) = rest.strip_prefix('"') {
                field.push('"');
                self.rest = rest;
                continue;
            }
            self.rest = rest;
            if rest.is_empty() || rest.starts_with(',') || after_line_end(rest).is_some() {
                return Ok(field);
            }
            return Err(self.wrong("something follows a field in quotes"));
        }
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::at(0, format!("this is not CSV: {what}, in line {}", self.line))
            .hint("Write a quote inside of quotes as two.")
    }
}

fn after_line_end(text: &str) -> Option<&str> {
    text.strip_prefix('\n').or_else(|| text.strip_prefix("\r\n"))
}
