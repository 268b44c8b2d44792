//! A Postfix of our own: Debian's package, on a free port of loopback, everything it writes in a folder that goes with
//! the test. It needs root, for that is what its master asks for.
//!
//! What always holds: submission only inside TLS and after AUTH; example.com has the one mailbox `ana`, whatever else is
//! sent there is taken first and bounced then; what is sent to tableware.example, bounces too, lies in `bounces`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::smtp::{Identity, identity};

/// Who may submit, and the password.
pub const CLERK: (&str, &str) = ("clerk", "sesame");
/// As Postfix passes it on: the user, the password, in base64.
const CLERK_PLAIN: &str = "AGNsZXJrAHNlc2FtZQ==";
/// Debian's `nobody`, whose the mailboxes are.
const NOBODY: u32 = 65534;

/// A running Postfix. Dropping it ends it.
pub struct Postfix {
    folder: TempDir,
    pub port: u16,
    pub ca_file: PathBuf,
}

impl Postfix {
    /// Starts one. None only where nobody promised one: CI (`CI=true`) has it or fails.
    pub fn start() -> Option<Self> {
        let installed = Command::new("postconf").arg("-d").arg("mail_version").output();
        let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        if !installed.is_ok_and(|said| said.status.success()) || !root {
            let mend = "no Postfix, or not root: delivery by a real mail server was not tried; \
                apt-get install -y --no-install-recommends postfix, and run the tests as root";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{mend}");
            eprintln!("{mend}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        // Postfix's own user must be able to pass.
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["conf", "queue", "data", "mail"] {
            std::fs::create_dir(dir.join(name)).unwrap();
        }
        let owner = Command::new("chown").arg("postfix").arg(dir.join("data")).status().unwrap();
        assert!(owner.success());
        chown(dir.join("mail"), Some(NOBODY), Some(NOBODY)).unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let Identity { ca_pem, cert_pem, key_pem, .. } = identity("localhost", false);
        for (name, content) in [("ca.pem", ca_pem), ("cert.pem", cert_pem), ("key.pem", key_pem)] {
            std::fs::write(dir.join("conf").join(name), content).unwrap();
        }
        let mailboxes = "ana@example.com ana/\n@tableware.example bounces/\n";
        std::fs::write(dir.join("conf/mailboxes"), mailboxes).unwrap();
        std::fs::write(dir.join("conf/main.cf"), main_cf(dir)).unwrap();
        std::fs::write(dir.join("conf/master.cf"), format!("127.0.0.1:{port} {MASTER_CF}")).unwrap();
        let ca_file = dir.join("conf/ca.pem");
        keep_door(&dir.join("door"));
        let postfix = Self { port, ca_file, folder };
        postfix.control("start");
        Some(postfix)
    }

    fn control(&self, verb: &str) {
        let mut command = Command::new("postfix");
        let done = command.arg("-c").arg(self.folder.path().join("conf")).arg(verb).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "postfix {verb}: {said}\n{}", self.log());
    }

    /// The mails in a mailbox, as its Maildir has them.
    pub fn mailbox(&self, name: &str) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("mail").join(name).join("new");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let conf = self.folder.path().join("conf");
        let _ = Command::new("postfix").arg("-c").arg(conf).arg("abort").output();
    }
}

fn main_cf(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.tableware.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
recipient_delimiter = +
virtual_mailbox_domains = example.com, tableware.example
virtual_mailbox_maps = texthash:{dir}/conf/mailboxes
virtual_mailbox_base = {dir}/mail
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
smtpd_reject_unlisted_recipient = no
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {dir}/conf/cert.pem
smtpd_tls_key_file = {dir}/conf/key.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dir}/door
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"
    )
}

const MASTER_CF: &str = "inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

/// Answers who may submit, in the words of Dovecot's authentication protocol; ends with the test's process.
fn keep_door(path: &Path) {
    let door = UnixListener::bind(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::thread::spawn(move || {
        for visitor in door.incoming().map_while(Result::ok) {
            std::thread::spawn(move || attend(visitor));
        }
    });
}

fn attend(mut visitor: UnixStream) -> std::io::Result<()> {
    const HELLO: &str = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n";
    visitor.write_all(HELLO.as_bytes())?;
    for line in BufReader::new(visitor.try_clone()?).lines() {
        let line = line?;
        let mut words = line.split('\t');
        if words.next() != Some("AUTH") {
            continue;
        }
        let id = words.next().unwrap_or_default();
        let answer = match words.any(|word| word.strip_prefix("resp=") == Some(CLERK_PLAIN)) {
            true => format!("OK\t{id}\tuser={}\n", CLERK.0),
            false => format!("FAIL\t{id}\tuser={}\n", CLERK.0),
        };
        visitor.write_all(answer.as_bytes())?;
    }
    Ok(())
}
