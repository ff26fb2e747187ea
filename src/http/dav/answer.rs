//! What goes back: multistatus (RFC 4918 13) and errors that name the precondition that
//! was not met (RFC 4918 16). Decides nothing.

use std::fmt::Write as _;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::xml::{self, HEAD, Name, SPACES, escape, href, write};

/// The media type of every answer of XML.
const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
/// What clients show when they ask for a password.
const REALM: HeaderValue =
    HeaderValue::from_static("Basic realm=\"Postfax phone book\", charset=\"UTF-8\"");
/// How long a client waits that is told to come back, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("60");

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    /// The precondition, as XML.
    condition: String,
    /// What people read.
    words: String,
    allow: Option<&'static str>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, condition: String::new(), words: words.into(), allow: None }
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// A precondition was not met; the same request will not do either (RFC 3253 1.6).
    pub(super) fn condition(
        space: &'static str,
        name: &'static str,
        words: impl Into<String>,
    ) -> Self {
        Self::condition_with(space, name, "", words)
    }

    /// The same, with what is in the element.
    pub(super) fn condition_with(
        space: &'static str,
        name: &'static str,
        inside: &str,
        words: impl Into<String>,
    ) -> Self {
        let mut condition = String::new();
        write(&Name::new(space, name), inside, &mut condition);
        Self { condition, ..Self::new(StatusCode::FORBIDDEN, words) }
    }

    /// They lack a privilege on this path (RFC 3744 7.1.1).
    pub(super) fn privilege(path: &str, privilege: &str, words: impl Into<String>) -> Self {
        let mut inside = String::from("<d:resource>");
        href(path, &mut inside);
        let _ = write!(inside, "<d:privilege><d:{privilege}/></d:privilege></d:resource>");
        Self::condition_with(xml::DAV, "need-privileges", &inside, words)
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let words = "this cannot be done here";
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, words) }
    }
}

impl From<xml::BadXml> for Failure {
    fn from(bad: xml::BadXml) -> Self {
        Self::new(StatusCode::BAD_REQUEST, bad.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut words = String::new();
        escape(&self.words, &mut words);
        let condition = &self.condition;
        let body = format!(
            "{HEAD}<d:error{SPACES}>{condition}\
             <d:responsedescription>{words}</d:responsedescription></d:error>\n"
        );
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, XML);
        match self.status {
            StatusCode::UNAUTHORIZED => drop(headers.insert(header::WWW_AUTHENTICATE, REALM)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, RETRY_AFTER_S);
            }
            _ => {}
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// What is said of one property.
pub(super) struct Said {
    pub(super) name: Name,
    /// Its value as XML; `None`: there is none.
    pub(super) value: Option<String>,
}

/// An answer about many things.
pub(super) struct Multistatus {
    out: String,
    /// Whether what is not there is passed over (RFC 8144 2.1).
    pub(super) is_minimal: bool,
}

impl Multistatus {
    pub(super) fn new(is_minimal: bool) -> Self {
        Self { out: format!("{HEAD}<d:multistatus{SPACES}>"), is_minimal }
    }

    /// Properties of one thing.
    pub(super) fn properties(&mut self, path: &str, all: &[Said]) {
        self.out.push_str("<d:response>");
        href(path, &mut self.out);
        let (found, missing): (Vec<&Said>, Vec<&Said>) =
            all.iter().partition(|said| said.value.is_some());
        let mut wrote = self.propstat(&found, "200 OK");
        if !self.is_minimal {
            wrote |= self.propstat(&missing, "404 Not Found");
        }
        if !wrote {
            // RFC 4918 14.24: there is one at least.
            self.out
                .push_str("<d:propstat><d:prop/><d:status>HTTP/1.1 200 OK</d:status></d:propstat>");
        }
        self.out.push_str("</d:response>\n");
    }

    /// Properties of one thing, as they stand inside a property (RFC 3253 3.8).
    pub(super) fn response(path: &str, all: &[Said]) -> String {
        let mut one = Self { out: String::new(), is_minimal: false };
        one.properties(path, all);
        one.out
    }

    fn propstat(&mut self, all: &[&Said], status: &str) -> bool {
        if all.is_empty() {
            return false;
        }
        self.out.push_str("<d:propstat><d:prop>");
        for said in all {
            write(&said.name, said.value.as_deref().unwrap_or_default(), &mut self.out);
        }
        let _ = write!(self.out, "</d:prop><d:status>HTTP/1.1 {status}</d:status></d:propstat>");
        true
    }

    /// Properties that cannot be changed (RFC 4918 9.2.1).
    pub(super) fn unchangeable(&mut self, path: &str, names: &[Name]) {
        self.out.push_str("<d:response>");
        href(path, &mut self.out);
        self.out.push_str("<d:propstat><d:prop>");
        for name in names {
            write(name, "", &mut self.out);
        }
        self.out.push_str(
            "</d:prop><d:status>HTTP/1.1 403 Forbidden</d:status>\
             <d:error><d:cannot-modify-protected-property/></d:error></d:propstat></d:response>\n",
        );
    }

    /// What became of one thing as a whole.
    pub(super) fn status(&mut self, path: &str, status: &str, condition: &str) {
        self.out.push_str("<d:response>");
        href(path, &mut self.out);
        let _ = write!(self.out, "<d:status>HTTP/1.1 {status}</d:status>");
        if !condition.is_empty() {
            let _ = write!(self.out, "<d:error>{condition}</d:error>");
        }
        self.out.push_str("</d:response>\n");
    }

    /// There is more than is shown (RFC 6352 8.6.2, RFC 6578 3.6).
    pub(super) fn cut_short(&mut self, path: &str) {
        self.status(path, "507 Insufficient Storage", "<d:number-of-matches-within-limits/>");
    }

    pub(super) fn sync_token(&mut self, token: &str) {
        self.out.push_str("<d:sync-token>");
        escape(token, &mut self.out);
        self.out.push_str("</d:sync-token>");
    }
}

impl IntoResponse for Multistatus {
    fn into_response(mut self) -> Response {
        self.out.push_str("</d:multistatus>\n");
        of_xml(StatusCode::MULTI_STATUS, self.out)
    }
}

/// An answer of XML.
pub(super) fn of_xml(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, XML);
    response
}
