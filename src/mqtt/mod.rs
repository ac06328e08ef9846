//! MQTT: a client that ends with its connection, and the embedded broker.
//!
//! A `Client` is one connection. When it is lost the client ends, and with it everything that waited in its queue: nothing
//! is sent again on another connection, so nothing queued can speak for a former leader. Who wants to go on connects a new
//! one. Nothing here knows a topic of ours or decides anything. The only place that names the MQTT libraries.

pub mod broker;
mod client;
mod events;
mod options;
pub mod password;
#[doc(hidden)]
pub mod testing;

pub use client::{Client, Publisher};
pub use events::{Event, Events, Message};
pub use options::{Acks, Options, Publication, Qos, Session};

/// Why a client can't do, or can't go on doing, what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The broker's address can't be understood.
    #[error("{url:?} is no broker address: use mqtt://host:port")]
    Address {
        /// What was given.
        url: String,
    },
    /// The bounded queue is full: the broker takes less than is said.
    #[error("the publish queue is full")]
    QueueFull,
    /// The connection has ended; so has this client.
    #[error("the connection to the broker has ended: {why}")]
    Ended {
        /// What ended it.
        why: String,
    },
    /// The broker is there, and did not let this client in.
    #[error("the broker does not let this client in: {why}")]
    Refused {
        /// What it said.
        why: String,
    },
    /// The broker refused a subscription.
    #[error("the broker refused to subscribe to {filter:?}")]
    SubscriptionRefused {
        /// Which one.
        filter: String,
    },
    /// The broker took the message and refused it.
    #[error("the broker refused a message: {why}")]
    PublishRefused {
        /// What it said.
        why: String,
    },
}
