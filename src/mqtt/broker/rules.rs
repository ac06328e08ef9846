//! Who may say and hear what: mosquitto's access rules, as far as `brigade ctl devices enrol` writes them.
//!
//! Understood are `user NAME`, `topic [read|write|readwrite] TOPIC` below it, and `pattern …`, where `%u` is the user's name. Anything else is an error
//! that names its line: a rule that was passed over could have been a prohibition. What no rule allows is forbidden.

/// The rules of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    /// Whose; None: everybody's, with his name in the place of `%u`.
    user: Option<String>,
    reads: bool,
    writes: bool,
    topic: String,
}

impl Rules {
    /// Reads the lines of a file; Err says which one is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Vec::new();
        let mut user = None;
        for (n, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())) {
            let wrong = |why: &str| Err(format!("line {n}: {why}"));
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            match (word, rest) {
                ("", _) => {}
                (word, _) if word.starts_with('#') => {}
                (_, "") => return wrong("something is missing"),
                ("user", name) => user = Some(name.to_owned()),
                ("topic", _) if user.is_none() => {
                    return wrong("a topic stands before any user: nobody is let in without a name");
                }
                ("topic", rest) if rest.contains("%u") => return wrong("%u is for patterns"),
                ("topic", rest) => rules.push(rule(user.clone(), rest).map_err(|why| format!("line {n}: {why}"))?),
                ("pattern", rest) => rules.push(rule(None, rest).map_err(|why| format!("line {n}: {why}"))?),
                _ => return wrong("user, topic or pattern is wanted"),
            }
        }
        Ok(Self { rules })
    }

    /// Whether this user may say something on this topic.
    pub fn may_write(&self, user: &str, topic: &str) -> bool {
        self.of(user).any(|rule| rule.writes && covers(&rule.topic_of(user), topic))
    }

    /// Whether this user may hear everything that this filter lets through: the broker asks when somebody subscribes, not at each message.
    pub fn may_read(&self, user: &str, filter: &str) -> bool {
        self.of(user).any(|rule| rule.reads && covers(&rule.topic_of(user), filter))
    }

    fn of(&self, user: &str) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.user.as_deref().is_none_or(|name| name == user))
    }
}

impl Rule {
    fn topic_of(&self, user: &str) -> String {
        match self.user {
            Some(_) => self.topic.clone(),
            None => self.topic.replace("%u", user),
        }
    }
}

/// `[read|write|readwrite] TOPIC`.
fn rule(user: Option<String>, text: &str) -> Result<Rule, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or(("", text));
    let (reads, writes, topic) = match word {
        "read" => (true, false, rest),
        "write" => (false, true, rest),
        "readwrite" => (true, true, rest),
        "" => (true, true, text),
        other => return Err(format!("{other:?} is none of read, write and readwrite")),
    };
    let topic = topic.trim().to_owned();
    if topic.contains("%c") {
        return Err("%c is not known: a client chooses that name itself".to_owned());
    }
    Ok(Rule { user, reads, writes, topic })
}

/// Whether whatever matches `inner` (a topic, or a filter) also matches the filter `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    // By the standard, wildcards in the first place do not match the broker's own topics.
    if inner.starts_with('$') && outer.starts_with(['+', '#']) {
        return false;
    }
    let (mut outer, mut inner) = (outer.split('/'), inner.split('/'));
    loop {
        match (outer.next(), inner.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(one), Some(other)) if one == other && one != "+" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../cluster/mosquitto.acl");

    fn topic(rest: &str) -> String {
        format!("brigade/v1/main-street/{rest}")
    }

    #[test]
    fn a_device_says_its_own_and_hears_its_own() {
        let rules = Rules::parse(EXAMPLE).unwrap();
        for leaf in ["conn", "facts", "state", "hb", "obs"] {
            assert!(rules.may_write("robot1", &topic(&format!("robot1/{leaf}"))), "{leaf}");
            assert!(!rules.may_write("robot1", &topic(&format!("robot2/{leaf}"))), "{leaf}");
            assert!(!rules.may_read("robot1", &topic(&format!("robot1/{leaf}"))), "{leaf}");
        }
        for read in ["robot1/lease", "robot1/cmd", "all/cmd", "ctl/leader"] {
            assert!(rules.may_read("robot1", &topic(read)) && !rules.may_write("robot1", &topic(read)), "{read}");
        }
        for foreign in ["robot2/cmd", "robot10/cmd", "+/cmd", "#", "robot1/#", "robot1/+", "all/+"] {
            assert!(!rules.may_read("robot1", &topic(foreign)), "{foreign}");
        }
        for foreign in
            ["#", "+/+/+/+/+", "$SYS/#", "$share/g/brigade/v1/main-street/robot1/cmd", "brigade/v1/other/robot1/cmd"]
        {
            assert!(!rules.may_read("robot1", foreign), "{foreign}");
        }
    }

    #[test]
    fn controllers_alone_give_orders() {
        let rules = Rules::parse(EXAMPLE).unwrap();
        for leaf in ["cmd", "lease"] {
            assert!(rules.may_write("controller", &topic(&format!("robot1/{leaf}"))));
            assert!(!rules.may_write("robot1", &topic(&format!("robot1/{leaf}"))));
        }
        assert!(
            rules.may_write("controller", &topic("all/cmd")) && rules.may_write("controller", &topic("ctl/leader"))
        );
        assert!(
            rules.may_read("controller", &topic("+/facts")) && rules.may_read("controller", &topic("robot1/facts"))
        );
        assert!(!rules.may_read("controller", &topic("+/cmd")) && !rules.may_read("controller", &topic("+/#")));
    }

    #[test]
    fn a_filter_covers_what_lets_through_no_more() {
        for (outer, inner) in
            [("a/#", "a"), ("a/#", "a/b/#"), ("a/+", "a/b"), ("a/+", "a/+"), ("#", "a/+"), ("a/+/c", "a/b/c")]
        {
            assert!(covers(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [
            ("a/+", "a/#"),
            ("a/+", "a"),
            ("a/+", "a/b/c"),
            ("a/b", "a/+"),
            ("a", "a/b"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
        ] {
            assert!(!covers(outer, inner), "{outer} {inner}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_named_and_not_passed_over() {
        for (text, why) in [
            ("# fine\n\ntopic read a", "line 3: a topic stands before any user"),
            ("user u\ntopic deny a", "line 2: \"deny\""),
            ("pattern read a/%c", "line 1: %c"),
            ("user u\ntopic read a/%u", "line 2: %u"),
            ("users u", "line 1: user, topic or pattern"),
            ("user", "line 1: something is missing"),
        ] {
            let error = Rules::parse(text).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
        assert!(Rules::parse("user u\ntopic a b/c").unwrap_err().contains("none of read"));
        assert!(Rules::parse("user u\ntopic a/b").unwrap().may_write("u", "a/b"));
    }
}
