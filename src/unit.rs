//! The systemd unit that `shipby unit` prints: hardened as far as a program that writes one file and
//! opens a few connections can be.
//!
//! The daemon may write where its database lies, in the Maildir it empties, and nowhere else. It has no privilege to lose.

use std::path::Path;

use crate::config::LONGEST_GRACE;

/// The folder systemd makes and owns for us.
const STATE: &str = "/var/lib/shipby";

/// Seconds that systemd leaves us to stop. The daemon's own grace is shorter: it leaves by itself, with what is not
/// finished marked as in doubt.
const STOP_SECONDS: u64 = LONGEST_GRACE.as_secs() + 10;

/// The unit for this program, configuration, database and the Maildir of bounces, all as absolute paths.
///
/// A database in /var/lib/shipby needs no user of its own (systemd makes one up); one that lies
/// elsewhere needs the user `shipby`, who must own its folder.
pub fn unit(binary: &Path, config: &Path, database: &Path, maildir: Option<&Path>) -> String {
    // `$` is special in command lines only.
    let argument = |path| word(path).replace('$', "$$");
    let (binary, config_word) = (argument(binary), argument(config));
    let paths = [&binary, &config_word, &word(database), &maildir.map(word).unwrap_or_default()];
    let home = if paths.into_iter().any(|path| in_home(path)) { "read-only" } else { "yes" };
    let mut writes = writes(database);
    if let Some(maildir) = maildir.map(word) {
        writes.push_str(&format!(
            "\n# Mail that comes back is moved from new to cur there, so the user must own these folders.\n\
             ReadWritePaths={maildir}"
        ));
    }
    format!(
        "\
# shipby: keeps customers informed while they wait for backordered goods.
# Install: shipby unit | sudo tee /etc/systemd/system/shipby.service
#          sudo systemctl daemon-reload && sudo systemctl enable --now shipby

[Unit]
Description=shipby: notices for backordered goods
Documentation=man:systemd.exec(5)
After=network-online.target
Wants=network-online.target
# A daemon that keeps failing is a matter for people: six starts in ten minutes, then no more.
StartLimitIntervalSec=10min
StartLimitBurst=6

[Service]
Type=notify
ExecStart={binary} serve --config {config_word}
# Templates are loaded again; they are so on every save, too.
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=5s
# 78: the configuration is wrong, and stays wrong until somebody mends it.
RestartPreventExitStatus=78
# Ready once the database is open and migrated, which may take a while after an upgrade.
TimeoutStartSec=10min
# What is under way is finished; what is not is remembered as in doubt.
TimeoutStopSec={STOP_SECONDS}s
WatchdogSec=60s

# The password for the mail server; in config.toml: password_file = \"$CREDENTIALS_DIRECTORY/smtp_password\"
#LoadCredential=smtp_password:/etc/shipby/smtp_password

{writes}
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome={home}
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
PrivateUsers=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
    )
}

/// As whom it runs, and where it may write.
fn writes(database: &Path) -> String {
    let folder = database.parent().unwrap_or(Path::new("/"));
    if folder == Path::new(STATE) {
        return "DynamicUser=yes\nUser=shipby\nStateDirectory=shipby\nStateDirectoryMode=0700".to_owned();
    }
    let folder = word(folder);
    format!(
        "# The database lies outside {STATE}, so the user must be there and own its folder:\n\
         #   sudo useradd --system --shell /usr/sbin/nologin shipby\n\
         #   sudo chown -R shipby: {folder}\n\
         User=shipby\n\
         ReadWritePaths={folder}"
    )
}

fn in_home(path: &str) -> bool {
    let path = path.trim_start_matches('"');
    ["/home/", "/root/", "/run/user/"].iter().any(|home| path.starts_with(home))
}

/// A path as one word of a unit file (systemd.syntax(7)): `%` doubled, quoted where it has to be.
fn word(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%");
    if !text.chars().any(|c| c.is_whitespace() || c.is_control() || "\"'\\;".contains(c)) {
        return text;
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(binary: &str, config: &str, database: &str) -> String {
        unit(Path::new(binary), Path::new(config), Path::new(database), None)
    }

    #[test]
    fn a_maildir_is_written_to_wherever_it_lies() {
        let database = Path::new("/var/lib/shipby/shipby.db");
        let maildir = Some(Path::new("/var/mail/my bounces"));
        let unit = unit(Path::new("/opt/shipby"), Path::new("/etc/shipby/config.toml"), database, maildir);
        assert!(unit.contains("\nReadWritePaths=\"/var/mail/my bounces\"\nUMask"), "{unit}");
    }

    #[test]
    fn a_database_in_its_own_folder_needs_no_user() {
        let unit = of("/usr/local/bin/shipby", "/etc/shipby/config.toml", "/var/lib/shipby/shipby.db");
        assert!(unit.contains("\nExecStart=/usr/local/bin/shipby serve --config /etc/shipby/config.toml\n"));
        assert!(unit.contains("\nDynamicUser=yes\nUser=shipby\nStateDirectory=shipby\n"));
        assert!(unit.contains("\nProtectHome=yes\n") && !unit.contains("ReadWritePaths"));
        assert!(unit.contains("\nRestartPreventExitStatus=78\n"));
    }

    #[test]
    fn a_database_elsewhere_says_who_must_own_it() {
        let unit = of("/opt/shipby", "/srv/shop/config.toml", "/srv/shop/shipby.db");
        assert!(
            unit.contains("\n#   sudo chown -R shipby: /srv/shop\nUser=shipby\nReadWritePaths=/srv/shop\n")
        );
        assert!(!unit.contains("DynamicUser"));
    }

    #[test]
    fn paths_are_words_of_a_unit_file() {
        let unit = of("/home/ana/my bin/shipby", "/etc/100%/a$b\"c.toml", "/var/lib/shipby/shipby.db");
        assert!(
            unit.contains(r#"ExecStart="/home/ana/my bin/shipby" serve --config "/etc/100%%/a$$b\"c.toml""#)
        );
        assert!(unit.contains("\nProtectHome=read-only\n"));
    }
}
