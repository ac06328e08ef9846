//! The smallest MQTT 3.1.1 client: bytes on a socket, written from the standard, so that a second make of client takes part.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A 3.1.1 connection with a clean session.
pub struct V311 {
    stream: TcpStream,
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

impl V311 {
    /// Connects with a 30 s keep-alive and perhaps a will (topic, payload) of QoS 1.
    pub fn connect(address: SocketAddr, id: &str, will: Option<(&str, &[u8])>) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut client = Self { stream };
        let flags = if will.is_some() { 0b0000_1110 } else { 0b0000_0010 };
        let mut body = [&text(b"MQTT")[..], &[4, flags, 0, 30], &text(id.as_bytes())].concat();
        if let Some((topic, payload)) = will {
            body.extend(text(topic.as_bytes()));
            body.extend(text(payload));
        }
        client.send(0x10, &body);
        assert_eq!(client.packet(), (0x20, vec![0, 0]), "CONNACK: accepted, no session");
        client
    }

    /// Subscribes with QoS 1.
    pub fn subscribe(&mut self, filter: &str) {
        self.send(0x82, &[&[0, 1][..], &text(filter.as_bytes()), &[1]].concat());
        assert_eq!(self.packet(), (0x90, vec![0, 1, 1]), "SUBACK: granted QoS 1");
    }

    /// Publishes with QoS 1 and waits for the PUBACK.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.send(0x32, &[&text(topic.as_bytes())[..], &[0, 7], payload].concat());
        assert_eq!(self.packet(), (0x40, vec![0, 7]), "PUBACK");
    }

    /// The next message: topic and payload.
    pub fn message(&mut self) -> (String, Vec<u8>) {
        let (kind, body) = self.packet();
        assert_eq!(kind & 0xf6, 0x32, "a PUBLISH of QoS 1");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
        self.send(0x40, &body[2 + length..4 + length]);
        (topic, body[4 + length..].to_vec())
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u8::try_from(body.len()).unwrap();
        assert!(length < 128, "one byte of length is enough for tests");
        self.stream.write_all(&[&[kind, length][..], body].concat()).unwrap();
    }

    fn packet(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).unwrap();
        let mut body = vec![0; usize::from(head[1])];
        self.stream.read_exact(&mut body).unwrap();
        (head[0], body)
    }
}
