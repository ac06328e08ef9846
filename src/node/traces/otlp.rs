//! Spans in the JSON form of OTLP 1 (`ExportTraceServiceRequest` of opentelemetry-proto): ids in hexadecimal, 64-bit numbers as text.

use serde_json::{Value, json};

use crate::kitchen::NodeId;

use super::spans::{Scope, Span};

/// A status of OTLP: 1 is OK, 2 is an error.
fn status(good: bool) -> Value {
    json!({ "code": if good { 1 } else { 2 } })
}

fn attribute((key, value): (&str, &str)) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn nanos(ms: u64) -> String {
    (u128::from(ms) * 1_000_000).to_string()
}

fn span(span: &Span) -> Value {
    let event = |(at_ms, name): &(u64, String)| json!({ "timeUnixNano": nanos(*at_ms), "name": name });
    json!({
        "traceId": span.trace,
        "spanId": span.id,
        "parentSpanId": span.parent,
        "name": span.name,
        // INTERNAL for what the controllers did; CONSUMER for who was told by a message.
        "kind": if span.scope == Scope::Kitchen { 1 } else { 5 },
        "startTimeUnixNano": nanos(span.start_ms),
        "endTimeUnixNano": nanos(span.end_ms.max(span.start_ms)),
        "attributes": span.attributes.iter().map(|(key, value)| attribute((key, value))).collect::<Vec<_>>(),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "status": status(span.good),
    })
}

/// What a collector takes: the controllers' spans, and the devices' as a service of their own.
pub fn document(kitchen: &str, node: NodeId, spans: &[Span]) -> Value {
    let node = node.to_string();
    let of = |scope: Scope, service: &str| {
        let own: Vec<Value> = spans.iter().filter(|s| s.scope == scope).map(span).collect();
        let resource = [("service.name", service), ("service.namespace", kitchen), ("service.instance.id", &node)];
        json!({
            "resource": { "attributes": resource.map(attribute) },
            "scopeSpans": [{ "scope": { "name": "brigade", "version": env!("CARGO_PKG_VERSION") }, "spans": own }],
        })
    };
    json!({ "resourceSpans": [of(Scope::Kitchen, "brigade-controller"), of(Scope::Device, "brigade-device")] })
}
