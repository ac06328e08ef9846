//! A kitchen's own authorities: makes them, signs certificates with them, and reads what a certificate says.
//!
//! The authorities' keys belong on no node: who has one can be a replica. Keys are written for their owner alone (0600), and each file is written beside
//! its place and then moved there, so that nobody reads half of one.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::secret;

use super::Error;

/// How long an authority is valid, in days.
pub const AUTHORITY_DAYS: i64 = 3_650;
/// How long a certificate is valid, in days: the longest that all browsers take.
pub const CERTIFICATE_DAYS: i64 = 825;
/// Clocks differ: valid from so long before now.
const EARLIER: Duration = Duration::hours(1);

/// Who signs.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The one in these files; a new one of this name, if there is none.
    pub fn open(certificate: &Path, key: &Path, name: &str) -> Result<Self, Error> {
        if certificate.exists() { Self::load(certificate, key) } else { Self::found(certificate, key, name) }
    }

    fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let text =
            |path: &Path| std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source });
        let form =
            |path: &Path, what, why: rcgen::Error| Error::Form { path: path.to_owned(), what, why: why.to_string() };
        let pair = KeyPair::from_pem(&text(key)?).map_err(|why| form(key, "private key", why))?;
        let certificate_text = text(certificate)?;
        let issuer =
            Issuer::from_ca_cert_pem(&certificate_text, pair).map_err(|why| form(certificate, "authority", why))?;
        Ok(Self { certificate: certificate_text, issuer })
    }

    fn found(certificate: &Path, key: &Path, name: &str) -> Result<Self, Error> {
        let pair = KeyPair::generate().map_err(make)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_for(&mut params, AUTHORITY_DAYS);
        let text = params.self_signed(&pair).map_err(make)?.pem();
        write_secret(key, &pair.serialize_pem())?;
        write(certificate, &text)?;
        Ok(Self { certificate: text, issuer: Issuer::new(params, pair) })
    }

    /// Its own certificate: what others trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Signs a new key for somebody with these names and addresses, and writes both files.
    pub fn issue(&self, whom: &str, names: &[String], certificate: &Path, key: &Path) -> Result<(), Error> {
        let pair = KeyPair::generate().map_err(make)?;
        let mut params = CertificateParams::new(names).map_err(make)?;
        params.distinguished_name.push(DnType::CommonName, whom);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, CERTIFICATE_DAYS);
        let signed = params.signed_by(&pair, &self.issuer).map_err(make)?;
        // The key first: a process that looks between the two sees that they differ, and keeps what it has.
        write_secret(key, &pair.serialize_pem())?;
        write(certificate, &signed.pem())
    }
}

fn valid_for(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - EARLIER;
    params.not_after = now + Duration::days(days);
}

fn make(why: rcgen::Error) -> Error {
    Error::Make(why.to_string())
}

/// A file that everybody may read.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    write_with_mode(path, text, secret::PUBLIC)
}

/// A file that its owner alone may read.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    write_with_mode(path, text, secret::PRIVATE)
}

fn write_with_mode(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    secret::write_file(path, text, mode).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Names and addresses that it is good for.
    pub names: Vec<String>,
    /// Until when, in seconds since 1970.
    pub expires_s: i64,
}

impl Summary {
    /// Reads the first certificate of a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let certificates = super::certificates(path)?;
        let form = |why: String| Error::Form { path: path.to_owned(), what: "certificate", why };
        Self::of(&certificates[0]).map_err(form)
    }

    /// Reads a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|why| why.to_string())?;
        let extension = parsed.subject_alternative_name().map_err(|why| why.to_string())?;
        let names = extension.iter().flat_map(|extension| &extension.value.general_names);
        Ok(Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names: names.filter_map(name).collect(),
            expires_s: parsed.validity().not_after.timestamp(),
        })
    }

    /// How many whole days are left; negative when it is over.
    pub fn days_left(&self) -> i64 {
        (self.expires_s - OffsetDateTime::now_utc().unix_timestamp()).div_euclid(86_400)
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        // Ours have none of the others.
        _ => None,
    }
}
