//! What each role may do: one row for each route and method. What is not here is the admin's.
//!
//! docs/ACCESS.md shows the same table; a test compares both, and another one compares it with the router.

use axum::http::Method;

use crate::kitchen::Role;

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All, without a token: what holds no data.
    Anyone,
    /// These roles; the admin is one of them whether named or not.
    Roles(&'static [Role]),
}

impl Who {
    /// Whether a holder of this role is let in.
    pub fn has(self, role: Role) -> bool {
        match self {
            Self::Anyone => true,
            Self::Roles(roles) => role == Role::Admin || roles.contains(&role),
        }
    }

    /// For people: "operator, admin".
    pub fn words(self) -> String {
        match self {
            Self::Anyone => "anyone".to_owned(),
            Self::Roles(_) => {
                let words: Vec<&str> = Role::ALL.into_iter().filter(|r| self.has(*r)).map(Role::as_str).collect();
                words.join(", ")
            }
        }
    }
}

/// Whoever is known.
const ALL: Who = Who::Roles(&Role::ALL);
/// Who looks at the kitchen.
const LOOK: Who = Who::Roles(&[Role::Viewer, Role::Operator]);
/// Who acts in the kitchen.
const ACT: Who = Who::Roles(&[Role::Operator]);
/// Who orders: people at the site, and the main backend.
const ORDER: Who = Who::Roles(&[Role::Operator, Role::Backend]);
/// The main backend.
const EXCHANGE: Who = Who::Roles(&[Role::Backend]);
/// The admin alone.
const RULE: Who = Who::Roles(&[]);

/// Method, path as the router has it, and whom it is for.
pub type Rule = (&'static str, &'static str, Who);

/// Open to all without a token. The page and its files are too (`page::is_file`): they hold no data.
pub const OPEN: [Rule; 3] =
    [("GET", "/livez", Who::Anyone), ("GET", "/readyz", Who::Anyone), ("GET", "/openapi.json", Who::Anyone)];

/// What needs a token.
pub const RULES: [Rule; 54] = [
    ("GET", "/metrics", LOOK),
    ("GET", "/v1/access", ALL),
    ("GET", "/v1/orders", ALL),
    ("POST", "/v1/orders", ORDER),
    ("GET", "/v1/orders/{id}", ALL),
    ("PUT", "/v1/orders/{id}", ORDER),
    ("DELETE", "/v1/orders/{id}", ORDER),
    ("GET", "/v1/orders/{id}/history", ALL),
    ("POST", "/v1/orders/{id}/cancellation", ORDER),
    ("POST", "/v1/orders/{id}/collection", ORDER),
    ("POST", "/v1/quotes", ALL),
    ("GET", "/v1/pizzas/{id}", ALL),
    ("GET", "/v1/pizzas/{id}/explanation", ALL),
    ("POST", "/v1/pizzas/{id}/remake", ACT),
    ("GET", "/v1/devices", LOOK),
    ("GET", "/v1/devices/{id}", LOOK),
    ("GET", "/v1/devices/{id}/explanation", LOOK),
    ("POST", "/v1/devices/{id}/adopt", ACT),
    ("POST", "/v1/devices/{id}/drain", ACT),
    ("POST", "/v1/devices/{id}/hold", ACT),
    ("POST", "/v1/devices/{id}/resume", ACT),
    ("POST", "/v1/devices/{id}/maintenance", ACT),
    ("POST", "/v1/devices/{id}/release", ACT),
    ("POST", "/v1/devices/{id}/retire", ACT),
    ("GET", "/v1/kitchen", ALL),
    ("POST", "/v1/kitchen/drain", ACT),
    ("POST", "/v1/kitchen/undrain", ACT),
    ("POST", "/v1/kitchen/hold", ACT),
    ("POST", "/v1/kitchen/resume", ACT),
    ("GET", "/v1/kitchen/settings", LOOK),
    ("PUT", "/v1/kitchen/settings", RULE),
    ("GET", "/v1/statistics", LOOK),
    ("GET", "/v1/recipes", ALL),
    ("GET", "/v1/recipes/{id}", ALL),
    ("PUT", "/v1/recipes/{id}", RULE),
    ("GET", "/v1/incidents", LOOK),
    ("POST", "/v1/incidents/{id}/decision", ACT),
    ("GET", "/v1/escalations", LOOK),
    ("GET", "/v1/food-safety", LOOK),
    ("GET", "/v1/events", LOOK),
    ("GET", "/v1/logs", LOOK),
    ("GET", "/v1/backend/exchange", EXCHANGE),
    ("PUT", "/v1/backend/exchange", EXCHANGE),
    ("GET", "/v1/cluster", LOOK),
    ("POST", "/v1/cluster/transfer", RULE),
    ("POST", "/v1/cluster/join", RULE),
    ("POST", "/v1/cluster/leave", RULE),
    ("GET", "/v1/cluster/backup", RULE),
    ("POST", "/v1/cluster/replace", RULE),
    ("POST", "/v1/cluster/maintenance", RULE),
    ("GET", "/v1/audit", ACT),
    ("GET", "/v1/tokens", RULE),
    ("POST", "/v1/tokens", RULE),
    ("DELETE", "/v1/tokens/{id}", RULE),
];

/// Whom a route of the router is for. HEAD is answered as GET is.
pub fn who(method: &Method, path: &str) -> Who {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let rule = OPEN.iter().chain(&RULES).find(|(m, p, _)| *m == method && *p == path);
    rule.map_or(RULE, |(_, _, who)| *who)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_the_admins() {
        for (method, path) in
            [("GET", "/v1/new"), ("PATCH", "/v1/orders"), ("DELETE", "/livez"), ("GET", "/v1/orders/")]
        {
            let who = who(&method.parse().unwrap(), path);
            assert_eq!(who.words(), "admin", "{method} {path}");
            assert!(Role::ALL.into_iter().all(|role| who.has(role) == (role == Role::Admin)));
        }
    }

    #[test]
    fn no_route_stands_twice_in_the_table() {
        let mut rows: Vec<_> = OPEN.iter().chain(&RULES).map(|(method, path, _)| (method, path)).collect();
        rows.sort();
        assert!(rows.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn every_row_is_in_the_documentation() {
        let docs = include_str!("../../../docs/ACCESS.md");
        let rows =
            OPEN.iter().chain(&RULES).map(|(method, path, who)| format!("| `{method} {path}` | {} |", who.words()));
        let wanted: Vec<String> = rows.collect();
        let shown: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `") && line.contains(" /")).collect();
        assert_eq!(shown, wanted, "docs/ACCESS.md shows another table");
    }

    #[test]
    fn only_the_backend_is_no_viewer_and_a_viewer_changes_nothing() {
        for (method, path, who) in RULES {
            // A quote orders nothing; it is a POST for its body's sake.
            let reads = method == "GET" || path == "/v1/quotes";
            assert!(reads || !who.has(Role::Viewer), "{method} {path}");
            assert!(
                !who.has(Role::Viewer) || who.has(Role::Operator),
                "{method} {path}: an operator sees what a viewer does"
            );
        }
    }
}
