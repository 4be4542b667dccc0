using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Telemetry;
using Uniscale.Telemetry.Accounting;

namespace Uniscale.Launching.Supervision;

/// <summary>What a run's directory tells about it, while it goes on or afterwards.</summary>
/// <param name="State">Running: ranks live and move. Standing: ranks live and do not move. Gone: it ended without a word.</param>
/// <param name="Step">Steps done.</param>
/// <param name="TotalSteps">Steps of the run; 0 if unknown.</param>
/// <param name="ConsumedTokens">Tokens fed.</param>
/// <param name="Loss">Loss of the last step; null before the first.</param>
/// <param name="TokensPerSecond">Speed of the last step.</param>
/// <param name="Layout">Ranks and axes.</param>
/// <param name="Restarts">Times that the supervisor started it again.</param>
/// <param name="Account">Where its time went.</param>
/// <param name="Wall">Time since it was first started, to its end or to now.</param>
/// <param name="Checkpoint">The last checkpoint that is durable, in the run's words; null: none yet.</param>
/// <param name="LastFault">The last fault; null: none.</param>
public sealed record RunStatus(
    RunState State,
    long Step,
    long TotalSteps,
    long ConsumedTokens,
    double? Loss,
    double TokensPerSecond,
    string Layout,
    int Restarts,
    TimeAccount Account,
    TimeSpan Wall,
    string? Checkpoint,
    JobEvent? LastFault
)
{
    /// <summary>Bad steps by kind.</summary>
    public IReadOnlyDictionary<string, long> BadSteps { get; init; } = new Dictionary<string, long>();

    /// <summary>Steps whose updates are not in the weights: left out, or taken back.</summary>
    public long SkippedSteps { get; init; }

    /// <summary>Times that the run went back to a checkpoint because of bad steps.</summary>
    public long Rollbacks { get; init; }

    /// <summary>What was said of the last bad step; null: there was none.</summary>
    public string? LastIncident { get; init; }

    /// <summary>What the run said when it ended; null: it has not, or went on since.</summary>
    public string? Ending { get; init; }

    /// <summary>Lines of metrics.jsonl that are no records; the last may be half written.</summary>
    public long UnreadLines { get; init; }

    /// <summary>The latest score of each task that the model was asked, by its name; parts of a task are left out.</summary>
    public IReadOnlyDictionary<string, TaskScore> Scores { get; init; } = new Dictionary<string, TaskScore>();

    private static readonly string?[] IncidentNotes =
    [
        "step-skipped",
        "step-rolled-back",
        "step-stopped",
        "step-suspect",
        "replicas-differ",
    ];
    private static readonly TimeSpan Still = TimeSpan.FromSeconds(60);

    /// <summary>Effective training time: the share of the wall time in which the run was wanted that went into steps that count.</summary>
    public double EffectiveShare => Wall.TotalSeconds - Account.Standing is > 0 and var wanted ? Account.Effective / wanted : 0;

    /// <summary>Reads a run's directory.</summary>
    /// <exception cref="UserErrorException">There is no run.</exception>
    public static RunStatus Read(string runDirectory, DateTimeOffset now)
    {
        string metrics = Path.Combine(runDirectory, TelemetryFactory.MetricsFileName);
        string folder = Path.Combine(runDirectory, RankLauncher.FolderName);
        var events = EventLog.Read(folder);
        // A job may fail before a rank of it trains: its launcher has told of it all the same.
        if (!File.Exists(metrics) && events.Count == 0)
            throw new UserErrorException(
                Directory.Exists(folder)
                    ? $"The run in {runDirectory} is not ready to train yet, or ended before it was: look again, or start it with --resume."
                    : $"There is no run in {runDirectory}: name the directory of one, for example runs/quickstart."
            );
        var told = Metrics.Read(metrics);
        var living = NewestFolder(folder) is { } newest ? Heartbeat.Living(newest, now) : [];
        // The first record comes when a run is ready to train; its account begins with the run, its launcher before.
        var started = ((DateTimeOffset?[])[told.Started, told.Account?.Since, events.Count > 0 ? events[0].Time : null]).Min()!.Value;
        if (started == DateTimeOffset.MaxValue)
            started = now;
        var state = StateOf(living, events, told, now);
        var ended =
            state is RunState.Running or RunState.Standing ? now
            : events.Count > 0 && events[^1].Time > told.Last ? events[^1].Time
            : told.Last;
        return new(
            state,
            told.Step,
            told.TotalSteps,
            told.ConsumedTokens,
            told.Loss,
            told.TokensPerSecond,
            $"{told.Ranks} {(told.Ranks == 1 ? "rank" : "ranks")}, {told.Layout}",
            events.Count(entry => entry.Kind == JobEventKind.Restarted),
            AccountOf(told, started),
            ended - started,
            told.Checkpoint,
            events.LastOrDefault(entry => entry.Fault is not null)
        )
        {
            BadSteps = told.BadSteps,
            SkippedSteps = told.SkippedSteps,
            Rollbacks = told.Rollbacks,
            LastIncident = told.LastIncident,
            Ending = told.Ending,
            UnreadLines = told.UnreadLines,
            Scores = told.Scores,
        };
    }

    /// <summary>
    /// The account that the run has kept, with the time that its launcher took before it; of a run that keeps none, what its steps say.
    /// </summary>
    private static TimeAccount AccountOf(Metrics told, DateTimeOffset started)
    {
        if (told.Account is not { } account)
            return new TimeAccount { Since = started, Effective = told.SecondsOfStep.Values.Sum() };
        return account.With(TimeUse.Starting, Math.Max(0, (account.Since - started).TotalSeconds)) with { Since = started };
    }

    /// <summary>The folder with the newest heartbeats of a job; null: there are none.</summary>
    public static string? NewestFolder(string folder)
    {
        if (!Directory.Exists(folder))
            return null;
        var folders = Directory
            .GetDirectories(folder, "attempt-*")
            .Append(folder)
            .Where(path => Heartbeat.Files(path).Any());
        return folders.MaxBy(path => Heartbeat.Files(path).Max(File.GetLastWriteTimeUtc));
    }

    private static RunState StateOf(IReadOnlyList<Heartbeat> living, IReadOnlyList<JobEvent> events, Metrics told, DateTimeOffset now)
    {
        if (living.Count > 0)
            return living.All(beat => now - beat.Moved > Still && beat.Busy.Length == 0) ? RunState.Standing : RunState.Running;
        if (told.Ending is not null)
            return told.HasFinished ? RunState.Finished : RunState.Stopped;
        return events.Count > 0 && events[^1].Kind == JobEventKind.GivenUp ? RunState.Failed : RunState.Gone;
    }

    /// <summary>What the metrics file says, read in one pass.</summary>
    private sealed class Metrics
    {
        public DateTimeOffset Started { get; private set; } = DateTimeOffset.MaxValue;

        public DateTimeOffset Last { get; private set; }

        public long Step { get; private set; }

        public long TotalSteps { get; private set; }

        public long ConsumedTokens { get; private set; }

        public double? Loss { get; private set; }

        public double TokensPerSecond { get; private set; }

        public int Ranks { get; private set; }

        public string Layout { get; private set; } = "";

        public string? Checkpoint { get; private set; }

        public TimeAccount? Account { get; private set; }

        public IReadOnlyDictionary<string, long> BadSteps { get; private set; } = new Dictionary<string, long>();

        public long SkippedSteps { get; private set; }

        public long Rollbacks { get; private set; }

        public string? LastIncident { get; private set; }

        public Dictionary<string, TaskScore> Scores { get; } = new(StringComparer.Ordinal);

        /// <summary>The run's last words; null while it goes on.</summary>
        public string? Ending { get; private set; }

        public bool HasFinished { get; private set; }

        /// <summary>Lines that are no records.</summary>
        public long UnreadLines { get; private set; }

        /// <summary>Of a step that was done again only the last time counts.</summary>
        public Dictionary<long, double> SecondsOfStep { get; } = [];

        public static Metrics Read(string path)
        {
            var metrics = new Metrics();
            if (!File.Exists(path))
                return metrics;
            metrics.UnreadLines = MetricsFile.Read(path, metrics.Take);
            return metrics;
        }

        private void Take(JsonElement line)
        {
            Last = line.GetProperty("time").GetDateTimeOffset();
            if (Last < Started)
                Started = Last;
            TakeTotals(line);
            switch (line.GetProperty("kind").GetString())
            {
                case "start":
                    (Ending, Ranks, Layout) = (null, line.GetProperty("ranks").GetInt32(), line.GetProperty("layout").GetString() ?? "");
                    TotalSteps = line.GetProperty("total_steps").GetInt64();
                    break;
                case "step":
                    Step = line.GetProperty("step").GetInt64();
                    if (line.TryGetProperty("total_steps", out var total))
                        TotalSteps = total.GetInt64();
                    ConsumedTokens = line.GetProperty("consumed_tokens").GetInt64();
                    Loss = line.GetProperty("loss").ValueKind == JsonValueKind.Number ? line.GetProperty("loss").GetDouble() : double.NaN;
                    TokensPerSecond = line.GetProperty("tokens_per_second").GetDouble();
                    SecondsOfStep[Step] = line.GetProperty("seconds").GetDouble();
                    break;
                case "evaluation" when !line.GetProperty("is_part").GetBoolean():
                    var score = TaskScore.Of(line);
                    Scores[score.Task] = score;
                    break;
                case "note" when line.GetProperty("note").GetString() == "checkpoint-durable":
                    Checkpoint = line.GetProperty("message").GetString();
                    break;
                case "note" when IncidentNotes.Contains(line.GetProperty("note").GetString()):
                    LastIncident = line.GetProperty("message").GetString();
                    break;
                case "end":
                    HasFinished = line.GetProperty("finished").GetBoolean();
                    Ending =
                        line.TryGetProperty("message", out var message) ? message.GetString()
                        : HasFinished ? "finished"
                        : "stopped as asked";
                    break;
            }
        }

        /// <summary>Totals that starts, steps and ends carry.</summary>
        private void TakeTotals(JsonElement line)
        {
            if (line.TryGetProperty("account", out var account))
                Account = account.Deserialize<TimeAccount>(TimeKeeper.Format);
            if (line.TryGetProperty("bad_steps", out var bad))
                BadSteps = bad.Deserialize<Dictionary<string, long>>() ?? [];
            if (line.TryGetProperty("skipped_count", out var skipped))
                SkippedSteps = skipped.GetInt64();
            if (line.TryGetProperty("rollbacks", out var rollbacks))
                Rollbacks = rollbacks.GetInt64();
        }
    }
}
