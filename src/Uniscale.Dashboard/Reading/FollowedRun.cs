using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A run that somebody looks at: its steps are kept in memory.</summary>
internal sealed class FollowedRun(RunsFolder door, FoundFolder folder)
{
    private int _isReading;
    private long _looked = Environment.TickCount64;

    /// <summary>The run.</summary>
    public FoundFolder Folder { get; } = folder;

    /// <summary>Its steps.</summary>
    public MetricsFollower Follower { get; } = new(door, folder.FullPath);

    /// <summary>When somebody last looked, in milliseconds since the machine started.</summary>
    public long Looked => Volatile.Read(ref _looked);

    /// <summary>Steps in memory.</summary>
    public int Count => Follower.Look((series, _) => series.Count);

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
