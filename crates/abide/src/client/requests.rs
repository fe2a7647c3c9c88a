//! The requests of the control API, one function each: the only place that knows its paths.

use std::time::Duration;

use abide_model::UnitStatus;
use abide_model::api::{
    CommandRequest, DaemonStatus, DownRequest, OperationView, Plan, RunRequest, ScaleRequest,
    SpecAnswer, UpRequest, UpgradeRequest, Upgrading, Why,
};
use hyper::StatusCode;

use super::{Client, Error, Events, Lines, Query, segment};

/// How long one long poll lasts; the next one follows.
const POLL: Duration = Duration::from_secs(20);

/// How long a new daemon may take until it is prepared; the daemon itself gives up earlier.
const PREPARED_WITHIN: Duration = Duration::from_secs(120);

/// Which events; of what is empty, all.
#[derive(Clone, Copy, Default, Debug)]
pub struct Which<'a> {
    /// About units that one of these means.
    pub patterns: &'a [String],
    /// Of these kinds.
    pub kinds: &'a [String],
}

impl Which<'_> {
    fn of(self, query: Query) -> Query {
        query
            .each("pattern", self.patterns)
            .each("kind", self.kinds)
    }
}

impl Client {
    /// About the daemon itself.
    pub async fn daemon(&self) -> Result<DaemonStatus, Error> {
        self.get("/v1/daemon").await
    }

    /// The statuses of the units that the patterns name; of all without patterns.
    pub async fn units(&self, patterns: &[String]) -> Result<Vec<UnitStatus>, Error> {
        self.list(Query::new("/v1/units").each("pattern", patterns).as_str())
            .await
    }

    /// As [`Client::units`], without where their specs stand and what they did to block devices.
    pub async fn units_in_brief(&self, patterns: &[String]) -> Result<Vec<UnitStatus>, Error> {
        let query = Query::new("/v1/brief").each("pattern", patterns);
        match self.list(query.as_str()).await {
            // No such unit; or a daemon before an upgrade that has no such answer.
            Err(Error::Refused(StatusCode::NOT_FOUND, _)) => self.units(patterns).await,
            answer => answer,
        }
    }

    /// One unit's status.
    pub async fn unit(&self, name: &str) -> Result<UnitStatus, Error> {
        self.get(&format!("/v1/units/{}", segment(name))).await
    }

    /// One unit's resolved spec.
    pub async fn spec(&self, name: &str) -> Result<SpecAnswer, Error> {
        self.get(&format!("/v1/units/{}/spec", segment(name))).await
    }

    /// Why one unit is in its state.
    pub async fn why(&self, name: &str) -> Result<Why, Error> {
        self.get(&format!("/v1/units/{}/why", segment(name))).await
    }

    /// One verb for several patterns.
    pub async fn command(&self, request: &CommandRequest) -> Result<OperationView, Error> {
        self.post("/v1/command", request).await
    }

    /// Makes the daemon agree with files.
    pub async fn up(&self, request: &UpRequest) -> Result<OperationView, Error> {
        self.post("/v1/up", request).await
    }

    /// What [`Client::up`] would change.
    pub async fn plan(&self, request: &UpRequest) -> Result<Plan, Error> {
        self.post(
            "/v1/up",
            &UpRequest {
                dry_run: true,
                ..request.clone()
            },
        )
        .await
    }

    /// Guards one command.
    pub async fn run(&self, request: &RunRequest) -> Result<OperationView, Error> {
        self.post("/v1/run", request).await
    }

    /// What [`Client::run`] would change.
    pub async fn plan_run(&self, request: &RunRequest) -> Result<Plan, Error> {
        self.post(
            "/v1/run",
            &RunRequest {
                dry_run: true,
                ..request.clone()
            },
        )
        .await
    }

    /// Stops everything, or one file's units.
    pub async fn down(&self, request: &DownRequest) -> Result<OperationView, Error> {
        self.post("/v1/down", request).await
    }

    /// Has another executable take over; answered when the daemon leaves for it.
    pub async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrading, Error> {
        self.post_within("/v1/upgrade", request, PREPARED_WITHIN)
            .await
    }

    /// Changes a number of instances.
    pub async fn scale(&self, request: &ScaleRequest) -> Result<OperationView, Error> {
        self.post("/v1/scale", request).await
    }

    /// An operation; answered when it is finished, or has gone on for a while.
    pub async fn operation(&self, id: u64) -> Result<OperationView, Error> {
        let query = Query::new(&format!("/v1/operations/{id}")).with("wait", POLL.as_secs());
        self.get_within(query.as_str(), POLL).await
    }

    /// An operation as it stands.
    pub async fn operation_now(&self, id: u64) -> Result<OperationView, Error> {
        self.get(&format!("/v1/operations/{id}")).await
    }

    /// Events after the one numbered `after`, and every later one as it comes.
    pub async fn events_after(&self, after: u64, which: Which<'_>) -> Result<Events, Error> {
        let query = Query::new("/v1/events")
            .with("after", after)
            .with("follow", true);
        Ok(Events::new(self.follow(which.of(query).as_str()).await?))
    }

    /// The last `last` events, and with `follow` every later one as it comes.
    pub async fn events(&self, last: u64, follow: bool, which: Which<'_>) -> Result<Events, Error> {
        let query = Query::new("/v1/events")
            .with("last", last)
            .with("follow", follow);
        Ok(Events::new(self.follow(which.of(query).as_str()).await?))
    }

    /// Log lines, as the query says.
    pub async fn logs(&self, query: &Query) -> Result<Lines, Error> {
        Ok(Lines::new(self.follow(query.as_str()).await?))
    }
}
