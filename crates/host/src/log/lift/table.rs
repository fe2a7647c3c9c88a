//! The keys that are looked for, and which logger writes which: the one table.
//!
//! To add a logger: its row in [`LOGGERS`] with a line that it really wrote, its keys in [`KEYS`] where they are new;
//! then rewrite the page with `ABIDE_WRITE_DOCS=1 cargo test -p abide-host --features lift logger`.

/// What a key's value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// How much the line matters, as a word or a number.
    Level,
    /// As a number of Python's.
    PythonLevel,
    /// As a number of OpenTelemetry's.
    OpenTelemetryLevel,
    /// When it was written.
    Time,
    /// The nanoseconds that belong to a time in seconds.
    Fraction,
    /// What it says.
    Message,
    /// The trace that it belongs to.
    Trace,
}

/// A key that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name of the object that it stands in; empty: the line's own.
    pub parent: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub role: Role,
}

const fn key(parent: &'static str, name: &'static str, role: Role) -> Key {
    Key { parent, name, role }
}

/// In the order in which they are believed, for each role.
pub const KEYS: &[Key] = &[
    key("", "level", Role::Level),
    key("", "severity", Role::Level),
    key("", "log.level", Role::Level),
    key("log", "level", Role::Level),
    key("", "levelname", Role::Level),
    key("", "level_name", Role::Level),
    key("", "LogLevel", Role::Level),
    key("", "Level", Role::Level),
    key("", "@l", Role::Level),
    key("", "lvl", Role::Level),
    key("", "loglevel", Role::Level),
    key("", "SeverityText", Role::Level),
    key("", "severity_text", Role::Level),
    key("", "levelno", Role::PythonLevel),
    key("", "SeverityNumber", Role::OpenTelemetryLevel),
    key("", "severity_number", Role::OpenTelemetryLevel),
    key("", "time", Role::Time),
    key("", "ts", Role::Time),
    key("", "timestamp", Role::Time),
    key("", "@timestamp", Role::Time),
    key("", "@t", Role::Time),
    key("", "Timestamp", Role::Time),
    key("", "timeMillis", Role::Time),
    key("", "asctime", Role::Time),
    key("", "datetime", Role::Time),
    key("", "created", Role::Time),
    key("", "t", Role::Time),
    key("instant", "epochSecond", Role::Time),
    key("instant", "nanoOfSecond", Role::Fraction),
    key("", "msg", Role::Message),
    key("", "message", Role::Message),
    key("fields", "message", Role::Message),
    key("", "Message", Role::Message),
    key("", "@m", Role::Message),
    key("", "RenderedMessage", Role::Message),
    key("", "@mt", Role::Message),
    key("", "MessageTemplate", Role::Message),
    key("", "event", Role::Message),
    key("", "Body", Role::Message),
    key("", "body", Role::Message),
    key("", "short_message", Role::Message),
    key("", "trace_id", Role::Trace),
    key("", "traceId", Role::Trace),
    key("", "traceID", Role::Trace),
    key("", "trace.id", Role::Trace),
    key("", "TraceId", Role::Trace),
    key("", "@tr", Role::Trace),
    key("", "otelTraceID", Role::Trace),
    key("", "dd.trace_id", Role::Trace),
    key("", "traceparent", Role::Trace),
    key("", "logging.googleapis.com/trace", Role::Trace),
    key("trace", "id", Role::Trace),
    key("fields", "trace_id", Role::Trace),
    key("span", "trace_id", Role::Trace),
    key("contextMap", "traceId", Role::Trace),
    key("contextMap", "trace_id", Role::Trace),
    key("mdc", "traceId", Role::Trace),
    key("mdc", "trace_id", Role::Trace),
    key("context", "trace_id", Role::Trace),
    key("extra", "trace_id", Role::Trace),
    key("dd", "trace_id", Role::Trace),
    key("Scopes", "TraceId", Role::Trace),
];

/// The place of a key in the table.
pub(super) fn place(parent: &str, name: &str) -> Option<usize> {
    KEYS.iter()
        .position(|key| key.name == name && key.parent == parent)
}

/// The object of this name, if keys may stand in it.
pub(super) fn parent(name: &str) -> Option<&'static str> {
    let mut parents = KEYS.iter().map(|key| key.parent);
    parents.find(|parent| !parent.is_empty() && *parent == name)
}

/// A usual logger, and a line of it.
#[derive(Clone, Copy, Debug)]
pub struct Logger {
    /// Its name, and the form that is meant.
    pub name: &'static str,
    /// Where its level stands, and how debug, info, warning, error and worse are called there.
    pub level: &'static str,
    /// Where its time stands.
    pub time: &'static str,
    /// Where its message stands.
    pub message: &'static str,
    /// Where a trace id stands, if its user adds one.
    pub trace: &'static str,
    /// A warning, written on 2026-01-31 at 14:05:01.234 UTC, that says "slow".
    pub sample: &'static str,
}

/// Usual loggers.
pub const LOGGERS: &[Logger] = &[
    Logger {
        name: "log4j 2, JsonTemplateLayout (ECS)",
        level: "`log.level`: DEBUG INFO WARN ERROR FATAL",
        time: "`@timestamp`",
        message: "`message`",
        trace: "`trace.id`",
        sample: r#"{"@timestamp":"2026-01-31T14:05:01.234Z","ecs.version":"1.2.0","log.level":"WARN","message":"slow","process.thread.name":"main","log.logger":"shop.Cart","trace.id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
    Logger {
        name: "log4j 2, JsonLayout",
        level: "`level`: DEBUG INFO WARN ERROR FATAL",
        time: "`instant.epochSecond`, `instant.nanoOfSecond`; `timeMillis`",
        message: "`message`",
        trace: "`contextMap.traceId`",
        sample: r#"{"instant":{"epochSecond":1769868301,"nanoOfSecond":234000000},"thread":"main","level":"WARN","loggerName":"shop.Cart","message":"slow","endOfBatch":false,"contextMap":{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736"},"threadId":1,"threadPriority":5}"#,
    },
    Logger {
        name: "Logback, logstash-logback-encoder",
        level: "`level`: DEBUG INFO WARN ERROR",
        time: "`@timestamp`",
        message: "`message`",
        trace: "`traceId`, `trace_id`",
        sample: r#"{"@timestamp":"2026-01-31T15:05:01.234+01:00","@version":"1","message":"slow","logger_name":"shop.Cart","thread_name":"main","level":"WARN","level_value":30000,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
    Logger {
        name: "pino, bunyan (Node.js)",
        level: "`level`: 20 30 40 50 60",
        time: "`time`, in milliseconds or as text",
        message: "`msg`",
        trace: "`trace_id`, `traceId`",
        sample: r#"{"level":40,"time":1769868301234,"pid":4242,"hostname":"web-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","msg":"slow"}"#,
    },
    Logger {
        name: "winston, format.json (Node.js)",
        level: "`level`: debug info warn error",
        time: "`timestamp`",
        message: "`message`",
        trace: "`trace_id`",
        sample: r#"{"level":"warn","message":"slow","timestamp":"2026-01-31T14:05:01.234Z","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
    Logger {
        name: "zap, production (Go)",
        level: "`level`: debug info warn error dpanic panic fatal",
        time: "`ts`, in seconds",
        message: "`msg`",
        trace: "`trace_id`, `traceID`",
        sample: r#"{"level":"warn","ts":1769868301.234,"caller":"shop/cart.go:42","msg":"slow","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
    Logger {
        name: "log/slog, JSON (Go)",
        level: "`level`: DEBUG INFO WARN ERROR",
        time: "`time`",
        message: "`msg`",
        trace: "`trace_id`",
        sample: r#"{"time":"2026-01-31T14:05:01.234Z","level":"WARN","msg":"slow","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
    Logger {
        name: "log/slog, text (Go)",
        level: "`level`",
        time: "`time`",
        message: "`msg`",
        trace: "`trace_id`",
        sample: "time=2026-01-31T14:05:01.234Z level=WARN msg=slow trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
    },
    Logger {
        name: "logrus, JSON and text (Go)",
        level: "`level`: debug info warning error fatal panic",
        time: "`time`",
        message: "`msg`",
        trace: "`trace_id`",
        sample: r#"time="2026-01-31T14:05:01.234Z" level=warning msg="slow" trace_id=4bf92f3577b34da6a3ce929d0e0e4736"#,
    },
    Logger {
        name: "zerolog (Go)",
        level: "`level`: debug info warn error fatal panic",
        time: "`time`",
        message: "`message`",
        trace: "`trace_id`",
        sample: r#"{"level":"warn","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","time":1769868301234,"message":"slow"}"#,
    },
    Logger {
        name: "tracing-subscriber, json() (Rust)",
        level: "`level`: TRACE DEBUG INFO WARN ERROR",
        time: "`timestamp`",
        message: "`fields.message`; `message` when flattened",
        trace: "`fields.trace_id`, `span.trace_id`",
        sample: r#"{"timestamp":"2026-01-31T14:05:01.234000Z","level":"WARN","fields":{"message":"slow","ms":1200},"target":"shop::cart","span":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","name":"request"}}"#,
    },
    Logger {
        name: "Python logging, python-json-logger",
        level: "`levelname`: DEBUG INFO WARNING ERROR CRITICAL; `levelno`: 10 to 50",
        time: "`created`; `asctime` and `timestamp` where they have a zone",
        message: "`message`",
        trace: "`trace_id`, `otelTraceID`",
        sample: r#"{"asctime": "2026-01-31 15:05:01,234", "created": 1769868301.234, "levelname": "WARNING", "levelno": 30, "name": "shop.cart", "message": "slow", "otelTraceID": "4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
    Logger {
        name: "structlog, JSONRenderer (Python)",
        level: "`level`: debug info warning error critical",
        time: "`timestamp`",
        message: "`event`",
        trace: "`trace_id`",
        sample: r#"{"ms": 1200, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "event": "slow", "level": "warning", "timestamp": "2026-01-31T14:05:01.234000Z"}"#,
    },
    Logger {
        name: "structlog, LogfmtRenderer (Python)",
        level: "`level`",
        time: "`timestamp`",
        message: "`event`",
        trace: "`trace_id`",
        sample: "timestamp=2026-01-31T14:05:01.234000Z level=warning event=slow trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
    },
    Logger {
        name: ".NET, AddJsonConsole",
        level: "`LogLevel`: Trace Debug Information Warning Error Critical",
        time: "`Timestamp`, where its format has a zone",
        message: "`Message`",
        trace: "`Scopes[].TraceId`",
        sample: r#"{"Timestamp":"2026-01-31T14:05:01.234Z","EventId":0,"LogLevel":"Warning","Category":"Shop.Cart","Message":"slow","State":{"Message":"slow","{OriginalFormat}":"slow"},"Scopes":[{"Message":"SpanId:00f067aa0ba902b7, TraceId:4bf92f3577b34da6a3ce929d0e0e4736","SpanId":"00f067aa0ba902b7","TraceId":"4bf92f3577b34da6a3ce929d0e0e4736","ParentId":"0000000000000000"}]}"#,
    },
    Logger {
        name: "Serilog, CompactJsonFormatter (.NET)",
        level: "`@l`: Verbose Debug Warning Error Fatal; none is Information",
        time: "`@t`",
        message: "`@m`, `@mt`",
        trace: "`@tr`",
        sample: r#"{"@t":"2026-01-31T14:05:01.2340000Z","@mt":"slow","@l":"Warning","@tr":"4bf92f3577b34da6a3ce929d0e0e4736","@sp":"00f067aa0ba902b7"}"#,
    },
    Logger {
        name: "Monolog, JsonFormatter (PHP)",
        level: "`level_name`: DEBUG INFO NOTICE WARNING ERROR CRITICAL ALERT EMERGENCY; `level`: 100 to 600",
        time: "`datetime`",
        message: "`message`",
        trace: "`context.trace_id`, `extra.trace_id`",
        sample: r#"{"message":"slow","context":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"},"level":300,"level_name":"WARNING","channel":"shop","datetime":"2026-01-31T14:05:01.234000+00:00","extra":{}}"#,
    },
    Logger {
        name: "OpenTelemetry log records",
        level: "`SeverityNumber`: 1 to 24; `SeverityText`",
        time: "`Timestamp`",
        message: "`Body`",
        trace: "`TraceId`",
        sample: r#"{"Timestamp":"1769868301234000000","TraceId":"4bf92f3577b34da6a3ce929d0e0e4736","SeverityNumber":13,"Body":"slow","Resource":{"service.name":"shop"}}"#,
    },
    Logger {
        name: "Google Cloud's structured logging",
        level: "`severity`: DEBUG INFO NOTICE WARNING ERROR CRITICAL ALERT EMERGENCY",
        time: "`time`, `timestamp`",
        message: "`message`",
        trace: "`logging.googleapis.com/trace`",
        sample: r#"{"severity":"WARNING","time":"2026-01-31T14:05:01.234Z","message":"slow","logging.googleapis.com/trace":"projects/shop/traces/4bf92f3577b34da6a3ce929d0e0e4736"}"#,
    },
];
