//! The names in a certificate, read from its DER (RFC 5280 §4.1).

use trace::tls::Subject;

/// Issuer and subject of the certificate in `der`, if it is one.
pub(super) fn names(der: &[u8]) -> Option<(Subject, Subject)> {
    let certificate = Element::sequence(&mut &*der)?;
    let mut fields = Element::sequence(&mut &*certificate)?;
    // Version (optional), serial number, signature algorithm.
    if fields.first() == Some(&0xa0) {
        Element::read(&mut fields)?;
    }
    Element::read(&mut fields)?;
    Element::read(&mut fields)?;
    let issuer = name(Element::sequence(&mut fields)?);
    // Validity.
    Element::read(&mut fields)?;
    let subject = name(Element::sequence(&mut fields)?);
    Some((issuer, subject))
}

fn name(mut parts: &[u8]) -> Subject {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
    let mut subject = Subject::default();
    while let Some(set) = Element::read(&mut parts) {
        let mut pairs = set.content;
        while let Some(mut pair) = Element::sequence(&mut pairs) {
            let (Some(kind), Some(value)) = (Element::read(&mut pair), Element::read(&mut pair))
            else {
                break;
            };
            let text = || Some(String::from_utf8_lossy(value.content).into_owned());
            match kind.content {
                COMMON_NAME => subject.common_name = text(),
                ORGANIZATION => subject.organization = text(),
                _ => {}
            }
        }
    }
    subject
}

/// One tag, length and content of DER.
struct Element<'d> {
    tag: u8,
    content: &'d [u8],
}

impl<'d> Element<'d> {
    /// Takes the first element from `bytes`.
    fn read(bytes: &mut &'d [u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first & 0x7f);
        if first & 0x80 != 0 {
            let count = length;
            // More than four bytes of length is no certificate.
            if count == 0 || count > 4 || rest.len() < count {
                return None;
            }
            let (digits, behind) = rest.split_at(count);
            length = digits
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit));
            rest = behind;
        }
        let (content, behind) = rest.split_at_checked(length)?;
        *bytes = behind;
        Some(Self { tag, content })
    }

    /// Takes the first element from `bytes` and gives its content, if it is a sequence.
    fn sequence(bytes: &mut &'d [u8]) -> Option<&'d [u8]> {
        let element = Self::read(bytes)?;
        (element.tag == 0x30).then_some(element.content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minted_certificate_gives_its_names() {
        let pki = pki::Pki::new(1_795_305_600).unwrap();
        let identity = pki.mint("client", &[], "Gerät 1").unwrap();
        let (issuer, subject) = names(identity.certificate_der()).unwrap();
        assert_eq!(subject.to_string(), "CN=Gerät 1");
        assert_eq!(issuer.to_string(), "CN=Proving CA");
    }

    proptest! {
        #[test]
        fn garbage_has_no_names_and_does_no_harm(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = names(&bytes);
        }

        #[test]
        fn a_damaged_certificate_does_no_harm(at in 0_usize..400, byte in any::<u8>()) {
            let pki = pki::Pki::new(1_795_305_600).unwrap();
            let mut der = pki.mint("client", &[], "d").unwrap().certificate_der().to_vec();
            let at = at % der.len();
            der[at] = byte;
            let _ = names(&der);
        }
    }
}
