//! Keeps a trunk: its agent, its registrations, and the question whether it is there.
//! What fails is tried again by itself.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{Inner, Ports, Running, Terms, own_address, take};
use crate::line::{
    Desk, LineState,
    sip::agent::{Account, Agent, AgentOptions, Incoming, Login, Registered, T1, look_up},
};

/// The first wait after a start that failed, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));
/// How often names are looked up again, and how soon where one was not known.
const LOOK_UP: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(30));
/// So long the other side may take to acknowledge that its last call is over.
const SETTLE: Duration = Duration::from_secs(2);
/// Calls that go on when the line is to stop are waited for; this often it is looked.
const DRAIN: Duration = Duration::from_millis(100);

/// Why an agent is no more.
enum Over {
    /// The line is to stop.
    Stop,
    /// It was switched off.
    Off,
    /// It has to be replaced.
    Dead,
}

pub(super) async fn keep(inner: &Arc<Inner>, desk: Arc<dyn Desk>, mut stop: watch::Receiver<bool>) {
    let mut settings = inner.settings.subscribe();
    let mut retry = RETRY.0;
    while !*stop.borrow() {
        if !settings.borrow().on {
            inner.set_state(LineState::Off);
            tokio::select! {
                () = becomes(&mut settings, |settings| settings.on) => {}
                () = becomes(&mut stop, |stop| *stop) => return,
            }
        }
        inner.set_state(LineState::Starting);
        match open(inner).await {
            Ok((running, calls)) => {
                retry = RETRY.0;
                let over = serve(inner, &running, calls, &desk, &mut stop).await;
                drain(inner).await;
                *inner.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
                running.agent.settle(SETTLE).await;
                running.agent.close();
                if matches!(over, Over::Dead) {
                    inner.set_state(LineState::Failed("the SIP agent failed".into()));
                    sleep(RETRY.0).await;
                }
            }
            Err(why) => {
                inner.set_state(LineState::Failed(why));
                tokio::select! {
                    () = sleep(retry) => retry = (retry * 2).min(RETRY.1),
                    () = becomes(&mut stop, |stop| *stop) => {}
                }
            }
        }
    }
    inner.set_state(LineState::Starting);
}

/// Waits until a value is so, or nobody can change it any more.
async fn becomes<T>(value: &mut watch::Receiver<T>, so: impl Fn(&T) -> bool) {
    let _ = value.wait_for(|value| so(value)).await;
}

async fn drain(inner: &Inner) {
    while inner.busy.load(std::sync::atomic::Ordering::Acquire) > 0 {
        sleep(DRAIN).await;
    }
}

/// Opens the sockets.
async fn open(inner: &Arc<Inner>) -> Result<(Running, mpsc::Receiver<Incoming>), String> {
    let options = &inner.options;
    let server = look_up(&inner.server(), options.bind.is_ipv4()).await;
    let server = server.map_err(|error| format!("where is {}? {error}", options.server))?;
    let own = own_address(options.bind.ip(), server).map_err(|error| error.to_string())?;
    let address = options.external_address.unwrap_or(own);
    let (agent, calls) = Agent::start(AgentOptions {
        bind: options.bind,
        transport: options.transport,
        tls: options.tls.clone(),
        address,
        allowed: inner.look_up_peers().await.0,
        traces: inner.traces.clone(),
        t1: T1,
    })
    .await
    .map_err(|error| error.to_string())?;
    let terms = Arc::new(Terms {
        options: options.clone(),
        address,
        ports: Ports::new(options.bind.ip(), options.media_ports),
        media: Arc::clone(&inner.media),
        memory: Arc::clone(&inner.memory),
        traces: inner.traces.clone(),
    });
    let running = Running { agent, terms };
    *inner.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running.clone());
    Ok((running, calls))
}

/// Registers everywhere. Returns what is known of each registration.
fn register(
    inner: &Inner,
    agent: &Arc<Agent>,
    stop: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) -> Vec<watch::Receiver<Registered>> {
    let options = &inner.options;
    // With a domain of its own the registrar is found where the trunk is.
    let server = options.domain.as_ref().map(|_| inner.server());
    let mut told = Vec::new();
    for one in &options.registrations {
        let account = Account {
            domain: options.domain.clone().unwrap_or_else(|| options.server.clone()),
            server: server.clone(),
            user: one.user.clone(),
            login: Login {
                user: one.auth_user.clone().unwrap_or_else(|| one.user.clone()),
                password: one.password.clone(),
            },
            expires_s: one.expires_s,
        };
        let (tell, hear) = watch::channel(Registered::Not);
        told.push(hear);
        tasks.spawn(Arc::clone(agent).stay_registered(account, tell, stop.clone()));
    }
    told
}

/// Keeps up with who may call, apart from what serves: a look-up may take its time.
async fn keep_allowed(inner: Arc<Inner>, agent: Arc<Agent>, mut stop: watch::Receiver<bool>) {
    let mut wait = LOOK_UP.1;
    loop {
        tokio::select! {
            () = sleep(wait) => {}
            () = becomes(&mut stop, |stop| *stop) => return,
        }
        let (allowed, all_known) = inner.look_up_peers().await;
        agent.allow(allowed);
        wait = if all_known { LOOK_UP.0 } else { LOOK_UP.1 };
    }
}

/// What the registrations together say of the line. `there`: what the trunk said when it
/// was asked.
fn state_of(told: &[watch::Receiver<Registered>], there: &Result<(), String>) -> LineState {
    let states: Vec<Registered> = told.iter().map(|one| one.borrow().clone()).collect();
    let refused = states.iter().find_map(|state| match state {
        Registered::Refused(why) => Some(why.clone()),
        _ => None,
    });
    match (states.is_empty() || states.contains(&Registered::Yes), refused, there) {
        (false, Some(why), _) => LineState::Failed(why),
        (false, None, _) => LineState::Starting,
        (true, _, Err(why)) => LineState::Failed(why.clone()),
        (true, _, Ok(())) => LineState::Ready(0),
    }
}

/// Serves until it is over.
async fn serve(
    inner: &Arc<Inner>,
    running: &Running,
    mut calls: mpsc::Receiver<Incoming>,
    desk: &Arc<dyn Desk>,
    stop: &mut watch::Receiver<bool>,
) -> Over {
    let (agent, mut settings) = (&running.agent, inner.settings.subscribe());
    let (leave, left) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let told = register(inner, agent, &left, &mut tasks);
    tasks.spawn(keep_allowed(Arc::clone(inner), Arc::clone(agent), left.clone()));
    let (news, mut heard) = mpsc::channel::<()>(1);
    for mut one in told.clone() {
        let news = news.clone();
        tasks.spawn(async move {
            while one.changed().await.is_ok() {
                let _ = news.try_send(());
            }
        });
    }
    let mut there = Ok(());
    let mut asking = JoinSet::new();
    let every = Duration::from_secs(inner.options.keep_alive_s);
    let mut ask_at = Instant::now();
    let over = loop {
        inner.set_state(state_of(&told, &there));
        tokio::select! {
            () = becomes(stop, |stop| *stop) => break Over::Stop,
            () = becomes(&mut settings, |settings| !settings.on) => break Over::Off,
            () = agent.died() => break Over::Dead,
            Some(incoming) = calls.recv() => {
                let (inner, running) = (Arc::clone(inner), running.clone());
                let (desk, left) = (Arc::clone(desk), left.clone());
                tokio::spawn(take::take(inner, running, desk, incoming, left));
            }
            _ = heard.recv() => {}
            () = tokio::time::sleep_until(ask_at), if !every.is_zero() && asking.is_empty() => {
                let (agent, server) = (Arc::clone(agent), inner.server());
                asking.spawn(async move { agent.ask(&server).await });
                ask_at = Instant::now() + every;
            }
            Some(asked) = asking.join_next() => {
                there = match asked {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("the SIP stack failed".to_owned()),
                };
            }
        }
    };
    // New calls are refused from here on; those that go on are waited for, and the
    // registrations are taken back.
    leave.send_replace(true);
    drop(calls);
    let goodbye = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(3), goodbye).await;
    over
}
