//! Functions on times. A timestamp is one of RFC 3339, and keeps the offset that it was written with.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

use crate::config::function::{Answer, Call, Failure};
use crate::config::value::Value;

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const NANOS: i128 = 1_000_000_000;

pub(super) fn plantimestamp(call: &Call) -> Answer {
    Ok(Value::text(call.environment.planned_at().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

pub(super) fn timecmp(call: &Call) -> Answer {
    let (a, b) = (moment(call, 0)?, moment(call, 1)?);
    Ok(Value::integer(a.utc().cmp(&b.utc()) as i8))
}

pub(super) fn timeadd(call: &Call) -> Answer {
    let (moment, text) = (moment(call, 0)?, call.text(1)?);
    let Some(duration) = duration(&text) else {
        return Err(Failure::at(1, format!("{:?} is no duration", &*text))
            .hint("Write it as \"10m\", \"-1h30m\" or \"1.5h\"; a day is \"24h\"."));
    };
    let later = moment.local.checked_add(duration);
    let later = later.map_err(|_| Failure::at(1, "this leads beyond the year 9999"))?;
    Ok(Value::text(Moment { local: later, ..moment }.to_string()))
}

pub(super) fn formatdate(call: &Call) -> Answer {
    let (format, moment) = (call.text(0)?, moment(call, 1)?);
    let mut output = String::new();
    let mut rest = &*format;
    while let Some(c) = rest.chars().next() {
        if let Some(literal) = rest.strip_prefix('\'') {
            rest = quoted(literal, &mut output)?;
            continue;
        }
        let end = rest.find(|other| other != c).unwrap_or(rest.len());
        let (verb, behind) = rest.split_at(end);
        rest = behind;
        match c.is_ascii_alphabetic() {
            true => output += &moment.show(verb)?,
            false => output += verb,
        }
    }
    Ok(Value::text(output))
}

/// Takes a text in single quotes over, in which two of them are one, and returns what follows.
fn quoted<'t>(text: &'t str, output: &mut String) -> Answer<&'t str> {
    let mut rest = text;
    loop {
        let Some((literal, behind)) = rest.split_once('\'') else {
            return Err(Failure::at(0, "a text in single quotes does not end"));
        };
        output.push_str(literal);
        let Some(more) = behind.strip_prefix('\'') else { return Ok(behind) };
        output.push('\'');
        rest = more;
    }
}

fn moment(call: &Call, i: usize) -> Answer<Moment> {
    let text = call.text(i)?;
    Moment::parse(&text).map_err(|why| {
        Failure::at(i, format!("{:?} is no timestamp: {why}", &*text))
            .hint("Write it as \"2026-05-31T12:00:00Z\" or with an offset, as \"2026-05-31T14:00:00+02:00\".")
    })
}

/// A date and a time of day, somewhere.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    local: DateTime,
    /// How many minutes the clock there is ahead of UTC.
    offset: i32,
}

impl Moment {
    /// Reads a timestamp of RFC 3339.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let form = "it has another form";
        let (date, rest) = text.split_once('T').ok_or("there is no `T` between date and time")?;
        let [year, month, day] = numbers(date, '-', [4, 2, 2]).ok_or(form)?;
        let zone = rest.find(['Z', '+', '-']).ok_or("there is no `Z` and no offset")?;
        let (clock, zone) = rest.split_at(zone);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2]).ok_or(form)?;
        let is_fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
        let nanos: String = fraction.chars().chain("000000000".chars()).take(9).collect();
        let nanos = nanos.parse().ok().filter(|_| is_fraction).ok_or(form)?;
        let small = |number: i16| i8::try_from(number).unwrap_or(-1);
        let date = Date::new(year, small(month), small(day)).map_err(|_| "there is no such day")?;
        let clock = Time::new(small(hour), small(minute), small(second), nanos)
            .map_err(|_| "there is no such time of day")?;
        Ok(Self {
            local: date.to_datetime(clock),
            offset: offset(zone).ok_or("the offset is wrong")?,
        })
    }

    fn utc(&self) -> DateTime {
        self.local.saturating_sub(SignedDuration::from_mins(self.offset.into()))
    }

    /// Returns what a verb of `formatdate` stands for.
    fn show(&self, verb: &str) -> Answer<String> {
        let it = self.local;
        let month = MONTHS[usize::from(it.month().unsigned_abs()).clamp(1, 12) - 1];
        let weekday = it.weekday().to_monday_zero_offset().unsigned_abs();
        let weekday = WEEKDAYS[usize::from(weekday).min(6)];
        let hour = (it.hour() + 11) % 12 + 1;
        let half = if it.hour() < 12 { "AM" } else { "PM" };
        Ok(match verb {
            "YYYY" => format!("{:04}", it.year()),
            "YY" => format!("{:02}", it.year() % 100),
            "MMMM" => month.to_owned(),
            "MMM" => month[..3].to_owned(),
            "MM" => format!("{:02}", it.month()),
            "M" => it.month().to_string(),
            "DD" => format!("{:02}", it.day()),
            "D" => it.day().to_string(),
            "EEEE" => weekday.to_owned(),
            "EEE" => weekday[..3].to_owned(),
            "hh" => format!("{:02}", it.hour()),
            "h" => it.hour().to_string(),
            "HH" => format!("{hour:02}"),
            "H" => hour.to_string(),
            "AA" => half.to_owned(),
            "aa" => half.to_ascii_lowercase(),
            "mm" => format!("{:02}", it.minute()),
            "m" => it.minute().to_string(),
            "ss" => format!("{:02}", it.second()),
            "s" => it.second().to_string(),
            "Z" if self.offset == 0 => "Z".to_owned(),
            "ZZZ" if self.offset == 0 => "UTC".to_owned(),
            "Z" | "ZZZZZ" => self.zone(":"),
            "ZZZ" | "ZZZZ" => self.zone(""),
            _ => return Err(unknown_verb(verb)),
        })
    }

    fn zone(&self, separator: &str) -> String {
        let (sign, minutes) = (if self.offset < 0 { '-' } else { '+' }, self.offset.abs());
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }
}

impl fmt::Display for Moment {
    /// Writes the timestamp without the fraction of a second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = if self.offset == 0 { "Z".to_owned() } else { self.zone(":") };
        write!(f, "{}{zone}", self.local.strftime("%Y-%m-%dT%H:%M:%S"))
    }
}

fn unknown_verb(verb: &str) -> Failure {
    Failure::at(0, format!("`{verb}` is no part of a date")).hint(
        "Take `YYYY`, `YY`, `MMMM`, `MMM`, `MM`, `M`, `DD`, `D`, `EEEE`, `EEE`, `hh`, `h`, `HH`, `H`, `AA`, `aa`, `mm`, `m`, `ss`, `s`, `Z`, `ZZZ`, `ZZZZ`, `ZZZZZ`, and put other words in single quotes.",
    )
}

/// Reads numbers with so many digits each.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Reads `Z` or `+02:00`, in minutes.
fn offset(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, clock) = zone.split_at_checked(1)?;
    let [hours, minutes, _] = numbers(&format!("{clock}:00"), ':', [2, 2, 2])?;
    let is_sound = hours < 24 && minutes < 60;
    let minutes = i32::from(hours) * 60 + i32::from(minutes);
    is_sound.then_some(if sign == "-" { -minutes } else { minutes })
}

/// Reads a duration as Go writes it: `-1h30m`, `1.5h`, `500ms`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, behind) = rest.split_at(end);
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        rest = behind;
        nanos = nanos.checked_add(part(number, unit)?)?;
    }
    let nanos = i64::try_from(if is_negative { -nanos } else { nanos }).ok()?;
    Some(SignedDuration::from_nanos(nanos))
}

fn part(number: &str, unit: &str) -> Option<i128> {
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS,
        "m" => 60 * NANOS,
        "h" => 3600 * NANOS,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More digits are less than a nanosecond.
    let fraction = fraction.get(..15).unwrap_or(fraction);
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.checked_mul(unit)?.checked_add(fraction * unit / scale)
}
