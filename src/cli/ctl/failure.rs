//! Why a command did not do what it should. Each text ends in what to do.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use crate::tls;

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A replica said no.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// It may have been done, or not.
    #[error("the answer of {url} did not come ({why}): it may have been done, or not. Look before you try again")]
    Unknown {
        /// Who was asked.
        url: String,
        /// What the connection says.
        why: String,
    },
    /// A decision is on record with its reason.
    #[error("a decision is on record: say why with --reason WHY")]
    NoReason,
    /// Nobody answered.
    #[error("no replica answered:\n{tried}\nIs one running there? Name others with --api URL or BRIGADE_API=URL,URL")]
    Unreachable {
        /// One line for each URL.
        tried: String,
    },
    /// Something answered that is no API of this program.
    #[error("{url} answered {status}, and not as this program's API does: is the URL right?")]
    Foreign {
        /// Who was asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The authority that should be trusted can't be used.
    #[error("{0}. Name it with --ca FILE or BRIGADE_CA")]
    Authority(#[from] tls::Error),
    /// The token can't be read.
    #[error("the token in {} can't be used: {why}", .path.display())]
    TokenFile {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A food-safety record is not as it was written.
    #[error("{file}: {why}. It is not what the kitchen wrote: export it again, and compare", file = file.display())]
    Chain {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A copy of a kitchen can't be taken, trusted or restored.
    #[error("{0}")]
    Copy(#[from] crate::raft::backup::Error),
    /// A node's configuration or directory can't be used.
    #[error("{0}")]
    Node(String),
    /// There is no screen to fill.
    #[error(
        "top fills a terminal, and standard input and output are none. Hint: brigade ctl top --once prints one screen, --once --json what it is made of"
    )]
    NoTerminal,
    /// Nobody can be enrolled so.
    #[error("{0}")]
    Enrol(String),
    /// A file that was named can't be used.
    #[error("{path}: {why}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The output can't be written.
    #[error("the output can't be written: {0}")]
    Output(#[from] io::Error),
}

/// A problem document as it came.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The last part of its type.
    pub word: String,
    /// All of it.
    pub problem: Value,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |name: &str| self.problem[name].as_str().unwrap_or_default().to_owned();
        write!(f, "{}: {}", text("title"), text("detail"))?;
        hint(&self.word).map_or(Ok(()), |hint| write!(f, "\nHint: {hint}"))
    }
}

impl Failure {
    /// From a problem document.
    pub(super) fn refused(problem: Value) -> Self {
        let word = problem["type"].as_str().and_then(|t| t.rsplit(':').next()).unwrap_or_default().to_owned();
        Self::Refused(Box::new(Refused { word, problem }))
    }

    /// 1, or 3 if nobody was reached. 2 is clap's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoReason => 2,
            Self::Unreachable { .. } => 3,
            Self::Refused(_)
            | Self::Unknown { .. }
            | Self::Foreign { .. }
            | Self::Authority(_)
            | Self::TokenFile { .. }
            | Self::Chain { .. }
            | Self::Copy(_)
            | Self::Node(_)
            | Self::NoTerminal
            | Self::Enrol(_)
            | Self::File { .. }
            | Self::Output(_) => 1,
        }
    }
}

fn hint(word: &str) -> Option<&'static str> {
    match word {
        "unknown-order" => Some("brigade ctl orders list --status all"),
        "unknown-recipe" | "no-such-recipe" => Some("brigade ctl recipes list"),
        "unknown-device" => Some("brigade ctl devices list"),
        "unknown-incident" => Some("brigade ctl incidents list"),
        "unauthenticated" => Some(
            "name a token: BRIGADE_TOKEN=… or --token-file FILE. A new kitchen's first one is in the file admin-token of the data directory of the node whose log says so",
        ),
        "forbidden" => Some("brigade ctl tokens list shows the roles, as an admin; docs/ACCESS.md what they allow"),
        "unknown-token" => Some("brigade ctl tokens list"),
        "last-admin" => Some("brigade ctl tokens add --role admin --name NAME"),
        "no-quorum" | "no-leader" | "quorum-at-risk" | "nobody-else" => {
            Some("brigade ctl cluster status shows which replicas are up")
        }
        _ => None,
    }
}
