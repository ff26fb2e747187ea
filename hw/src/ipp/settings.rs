//! The settings of a device, by Set-Printer-Attributes (RFC 3380 4.1): all of a change or
//! nothing, as the operation itself promises, and read back.
//!
//! Few devices have the operation, and only for an administrator: settings are a matter of
//! this kind where an administrator's password is configured. What a device does not name
//! in printer-settable-attributes-supported is refused here, before it is asked.

use bytes::Bytes;
use ipp::{
    model::{DelimiterTag, Operation},
    value::IppValue,
};
use postfax_domain::settings::{
    Change, Characters, Key, Kind, Level, Name, Schema, Settings, Value,
};

use super::{
    Ipp, Options,
    http::{self, Fault},
    message,
};
use crate::driver::SettingsError;

/// RFC 8011: text(127).
const TEXT: Kind = Kind::Text { max_chars: 127, of: Characters::Printable };
const DAY_S: i64 = 86_400;

macro_rules! keys {
    ($($name:literal $attribute:literal $kind:expr; $about:literal;)*) => {
        const KEYS: &[Key] = &[$(Key {
            name: $name,
            level: Level::Server,
            kind: $kind,
            default: "as the device was delivered",
            about: $about,
        }),*];
        /// What IPP calls them.
        const ATTRIBUTES: &[(&str, &str)] = &[$(($name, $attribute)),*];
    };
}

keys! {
    "retries" "number-of-retries-default" Kind::Number { min: 0, max: 99, unit: "calls" };
        "Further calls for faxes that others send at the device; ours have none.";
    "retry_interval_s" "retry-interval-default" Kind::Number { min: 1, max: DAY_S, unit: "s" };
        "The pause before such a call.";
    "confirmation_sheet" "confirmation-sheet-print-default" Kind::Flag;
        "A report on paper of each fax that others send at the device.";
    "location" "printer-location" TEXT;
        "Where the device stands.";
    "info" "printer-info" TEXT;
        "What the device is called in lists.";
}

/// What can be set at a device, if it lets it be set.
pub static SCHEMA: Schema = Schema { kind: "ipp", keys: KEYS };

impl Ipp {
    /// What the device holds.
    pub(super) async fn read_settings(&self) -> Result<Settings, SettingsError> {
        let mut question = self.question(Operation::GetPrinterAttributes);
        let names: Vec<&str> = ATTRIBUTES.iter().map(|(_, attribute)| *attribute).collect();
        question.wanting(&names);
        let answer = self.ask(&question).await.map_err(|fault| self.unset(fault))?;
        let about = answer.first(DelimiterTag::PrinterAttributes);
        let held = ATTRIBUTES.iter().filter_map(|(name, attribute)| {
            let value = match about.values(attribute).first()? {
                message::Value::Number(number) => Value::Number((*number).into()),
                message::Value::Flag(flag) => Value::Flag(*flag),
                message::Value::Text(text) => Value::Text(text.clone()),
                _ => return None,
            };
            Some((Name::of_server(name), value))
        });
        Ok(Settings(held.collect()))
    }

    /// Sets them and reads them back.
    pub(super) async fn set_settings(&self, changes: &[Change]) -> Result<Settings, SettingsError> {
        let Some(password) = self.options.admin_password.clone() else {
            let why = "no administrator's password is configured for this server";
            return Err(SettingsError::Undone(why.into()));
        };
        let printer = self.look().await.map_err(SettingsError::Away)?;
        let mut question = self.question(Operation::SetPrinterAttributes);
        for change in changes {
            let (attribute, value) = attribute(change)?;
            if !printer.settable.iter().any(|one| one == attribute) {
                let why = format!("{}: the device does not let {attribute} be set", change.name);
                return Err(SettingsError::Undone(why));
            }
            question.printer(attribute, Ok(value));
        }
        let options = Options { password: Some(password), ..(*self.options).clone() };
        let set = http::ask(&options, &question, &Bytes::new()).await;
        set.map_err(|fault| self.unset(fault))?;
        self.read_settings().await
    }

    fn unset(&self, fault: Fault) -> SettingsError {
        match fault {
            Fault::Unreached(_) | Fault::Broken(_) => SettingsError::Away(self.error(fault)),
            // server-error-busy and its like pass by themselves.
            Fault::Refused { status: 0x0500.., .. } => {
                SettingsError::Hindered(self.error(fault).to_string())
            }
            fault => SettingsError::Undone(self.error(fault).to_string()),
        }
    }
}

/// What IPP calls a setting, and its value.
fn attribute(change: &Change) -> Result<(&'static str, IppValue), SettingsError> {
    let undone = |why: String| SettingsError::Undone(why);
    let Some(value) = &change.to else {
        let why = format!("{}: a device cannot be told to forget a setting", change.name);
        return Err(undone(why));
    };
    SCHEMA.check(&change.name, value).map_err(|bad| undone(bad.to_string()))?;
    let found = ATTRIBUTES.iter().find(|(name, _)| *name == change.name.key);
    let (_, attribute) = found.ok_or_else(|| undone(format!("no setting {}", change.name)))?;
    let value = match value {
        Value::Flag(flag) => Ok(IppValue::Boolean(*flag)),
        Value::Number(number) => Ok(IppValue::Integer(i32::try_from(*number).unwrap_or(i32::MAX))),
        Value::Text(text) => IppValue::new_text_without_language(text),
    };
    value.map(|value| (*attribute, value)).map_err(|bad| undone(format!("{}: {bad}", change.name)))
}
