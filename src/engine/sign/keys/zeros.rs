//! ECDSA keys whose secret number begins with zero bytes: OpenSSH writes it without them, ssh-key 0.6 wants every byte of the curve's length.
//!
//! One P-256 or P-384 key in 256 is such a one, and half of all P-521 keys. The number is padded and the file, unencrypted
//! and in memory that is wiped, read again with all of ssh-key's checks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::{Error, PrivateKey};
use zeroize::Zeroizing;

/// Bytes of the number, by curve (RFC 5656, 10.1).
const LENGTHS: [(&[u8], usize); 3] = [(b"nistp256", 32), (b"nistp384", 48), (b"nistp521", 66)];
/// What a file begins with (PROTOCOL.key).
const MAGIC: &[u8] = b"openssh-key-v1\0";
const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
/// What a section that is not encrypted is a multiple of.
const BLOCK: usize = 8;

/// The key in the text of a file.
///
/// # Errors
/// As [`PrivateKey::from_openssh`].
pub(super) fn read(text: &str) -> Result<PrivateKey, Error> {
    PrivateKey::from_openssh(text).or_else(|error| plain(text).ok_or(error))
}

/// The key behind a passphrase.
///
/// # Errors
/// As [`PrivateKey::decrypt`].
pub(super) fn decrypt(key: &PrivateKey, passphrase: &str) -> Result<PrivateKey, Error> {
    match key.decrypt(passphrase) {
        // The passphrase is another one.
        Err(Error::Crypto) => Err(Error::Crypto),
        other => other.or_else(|error| opened(key, passphrase).ok_or(error)),
    }
}

fn plain(text: &str) -> Option<PrivateKey> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    let bytes = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let [cipher, _kdf, _options] = [field(&mut rest)?, field(&mut rest)?, field(&mut rest)?];
    let count = rest.split_off(..4)?;
    if cipher != b"none" || count != 1_u32.to_be_bytes() {
        return None;
    }
    let (public, section) = (field(&mut rest)?, field(&mut rest)?);
    padded(public, section)
}

fn opened(key: &PrivateKey, passphrase: &str) -> Option<PrivateKey> {
    let cipher = key.cipher();
    // ssh-key keeps the tag to itself.
    if cipher.has_tag() {
        return None;
    }
    let (secret, iv) = key.kdf().derive_key_and_iv(cipher, passphrase).ok()?;
    let mut section = Zeroizing::new(key.key_data().encrypted()?.to_vec());
    cipher.decrypt(&secret, &iv, &mut section, None).ok()?;
    padded(&key.public_key().to_bytes().ok()?, &section)
}

/// The key of a section in clear, where that is one whose number is short.
fn padded(public: &[u8], section: &[u8]) -> Option<PrivateKey> {
    let (checks, mut rest) = section.split_at_checked(8)?;
    let [kind, curve, point] = [field(&mut rest)?, field(&mut rest)?, field(&mut rest)?];
    let (number, comment) = (field(&mut rest)?, field(&mut rest)?);
    let (_, length) = LENGTHS.iter().find(|(name, _)| *name == curve)?;
    let zeros = length.checked_sub(number.len()).filter(|zeros| *zeros > 0)?;
    let room = section.len() + zeros + BLOCK;
    let mut whole = Zeroizing::new(Vec::with_capacity(room));
    whole.extend(checks);
    [kind, curve, point].into_iter().try_for_each(|bytes| put(&mut whole, bytes))?;
    whole.extend(u32::try_from(*length).ok()?.to_be_bytes());
    whole.extend(std::iter::repeat_n(0, zeros).chain(number.iter().copied()));
    put(&mut whole, comment)?;
    let padding = whole.len().next_multiple_of(BLOCK) - whole.len();
    whole.extend((1..).take(padding));
    let mut file = Zeroizing::new(Vec::with_capacity(MAGIC.len() + 64 + public.len() + room));
    file.extend(MAGIC);
    [&b"none"[..], b"none", b""].into_iter().try_for_each(|bytes| put(&mut file, bytes))?;
    file.extend(1_u32.to_be_bytes());
    [public, &whole[..]].into_iter().try_for_each(|bytes| put(&mut file, bytes))?;
    PrivateKey::from_bytes(&file).ok()
}

/// Takes a string off the front (RFC 4251, 5).
fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(rest.split_off(..4)?.try_into().ok()?);
    rest.split_off(..usize::try_from(length).ok()?)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend(u32::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use ssh_key::{HashAlg, LineEnding};

    use super::*;

    // Keys for these tests alone, of nobody and trusted nowhere: `ssh-keygen -t ecdsa`, run until the number was short.
    const TEST_KEY_256: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQSg3+1aVZnEbUPkb6q+U5RfBZmTbQk9
4QnEnzHUtgqIn42xOFc2kzKE+AZtbbWcxmL5wecvv5yiNhDgKq4VFsb6AAAAoLqBn1C6gZ
9QAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKDf7VpVmcRtQ+Rv
qr5TlF8FmZNtCT3hCcSfMdS2CoifjbE4VzaTMoT4Bm1ttZzGYvnB5y+/nKI2EOAqrhUWxv
oAAAAfRH5v4H+RMhEp51ZFANF6swYIQJybdjYKJZblZVijagAAAAh0ZXN0IGtleQE=
-----END OPENSSH PRIVATE KEY-----
";
    const TEST_KEY_256_BEHIND_TEST: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBA37yTEk
qklo+CZG0HPFvgAAAAAQAAAAEAAABoAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlz
dHAyNTYAAABBBKDf7VpVmcRtQ+Rvqr5TlF8FmZNtCT3hCcSfMdS2CoifjbE4VzaTMoT4Bm
1ttZzGYvnB5y+/nKI2EOAqrhUWxvoAAACgGIIp8AZSSqWJHbuPh8UCHkzxh4JbF2IZFXwK
hUJQYnnpqmuNJKKQpzxJw4mvhAcz6385d3KkTrabZmQlcIuWepRdvq9albqoS1WRX0Q0Rr
a3WmAIYSEolVv+2ZHFQMNuetzkOtYLBNTiWUo4sSAbUvUf9MAbB84bufyuZPpsVMcHL13A
R5SxoMZjAf3++XCRfsOkmVwCEamUnlAKRRX2+Q==
-----END OPENSSH PRIVATE KEY-----
";
    const TEST_KEY_384: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAiAAAABNlY2RzYS
1zaGEyLW5pc3RwMzg0AAAACG5pc3RwMzg0AAAAYQQ6DTrmKwPPc6i5YqLGaO/C0CoConX3
HBahwOfOv8z6kW33er0Tbvvh1WpY2sqmChjcQcxVdDSDiQvozcPi7aff5W+G1Bjz8uJi8c
ujWJKm+Dg8cz4ueiXt5p4Cduvdo90AAADQFNDT5hTQ0+YAAAATZWNkc2Etc2hhMi1uaXN0
cDM4NAAAAAhuaXN0cDM4NAAAAGEEOg065isDz3OouWKixmjvwtAqAqJ19xwWocDnzr/M+p
Ft93q9E2774dVqWNrKpgoY3EHMVXQ0g4kL6M3D4u2n3+VvhtQY8/LiYvHLo1iSpvg4PHM+
Lnol7eaeAnbr3aPdAAAALyA9Bzpk+KOZH89DeDfsl+Gsn4truqyqktsYyoPJ7l2hARwxAK
Y1Cu+Q5RlV8zxMAAAACHRlc3Qga2V5AQ==
-----END OPENSSH PRIVATE KEY-----
";
    const TEST_KEY_521: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAArAAAABNlY2RzYS
1zaGEyLW5pc3RwNTIxAAAACG5pc3RwNTIxAAAAhQQAs9utX81SuHQSeAuwwVk99vXFigX0
Ct821D1dfoAQZDYGkqv7NEBvL4cJoLbYPxrlyO0WG5uzskujCy13EGij5eABFTdAoKnXdd
0J84Unzt4XB8nT7xXVbOLp2BS9O6VwFxd/qBPUeaeUe0mHDcgOiuORDa+h0ISY5dX2lON3
7q+yALUAAAEIMAKb9jACm/YAAAATZWNkc2Etc2hhMi1uaXN0cDUyMQAAAAhuaXN0cDUyMQ
AAAIUEALPbrV/NUrh0EngLsMFZPfb1xYoF9ArfNtQ9XX6AEGQ2BpKr+zRAby+HCaC22D8a
5cjtFhubs7JLowstdxBoo+XgARU3QKCp13XdCfOFJ87eFwfJ0+8V1Wzi6dgUvTulcBcXf6
gT1HmnlHtJhw3IDorjkQ2vodCEmOXV9pTjd+6vsgC1AAAAQTZDFEow0TJIQnm0X+PWi3uW
Q1eda6ZsQjRf1V3DZ+spznKXMZEnSBCjm+vmB2731fEGMmNJGsNTuRDHsqhmCyjIAAAACH
Rlc3Qga2V5AQID
-----END OPENSSH PRIVATE KEY-----
";

    #[test]
    fn a_number_that_begins_with_zeros_is_padded_and_the_key_signs() {
        for text in [TEST_KEY_256, TEST_KEY_384, TEST_KEY_521] {
            assert!(PrivateKey::from_openssh(text).is_err(), "ssh-key reads it by itself by now");
            let key = read(text).unwrap();
            assert_eq!(key.comment(), "test key");
            let signature = key.sign("test", HashAlg::Sha512, b"words").unwrap();
            key.public_key().verify("test", b"words", &signature).unwrap();
            assert_eq!(read(&key.to_openssh(LineEnding::LF).unwrap()).unwrap(), key);
        }
    }

    #[test]
    fn behind_a_passphrase_it_is_padded_as_well() {
        let key = read(TEST_KEY_256_BEHIND_TEST).unwrap();
        assert!(key.is_encrypted());
        assert!(matches!(decrypt(&key, "wrong"), Err(Error::Crypto)));
        let key = decrypt(&key, "test").unwrap();
        assert_eq!(key.key_data(), read(TEST_KEY_256).unwrap().key_data());
    }

    #[test]
    fn what_is_damaged_stays_refused() {
        for (from, to) in [("b3BlbnNzaC1rZXktdjE", "b3BlbnNzaC1rZXktdjI"), (END, "")] {
            assert!(read(&TEST_KEY_256.replace(from, to)).is_err(), "{from}");
        }
        let body = TEST_KEY_256.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        let bytes = STANDARD.decode(body).unwrap();
        for at in 0..bytes.len() {
            let cut = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(&bytes[..at]));
            assert!(read(&cut).is_err(), "{at}");
        }
    }
}
