//! The calls of the order API: each half of a call beside the other one.

use std::collections::BTreeMap;

use super::{Answer, Ask, History, Step};

/// A call, whole or with its answer missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The line of its beginning.
    pub line: usize,
    /// The line of its answer.
    pub answer_line: Option<usize>,
    /// When it was sent.
    pub from_ms: u64,
    /// When it was answered; None when its effect may still come.
    pub to_ms: Option<u64>,
    /// The node that was asked.
    pub node: u64,
    /// What was asked.
    pub ask: &'a Ask,
    /// What was answered; a call without an answer is `None`.
    pub answer: Option<&'a Answer>,
}

impl Call<'_> {
    /// True when nobody knows whether it took effect.
    pub fn is_open(&self) -> bool {
        matches!(self.answer, None | Some(Answer::Unknown { .. }))
    }

    /// True for what changes an order.
    pub fn is_write(&self) -> bool {
        !matches!(self.ask, Ask::Show { .. })
    }

    /// The lines that a reader has to look at.
    pub fn lines(&self) -> Vec<usize> {
        [Some(self.line), self.answer_line].into_iter().flatten().collect()
    }
}

/// All calls, in the order of their beginnings.
pub fn calls(history: &History) -> Vec<Call<'_>> {
    let mut calls: Vec<Call<'_>> = Vec::new();
    let mut at: BTreeMap<u64, usize> = BTreeMap::new();
    for (line, fact) in history.clients() {
        match &fact.step {
            Step::Invoke { node, ask } => {
                at.insert(fact.call, calls.len());
                let (from_ms, node) = (fact.t_ms, *node);
                calls.push(Call { line, answer_line: None, from_ms, to_ms: None, node, ask, answer: None });
            }
            Step::Return { answer } => {
                let Some(call) = at.get(&fact.call).and_then(|at| calls.get_mut(*at)) else { continue };
                call.answer_line = Some(line);
                call.to_ms = (!matches!(answer, Answer::Unknown { .. })).then_some(fact.t_ms);
                call.answer = Some(answer);
            }
        }
    }
    calls
}
