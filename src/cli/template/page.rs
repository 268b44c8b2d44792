//! The page of a preview: text and html side by side, at the widths of a phone and a desktop, the findings below. It is
//! one file and loads nothing.

use crate::templates::{Finding, Rendered, escape};

const STYLE: &str = "body{margin:24px;font:15px/1.5 system-ui,sans-serif;color:#222;background:#eceae5}\
    h1{font-size:18px;margin:0}h2{font-size:13px;font-weight:600;margin:0 0 6px;color:#666}\
    .row{display:flex;flex-wrap:wrap;gap:24px;align-items:flex-start;margin:20px 0}\
    iframe,pre{box-sizing:border-box;height:900px;border:1px solid #ccc;border-radius:8px;background:#fff}\
    pre{margin:0;padding:16px;overflow:auto;white-space:pre-wrap;overflow-wrap:break-word;font:14px/1.5 ui-monospace,monospace}\
    .phone{width:375px}.desktop{width:760px}.error{color:#a11}.warning{color:#850}";

/// The page for one mail.
pub(super) fn page(kind: &str, about: &str, mail: &Rendered, findings: &[Finding]) -> String {
    let frame = |what: &str, class: &str, inner: String| {
        format!("<div><h2>{what}</h2>{inner}</div>\n").replace("CLASS", class)
    };
    let mut views = String::new();
    for (width, class) in [("phone", "phone"), ("desktop", "desktop")] {
        if let Some(html) = &mail.html {
            // The sandbox runs no script and follows no link; what is in the mail stays in it.
            let inner = format!(
                "<iframe class=\"CLASS\" sandbox title=\"{width}\" srcdoc=\"{}\"></iframe>",
                escape(html)
            );
            views.push_str(&frame(&format!("html, {width}"), class, inner));
        }
        let inner = format!("<pre class=\"CLASS\">{}</pre>", escape(&mail.text));
        views.push_str(&frame(&format!("text, {width}"), class, inner));
    }
    let found: String = findings
        .iter()
        .map(|finding| {
            format!("<li class=\"{}\">{}</li>\n", finding.severity.as_str(), escape(&finding.to_string()))
        })
        .collect();
    let found =
        if found.is_empty() { "<p>Nothing to mend.</p>".to_owned() } else { format!("<ul>\n{found}</ul>") };
    let (kind, about, subject) = (escape(kind), escape(about), escape(&mail.subject));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{kind}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <style>{STYLE}</style></head>\n<body><h2>{kind} · {about}</h2>\n<h1>{subject}</h1>\n\
         <div class=\"row\">\n{views}</div>\n{found}\n</body></html>\n"
    )
}
