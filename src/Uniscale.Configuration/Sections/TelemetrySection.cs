using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>What of a run goes to the tools that a cluster has: rank 0 tells it, on a thread of its own.</summary>
public sealed record TelemetrySection
{
    /// <summary>Port on which Prometheus may scrape the run; 0: none. A port that is taken is told, and training goes on.</summary>
    [Range(0, 65_535)]
    public int Prometheus { get; init; }

    /// <summary>Name that the scrape endpoint answers to; <c>*</c>: every name, from other machines too.</summary>
    public string PrometheusHost { get; init; } = "localhost";

    /// <summary>Address of an OpenTelemetry collector, e.g. <c>http://localhost:4318</c>; empty: none.</summary>
    public string Otlp { get; init; } = "";

    /// <summary>How the collector is spoken to.</summary>
    [OneOf("http", "grpc")]
    public string OtlpProtocol { get; init; } = "http";

    /// <summary>Time between two exports to it.</summary>
    [Range(0.1), Unit(Unit.Duration)]
    public double OtlpEvery { get; init; } = 10;

    /// <summary>Whom to tell at once of what needs a person.</summary>
    public NotifySection Notify { get; init; } = new();
}

/// <summary>Notices to people: by a command, by a webhook, or both.</summary>
public sealed record NotifySection
{
    /// <summary>
    /// Run by <c>sh -c</c> with UNISCALE_EVENT, UNISCALE_RUN, UNISCALE_STEP and UNISCALE_MESSAGE in its environment, and the notice as JSON
    /// on its input; empty: none.
    /// </summary>
    public string Command { get; init; } = "";

    /// <summary>Address that the notice is posted to as JSON; empty: none.</summary>
    public string Webhook { get; init; } = "";

    /// <summary>
    /// Of what: <c>spike</c> (bad steps), <c>restart</c>, <c>hang</c> (faults that a supervisor sees, hangs among them), <c>finish</c> (the
    /// end, in whatever way), <c>warning</c> (all other warnings).
    /// </summary>
    public IReadOnlyList<string> On { get; init; } = ["spike", "restart", "hang", "finish"];

    /// <summary>Notices an hour; the rest is counted, and told with the next.</summary>
    [Range(1, 10_000)]
    public int MostPerHour { get; init; } = 12;
}
