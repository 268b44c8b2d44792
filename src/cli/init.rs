//! `shipby init`: the files to start from, as they are compiled in. What is there already is never touched.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::{Answer, Call, Exit, output};
use crate::config::sample;
use crate::templates::{COMPILED_IN, guide};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where; it is made if there is no such folder.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

pub(super) fn run(call: &Call, args: &Args) -> Answer {
    // `config.toml` reads better than `./config.toml`.
    let dir = args.dir.strip_prefix(".").unwrap_or(&args.dir);
    let (config, templates) = (dir.join("config.toml"), dir.join("templates"));
    for path in [&config, &templates] {
        // A dangling link counts as well.
        if fs::symlink_metadata(path).is_ok() {
            anyhow::bail!("{} is there already; nothing was written", path.display());
        }
    }
    let mut written = Vec::new();
    for (name, text) in COMPILED_IN {
        let path = templates.join(name);
        write(&path, text)?;
        written.push(path);
    }
    let readme = templates.join("README.md");
    write(&readme, &guide())?;
    written.push(readme);
    // Last: whoever finds it finds the templates beside it.
    write(&config, &sample())?;
    written.push(config.clone());
    if call.json {
        let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        output::json("shipby.init/1", &json!({ "files": files }))?;
        return Ok(Exit::Done);
    }
    let named = if config == Path::new("config.toml") {
        String::new()
    } else {
        format!(" --config {}", config.display())
    };
    output::text(&format!(
        "Wrote {} and {} templates in {}.\n\
         shipby check{named}   proves them\n\
         shipby serve{named}   runs the daemon; no mail leaves this machine\n\
         mode = \"live\" under [delivery] sends to your customers, once [shop] and [smtp] are yours\n",
        config.display(),
        COMPILED_IN.len(),
        templates.display()
    ))?;
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
    };
    write().with_context(|| path.display().to_string())
}
