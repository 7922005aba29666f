//! Socket.IO 5 packets: type, attachments, namespace, acknowledgement number, JSON.

use serde_json::value::RawValue;

/// A packet of a client, by what the server does with it.
#[derive(Debug)]
pub enum Packet<'a> {
    Connect,
    /// A connection to a namespace other than `/`: there is none.
    ConnectElsewhere(&'a str),
    Disconnect,
    Event {
        name: String,
        /// The first argument.
        payload: Option<&'a RawValue>,
        ack: Option<u64>,
    },
    /// An event with binary attachments: the contract has none.
    Binary,
    /// For another namespace, or an answer to something that was never asked: nobody waits for it.
    Ignored,
}

/// Text that is no packet.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a Socket.IO packet")]
pub struct NoPacket;

/// Reads a packet.
pub fn parse(text: &str) -> Result<Packet<'_>, NoPacket> {
    let kind = *text.as_bytes().first().ok_or(NoPacket)?;
    let mut rest = text.get(1..).ok_or(NoPacket)?;
    if matches!(kind, b'5' | b'6') {
        return Ok(Packet::Binary);
    }
    let mut namespace = "/";
    if rest.starts_with('/') {
        let end = rest.find(',').unwrap_or(rest.len());
        // A query behind the name belongs to older versions.
        namespace = rest[..end].split('?').next().unwrap_or("/");
        rest = rest.get(end + 1..).unwrap_or("");
    }
    let here = namespace == "/";
    match kind {
        b'0' if here => Ok(Packet::Connect),
        b'0' => Ok(Packet::ConnectElsewhere(namespace)),
        b'1' if here => Ok(Packet::Disconnect),
        b'2' if here => event(rest),
        b'1'..=b'3' => Ok(Packet::Ignored),
        _ => Err(NoPacket),
    }
}

fn event(rest: &str) -> Result<Packet<'_>, NoPacket> {
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let ack = if digits == 0 { None } else { Some(rest[..digits].parse().map_err(|_| NoPacket)?) };
    let arguments: Vec<&RawValue> = serde_json::from_str(&rest[digits..]).map_err(|_| NoPacket)?;
    let name = arguments.first().ok_or(NoPacket)?.get();
    let name = serde_json::from_str::<String>(name).unwrap_or_else(|_| name.to_owned());
    Ok(Packet::Event { name, payload: arguments.get(1).copied(), ack })
}

/// Everything below is written as a whole Engine.IO message packet (the leading 4).
pub fn connected(sid: &str) -> String {
    format!("40{{\"sid\":\"{sid}\"}}")
}

/// A connection refused, with a sentence.
pub fn connect_error(namespace: &str, message: &str) -> String {
    let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
    format!("44{namespace}{{\"message\":{}}}", quoted(message))
}

/// An event with a JSON text as its argument.
pub fn event_text(name: &str, payload: &str) -> String {
    let mut text = String::with_capacity(name.len() + payload.len() + 8);
    text.push_str("42[\"");
    text.push_str(name);
    text.push_str("\",");
    text.push_str(payload);
    text.push(']');
    text
}

/// An acknowledgement; it carries no value (contract).
pub fn ack(id: u64) -> String {
    format!("43{id}[]")
}

/// A text as JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> String {
        match parse(text) {
            Ok(Packet::Event { name, payload, ack }) => {
                format!("event {name} {} {ack:?}", payload.map_or("-", RawValue::get))
            }
            Ok(Packet::ConnectElsewhere(namespace)) => format!("connect {namespace}"),
            Ok(other) => format!("{other:?}"),
            Err(NoPacket) => "no packet".to_owned(),
        }
    }

    #[test]
    fn packets_are_read() {
        for (text, expected) in [
            ("0", "Connect"),
            ("0{\"token\":1}", "Connect"),
            ("0/,{}", "Connect"),
            ("0/admin,{}", "connect /admin"),
            ("0/admin?x=1,{}", "connect /admin"),
            ("0/admin", "connect /admin"),
            ("1", "Disconnect"),
            ("1/admin,", "Ignored"),
            ("2[\"clear_paths\"]", "event clear_paths - None"),
            ("2[\"a\\n\", {\"x\": 1e21},2]", "event a\n {\"x\": 1e21} None"),
            ("217[\"a\",1]", "event a 1 Some(17)"),
            ("2/,5[\"a\",1]", "event a 1 Some(5)"),
            ("2[5]", "event 5 - None"),
            ("2/admin,[\"a\"]", "Ignored"),
            ("31[]", "Ignored"),
            ("51-[\"a\",{\"_placeholder\":true,\"num\":0}]", "Binary"),
            ("61-[]", "Binary"),
            ("", "no packet"),
            ("2", "no packet"),
            ("2[]", "no packet"),
            ("2{}", "no packet"),
            ("2[\"a\"", "no packet"),
            ("299999999999999999999999[\"a\"]", "no packet"),
            ("4{}", "no packet"),
            ("9", "no packet"),
            ("é", "no packet"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }

    #[test]
    fn packets_are_written() {
        assert_eq!(connected("abc"), r#"40{"sid":"abc"}"#);
        assert_eq!(connect_error("/", "say \"why\""), r#"44{"message":"say \"why\""}"#);
        assert_eq!(connect_error("/admin", "Invalid namespace"), r#"44/admin,{"message":"Invalid namespace"}"#);
        assert_eq!(event_text("a", "{}"), r#"42["a",{}]"#);
        assert_eq!(ack(7), "437[]");
    }
}
