//! Builds the drivers of devices with IPP and of off-ramps, as they are set up.

use std::{sync::Arc, time::Duration};

use postfax_domain::names::ServerName;
use postfax_gateway::client::{
    Authorities, Courier, Login, Relay, RelayError, Route, StartTls, believing,
};
use postfax_hw::{
    driver::Driver,
    ipp::{self, Ipp},
};

use crate::{
    config::{Config, Kind, Profile, Secret, ServerAccess, Starttls, Trust},
    offramp::{self, OffRamp, Reports},
    returns::ReturnPath,
    store::Reader,
};

/// The folder in the state folder with one folder for each device with IPP.
const IPP_FOLDER: &str = "ipp";

/// The driver of one server of these kinds.
///
/// # Errors
/// [`RelayError`] names what cannot be read or does not go together.
pub(super) fn driver(
    config: &Config,
    name: &ServerName,
    access: &ServerAccess,
    reports: &Arc<Reports>,
    reader: &Reader,
) -> Result<Arc<dyn Driver>, RelayError> {
    if access.kind == Kind::Ipp {
        return Ok(Arc::new(Ipp::new(device(config, name, access)?)));
    }
    let most = config.setup.servers.get(name).map_or(1, |server| server.lines);
    let courier = Courier::new(relay(config, access), most as usize)?;
    let options = off_ramp(config, access, reader);
    Ok(Arc::new(OffRamp::new(options, courier, Arc::clone(reports))))
}

fn device(
    config: &Config,
    name: &ServerName,
    access: &ServerAccess,
) -> Result<ipp::Options, RelayError> {
    let secret = |secret: &Secret| secret.reveal().to_owned();
    let tls = access.encrypted.then(|| believing(&authorities(&access.special.trust)));
    let notes = config.state.join(IPP_FOLDER).join(name.as_str());
    Ok(ipp::Options {
        tls: tls.transpose()?,
        user: access.user.clone(),
        password: access.password.as_ref().map(secret),
        admin_password: access.admin_password.as_ref().map(secret),
        confirms: access.special.confirms,
        pre_dial: access.special.pre_dial.clone(),
        ..ipp::Options::new(&access.host, access.port, &access.path, notes)
    })
}

fn relay(config: &Config, access: &ServerAccess) -> Relay {
    let (host, port) = (access.host.clone(), access.port);
    let login = |password: &Secret| Login {
        user: access.user.clone(),
        password: password.reveal().to_owned(),
        mechanism: None,
    };
    Relay {
        route: match access.encrypted {
            true => Route::Smtps { host, port },
            false => Route::Smtp { host, port },
        },
        starttls: match access.special.starttls {
            Starttls::Required => StartTls::Required,
            Starttls::Opportunistic => StartTls::Opportunistic,
            Starttls::Never => StartTls::Never,
        },
        login: access.password.as_ref().map(login),
        authorities: authorities(&access.special.trust),
        hello_name: config.hostname.clone(),
    }
}

fn off_ramp(config: &Config, access: &ServerAccess, reader: &Reader) -> offramp::Options {
    let special = &access.special;
    let (secret, domain) = (reader.secret.clone(), config.setup.domain.clone());
    let from = config.delivery.from.clone();
    let return_path = move |tag: &str| match ReturnPath::of_tag(tag) {
        Some(path) => path.address(&secret, &domain),
        None => from.clone(),
    };
    let scheme = if access.encrypted { "smtps" } else { "smtp" };
    offramp::Options {
        server: format!("{scheme}://{}:{}", access.host, access.port),
        domain: special.domain.clone(),
        profile: match special.profile {
            Profile::S => offramp::Profile::S,
            Profile::F => offramp::Profile::F,
        },
        confirms: special.confirms,
        drops_duplicates: special.drops_duplicates,
        mdn: special.mdn,
        report_within: Duration::from_secs(special.report_within_s),
        sender: offramp::Sender {
            from: config.delivery.from.clone(),
            domain: config.setup.domain.clone(),
            return_path: Box::new(return_path),
        },
    }
}

fn authorities(trust: &Trust) -> Authorities {
    match trust {
        Trust::System => Authorities::System,
        Trust::File(file) => Authorities::File(file.clone()),
        Trust::Pinned(pin) => Authorities::Pinned(*pin),
    }
}
