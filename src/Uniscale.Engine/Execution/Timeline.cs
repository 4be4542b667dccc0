using System.Diagnostics;
using Uniscale.Collectives.Journal;
using Uniscale.Programs;
using Uniscale.Programs.Tracing;
using Uniscale.Torch.Autograd;

namespace Uniscale.Engine.Execution;

/// <summary>What a stretch of a rank's time was spent on.</summary>
public enum TimelineRow
{
    /// <summary>Instructions on the compute thread.</summary>
    Compute,

    /// <summary>Waits of the compute thread for communication.</summary>
    Wait,

    /// <summary>Operations between ranks, from posting to completion.</summary>
    Communication,

    /// <summary>Operations and, within them, kernels.</summary>
    Kernel,

    /// <summary>Optimizer steps from reading to the last update.</summary>
    Step,
}

/// <summary>A stretch of time, in microseconds since the machine's epoch, so that ranks can be laid side by side.</summary>
public readonly record struct TimelineEvent(TimelineRow Row, string Name, double StartMicros, double DurationMicros);

/// <summary>Measured times of one rank: compute, communication and waits.</summary>
/// <param name="rank">World rank.</param>
/// <param name="journal">Times of the operations between ranks.</param>
/// <param name="recordKernels">Kernels are recorded too; recording must then be switched on first, and on the rank's own thread.</param>
public sealed class Timeline(int rank, CollectiveJournal journal, bool recordKernels = false)
{
    /// <summary>What the names of operations begin with in the row of kernels.</summary>
    internal const string OperationPrefix = "operation::";

    private readonly DateTimeOffset _origin = DateTimeOffset.UtcNow;
    private readonly long _originTicks = Stopwatch.GetTimestamp();
    private readonly List<TimelineEvent> _events = [];
    private readonly HashSet<long> _seen = [];
    private DateTimeOffset _recordedFrom = DateTimeOffset.UtcNow;
    private bool _isRecording = !recordKernels;

    /// <summary>
    /// Waits for a device, so that a kernel's time is its own and not the next one's; null: operators return when they are done.
    /// </summary>
    public Action? AwaitDevice { get; init; }

    /// <summary>World rank.</summary>
    public int Rank => rank;

    /// <summary>Whether what happens is recorded.</summary>
    public bool IsRecording
    {
        get => _isRecording;
        set
        {
            if (value == _isRecording)
                return;
            _isRecording = value;
            if (value)
                _recordedFrom = DateTimeOffset.UtcNow;
            if (recordKernels)
                GraphFunction.Listener = value ? (name, start, end) => Kernel(OperationPrefix + name, start, end) : null;
        }
    }

    /// <summary>Whether kernels are recorded too.</summary>
    internal bool RecordsKernels => recordKernels;

    /// <summary>What was recorded, in order of completion.</summary>
    public IReadOnlyList<TimelineEvent> Events => _events;

    /// <summary>Records an instruction until the result is disposed; null while nothing is recorded.</summary>
    public IDisposable? Compute(Instruction instruction) =>
        IsRecording ? new Interval(this, TimelineRow.Compute, instruction.ToString()) : null;

    /// <summary>Records a step until the result is disposed; null while nothing is recorded.</summary>
    public IDisposable? Step(long number) => IsRecording ? new Interval(this, TimelineRow.Step, $"step {number}") : null;

    /// <summary>The same object, of which every call is recorded as a kernel where kernels are recorded.</summary>
    public T Recorded<T>(T kernels)
        where T : class => recordKernels ? RecordedCalls<T>.Of(kernels, this) : kernels;

    /// <summary>Records a kernel, given in <see cref="Stopwatch"/> ticks.</summary>
    internal void Kernel(string name, long start, long end) => Add(TimelineRow.Kernel, name, start, end);

    /// <summary>Records a wait, given in <see cref="Stopwatch"/> ticks.</summary>
    public void Waited(long start, long end)
    {
        if (IsRecording)
            Add(TimelineRow.Wait, "wait", start, end);
    }

    /// <summary>
    /// Share of communication time that compute did not hide: time waited over time from posting to completion, operations that overlap
    /// counted once; 0 where there was no communication.
    /// </summary>
    public double ExposedShare()
    {
        double communication = Union(TimelineRow.Communication);
        double waited = _events.Where(e => e.Row == TimelineRow.Wait).Sum(e => e.DurationMicros);
        return communication <= 0 ? 0 : Math.Min(1, waited / communication);
    }

    /// <summary>Takes over the operations that ended since the last call; the journal remembers a limited number.</summary>
    public void CollectOperations()
    {
        foreach (var entry in journal.Snapshot())
        {
            if (entry.State != OperationState.Completed || entry.Posted < _recordedFrom || !_seen.Add(entry.Number))
                continue;
            _events.Add(
                new TimelineEvent(
                    TimelineRow.Communication,
                    $"{entry.Signature.Kind} {entry.Group}",
                    Micros(entry.Posted),
                    (entry.Changed - entry.Posted).TotalMicroseconds
                )
            );
        }
    }

    /// <summary>Writes timelines as a Chrome trace (opens in Perfetto): a process a rank, a thread a row.</summary>
    public static void Write(string path, IEnumerable<(int Rank, IReadOnlyList<TimelineEvent> Events)> timelines)
    {
        using var stream = File.Create(path);
        using var trace = new ChromeTraceWriter(stream);
        foreach (var (rank, events) in timelines)
        {
            trace.NameProcess(rank, $"rank {rank}");
            foreach (var row in Enum.GetValues<TimelineRow>())
                trace.NameThread(rank, (int)row, NameOf(row));
            foreach (var entry in events)
                trace.Write(entry.Name, NameOf(entry.Row), entry.StartMicros, entry.DurationMicros, rank, (int)entry.Row);
        }
    }

    private static string NameOf(TimelineRow row) => row.ToString().ToLowerInvariant();

    private double Union(TimelineRow row)
    {
        double covered = 0,
            end = double.NegativeInfinity;
        foreach (var entry in _events.Where(e => e.Row == row).OrderBy(e => e.StartMicros))
        {
            double until = entry.StartMicros + entry.DurationMicros;
            covered += Math.Max(0, until - Math.Max(end, entry.StartMicros));
            end = Math.Max(end, until);
        }
        return covered;
    }

    private void Add(TimelineRow row, string name, long start, long end) =>
        _events.Add(new TimelineEvent(row, name, Micros(start), Stopwatch.GetElapsedTime(start, end).TotalMicroseconds));

    private double Micros(long ticks) => Micros(_origin + Stopwatch.GetElapsedTime(_originTicks, ticks));

    private static double Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).TotalMicroseconds;

    private sealed class Interval(Timeline timeline, TimelineRow row, string name) : IDisposable
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public void Dispose()
        {
            if (timeline.RecordsKernels)
                timeline.AwaitDevice?.Invoke();
            timeline.Add(row, name, _start, Stopwatch.GetTimestamp());
            timeline.CollectOperations();
        }
    }
}
