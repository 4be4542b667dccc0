using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Supervision;

/// <summary>Whether a run is going on.</summary>
public enum RunState { Running, Standing, Finished, Stopped, Failed, Gone }

/// <summary>What a run's directory tells about it, while it goes on or afterwards.</summary>
/// <param name="State">Running: ranks live and move. Standing: ranks live and do not move. Gone: it ended without a word.</param>
/// <param name="Step">Steps done.</param>
/// <param name="TotalSteps">Steps of the run; 0 if unknown.</param>
/// <param name="ConsumedTokens">Tokens fed.</param>
/// <param name="Loss">Loss of the last step; null before the first.</param>
/// <param name="TokensPerSecond">Speed of the last step.</param>
/// <param name="Layout">Ranks and axes.</param>
/// <param name="Restarts">Times that the supervisor started it again.</param>
/// <param name="Effective">Time spent in steps that count: without starts, saves, waiting for restarts, and steps that were done again.</param>
/// <param name="Wall">Time since it was first started, to its end or to now.</param>
/// <param name="Checkpoint">The last checkpoint that is durable, in the run's words; null: none yet.</param>
/// <param name="LastFault">The last fault; null: none.</param>
public sealed record RunStatus(
    RunState State, long Step, long TotalSteps, long ConsumedTokens, double? Loss, double TokensPerSecond, string Layout, int Restarts,
    TimeSpan Effective, TimeSpan Wall, string? Checkpoint, JobEvent? LastFault)
{
    private static readonly TimeSpan Lifeless = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Still = TimeSpan.FromSeconds(60);

    /// <summary>Share of the wall time that went into steps that count (effective training time).</summary>
    public double EffectiveShare => Wall > TimeSpan.Zero ? Effective / Wall : 0;

    /// <summary>Reads a run's directory.</summary>
    /// <exception cref="UserErrorException">There is no run.</exception>
    public static RunStatus Read(string runDirectory, DateTimeOffset now)
    {
        string metrics = Path.Combine(runDirectory, "metrics.jsonl");
        if (!File.Exists(metrics)) throw new UserErrorException($"There is no run in {runDirectory}: name the directory of one, for example runs/quickstart.");
        var told = Metrics.Read(metrics);
        string folder = Path.Combine(runDirectory, RankLauncher.FolderName);
        var events = EventLog.Read(folder);
        var beats = NewestFolder(folder) is { } newest ? Heartbeat.ReadAll(newest) : [];
        var started = events.Count > 0 && events[0].Time < told.Started ? events[0].Time : told.Started;
        var state = StateOf(beats, events, told, now);
        var ended = state is RunState.Running or RunState.Standing ? now : events.Count > 0 && events[^1].Time > told.Last ? events[^1].Time : told.Last;
        return new(state, told.Step, told.TotalSteps, told.ConsumedTokens, told.Loss, told.TokensPerSecond, $"{told.Ranks} ranks, {told.Layout}",
            events.Count(entry => entry.Kind == JobEventKind.Restarted), TimeSpan.FromSeconds(told.SecondsOfStep.Values.Sum()), ended - started,
            told.Checkpoint, events.LastOrDefault(entry => entry.Fault is not null));
    }

    /// <summary>The folder with the newest heartbeats of a job; null: there are none.</summary>
    public static string? NewestFolder(string folder)
    {
        if (!Directory.Exists(folder)) return null;
        var folders = Directory.GetDirectories(folder, "attempt-*").Append(folder).Where(path => Directory.EnumerateFiles(path, "rank-*.beat").Any());
        return folders.MaxBy(path => Directory.EnumerateFiles(path, "rank-*.beat").Max(File.GetLastWriteTimeUtc));
    }

    private static RunState StateOf(IReadOnlyList<Heartbeat> beats, IReadOnlyList<JobEvent> events, Metrics told, DateTimeOffset now)
    {
        var living = beats.Where(beat => !beat.HasEnded && now - beat.Alive < Lifeless).ToList();
        if (living.Count > 0) return living.All(beat => now - beat.Moved > Still && beat.Busy.Length == 0) ? RunState.Standing : RunState.Running;
        if (told.HasEnded) return told.HasFinished ? RunState.Finished : RunState.Stopped;
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

        public bool HasEnded { get; private set; }

        public bool HasFinished { get; private set; }

        /// <summary>Of a step that was done again only the last time counts.</summary>
        public Dictionary<long, double> SecondsOfStep { get; } = [];

        public static Metrics Read(string path)
        {
            var metrics = new Metrics();
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                try
                {
                    using var document = JsonDocument.Parse(line);
                    metrics.Take(document.RootElement);
                }
                catch (JsonException)
                {
                    // The last line may be half written.
                }
            }
            return metrics;
        }

        private void Take(JsonElement line)
        {
            Last = line.GetProperty("time").GetDateTimeOffset();
            if (Last < Started) Started = Last;
            switch (line.GetProperty("kind").GetString())
            {
                case "start":
                    (HasEnded, Ranks, Layout) = (false, line.GetProperty("ranks").GetInt32(), line.GetProperty("layout").GetString() ?? "");
                    TotalSteps = line.GetProperty("total_steps").GetInt64();
                    break;
                case "step":
                    Step = line.GetProperty("step").GetInt64();
                    ConsumedTokens = line.GetProperty("consumed_tokens").GetInt64();
                    Loss = line.GetProperty("loss").ValueKind == JsonValueKind.Number ? line.GetProperty("loss").GetDouble() : double.NaN;
                    TokensPerSecond = line.GetProperty("tokens_per_second").GetDouble();
                    SecondsOfStep[Step] = line.GetProperty("seconds").GetDouble();
                    break;
                case "note" when line.GetProperty("note").GetString() == "checkpoint-durable":
                    Checkpoint = line.GetProperty("message").GetString();
                    break;
                case "end":
                    (HasEnded, HasFinished) = (true, line.GetProperty("finished").GetBoolean());
                    break;
            }
        }
    }
}
