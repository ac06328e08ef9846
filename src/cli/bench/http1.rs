//! One kept connection that speaks HTTP/1.1: the client of every measurement that goes through HTTP, here and at the rivals.
//!
//! Written by hand because client and servers share the machine: what a full client spends on a request would be missing at what is measured.
//! It keeps its connection, sends one request at a time, and reads answers with a length or in chunks. Nothing here repeats anything.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status code.
    pub(super) status: u16,
    /// The body.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// True for 200 to 299.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A connection to one server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    request: Vec<u8>,
}

impl Connection {
    /// Connects, without Nagle's delay.
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), address, request: Vec::new() })
    }

    /// Sends a request with a JSON body, or without one, and reads the whole answer.
    pub(super) async fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let (address, length) = (self.address, body.len());
        self.request.clear();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body.as_bytes());
        self.stream.get_mut().write_all(&self.request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer> {
        let status = status_of(&self.line().await?)?;
        let mut length = Length::Bytes(0);
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            length = length_of(&line).unwrap_or(length);
        }
        let body = match length {
            Length::Bytes(bytes) => self.bytes(bytes).await?,
            Length::Chunks => self.chunks().await?,
        };
        Ok(Answer { status, body })
    }

    /// A line without its end.
    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("{} closed the connection", self.address);
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line().await?, 16).context("a chunk begins with its size")?;
            body.extend(self.bytes(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunks,
}

fn status_of(line: &str) -> Result<u16> {
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.with_context(|| format!("{line:?} is no status line of HTTP/1.1"))
}

/// What a header says about the body's length, if it is one that does.
fn length_of(header: &str) -> Option<Length> {
    let (name, value) = header.split_once(':')?;
    if name.eq_ignore_ascii_case("content-length") {
        return value.trim().parse().ok().map(Length::Bytes);
    }
    let is_chunked = name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked");
    is_chunked.then_some(Length::Chunks)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn the_length_of_a_body_is_read_from_its_header() {
        assert_eq!(length_of("Content-Length: 17"), Some(Length::Bytes(17)));
        assert_eq!(length_of("transfer-encoding: Chunked"), Some(Length::Chunks));
        assert_eq!(length_of("date: today"), None);
        assert_eq!(status_of("HTTP/1.1 201 Created").unwrap(), 201);
        assert!(status_of("SSH-2.0").is_err());
    }

    #[tokio::test]
    async fn answers_with_a_length_and_in_chunks_follow_each_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = [0; 1_024];
            assert!(stream.read(&mut read).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 3\r\n\r\nabc").await.unwrap();
            assert!(stream.read(&mut read).await.unwrap() > 0);
            let chunked = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n";
            stream.write_all(chunked).await.unwrap();
        });
        let mut connection = Connection::open(address).await.unwrap();
        let first = connection.ask("PUT", "/a", "{}").await.unwrap();
        assert!(first.is_success() && first.body == b"abc");
        let second = connection.ask("PUT", "/b", "").await.unwrap();
        assert!(!second.is_success() && second.body == b"def");
    }
}
