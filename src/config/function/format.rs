//! `format`: Go's verbs, as Terraform takes them.

use std::iter::Peekable;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::config::function::{Answer, Call, Failure, fits, json};
use crate::config::value::{Data, Number, Value};

/// Nobody wants a wider field, and a billion would exhaust the memory.
const MAX_WIDTH: usize = 10_000;

/// `%[2]-08.3f`, taken apart.
#[derive(Default)]
struct Verb {
    text: String,
    is_left: bool,
    is_zero: bool,
    is_signed: bool,
    is_spaced: bool,
    is_sharp: bool,
    width: usize,
    precision: Option<usize>,
    argument: Option<usize>,
    mode: char,
}

pub(super) fn format(call: &Call) -> Answer {
    formatted(&call.text(0)?, &call.arguments[1..]).map(Value::text)
}

/// One text for each element of the lists; a value that is no list is the same for all.
pub(super) fn formatlist(call: &Call) -> Answer {
    let (template, values) = (call.text(0)?, &call.arguments[1..]);
    let lists = values.iter().enumerate().filter_map(|(i, value)| Some((i, value.items()?.len())));
    let mut count = None;
    for (i, n) in lists {
        match count {
            Some(count) if count != n => {
                let message = format!("this list has {n} elements, and another one has {count}");
                return Err(Failure::at(i + 1, message));
            }
            _ => count = Some(n),
        }
    }
    if let Some(i) = values.iter().position(|it| matches!(it.data, Data::Map(_))) {
        return Err(Failure::wanted(i + 1, "a list or a value without parts", &values[i]));
    }
    let count = count.unwrap_or(1);
    // Also verbs that show nothing take their time.
    fits(count.saturating_mul(template.len()))?;
    let (mut made, mut size) = (Vec::new(), 0_usize);
    for at in 0..count {
        let row = values.iter().map(|value| value.items().map_or(value, |items| &items[at]));
        let text = formatted(&template, &row.cloned().collect::<Vec<_>>())?;
        size = size.saturating_add(text.len());
        fits(size)?;
        made.push(Value::text(text));
    }
    Ok(Value::list(made))
}

fn formatted(template: &str, values: &[Value]) -> Answer<String> {
    let mut output = String::new();
    let mut next = 0;
    let mut used = 0;
    let mut rest = template;
    while let Some(start) = rest.find('%') {
        output.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("%%") {
            output.push('%');
            rest = after;
            continue;
        }
        let verb = Verb::parse(rest)?;
        rest = &rest[verb.text.len()..];
        let index = verb.argument.unwrap_or(next);
        let Some(value) = values.get(index) else {
            return Err(Failure::whole(format!(
                "`{}` wants value number {}, and there {}",
                verb.text,
                index + 1,
                if values.len() == 1 { "is 1".to_owned() } else { format!("are {}", values.len()) }
            )));
        };
        next = index + 1;
        used = used.max(next);
        output.push_str(&verb.show(value, index + 1)?);
        fits(output.len())?;
    }
    output.push_str(rest);
    if used < values.len() {
        return Err(Failure::at(used + 1, "no verb of the template uses this value"));
    }
    Ok(output)
}

impl Verb {
    fn parse(text: &str) -> Answer<Self> {
        let mut verb = Self::default();
        let mut chars = text.char_indices().skip(1).peekable();
        while let Some((_, c)) = chars.peek().copied() {
            match c {
                '-' => verb.is_left = true,
                '0' => verb.is_zero = true,
                '+' => verb.is_signed = true,
                ' ' => verb.is_spaced = true,
                '#' => verb.is_sharp = true,
                _ => break,
            }
            chars.next();
        }
        verb.width = number(&mut chars).unwrap_or(0);
        if chars.next_if(|(_, c)| *c == '.').is_some() {
            verb.precision = Some(number(&mut chars).unwrap_or(0));
        }
        if chars.next_if(|(_, c)| *c == '[').is_some() {
            verb.argument = number(&mut chars).and_then(|n| n.checked_sub(1));
            let closed = chars.next_if(|(_, c)| *c == ']').is_some();
            if verb.argument.is_none() || !closed {
                return Err(Failure::at(
                    0,
                    "a `[` in a verb needs the number of a value and a `]`",
                ));
            }
        }
        if verb.width > MAX_WIDTH || verb.precision.is_some_and(|n| n > MAX_WIDTH) {
            return Err(Failure::at(0, format!("a verb is at most {MAX_WIDTH} characters wide")));
        }
        let Some((at, mode)) = chars.next() else {
            return Err(Failure::at(0, "the template ends inside a verb")
                .hint("Write a percent sign as `%%`."));
        };
        verb.mode = mode;
        verb.text = text[..at + mode.len_utf8()].to_owned();
        Ok(verb)
    }

    fn show(&self, value: &Value, place: usize) -> Answer<String> {
        let wanted = |wanted: &str| {
            let message = format!("`{}` shows {wanted}, and this is {}", self.text, value.shown());
            Failure::at(place, message)
        };
        if value.is_null() && self.mode != 'v' {
            return Err(Failure::at(place, format!("`{}` cannot show null", self.text)));
        }
        Ok(match self.mode {
            'v' => self.pad(&self.as_is(value)?),
            't' => value.to_bool().ok_or_else(|| wanted("true or false"))?.to_string(),
            'd' | 'b' | 'o' | 'x' | 'X' => {
                let number = value.to_number().and_then(whole);
                self.integer(number.ok_or_else(|| wanted("a whole number"))?)
            }
            'e' | 'E' | 'f' | 'g' | 'G' => {
                let number = value.to_number().ok_or_else(|| wanted("a number"))?;
                self.float(number.to_f64())
            }
            's' | 'q' => {
                let text = value.to_text().ok_or_else(|| wanted("a string"))?;
                let length = self.precision.unwrap_or(usize::MAX);
                let cut: String = text.graphemes(true).take(length).collect();
                self.pad(&if self.mode == 'q' { json::quoted(&cut) } else { cut })
            }
            mode => {
                return Err(Failure::at(0, format!("there is no verb `%{mode}`")).hint(
                    "Use `%s`, `%d`, `%f`, `%v` or `%q`, and write a percent sign as `%%`.",
                ));
            }
        })
    }

    /// `%v`: strings and numbers as they are, anything else as JSON.
    fn as_is(&self, value: &Value) -> Answer<String> {
        match &value.data {
            Data::Text(text) if !self.is_sharp => Ok(text.to_string()),
            Data::Number(Number::Integer(number)) if !self.is_sharp => Ok(general_integer(*number)),
            Data::Number(number) if !self.is_sharp => Ok(general(number.to_f64(), None, false)),
            _ => json::text_of(value),
        }
    }

    fn integer(&self, number: i128) -> String {
        let magnitude = number.unsigned_abs();
        let (prefix, digits) = match self.mode {
            'b' => ("", format!("{magnitude:b}")),
            'o' => (if self.is_sharp { "0" } else { "" }, format!("{magnitude:o}")),
            'x' => (if self.is_sharp { "0x" } else { "" }, format!("{magnitude:x}")),
            'X' => (if self.is_sharp { "0X" } else { "" }, format!("{magnitude:X}")),
            _ => ("", magnitude.to_string()),
        };
        let digits = format!("{digits:0>width$}", width = self.precision.unwrap_or(0));
        self.pad(&format!("{}{prefix}{digits}", self.sign(number < 0)))
    }

    fn float(&self, number: f64) -> String {
        let magnitude = number.abs();
        let digits = match self.mode {
            'f' => format!("{magnitude:.*}", self.precision.unwrap_or(6)),
            'e' | 'E' => exponent(&format!("{magnitude:.*e}", self.precision.unwrap_or(6))),
            _ => general(magnitude, self.precision, self.is_sharp),
        };
        let digits = if self.mode.is_uppercase() { digits.to_uppercase() } else { digits };
        self.pad(&format!("{}{digits}", self.sign(number < 0.0)))
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.is_signed, self.is_spaced) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    fn pad(&self, text: &str) -> String {
        let missing = self.width.saturating_sub(text.graphemes(true).count());
        if self.is_left {
            return format!("{text}{}", " ".repeat(missing));
        }
        // With a precision, an integer has its zeroes already.
        let is_full = self.precision.is_some() && "dboxX".contains(self.mode);
        if !self.is_zero || is_full {
            return format!("{}{text}", " ".repeat(missing));
        }
        let sign = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
        format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
    }
}

/// Takes a number off the front.
fn number<I: Iterator<Item = (usize, char)>>(chars: &mut Peekable<I>) -> Option<usize> {
    let mut number = None;
    while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
        let digit = c.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
        number = Some(number.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit));
    }
    number
}

/// Returns a number without a fraction.
fn whole(number: Number) -> Option<i128> {
    // 2^127: an `i128` holds every integer below.
    const LIMIT: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    match number {
        Number::Integer(number) => Some(number),
        Number::Float(number) => {
            (number.fract() == 0.0 && number.abs() < LIMIT).then_some(number as i128)
        }
    }
}

/// The same as [`general`] for an integer, with all its digits.
fn general_integer(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let power = digits.len() - 1;
    if power < 6 {
        return number.to_string();
    }
    let sign = if number < 0 { "-" } else { "" };
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    exponent(&format!("{sign}{first}{point}{rest}e{power}"))
}

/// Go's `%g`: plain for middling exponents, else with an exponent.
fn general(number: f64, precision: Option<usize>, keeps_zeroes: bool) -> String {
    let text = match precision {
        // The shortest digits that read back as the same number.
        None => format!("{number:e}"),
        Some(digits) => format!("{number:.*e}", digits.max(1) - 1),
    };
    let power: i32 = text.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    let limit = precision.map_or(6, |digits| digits.max(1));
    if power < -4 || power >= i32::try_from(limit).unwrap_or(i32::MAX) {
        let (mantissa, _) = text.split_once('e').unwrap_or((&text, ""));
        let mantissa = if keeps_zeroes { mantissa } else { without_zeroes(mantissa) };
        return exponent(&format!("{mantissa}e{power}"));
    }
    match precision {
        None => format!("{number}"),
        Some(digits) => {
            let after = i32::try_from(digits.max(1)).unwrap_or(0) - 1 - power;
            let text = format!("{number:.*}", usize::try_from(after).unwrap_or(0));
            if keeps_zeroes { text } else { without_zeroes(&text).to_owned() }
        }
    }
}

fn without_zeroes(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Writes an exponent as Go does: a sign, and at least two digits.
fn exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = match power.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', power),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}
