using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A run that somebody looks at: its steps are kept in memory.</summary>
internal sealed class FollowedRun(RunsFolder door, FoundFolder folder)
{
    private const long EventsPauseMilliseconds = 1_000;

    private readonly Lock _gate = new();
    private int _isReading;
    private long _looked = Environment.TickCount64;
    private long? _eventsLooked;
    private DateTime _eventsStamp;
    private IReadOnlyList<LaunchEvent> _events = [];

    /// <summary>The run.</summary>
    public FoundFolder Folder { get; } = folder;

    /// <summary>Its steps.</summary>
    public MetricsFollower Follower { get; } = new(door, folder.FullPath);

    /// <summary>When somebody last looked, in milliseconds since the machine started.</summary>
    public long Looked => Volatile.Read(ref _looked);

    /// <summary>Steps in memory.</summary>
    public int Count => Follower.Look((series, _) => series.Count);

    /// <summary>Turns of the job as its launcher wrote them, as of a second ago.</summary>
    public IReadOnlyList<LaunchEvent> Events()
    {
        lock (_gate)
        {
            if (Environment.TickCount64 - _eventsLooked < EventsPauseMilliseconds)
                return _events;
            _eventsLooked = Environment.TickCount64;
            var stamp = RunsFolder.LastWrite(Folder.FullPath, "launch/events.jsonl");
            if (stamp != _eventsStamp)
                _events = LaunchEvent.Read(door, Folder.FullPath);
            _eventsStamp = stamp;
            return _events;
        }
    }

    /// <summary>Reads what is new; what takes longer goes on in the background, and this returns.</summary>
    public void Refresh()
    {
        Volatile.Write(ref _looked, Environment.TickCount64);
        if (Volatile.Read(ref _isReading) == 1 || !Follower.ReadOn() || Interlocked.Exchange(ref _isReading, 1) == 1)
            return;
        // A thread of its own: the pool's answer the viewers meanwhile.
        new Thread(ReadRest)
        {
            IsBackground = true,
            Name = "metrics reader",
            Priority = ThreadPriority.BelowNormal,
        }.Start();
    }

    private void ReadRest()
    {
        try
        {
            while (Follower.ReadOn())
                Thread.Yield();
        }
        finally
        {
            Volatile.Write(ref _isReading, 0);
        }
    }
}
