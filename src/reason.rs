//! Every way a request can end, in one table: its name in log and metrics, whose doing it is, and its status.
//!
//! Does not know: pages, bodies, who decides.

/// Why a request got the answer it got. Closed on purpose: a new reason does not compile until every place that
/// maps reasons says what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Served,
    Own,
    OwnNotFound,
    Solved,
    Unsolved,
    ChallengeRule,
    ChallengePosture,
    ChallengeLimit,
    NeedsPass,
    OverLimit,
    Denied,
    Dropped,
    StaticRule,
    Posture,
    Closed,
    Busy,
    OriginRefused,
    OriginBroke,
    OriginNonsense,
    OriginHung,
    OriginError,
    BadRequest,
    HeadTooLarge,
    BadVersion,
    BodyTooLarge,
    BodyStalled,
    WrongHost,
    Loop,
    ToHttps,
    ClientGone,
    UnknownProtocol,
    NotSwitched,
    Banned,
    FormVoid,
    FormSent,
    FormAsks,
    WrongCode,
    NotCached,
    Strained,
    WaitFull,
    WaitRule,
}

/// Whose doing a reason is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    Nobody,
    Client,
    Origin,
    /// Operators' rules and postures, and boma's own bounds.
    Policy,
}

/// One row of the table.
pub struct Row {
    /// `boma.reason` in the log.
    pub name: &'static str,
    /// `boma.verdict` in the log and `action` in metrics.
    pub verdict: &'static str,
    pub blame: Blame,
    /// Status where no setting and no kind of request says otherwise; 0: the origin's own.
    pub status: u16,
    /// `Proxy-Status` (RFC 9209); empty: boma made no error.
    pub proxy_status: &'static str,
    /// Seconds for `Retry-After` before jitter; 0: none is sent.
    pub retry_after: u32,
    /// Title for `application/problem+json` (RFC 9457).
    pub title: &'static str,
}

impl Reason {
    pub const ALL: [Reason; 41] = [
        Reason::Served,
        Reason::Own,
        Reason::OwnNotFound,
        Reason::Solved,
        Reason::Unsolved,
        Reason::ChallengeRule,
        Reason::ChallengePosture,
        Reason::ChallengeLimit,
        Reason::NeedsPass,
        Reason::OverLimit,
        Reason::Denied,
        Reason::Dropped,
        Reason::StaticRule,
        Reason::Posture,
        Reason::Closed,
        Reason::Busy,
        Reason::OriginRefused,
        Reason::OriginBroke,
        Reason::OriginNonsense,
        Reason::OriginHung,
        Reason::OriginError,
        Reason::BadRequest,
        Reason::HeadTooLarge,
        Reason::BadVersion,
        Reason::BodyTooLarge,
        Reason::BodyStalled,
        Reason::WrongHost,
        Reason::Loop,
        Reason::ToHttps,
        Reason::ClientGone,
        Reason::UnknownProtocol,
        Reason::NotSwitched,
        Reason::Banned,
        Reason::FormVoid,
        Reason::FormSent,
        Reason::FormAsks,
        Reason::WrongCode,
        Reason::NotCached,
        Reason::Strained,
        Reason::WaitFull,
        Reason::WaitRule,
    ];

    #[rustfmt::skip]
    pub const fn row(self) -> Row {
        use Blame::{Client, Nobody, Origin, Policy};
        const fn row(name: &'static str, verdict: &'static str, blame: Blame, status: u16, proxy_status: &'static str, retry_after: u32, title: &'static str) -> Row {
            Row { name, verdict, blame, status, proxy_status, retry_after, title }
        }
        match self {
            Reason::Served           => row("served",            "allowed",    Nobody, 0,   "", 0, ""),
            Reason::Own              => row("own",               "allowed",    Nobody, 200, "", 0, ""),
            Reason::OwnNotFound      => row("own.not_found",     "allowed",    Client, 404, "boma; error=http_request_error", 0, "There is nothing at this address"),
            Reason::Solved           => row("challenge.solved",  "allowed",    Nobody, 204, "", 0, ""),
            Reason::Unsolved         => row("challenge.failed",  "denied",     Client, 403, "boma; error=http_request_denied", 0, "The solution does not fit its challenge"),
            Reason::ChallengeRule    => row("challenge.rule",    "challenged", Policy, 503, "boma; error=http_request_denied", 5, "A check of your browser is needed"),
            Reason::ChallengePosture => row("challenge.posture", "challenged", Policy, 503, "boma; error=http_request_denied", 5, "A check of your browser is needed"),
            Reason::ChallengeLimit   => row("challenge.limit",   "challenged", Policy, 503, "boma; error=http_request_denied", 5, "A check of your browser is needed"),
            Reason::NeedsPass        => row("challenge.no_page", "limited",    Policy, 429, "boma; error=http_request_denied", 5, "Open the page itself first"),
            Reason::OverLimit        => row("limit.over",        "limited",    Policy, 429, "boma; error=http_request_denied", 1, "Too many requests"),
            Reason::Denied           => row("rules.deny",        "denied",     Policy, 403, "boma; error=http_request_denied", 0, "This request is not allowed"),
            Reason::Dropped          => row("rules.drop",        "dropped",    Policy, 403, "boma; error=http_request_denied", 0, "This request is not allowed"),
            Reason::StaticRule       => row("rules.static",      "fallback",   Policy, 503, "boma; error=http_request_denied", 300, "The service is limited for now"),
            Reason::Posture          => row("posture.static",    "fallback",   Policy, 503, "boma; error=http_request_denied", 300, "The service is limited for now"),
            Reason::Closed           => row("posture.closed",    "fallback",   Policy, 503, "boma; error=http_request_denied", 600, "The service is closed for now"),
            Reason::Busy             => row("admit.busy",        "fallback",   Policy, 503, "boma; error=connection_limit_reached", 10, "Too many requests at once"),
            Reason::OriginRefused    => row("origin.refused",    "fallback",   Origin, 502, "boma; error=connection_refused", 30, "The service behind this address does not answer"),
            Reason::OriginBroke      => row("origin.broke_off",  "fallback",   Origin, 502, "boma; error=connection_terminated", 30, "The service behind this address broke off"),
            Reason::OriginNonsense   => row("origin.nonsense",   "fallback",   Origin, 502, "boma; error=http_protocol_error", 30, "The service behind this address answered what cannot be read"),
            Reason::OriginHung       => row("origin.hung",       "fallback",   Origin, 504, "boma; error=http_response_timeout", 30, "The service behind this address takes too long"),
            Reason::OriginError      => row("origin.error",      "fallback",   Origin, 503, "boma; error=destination_unavailable", 30, "The service behind this address has a problem"),
            Reason::BadRequest       => row("read.bad_request",  "denied",     Client, 400, "boma; error=http_request_error", 0, "The request cannot be read"),
            Reason::HeadTooLarge     => row("read.head_too_large", "denied",   Client, 431, "boma; error=http_request_error", 0, "The request's head is too large"),
            Reason::BadVersion       => row("read.bad_version",  "denied",     Client, 505, "boma; error=http_request_error", 0, "This version of HTTP is not spoken here"),
            Reason::BodyTooLarge     => row("read.body_too_large", "denied",   Client, 413, "boma; error=http_request_error", 0, "The request is too large"),
            Reason::BodyStalled      => row("read.body_stalled", "denied",     Client, 408, "boma; error=http_request_error", 0, "The request did not come whole in time"),
            Reason::WrongHost        => row("read.wrong_host",   "denied",     Client, 421, "boma; error=destination_not_found", 0, "This host is not served here"),
            Reason::Loop             => row("read.loop",         "denied",     Policy, 502, "boma; error=proxy_loop_detected", 0, "The request came back to where it had been"),
            Reason::ToHttps          => row("own.to_https",      "allowed",    Nobody, 308, "", 0, ""),
            Reason::ClientGone       => row("client.gone",       "allowed",    Client, 499, "", 0, ""),
            Reason::UnknownProtocol  => row("read.unknown_protocol", "denied", Client, 501, "boma; error=http_request_error", 0, "This protocol is not spoken here"),
            Reason::NotSwitched      => row("origin.not_switched", "denied",   Client, 502, "boma; error=http_upgrade_failed", 0, "The service behind this address did not take up this protocol"),
            Reason::Banned           => row("ban.held",          "dropped",    Policy, 403, "boma; error=http_request_denied", 0, "This request is not allowed"),
            Reason::FormVoid         => row("challenge.form_void", "denied",   Client, 400, "boma; error=http_request_error", 0, "This form cannot be sent on from here"),
            Reason::FormSent         => row("challenge.form_sent", "denied",   Client, 409, "boma; error=http_request_error", 0, "This form has been sent already"),
            Reason::FormAsks         => row("challenge.form_asks", "challenged", Policy, 409, "boma; error=http_request_denied", 0, "This form waits for its sender to press Send"),
            Reason::WrongCode        => row("challenge.code",    "denied",     Client, 403, "boma; error=http_request_denied", 0, "This access code is not right, or has ended"),
            Reason::Strained         => row("admit.strained",    "fallback",   Policy, 503, "boma; error=connection_limit_reached", 30, "Too many requests at once"),
            Reason::NotCached        => row("cache.only_if_cached", "denied",  Client, 504, "", 0, "Nothing is kept at this address, and the request wanted nothing else"),
            Reason::WaitFull         => row("waiting.full",      "queued",     Policy, 503, "boma; error=connection_limit_reached", 15, "Please wait for your turn"),
            Reason::WaitRule         => row("waiting.rule",      "queued",     Policy, 503, "boma; error=http_request_denied", 15, "Please wait for your turn"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_no_refusal_is_a_200() {
        for (i, a) in Reason::ALL.iter().enumerate() {
            assert_eq!(*a as usize, i, "ALL is in the order of the enum");
            assert!(Reason::ALL[..i].iter().all(|b| b.row().name != a.row().name), "{}", a.row().name);
            if a.row().blame != Blame::Nobody {
                assert!(a.row().status >= 400, "{}", a.row().name);
            }
        }
    }
}
