//! What a connection needs to know: address, identity, will, session, acknowledgements, bounds.

use std::time::Duration;

use bytes::Bytes;

use crate::tls::Dialer;

use super::Error;

/// Options of one connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// `mqtt://host:port`, without a port 1883; or `mqtts://host:port`, without a port 8883.
    pub broker: String,
    /// Whom we trust, where the broker speaks TLS.
    pub dialer: Dialer,
    /// Identity at the broker; a second client with the same one throws the first out.
    pub client_id: String,
    /// User name and password, where the broker asks for them.
    pub credentials: Option<(String, String)>,
    /// What the broker says for us when the connection is lost without a goodbye.
    pub will: Option<Publication>,
    /// Topic filters and their quality of service, subscribed as soon as the connection stands.
    pub subscriptions: Vec<(String, Qos)>,
    /// Silence after which the connection counts as lost (one and a half times this at the broker).
    pub keep_alive: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// What the broker keeps for us between connections.
    pub session: Session,
    /// Who acknowledges what comes in.
    pub acks: Acks,
    /// Messages that may wait to be sent, and events that may wait to be read. A full queue refuses; full events hold the
    /// connection back, so that a slow reader is felt by the broker and not by our memory.
    pub capacity: usize,
}

impl Options {
    /// Options with a clean session, automatic acknowledgements, 10 s keep-alive, 3 s to connect and room for 1,024.
    pub fn new(broker: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            broker: broker.into(),
            dialer: Dialer::plain(),
            client_id: client_id.into(),
            credentials: None,
            will: None,
            subscriptions: Vec::new(),
            keep_alive: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            session: Session::Clean,
            acks: Acks::Automatic,
            capacity: 1_024,
        }
    }

    /// Host and port of the broker.
    pub(super) fn address(&self) -> Result<(String, u16), Error> {
        let parse = || {
            let plain = self.broker.strip_prefix("mqtt://").map(|address| (address, 1883));
            let (address, port) = plain.or(self.broker.strip_prefix("mqtts://").map(|address| (address, 8883)))?;
            let address = address.trim_end_matches('/');
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (address, port),
            };
            (!host.is_empty()).then(|| (host.to_owned(), port))
        };
        parse().ok_or_else(|| Error::Address { url: self.broker.clone() })
    }

    /// True where the broker speaks TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.broker.starts_with("mqtts://")
    }
}

/// Quality of service. 2 is not used: it ends at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Once or never.
    AtMostOnce,
    /// At least once.
    AtLeastOnce,
}

impl From<u8> for Qos {
    fn from(qos: u8) -> Self {
        if qos == 0 { Self::AtMostOnce } else { Self::AtLeastOnce }
    }
}

/// What the broker keeps between connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Nothing.
    Clean,
    /// Subscriptions, and messages that come meanwhile, for this long.
    Resume {
        /// How long after the connection's end.
        expiry: Duration,
    },
}

/// Who acknowledges what comes in with quality of service 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// The client, at once.
    Automatic,
    /// The caller, by `Publisher::ack`, once the message's effect is durable.
    Manual,
}

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// How surely.
    pub qos: Qos,
    /// Whether the broker keeps it for newcomers.
    pub retain: bool,
    /// How long brokers may keep it before delivery; rounded up to seconds.
    pub expiry: Option<Duration>,
}

impl Publication {
    /// A message that is not retained and does not expire.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>, qos: Qos) -> Self {
        Self { topic: topic.into(), payload: payload.into(), qos, retain: false, expiry: None }
    }

    /// The same, retained or not.
    pub fn retained(self, retain: bool) -> Self {
        Self { retain, ..self }
    }

    /// The same, with an expiry.
    pub fn expiring(self, expiry: Duration) -> Self {
        Self { expiry: Some(expiry), ..self }
    }

    /// The expiry in whole seconds, rounded up: 0 would mean "drop at once".
    pub(super) fn expiry_s(&self) -> Option<u32> {
        self.expiry.map(|expiry| u32::try_from(expiry.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let address = |url: &str| Options::new(url, "x").address();
        assert_eq!(address("mqtt://localhost:18830"), Ok(("localhost".to_owned(), 18830)));
        assert_eq!(address("mqtt://10.0.0.1"), Ok(("10.0.0.1".to_owned(), 1883)));
        assert_eq!(address("mqtts://10.0.0.1"), Ok(("10.0.0.1".to_owned(), 8883)));
        for url in ["", "localhost:1883", "mqtt://", "mqtt://:1", "mqtt://h:x", "http://h:1"] {
            assert!(address(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_expiry_is_never_rounded_to_nothing() {
        let publication = Publication::new("t", "x", Qos::AtMostOnce);
        assert_eq!(publication.clone().expiring(Duration::from_millis(1)).expiry_s(), Some(1));
        assert_eq!(publication.expiring(Duration::from_millis(1_001)).expiry_s(), Some(2));
    }
}
