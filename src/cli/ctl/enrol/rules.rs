//! What mosquitto is told: the rules and the configuration of the example in cluster/, for this kitchen. The rules name no device, as a
//! device's user name is its id: enrolling one changes the password file alone.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::Config;

const RULES: &str = include_str!("../../../../cluster/mosquitto.acl");
const CONFIGURATION: &str = include_str!("../../../../cluster/mosquitto.conf");
/// Names in the example.
const KITCHEN: &str = "main-street";
const CONTROLLER: &str = "\nuser controller\n";
const FOLDER: &str = "/etc/mosquitto/";
/// Where what is the same for every kitchen begins.
const COMMON: &str = "allow_anonymous false\n";

/// The access rules.
pub fn rules(kitchen: &str, controller: &str) -> String {
    RULES.replace(KITCHEN, kitchen).replace(CONTROLLER, &format!("\nuser {controller}\n"))
}

/// The broker's configuration, where its files lie in `folder`: a listener for each port that the kitchen's brokers have, with the
/// node's certificates where they speak TLS.
pub fn configuration(config: &Config, folder: &Path) -> String {
    let common = CONFIGURATION.find(COMMON).map_or("", |at| &CONFIGURATION[at..]);
    let common = common.replace(FOLDER, &format!("{}/", folder.display()));
    let ports: BTreeSet<(&str, bool)> = config.brokers.iter().map(|url| port(url)).collect();
    let listeners: String = ports.into_iter().map(|(port, is_tls)| listener(config, port, is_tls)).collect();
    format!(
        "# The broker of kitchen {}, beside each replica. A cable, not a database: nothing that matters lives in it.\n{listeners}{common}",
        config.kitchen
    )
}

fn listener(config: &Config, port: &str, is_tls: bool) -> String {
    let certificates = config.tls.as_ref().filter(|_| is_tls).map(|tls| tls.dir.display());
    let certificates = certificates.map(|dir| {
        format!("# mosquitto must be allowed to read the key.\ncertfile {dir}/node.pem\nkeyfile {dir}/node.key\n")
    });
    format!("listener {port}\n{}", certificates.unwrap_or_default())
}

/// A broker's port, and whether it speaks TLS.
fn port(url: &str) -> (&str, bool) {
    let is_tls = url.starts_with("mqtts://");
    let address = url.split_once("://").map_or(url, |(_, address)| address).trim_end_matches('/');
    let port = address.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    (port.unwrap_or(if is_tls { "8883" } else { "1883" }), is_tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(brokers: &str, more: &str) -> Config {
        let text = format!(
            "kitchen = \"k1\"\nnode = 1\ndata_dir = \"/tmp/x\"\nbrokers = {brokers}\n\
             nodes = [{{ id = 1, peer = \"127.0.0.1:7001\", api = \"127.0.0.1:7401\" }}]\n{more}"
        );
        Config::parse(Path::new("node.toml"), &text).unwrap()
    }

    #[test]
    fn the_rules_are_those_of_the_example_for_another_kitchen() {
        assert_eq!(rules(KITCHEN, "controller"), RULES);
        let other = rules("k1", "brigade");
        assert!(other.contains("\nuser brigade\ntopic read brigade/v1/k1/+/conn\n"), "{other}");
        assert!(!other.contains(KITCHEN) && !other.contains("user controller"), "{other}");
    }

    #[test]
    fn a_listener_has_the_port_and_the_certificates_of_the_nodes_configuration() {
        let plain = configuration(&config("[\"mqtt://a\", \"mqtt://b:1883\"]", ""), Path::new("/etc/mosquitto"));
        assert!(
            plain.contains("\nlistener 1883\nallow_anonymous false\npassword_file /etc/mosquitto/brigade.passwd\n"),
            "{plain}"
        );
        assert_eq!(plain.matches("listener").count(), 1);
        let tls = config("[\"mqtts://[::1]\"]", "[tls]\ndir = \"/etc/brigade/certs\"\n");
        let tls = configuration(&tls, Path::new("/srv/mqtt"));
        assert!(tls.contains("listener 8883\n") && tls.contains("\nkeyfile /etc/brigade/certs/node.key\n"), "{tls}");
        assert!(tls.contains("\nacl_file /srv/mqtt/brigade.acl\n"), "{tls}");
    }
}
