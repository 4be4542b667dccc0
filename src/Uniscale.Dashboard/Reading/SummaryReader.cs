using System.Collections.ObjectModel;
using Uniscale.Dashboard.Safety;
using Uniscale.Telemetry;

namespace Uniscale.Dashboard.Reading;

/// <summary>Reads the summary of a run from the two ends of its metrics file, however large it is.</summary>
/// <param name="door">The door to the disk.</param>
internal sealed class SummaryReader(RunsFolder door)
{
    private const int HeadBytes = 8 << 10,
        ShallowBytes = 24 << 10,
        DeepBytes = 256 << 10,
        MostSources = 64;

    private static readonly TimeSpan Still = TimeSpan.FromSeconds(60);

    /// <summary>Reads a run.</summary>
    /// <param name="run">The run.</param>
    /// <param name="now">The time.</param>
    /// <param name="isDeep">Validations are wanted, too, which may stand far from the end.</param>
    public RunSummary Read(FoundFolder run, DateTimeOffset now, bool isDeep)
    {
        var told = new Told();
        try
        {
            using var stream = door.Open(run.FullPath, "metrics.jsonl");
            if (stream is not null)
                ReadEnds(stream, told, isDeep ? DeepBytes : ShallowBytes);
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            // What was read until then counts.
        }
        var events = LaunchEvent.Read(door, run.FullPath);
        var signs = RankSign.Read(door, run.FullPath);
        return told.Summary with
        {
            Run = run,
            Validations = told.Validations,
            Scores = told.Scores,
            State = StateOf(told, events, signs, now),
            Restarts = events.Count(entry => entry.Kind == "Restarted"),
            LastFault = events.LastOrDefault(entry => entry.Kind is "Fault" or "GivenUp")?.Message,
            CheckpointStep = CheckpointView.NewestStep(door, run.FullPath),
            Told = told.Last,
        };
    }

    private static RunState StateOf(Told told, IReadOnlyList<LaunchEvent> events, IReadOnlyList<RankSign> signs, DateTimeOffset now)
    {
        var living = signs.Where(sign => sign.IsAliveAt(now)).ToList();
        if (living.Count > 0)
            return living.TrueForAll(sign => now - sign.Moved > Still && sign.Busy.Length == 0) ? RunState.Standing : RunState.Running;
        if (told.Summary.Ending is not null)
            return told.HasFinished ? RunState.Finished : RunState.Stopped;
        if (events.Count > 0 && events[^1].Kind == "GivenUp")
            return RunState.Failed;
        return told.Last is null && events.Count == 0 ? RunState.Unknown : RunState.Gone;
    }

    private static void ReadEnds(FileStream stream, Told told, int tailBytes)
    {
        var record = new MetricRecord();
        long length = stream.Length;
        Lines(Block(stream, 0, (int)Math.Min(length, HeadBytes)), isCut: false, record, told);
        if (length <= HeadBytes)
            return;
        long head = told.Lines;
        TakeTail(stream, length, tailBytes, record, told);
        // Long lines: a longer end has some.
        if (told.Lines == head && tailBytes < DeepBytes)
            TakeTail(stream, length, DeepBytes, record, told);
    }

    private static void TakeTail(FileStream stream, long length, int bytes, MetricRecord record, Told told)
    {
        // What was in the head, too, is taken twice, and the later wins.
        long from = Math.Max(0, length - bytes);
        Lines(Block(stream, from, (int)(length - from)), isCut: from > 0, record, told);
    }

    private static byte[] Block(FileStream stream, long from, int count)
    {
        byte[] block = new byte[count];
        stream.Position = from;
        int read = stream.ReadAtLeast(block, count, throwOnEndOfStream: false);
        return read == count ? block : block[..read];
    }

    private static void Lines(ReadOnlySpan<byte> rest, bool isCut, MetricRecord record, Told told)
    {
        for (int end; (end = rest.IndexOf((byte)'\n')) >= 0; rest = rest[(end + 1)..])
        {
            if (!isCut && record.Read(rest[..end].TrimEnd((byte)'\r')))
                told.Take(record);
            isCut = false;
        }
    }

    /// <summary>What the records say, the later wins.</summary>
    private sealed class Told
    {
        public RunSummary Summary { get; private set; } = new() { Run = null! };

        public DateTimeOffset? Last { get; private set; }

        public bool HasFinished { get; private set; }

        /// <summary>Records.</summary>
        public long Lines { get; private set; }

        public Dictionary<string, ValidationPoint> Validations { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, ScorePoint> Scores { get; } = new(StringComparer.Ordinal);

        public void Take(MetricRecord record)
        {
            Lines++;
            if (record.Time != default)
                Last = record.Time;
            if (double.IsFinite(record.EffectiveShare))
                Summary = Summary with { EffectiveShare = record.EffectiveShare };
            switch (record.Kind)
            {
                case RecordKind.Start:
                    HasFinished = false;
                    Summary = Summary with
                    {
                        Ending = null,
                        Step = Math.Max(Summary.Step, record.Step),
                        TotalSteps = record.TotalSteps,
                        TotalTokens = record.TotalTokens,
                        ParameterCount = record.ParameterCount,
                        Ranks = record.Ranks,
                        Layout = record.Layout ?? "",
                    };
                    break;
                case RecordKind.Step:
                    TakeStep(record);
                    break;
                case RecordKind.Validation when Validations.Count < MostSources || Validations.ContainsKey(record.Name ?? ""):
                    Validations[record.Name ?? ""] = ValidationPoint.Of(record);
                    break;
                case RecordKind.Evaluation
                    when record is { IsPart: false, Task: { } task, Metric: { } metric }
                        && (Scores.Count < MostSources || Scores.ContainsKey(task)):
                    Scores[task] = new ScorePoint(record.Step, task, metric, record.Scores.GetValueOrDefault(metric, double.NaN));
                    break;
                case RecordKind.End:
                    HasFinished = record.Finished;
                    Summary = Summary with { Ending = record.Message ?? (record.Finished ? "finished" : "stopped") };
                    break;
            }
        }

        private void TakeStep(MetricRecord record) =>
            Summary = Summary with
            {
                Ending = null,
                Step = record.Step,
                TotalSteps = record.TotalSteps > 0 ? record.TotalSteps : Summary.TotalSteps,
                ConsumedTokens = record.ConsumedTokens,
                Phase = record.Phase,
                Loss = record.Loss,
                DomainLosses =
                    record.DomainLosses.Count == 0
                        ? ReadOnlyDictionary<string, double>.Empty
                        : new Dictionary<string, double>(record.DomainLosses),
                LearningRate = record.LearningRate,
                GradientNorm = record.GradientNorm,
                TokensPerSecond = record.TokensPerSecond,
                Mfu = record.Mfu,
                MemoryBytes = double.IsFinite(record.DeviceMemoryBytes) ? record.DeviceMemoryBytes : record.MemoryBytes,
                Remaining = record.Remaining,
                SkippedCount = record.SkippedCount,
                Rollbacks = record.Rollbacks,
            };
    }
}
