use std::os::unix::fs::PermissionsExt;

use super::authority::{Authority, CERTIFICATE_DAYS, Summary};
use super::*;

struct Site {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(&dir.path().join("ca.pem"), &dir.path().join("ca.key"), "test").unwrap();
        Self { dir, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn issue(&self, name: &str) {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "fd00::1".to_owned()];
        self.authority.issue("somebody", &names, &self.path(&format!("{name}.pem")), &self.path("key")).unwrap();
    }
}

#[test]
fn a_certificate_says_whose_it_is_and_until_when() {
    let site = Site::new();
    site.issue("cert");
    let summary = Summary::read(&site.path("cert.pem")).unwrap();
    assert_eq!((summary.subject.as_str(), summary.issuer.as_str()), ("CN=somebody", "CN=test"));
    assert_eq!(summary.names, ["localhost", "127.0.0.1", "fd00::1"]);
    // Whole days: by now one may have begun.
    assert!((CERTIFICATE_DAYS - 1..=CERTIFICATE_DAYS).contains(&summary.days_left()));
}

#[test]
fn keys_are_for_their_owner_alone() {
    let site = Site::new();
    site.issue("cert");
    let mode = |name: &str| std::fs::metadata(site.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("key"), mode("cert.pem")), (0o600, 0o600, 0o644));
}

#[test]
fn an_authority_is_founded_once_and_signs_on() {
    let site = Site::new();
    let again = Authority::open(&site.path("ca.pem"), &site.path("ca.key"), "another name").unwrap();
    assert_eq!(again.certificate(), site.authority.certificate());
    again.issue("x", &["localhost".to_owned()], &site.path("x.pem"), &site.path("x.key")).unwrap();
    assert_eq!(Summary::read(&site.path("x.pem")).unwrap().issuer, "CN=test");
}

#[test]
fn a_renewed_pair_is_taken_up_and_half_a_pair_is_not() {
    let site = Site::new();
    site.issue("cert");
    let identity = Identity::load(&site.path("cert.pem"), &site.path("key")).unwrap();
    assert!(!identity.refresh().unwrap());
    let old_key = std::fs::read(site.path("key")).unwrap();
    site.issue("cert");
    let new_key = std::fs::read(site.path("key")).unwrap();
    std::fs::write(site.path("key"), old_key).unwrap();
    let expires = identity.expires_s();
    assert!(matches!(identity.refresh(), Err(Error::Pair { .. })));
    assert_eq!(identity.expires_s(), expires);
    std::fs::write(site.path("key"), new_key).unwrap();
    assert!(identity.refresh().unwrap());
}

#[test]
fn what_is_missing_or_of_another_form_is_named() {
    let site = Site::new();
    let missing = Node::load(site.dir.path()).unwrap_err().to_string();
    assert!(missing.contains("node.pem") && missing.contains("brigade certs issue"), "{missing}");
    std::fs::write(site.path("node.pem"), "no certificate").unwrap();
    let form = Identity::load(&site.path("node.pem"), &site.path("ca.key")).unwrap_err().to_string();
    assert!(form.contains("node.pem is no certificate"), "{form}");
    let foreign = Identity::load(&site.path("ca.pem"), &site.path("node.pem")).unwrap_err().to_string();
    assert!(foreign.contains("node.pem is no private key"), "{foreign}");
    assert!(!format!("{:?}", Dialer::trusting(&site.path("node.pem")).unwrap_err()).is_empty());
}

#[test]
fn an_address_gets_its_scheme_from_who_dials() {
    assert_eq!(Dialer::plain().url("10.0.0.1:7400"), "http://10.0.0.1:7400");
    assert_eq!(Dialer::public().url("10.0.0.1:7400/"), "https://10.0.0.1:7400");
    assert_eq!(Dialer::public().url("http://10.0.0.1:7400"), "http://10.0.0.1:7400");
}
