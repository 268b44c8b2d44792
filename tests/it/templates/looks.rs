//! The html parts as mail programs take them: sound html that needs nothing from elsewhere, and, in a real browser, no
//! line too wide and no text too faint.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// Every html part with its name and language.
fn html_parts() -> impl Iterator<Item = (String, &'static str, String)> {
    let named =
        |language| move |(name, _, rendered): (String, _, Rendered)| Some((name, language, rendered.html?));
    LANGUAGES
        .into_iter()
        .flat_map(move |language| rendered_in(language).into_iter().filter_map(named(language)))
}

/// A tag as it stands in the text, and the text up to the next one.
struct Tag<'a> {
    name: &'a str,
    inside: &'a str,
    text: &'a str,
}

impl<'a> Tag<'a> {
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.inside.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

/// The tags of `html` in order, without comments.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = if let Some(comment) = after.strip_prefix("!--") {
            comment.split_once("-->").expect("a comment ends").1
        } else {
            let (inside, next) = after.split_once('>').expect("a tag ends");
            let name = inside.split([' ', '\n']).next().unwrap_or_default();
            let text = next.split('<').next().unwrap_or_default();
            tags.push(Tag { name, inside, text });
            next
        };
    }
    tags
}

#[test]
fn every_tag_is_closed_in_order_and_every_attribute_quoted() {
    for (name, _, html) in html_parts() {
        let mut open = Vec::new();
        for tag in tags(&html) {
            if let Some(closed) = tag.name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{name}");
            } else if !["!DOCTYPE", "meta", "br", "img"].contains(&tag.name) {
                open.push(tag.name);
            }
            let quotes = tag.inside.matches('"').count();
            assert_eq!(quotes, 2 * tag.inside.matches("=\"").count(), "{name}: <{}>", tag.inside);
            let well = |at: usize| {
                ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|e| tag.text[at..].starts_with(e))
            };
            assert!(tag.text.match_indices('&').all(|(at, _)| well(at)), "{name}: {}", tag.text);
        }
        assert_eq!(open, [""; 0], "{name}");
    }
}

#[test]
fn a_screen_reader_finds_the_language_one_headline_and_links_with_words() {
    for (name, language, html) in html_parts() {
        let tags = tags(&html);
        let named = |tag: &str| tags.iter().filter(move |found| found.name == tag).collect::<Vec<_>>();
        let html_tag = named("html")[0];
        assert_eq!(
            (html_tag.attribute("lang"), html_tag.attribute("dir")),
            (Some(language), Some("ltr")),
            "{name}"
        );
        let headlines = named("h1");
        assert!(headlines.len() == 1 && !headlines[0].text.trim().is_empty(), "{name}");
        assert!(named("title")[0].text.contains(headlines[0].text), "{name}");
        assert!(named("h2").iter().all(|heading| !heading.text.trim().is_empty()), "{name}");
        assert!(named("a").iter().all(|link| link.text.trim().chars().count() > 5), "{name}");
        assert!(named("table").iter().all(|table| table.attribute("role") == Some("presentation")), "{name}");
        // A list without bullets is no list to some readers unless it says so.
        assert!(named("ul").iter().all(|list| list.attribute("role") == Some("list")), "{name}");
        assert!(named("img").iter().all(|image| image.attribute("alt").is_some()), "{name}");
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    for (name, _, html) in html_parts() {
        for tag in tags(&html) {
            assert!(
                !["img", "script", "link", "iframe", "object", "base"].contains(&tag.name),
                "{name}: {}",
                tag.inside
            );
            for loads in ["src", "background", "srcset", "poster"] {
                assert_eq!(tag.attribute(loads), None, "{name}");
            }
            let style = tag.attribute("style").unwrap_or_default();
            assert!(!style.contains("url(") && !tag.text.contains("@import"), "{name}: {}", tag.inside);
        }
    }
}

/// A browser to look with. None only where nobody promised one: CI (`CI=true`) has one or fails.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|dir| names.map(|name| dir.join(name)))
        .find(|file| file.is_file());
    if found.is_none() {
        let mend = "no chromium on PATH: the looks of the mails were not tried; apt-get install -y chromium";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{mend}");
        eprintln!("{mend}");
    }
    found
}

/// What `browser` answers when it opens `page` with `arguments`.
fn open(browser: &Path, page: &str, arguments: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("page.html");
    std::fs::write(&file, page).unwrap();
    let profile = format!("--user-data-dir={}", dir.path().join("profile").display());
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"])
        .args(["--disable-background-networking", &profile])
        .args(arguments)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the browser failed:\n{said}");
    output.stdout
}

fn frame(html: &str, width: u32, height: u32) -> String {
    let html = html.replace('&', "&amp;").replace('"', "&quot;");
    format!("<iframe width=\"{width}\" height=\"{height}\" style=\"border:0\" srcdoc=\"{html}\"></iframe>\n")
}

/// Asks each frame how wide its page is and how faint its faintest text.
const MEASURE: &str = r#"<script>
const parts = color => color.match(/[\d.]+/g).map(Number);
const light = color => { const [r, g, b] = parts(color).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
const ground = (node, style) => { for (; node; node = node.parentElement) { const found = style(node).backgroundColor; if (parts(found)[3] !== 0) return found; } return "rgb(255, 255, 255)"; };
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((x, y) => y - x); return (x + .05) / (y + .05); };
onload = () => {
  const said = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, style = node => frame.contentWindow.getComputedStyle(node);
    let faintest = 21;
    const walk = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
    for (let text; text = walk.nextNode();) {
      const node = text.parentElement;
      if (text.data.trim()) faintest = Math.min(faintest, contrast(style(node).color, ground(node, style)));
    }
    return `found ${page.documentElement.scrollWidth} ${faintest.toFixed(2)} ${style(page.body).backgroundColor.replaceAll(" ", "")}`;
  });
  document.body.textContent = said.join("\n");
};
</script>"#;

/// The longest mail of each kind and language, and those with names that are hard to set.
fn longest() -> Vec<(String, String)> {
    let mut chosen: BTreeMap<(&str, String), (String, String)> = BTreeMap::new();
    for language in LANGUAGES {
        for (name, mail, rendered) in rendered_in(language) {
            let Some(html) = rendered.html else { continue };
            let hard = ["long names", "right to left"].into_iter().find(|hard| name.contains(hard));
            let known = chosen.entry((language, hard.map_or(mail.kind, str::to_owned))).or_default();
            if html.len() > known.1.len() {
                *known = (name, html);
            }
        }
    }
    chosen.into_values().collect()
}

#[test]
fn every_mail_fits_a_phone_and_a_desk_and_can_be_read_by_day_and_night() {
    let Some(browser) = browser() else { return };
    let widths = [320, 640];
    let parts = longest();
    let frames: String =
        parts.iter().flat_map(|(_, html)| widths.map(|width| frame(html, width, 10))).collect();
    let page = format!("<!DOCTYPE html><meta charset=\"utf-8\"><body>{frames}{MEASURE}");
    for (scheme, ground) in [("1", "rgb(243,241,236)"), ("0", "rgb(22,21,19)")] {
        let preferred = format!("--blink-settings=preferredColorScheme={scheme}");
        let dom = open(&browser, &page, &["--dump-dom", &preferred]);
        let dom = String::from_utf8(dom).unwrap();
        let found: Vec<Vec<&str>> =
            dom.lines().filter_map(|line| Some(line.split_once("found ")?.1.split(' ').collect())).collect();
        assert_eq!(found.len(), parts.len() * widths.len(), "{}", &dom[..dom.len().min(500)]);
        let asked = parts.iter().flat_map(|(name, _)| widths.map(|width| (name, width)));
        for ((name, width), found) in asked.zip(found) {
            assert!(found[0].parse::<u32>().unwrap() <= width, "{name}: {}px wide at {width}px", found[0]);
            assert!(
                found[1].parse::<f64>().unwrap() >= 4.5,
                "{name}: a contrast of {} on {ground}",
                found[1]
            );
            assert!(found[2].starts_with(ground), "{name}: {} is not {ground}", found[2]);
        }
    }
}

#[test]
fn a_picture_of_a_mail_shows_something() {
    let Some(browser) = browser() else { return };
    let (.., html) = html_parts().find(|(name, ..)| name.starts_with("date slip (de)")).unwrap();
    let picture = |page: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mail.png");
        let shot = format!("--screenshot={}", file.display());
        open(&browser, page, &[&shot, "--window-size=700,900"]);
        std::fs::read(file).unwrap()
    };
    let blank = picture("<!DOCTYPE html><body>");
    assert!(blank.starts_with(b"\x89PNG"));
    for width in [320, 640] {
        let mail = picture(&format!("<!DOCTYPE html><body>{}", frame(&html, width, 900)));
        assert!(
            mail.len() > 5 * blank.len(),
            "{} octets at {width}px, a blank page has {}",
            mail.len(),
            blank.len()
        );
    }
}
