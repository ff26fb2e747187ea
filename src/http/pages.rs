//! The pages of a job, sent or received, in the form that is asked for.

use std::path::{Path, PathBuf};

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use postfax_hw::pages::preview;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Shared,
    ask::{ask, unexpected},
    body::{Asked, Of},
    door::Caller,
    problem::{Code, Problem},
    routes::{Conflicts, Refusals},
    view,
};
use crate::requests::{Ask, Reply};

/// The forms that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    /// TIFF-F, as it goes over the line.
    Tiff,
    /// The same pages as PDF.
    Pdf,
    /// One page as a picture, 400 pixels wide.
    Png,
}

impl Form {
    const ALL: [Self; 3] = [Self::Pdf, Self::Tiff, Self::Png];

    fn media_type(self) -> &'static str {
        match self {
            Self::Tiff => "image/tiff",
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
        }
    }

    /// What `Accept` asks for, the first that is there (RFC 9110 12.5.1); PDF when all
    /// is welcome. Weights are not heeded, but that 0 means never.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let Some(accept) = headers.get(header::ACCEPT) else { return Some(Self::Pdf) };
        let ranges = accept.to_str().ok()?.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next()?.to_ascii_lowercase();
            let never = parts.any(|part| part == "q=0" || part == "q=0.0");
            (!never).then_some(media)
        });
        let matching = |media: String| {
            Self::ALL.into_iter().find(|form| {
                let own = form.media_type();
                let whole = media
                    .strip_suffix("/*")
                    .is_some_and(|kind| kind == "*" || own.split('/').next() == Some(kind));
                whole || own == media
            })
        };
        ranges.filter_map(matching).next()
    }
}

/// In which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The form; what `Accept` says when it is absent.
    #[param(inline)]
    format: Option<Form>,
    /// Which page, counted from 1; for `png` only.
    #[param(minimum = 1)]
    page: Option<u32>,
}

/// The pages of a fax, sent or received.
#[utoipa::path(get, path = "/v1/jobs/{id}/pages", tag = "jobs",
    params(("id" = u64, Path, description = "The job."), Wanted),
    responses((status = 200, description = "The pages.", content(
            (Vec<u8> = "application/pdf"), (Vec<u8> = "image/tiff"), (Vec<u8> = "image/png"))),
        (status = 406, description = "None of the forms is accepted.", body = Problem,
            content_type = "application/problem+json"),
        Refusals, Conflicts))]
pub(super) async fn pages(
    State(shared): State<Shared>,
    caller: Caller,
    Of(id): Of,
    Asked(wanted): Asked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Reply::Job(story) = ask(&shared, &caller, Ask::Pages { job: id }).await? else {
        return Err(unexpected());
    };
    let job = story.job;
    let form = wanted.format.or_else(|| Form::accepted(&headers)).ok_or_else(|| {
        let words = "the pages are application/pdf, image/tiff or image/png";
        Problem::new(Code::NotAcceptable, words)
    })?;
    let all = view::documents(&job);
    let pages: u32 = all.iter().map(|document| document.pages).sum();
    if pages == 0 {
        return Err(Problem::new(Code::WrongState, format!("job {id} has no pages")));
    }
    if wanted.page.is_some() && form != Form::Png {
        return Err(Problem::new(Code::BadRequest, "a single page comes as png only"));
    }
    let page = wanted.page.unwrap_or(1);
    if page == 0 || page > pages {
        let words = format!("job {id} has the pages 1 to {pages}");
        return Err(Problem::new(Code::BadRequest, words));
    }
    let documents = &shared.context.reader.documents;
    let from: Vec<PathBuf> =
        all.iter().map(|document| documents.document(&document.digest)).collect();
    let whole = documents.spool(&format!("{}.tif", documents.new_name()));
    let made = tokio::task::spawn_blocking(move || read(form, &from, whole, page as usize - 1));
    let bytes = made.await.map_err(|bug| bug.to_string()).flatten();
    let bytes = bytes.map_err(|why| {
        tracing::warn!(job = %id, why, "the pages of a job cannot be read");
        Problem::new(Code::Failed, format!("the pages of job {id} cannot be read"))
    })?;
    let name = format!(
        "inline; filename=\"fax-{id}.{}\"",
        match form {
            Form::Tiff => "tif",
            Form::Pdf => "pdf",
            Form::Png => "png",
        }
    );
    let headers = [
        (header::CONTENT_TYPE, form.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::VARY, "Accept".to_owned()),
    ];
    Ok((headers, bytes).into_response())
}

/// The pages of all files in one; several are joined in `whole` meanwhile.
fn read(form: Form, from: &[PathBuf], whole: PathBuf, page: usize) -> Result<Vec<u8>, String> {
    if let [one] = from {
        return read_one(form, one, page);
    }
    let from: Vec<&Path> = from.iter().map(PathBuf::as_path).collect();
    let joined = postfax_hw::pages::join(&from, 0, &whole).map_err(|bad| bad.to_string());
    let read = joined.and_then(|_| read_one(form, &whole, page));
    let _ = std::fs::remove_file(&whole);
    read
}

fn read_one(form: Form, from: &Path, page: usize) -> Result<Vec<u8>, String> {
    match form {
        Form::Tiff => std::fs::read(from).map_err(|bad| bad.to_string()),
        Form::Png => preview::png(from, page).map_err(|bad| bad.to_string()),
        Form::Pdf => {
            let shown = postfax_hw::pages::show(from).map_err(|bad| bad.to_string());
            shown.map(|shown| shown.pdf)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_form_that_is_accepted_is_taken() {
        for (accept, form) in [
            ("*/*", Some(Form::Pdf)),
            ("image/png", Some(Form::Png)),
            ("image/*", Some(Form::Tiff)),
            ("text/html, image/tiff;q=0.5", Some(Form::Tiff)),
            ("image/png;q=0, application/pdf", Some(Form::Pdf)),
            ("text/html", None),
        ] {
            let value = HeaderValue::from_static(accept);
            let headers = HeaderMap::from_iter([(header::ACCEPT, value)]);
            assert_eq!(Form::accepted(&headers), form, "{accept}");
        }
        assert_eq!(Form::accepted(&HeaderMap::new()), Some(Form::Pdf));
    }
}
